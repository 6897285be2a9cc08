// Time, and the one way to wait. Everything that waits does it here, so that a signal ends every wait and a test can
// put its own time in.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <span>

namespace waybill {

using TimePoint = std::chrono::steady_clock::time_point;

// Somebody asked the program to end while it waited for something that may not come.
struct Stopped : std::exception {
    [[nodiscard]] const char *what() const noexcept override { return "stopped on request"; }
};

class Waiter {
public:
    virtual ~Waiter() = default;

    [[nodiscard]] virtual TimePoint now() const = 0;

    // The wall clock in microseconds since 1970-01-01 UTC.
    [[nodiscard]] virtual std::int64_t wall_clock_us() const = 0;

    // Returns when one of `fds` is ready (`revents` says which; negative ones are left out), at `until`, or when a stop
    // is requested, whichever comes first. A time that has passed only looks.
    virtual void wait(std::span<pollfd> fds, TimePoint until) = 0;

    // Whether the program was asked to end. Never goes back to false.
    [[nodiscard]] virtual bool stop_requested() const = 0;

    // wait() for those who have nothing to finish. Throws Stopped when a stop is requested, before or during the wait.
    void wait_or_stop(std::span<pollfd> fds, TimePoint until) {
        if (!stop_requested()) wait(fds, until);
        if (stop_requested()) throw Stopped{};
    }
};

} // namespace waybill
