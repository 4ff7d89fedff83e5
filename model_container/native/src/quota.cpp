#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "team.hpp"

namespace cadenza {
namespace {

int affinity() {
#ifdef __linux__
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return CPU_COUNT(&cpus);
#endif
    return int(std::thread::hardware_concurrency());
}

std::string first_line(const std::string &path) {
    char line[256] = "";
    if (FILE *file = fopen(path.c_str(), "re")) {
        if (!fgets(line, sizeof line, file)) line[0] = 0;
        fclose(file);
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

// CPUs that "quota period" in microseconds are worth, 0 for no limit.
double worth(const std::string &text) {
    double quota = 0, period = 0;
    if (sscanf(text.c_str(), "%lf %lf", &quota, &period) != 2 || quota <= 0 || period <= 0) return 0;
    return quota / period;
}

// The tightest limit on the way from this process's control group to the root; a container sees its own as the root.
double control_group_limit() {
    double limit = 0;
    const auto tighten = [&](double cpus) {
        if (cpus > 0) limit = limit > 0 ? std::min(limit, cpus) : cpus;
    };
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return 0;
    char line[4096];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : nullptr;
        if (!path) continue;
        *path++ = 0;
        const bool unified = controllers[1] == 0;
        if (!unified && !strstr(controllers, "cpu")) continue;
        for (std::string group = path;; group.resize(group.rfind('/'))) {
            if (group == "/") group.clear();
            tighten(worth(first_line("/sys/fs/cgroup" + group + "/cpu.max")));
            const std::string v1 = "/sys/fs/cgroup/cpu" + group;
            tighten(worth(first_line(v1 + "/cpu.cfs_quota_us") + " " + first_line(v1 + "/cpu.cfs_period_us")));
            if (group.find('/') == std::string::npos) break;
        }
    }
    fclose(file);
    return limit;
}

}  // namespace

int cpu_quota() {
    const double limit = control_group_limit();
    const int cpus = limit > 0 ? std::min(affinity(), int(limit)) : affinity();
    return std::max(1, cpus);
}

}  // namespace cadenza
