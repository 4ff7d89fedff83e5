// For x86 CPUs with AVX-512 VNNI: Intel since Cascade Lake, AMD since Zen 4. Compiled with their flags; nothing of
// the C++ library may be instantiated here.

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace cadenza {
namespace {
#include "lanes_avx512.hpp"
#include "kernels_math.hpp"
#include "kernels_multiply.hpp"
#include "kernels_attention.hpp"
}  // namespace

#define KERNELS avx512vnni_kernels
#define NAME "avx512vnni"
#include "kernels_table.hpp"

}  // namespace cadenza
