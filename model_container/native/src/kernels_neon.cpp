// For ARM CPUs with the dot product: Graviton 2 and later, Apple M1 and later. Compiled with +dotprod.

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace cadenza {
namespace {
#include "lanes_neon.hpp"
#include "kernels_math.hpp"
#include "kernels_multiply.hpp"
#include "kernels_attention.hpp"
}  // namespace

#define KERNELS neon_kernels
#define NAME "neon"
#include "kernels_table.hpp"

}  // namespace cadenza
