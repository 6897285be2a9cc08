// Knows how far the stream may be acknowledged: up to the last transaction before the first message that the broker has
// not acknowledged. Pure.
//
//   published   1 2 3 | 4 5 | | 6 7 8 |        a bar ends a transaction, which may have no message at all
//   delivered   x x x | x   | | x   x |        acknowledgeable: the transaction of 3. Not more: 5 is missing.
#pragma once

#include "change.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace waybill {

// Names a message while it is on its way. Tickets count up from 0 in the order of publication.
using Ticket = std::uint64_t;

class AckTracker {
public:
    explicit AckTracker(Csn acknowledged) : acknowledgeable_(acknowledged) {}

    // The ticket of the message to come.
    [[nodiscard]] Ticket next() const { return next_; }

    // The message with that ticket is on its way. `bytes` is what it weighs until delivered.
    Ticket add(std::size_t bytes);

    // All messages of all changes up to `csn` have their tickets; `csn` must not go backwards. `changes` is how many
    // changes those are since the tracker began.
    void end(Csn csn, std::uint64_t changes = 0);

    // The broker has the message. Each ticket must be reported once; throws std::logic_error when one is not on its
    // way.
    void delivered(Ticket ticket);

    // Every change up to here is in Kafka.
    [[nodiscard]] Csn acknowledgeable() const { return acknowledgeable_; }
    // How many those are.
    [[nodiscard]] std::uint64_t delivered_changes() const { return delivered_changes_; }

    // Messages behind the first one missing, delivered or not: what a failure now would send again.
    [[nodiscard]] std::size_t window() const { return static_cast<std::size_t>(next_ - first_missing_); }

    // Messages and bytes on their way.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    [[nodiscard]] std::size_t in_flight_bytes() const { return in_flight_bytes_; }

private:
    struct End {
        Ticket first_after;
        Csn csn;
        std::uint64_t changes;
    };

    [[nodiscard]] std::size_t &slot(Ticket ticket) { return weights_[ticket & (weights_.size() - 1)]; }
    void grow();
    void advance();

    // Ring, by ticket: a message's weight + 1 while it is on its way, 0 when delivered. The size is a power of two.
    std::vector<std::size_t> weights_ = std::vector<std::size_t>(1024);
    std::deque<End> ends_; // of transactions not acknowledgeable yet
    Ticket first_missing_ = 0;
    Ticket next_ = 0;
    std::size_t in_flight_ = 0;
    std::size_t in_flight_bytes_ = 0;
    Csn acknowledgeable_;
    std::uint64_t delivered_changes_ = 0;
};

} // namespace waybill
