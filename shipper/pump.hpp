// The loop that moves changes from the change log to Kafka. What it guarantees stands in pump.cpp.
#pragma once

#include "backoff.hpp"
#include "change_log.hpp"
#include "format/format.hpp"
#include "log.hpp"
#include "outage.hpp"
#include "publisher.hpp"
#include "pump_options.hpp"
#include "waiter.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace waybill {

class Pump {
public:
    using MakeFormat = std::function<std::unique_ptr<Format>(const Source &)>;

    Pump(ChangeLog &change_log, Publisher &publisher, MakeFormat make_format, Waiter &waiter, Log &log,
         PumpOptions options)
        : change_log_(change_log), publisher_(publisher), make_format_(std::move(make_format)), waiter_(waiter),
          log_(log), options_(options), backoff_(options.first_backoff, options.longest_backoff), outage_(waiter, log) {
    }

    // Ships until a stop is requested, or (once) all is shipped; then returns. Throws what trying again would not
    // help against: PgError, KafkaError, DataError, ConfigError; nothing is acknowledged that is not in Kafka.
    void run();

private:
    void attempt(bool &shipping, bool &progressed);
    [[nodiscard]] Stream open_log();
    void lock(const Stream &stream);
    void ship(const Stream &stream, bool &progressed);
    [[nodiscard]] ChangeLog::Backlog ask_backlog();

    ChangeLog &change_log_;
    Publisher &publisher_;
    MakeFormat make_format_;
    Waiter &waiter_;
    Log &log_;
    PumpOptions options_;
    Backoff backoff_;
    bool rules_are_told_ = false; // those that keep nothing back
    bool source_is_told_ = false;
    std::optional<TimePoint> failing_since_; // the first of the failures in a row
    bool suspects_session_ = false;          // the last failure may have been of its session only
    Outage outage_;
    ChangeLog::Backlog backlog_; // when Kafka failed, if it was asked for
};

} // namespace waybill
