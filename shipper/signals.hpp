// Signals as events among others: no handler runs, a signalfd is polled with the sockets.
#pragma once

#include "waiter.hpp"

#include <csignal>
#include <functional>
#include <initializer_list>

namespace waybill {

// The real Waiter. To be made before any thread is: the threads of librdkafka inherit the blocked signals.
// The first SIGINT or SIGTERM requests a stop, the second ends the process at once. SIGPIPE is ignored.
class SignalWaiter final : public Waiter {
public:
    SignalWaiter();
    ~SignalWaiter() override;

    SignalWaiter(const SignalWaiter &) = delete;
    SignalWaiter &operator=(const SignalWaiter &) = delete;

    // From now on SIGHUP, SIGUSR1 and SIGUSR2 do not end the process: each is told, in a wait. To be called before any
    // thread is made.
    void survive_others(std::function<void(int signal)> tell);

    [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::int64_t wall_clock_us() const override;
    void wait(std::span<pollfd> fds, TimePoint until) override;
    [[nodiscard]] bool stop_requested() const override { return stop_requested_; }

private:
    void watch(std::initializer_list<int> more);
    void read_signals();

    sigset_t signals_{};
    int signal_fd_ = -1;
    std::function<void(int signal)> tell_;
    bool stop_requested_ = false;
};

} // namespace waybill
