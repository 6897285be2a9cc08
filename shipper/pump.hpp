// The loop that moves changes from the change log to Kafka. What it guarantees stands in pump.cpp.
#pragma once

#include "backoff.hpp"
#include "change_log.hpp"
#include "format/format.hpp"
#include "log.hpp"
#include "publisher.hpp"
#include "waiter.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace waybill {

struct PumpOptions {
    bool once = false; // end when all that was committed at the start is in Kafka

    // What may be on its way to Kafka at a time, and what one fetch may bring. The latter counts twice: the next batch
    // is fetched while one is encoded.
    std::size_t in_flight_messages = 100'000;
    std::size_t in_flight_bytes = std::size_t{64} << 20;
    int fetch_bytes = 4 << 20;

    std::chrono::milliseconds acknowledge_interval{50};
    std::chrono::milliseconds heartbeat_interval{0};     // 0: no heartbeats
    std::chrono::milliseconds idle_wait{500};            // how long the server is asked to wait for a change
    std::chrono::milliseconds delivery_timeout{120'000}; // without a delivery: connect anew
    std::chrono::milliseconds shutdown_timeout{10'000};  // to finish what is on its way
    std::chrono::milliseconds once_timeout{60'000};      // `once` gives up when nothing works for so long
    std::chrono::milliseconds first_backoff{100};
    std::chrono::milliseconds longest_backoff{10'000};
};

class Pump {
public:
    using MakeFormat = std::function<std::unique_ptr<Format>(const Source &)>;

    Pump(ChangeLog &change_log, Publisher &publisher, MakeFormat make_format, Waiter &waiter, Log &log,
         PumpOptions options)
        : change_log_(change_log), publisher_(publisher), make_format_(std::move(make_format)), waiter_(waiter),
          log_(log), options_(options), backoff_(options.first_backoff, options.longest_backoff) {}

    // Ships until a stop is requested, or (once) all is shipped; then returns. Throws what trying again would not
    // help against: PgError, KafkaError, DataError, ConfigError; nothing is acknowledged that is not in Kafka.
    void run();

private:
    class Flow;

    void flow(bool &progressed);
    void lock(const Stream &stream);

    ChangeLog &change_log_;
    Publisher &publisher_;
    MakeFormat make_format_;
    Waiter &waiter_;
    Log &log_;
    PumpOptions options_;
    Backoff backoff_;
    std::optional<TimePoint> failing_since_; // the first of the failures in a row
};

} // namespace waybill
