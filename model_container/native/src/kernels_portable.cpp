// For any CPU; the reference that the others must equal.

#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace cadenza {
namespace {
#include "lanes_portable.hpp"
#include "kernels_math.hpp"
#include "kernels_multiply.hpp"
#include "kernels_attention.hpp"
}  // namespace

#define KERNELS portable_kernels
#define NAME "portable"
#include "kernels_table.hpp"

}  // namespace cadenza
