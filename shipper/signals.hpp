// SIGINT and SIGTERM as events among others: no handler runs, a signalfd is polled with the sockets.
#pragma once

#include "waiter.hpp"

#include <csignal>

namespace waybill {

// The real Waiter. To be made before any thread is: the threads of librdkafka inherit the blocked signals.
// The first SIGINT or SIGTERM requests a stop, the second ends the process at once.
class SignalWaiter final : public Waiter {
public:
    SignalWaiter();
    ~SignalWaiter() override;

    SignalWaiter(const SignalWaiter &) = delete;
    SignalWaiter &operator=(const SignalWaiter &) = delete;

    [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::int64_t wall_clock_us() const override;
    void wait(std::span<pollfd> fds, TimePoint until) override;
    [[nodiscard]] bool stop_requested() const override { return stop_requested_; }

private:
    void read_signals();

    int signal_fd_ = -1;
    bool stop_requested_ = false;
};

} // namespace waybill
