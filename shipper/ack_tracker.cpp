#include "ack_tracker.hpp"

#include <cassert>
#include <stdexcept>
#include <string>

namespace waybill {

Ticket AckTracker::add(std::size_t bytes) {
    if (window() == weights_.size()) grow();
    slot(next_) = bytes + 1;
    ++in_flight_;
    in_flight_bytes_ += bytes;
    return next_++;
}

void AckTracker::end(Csn csn, std::uint64_t changes) {
    assert(csn >= (ends_.empty() ? acknowledgeable_ : ends_.back().csn));
    if (!ends_.empty() && ends_.back().first_after == next_) ends_.pop_back(); // nothing to wait for between the two
    ends_.push_back({next_, csn, changes});
    advance();
}

void AckTracker::delivered(Ticket ticket) {
    if (ticket < first_missing_ || ticket >= next_ || slot(ticket) == 0)
        throw std::logic_error("delivery report for message " + std::to_string(ticket) + ", which is not on its way");
    in_flight_bytes_ -= slot(ticket) - 1;
    --in_flight_;
    slot(ticket) = 0;
    if (ticket == first_missing_) advance();
}

// Moves over what was delivered without a gap, and over the ends of transactions in it.
void AckTracker::advance() {
    while (first_missing_ != next_ && slot(first_missing_) == 0) ++first_missing_;
    while (!ends_.empty() && ends_.front().first_after <= first_missing_) {
        acknowledgeable_ = ends_.front().csn;
        delivered_changes_ = ends_.front().changes;
        ends_.pop_front();
    }
}

void AckTracker::grow() {
    std::vector<std::size_t> larger(weights_.size() * 2);
    for (Ticket ticket = first_missing_; ticket != next_; ++ticket) larger[ticket & (larger.size() - 1)] = slot(ticket);
    weights_ = std::move(larger);
}

} // namespace waybill
