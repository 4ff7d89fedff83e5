// For x86 CPUs since 2013. Compiled with -mavx2; nothing of the C++ library may be instantiated here.

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace cadenza {
namespace {
#include "lanes_avx2.hpp"
#include "kernels_math.hpp"
#include "kernels_multiply.hpp"
#include "kernels_attention.hpp"
}  // namespace

#define KERNELS avx2_kernels
#define NAME "avx2"
#include "kernels_table.hpp"

}  // namespace cadenza
