#include "outage.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace waybill {

namespace {

constexpr std::chrono::minutes first_interval{1};
constexpr std::chrono::hours longest_interval{1};

} // namespace

bool Outage::due(Side side) const {
    return !since_ || !told_.at(static_cast<std::size_t>(side)) || waiter_.now() >= remind_at_;
}

void Outage::report(Side side, TimePoint since, std::string_view reason, const ChangeLog::Backlog &backlog) {
    std::vector<LogField> fields;
    const bool begins = !since_;
    if (begins) {
        since_ = since;
        interval_ = first_interval;
    } else {
        fields.emplace_back("interrupted_s", seconds_since_it_began());
        if (waiter_.now() >= remind_at_) interval_ = std::min<std::chrono::seconds>(interval_ * 2, longest_interval);
    }
    told_.at(static_cast<std::size_t>(side)) = true;
    remind_at_ = waiter_.now() + interval_;
    if (backlog.changes) fields.emplace_back("backlog_changes", *backlog.changes);
    if (backlog.oldest_age_s) fields.emplace_back("oldest_change_age_s", *backlog.oldest_age_s);
    log_.write(LogLevel::warning,
               std::string(begins ? "shipping is interrupted, trying again: " : "shipping is still interrupted: ") +
                   std::string(reason),
               fields);
}

void Outage::over() {
    if (!since_) return;
    log_.info("shipping goes on", {{"interrupted_s", seconds_since_it_began()}});
    since_.reset();
    told_ = {};
}

std::int64_t Outage::seconds_since_it_began() const {
    return std::chrono::duration_cast<std::chrono::seconds>(waiter_.now() - *since_).count();
}

} // namespace waybill
