// What the log says while nothing can be shipped: a line when that begins, more of them at growing intervals, one when
// it is over. Not a line for each attempt.
#pragma once

#include "change_log.hpp"
#include "log.hpp"
#include "waiter.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waybill {

class Outage {
public:
    // Whose fault it is. When that changes there is a line, too.
    enum class Side : std::uint8_t { kafka, database };

    Outage(Waiter &waiter, Log &log) : waiter_(waiter), log_(log) {}

    // Whether it is time for report(): so what it takes to know the backlog is asked for only then.
    [[nodiscard]] bool due(Side side) const;

    // Says that nothing has been shipped from `since` on, and what waits, as far as it is known.
    void report(Side side, TimePoint since, std::string_view reason, const ChangeLog::Backlog &backlog);

    // Shipping works. Says so, if it did not before.
    void over();

    [[nodiscard]] bool going_on() const { return since_.has_value(); }

private:
    [[nodiscard]] std::int64_t seconds_since_it_began() const;

    Waiter &waiter_;
    Log &log_;
    std::optional<TimePoint> since_;
    std::array<bool, 2> told_{}; // by side
    TimePoint remind_at_;
    std::chrono::seconds interval_{};
};

} // namespace waybill
