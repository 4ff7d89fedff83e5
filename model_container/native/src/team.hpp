// Threads that work through phases of tasks. Knows threads; must not know what a task computes.
//
// A phase ends when its tasks are completed, not when every thread has arrived: a thread that the kernel has put aside
// holds up only the task it had taken, and one that had taken none holds up nothing. Barriers made a step three to
// eight times slower beside one busy process; this costs what the lost CPU is worth.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace cadenza {

struct Phase {
    void (*run)(void *context, int argument, int task, int thread);
    int argument;
    int tasks;  // at least 1
};

class Team {
public:
    explicit Team(int threads);
    ~Team();
    Team(const Team &) = delete;
    Team &operator=(const Team &) = delete;

    int threads() const { return int(workers_.size()) + 1; }

    // Runs the phases in order, the calling thread helping (as thread 0). One call at a time.
    void run(const std::vector<Phase> &phases, void *context);

private:
    // Number of the phase in the high half, its tasks not yet taken in the low half: a thread that read an old ticket
    // cannot take a task of a phase that it does not know.
    using Ticket = uint64_t;

    void work(int thread);
    bool take(Ticket ticket, int thread);
    void advance(Ticket ticket);
    void publish(Ticket ticket);
    void wait_for_change(Ticket seen);

    alignas(64) std::atomic<Ticket> ticket_{0};
    alignas(64) std::atomic<int> completed_{0};
    alignas(64) std::atomic<int> sleepers_{0};
    std::atomic<bool> stopping_{false};
    // Written only between the last completed task of a phase and the publishing of the next one.
    const Phase *phase_ = nullptr;
    const Phase *end_ = nullptr;
    void *context_ = nullptr;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::thread> workers_;
};

}  // namespace cadenza
