// What the pump may be told.
#pragma once

#include <chrono>
#include <cstddef>

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
    std::chrono::milliseconds stall_notice{5'000};       // without one: say so
    std::chrono::milliseconds shutdown_timeout{10'000};  // to finish what is on its way
    std::chrono::milliseconds once_timeout{60'000};      // `once` gives up when nothing works for so long
    std::chrono::milliseconds first_backoff{100};
    std::chrono::milliseconds longest_backoff{10'000};
};

} // namespace waybill
