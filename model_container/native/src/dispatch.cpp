// Which kernels this CPU can run. A kernel is in the build when the compiler targets its architecture.

#include <cstring>
#include <string>

#include "kernels.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace cadenza {
namespace {

struct Candidate {
    const Kernels *kernels;
    bool (*runs_here)();
};

#if defined(__aarch64__)
bool has_dot_product() {
#if defined(__APPLE__)
    return true;  // every CPU that Apple sells with this architecture
#else
    constexpr unsigned long kDotProduct = 1UL << 20;  // HWCAP_ASIMDDP
    return (getauxval(AT_HWCAP) & kDotProduct) != 0;
#endif
}
#endif

const Candidate kCandidates[] = {  // best first
#if defined(__x86_64__)
    {&avx512vnni_kernels,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512vnni");
     }},
    {&avx2_kernels, [] { return __builtin_cpu_supports("avx2") != 0; }},
#elif defined(__aarch64__)
    {&neon_kernels, has_dot_product},
#endif
    {&portable_kernels, [] { return true; }},
};

}  // namespace

const Kernels *find_kernels(const char *name) {
    const bool automatic = strcmp(name, "auto") == 0;
    for (const Candidate &candidate : kCandidates) {
        const bool named = automatic || strcmp(name, candidate.kernels->name) == 0;
        if (named && candidate.runs_here()) return candidate.kernels;
    }
    return nullptr;
}

const char *kernel_names() {
    static const std::string names = [] {
        std::string all;
        for (const Candidate &candidate : kCandidates)
            if (candidate.runs_here()) all += (all.empty() ? "" : " ") + std::string(candidate.kernels->name);
        return all;
    }();
    return names.c_str();
}

}  // namespace cadenza
