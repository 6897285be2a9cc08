#include "signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace waybill {

SignalWaiter::SignalWaiter() {
    sigemptyset(&signals_);
    watch({SIGINT, SIGTERM});
    // A connection that the other side closed is an error to report where it is written to, not a reason to die.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) throw std::runtime_error("could not ignore SIGPIPE");
}

SignalWaiter::~SignalWaiter() {
    close(signal_fd_);
}

void SignalWaiter::watch(std::initializer_list<int> more) {
    for (const int signal : more) sigaddset(&signals_, signal);
    if (pthread_sigmask(SIG_BLOCK, &signals_, nullptr) != 0) throw std::runtime_error("could not block signals");
    signal_fd_ = signalfd(signal_fd_, &signals_, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd_ < 0) throw std::system_error(errno, std::generic_category(), "could not make a signalfd");
}

void SignalWaiter::survive_others(std::function<void(int signal)> tell) {
    tell_ = std::move(tell);
    watch({SIGHUP, SIGUSR1, SIGUSR2});
}

std::int64_t SignalWaiter::wall_clock_us() const {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count();
}

void SignalWaiter::wait(std::span<pollfd> fds, TimePoint until) {
    std::array<pollfd, 8> all{};
    if (fds.size() >= all.size()) throw std::logic_error("too many descriptors to wait for");
    std::copy(fds.begin(), fds.end(), all.begin());
    all[fds.size()] = {.fd = signal_fd_, .events = POLLIN, .revents = 0};

    // ppoll() because a wait of less than a millisecond must not become one of none, which would be a busy loop.
    const auto left = std::max(until - now(), TimePoint::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
    const int ready = ppoll(all.data(), fds.size() + 1, &timeout, nullptr);
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "could not poll");

    for (std::size_t i = 0; i < fds.size(); ++i) fds[i].revents = ready > 0 ? all[i].revents : short{0};
    if (ready > 0 && all[fds.size()].revents != 0) read_signals();
}

void SignalWaiter::read_signals() {
    signalfd_siginfo signal{};
    while (read(signal_fd_, &signal, sizeof signal) == sizeof signal) {
        const int number = static_cast<int>(signal.ssi_signo);
        if (number != SIGINT && number != SIGTERM) {
            tell_(number);
            continue;
        }
        if (stop_requested_) std::_Exit(128 + number);
        stop_requested_ = true;
    }
}

} // namespace waybill
