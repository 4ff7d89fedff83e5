#include "team.hpp"

#include <chrono>

namespace cadenza {
namespace {

// A phase lasts tens of microseconds. Waiting longer than that means that a CPU is missing or that the step is over,
// and then spinning would only burn the quota.
constexpr auto kSpin = std::chrono::microseconds(60);

inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

constexpr uint32_t number(uint64_t ticket) { return uint32_t(ticket >> 32); }

constexpr uint64_t next(uint64_t ticket, int tasks) { return uint64_t(number(ticket) + 1) << 32 | uint32_t(tasks); }

}  // namespace

Team::Team(int threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
}

Team::~Team() {
    stopping_.store(true);
    publish(next(ticket_.load(), 0));
    for (std::thread &worker : workers_) worker.join();
}

void Team::run(const std::vector<Phase> &phases, void *context) {
    if (phases.empty()) return;
    const Ticket before = ticket_.load(std::memory_order_acquire);
    const auto last = uint32_t(number(before) + 1 + phases.size());
    phase_ = phases.data();
    end_ = phase_ + phases.size();
    context_ = context;
    publish(next(before, phase_->tasks));
    for (;;) {
        const Ticket ticket = ticket_.load(std::memory_order_acquire);
        if (number(ticket) == last) return;
        if (!take(ticket, 0)) wait_for_change(ticket);
    }
}

void Team::work(int thread) {
    while (!stopping_.load(std::memory_order_acquire)) {
        const Ticket ticket = ticket_.load(std::memory_order_acquire);
        if (!take(ticket, thread)) wait_for_change(ticket);
    }
}

// False when this ticket has no task left; true after running one or losing it to another thread.
bool Team::take(Ticket ticket, int thread) {
    const auto left = uint32_t(ticket);
    if (left == 0) return false;
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel)) return true;
    const Phase phase = *phase_;
    phase.run(context_, phase.argument, phase.tasks - int(left), thread);
    if (completed_.fetch_add(1, std::memory_order_acq_rel) + 1 == phase.tasks) advance(ticket);
    return true;
}

// Called by the one thread that completed the phase's last task. Nobody else touches the phase until the ticket
// changes, and whoever does so afterwards may already be in the next run.
void Team::advance(Ticket ticket) {
    completed_.store(0, std::memory_order_relaxed);
    publish(next(ticket, ++phase_ == end_ ? 0 : phase_->tasks));
}

// Sequentially consistent on both sides: either the sleeper sees the new ticket or the publisher sees the sleeper.
void Team::publish(Ticket ticket) {
    ticket_.store(ticket);
    if (sleepers_.load() == 0) return;
    { std::lock_guard<std::mutex> lock(mutex_); }
    changed_.notify_all();
}

// `seen` has no task left, so that only the next phase changes it.
void Team::wait_for_change(Ticket seen) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 16; i++) {
            if (ticket_.load(std::memory_order_acquire) != seen) return;
            relax();
        }
    } while (std::chrono::steady_clock::now() < until);
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    changed_.wait(lock, [&] { return ticket_.load() != seen; });
    sleepers_.fetch_sub(1);
}

}  // namespace cadenza
