#include "ack_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <vector>

namespace waybill {
namespace {

TEST(AckTracker, AcknowledgesATransactionOnceItsLastMessageIsDelivered) {
    AckTracker tracker(10);
    const Ticket first = tracker.add(1);
    const Ticket second = tracker.add(1);
    tracker.end(11);
    tracker.delivered(first);
    EXPECT_EQ(tracker.acknowledgeable(), 10);
    tracker.delivered(second);
    EXPECT_EQ(tracker.acknowledgeable(), 11);
}

TEST(AckTracker, CountsTheChangesOfTransactionsThatAreDeliveredWhole) {
    AckTracker tracker(0);
    const Ticket first = tracker.add(1);
    tracker.end(1, 3); // two of them without a message
    tracker.end(2, 4);
    const Ticket second = tracker.add(1);
    tracker.end(3, 5);
    tracker.delivered(second);
    EXPECT_EQ(tracker.delivered_changes(), 0U);
    tracker.delivered(first);
    EXPECT_EQ(tracker.delivered_changes(), 5U);
}

TEST(AckTracker, NeverAcknowledgesPastAGap) {
    AckTracker tracker(0);
    const Ticket missing = tracker.add(1);
    tracker.end(1);
    const Ticket delivered = tracker.add(1);
    tracker.end(2);
    tracker.delivered(delivered);
    EXPECT_EQ(tracker.acknowledgeable(), 0);
    tracker.delivered(missing);
    EXPECT_EQ(tracker.acknowledgeable(), 2);
}

TEST(AckTracker, DoesNotAcknowledgeATransactionThatHasNotEnded) {
    AckTracker tracker(0);
    tracker.delivered(tracker.add(1));
    EXPECT_EQ(tracker.acknowledgeable(), 0);
    tracker.end(1);
    EXPECT_EQ(tracker.acknowledgeable(), 1);
}

TEST(AckTracker, CountsATransactionWithoutMessages) {
    AckTracker tracker(0);
    tracker.end(1);
    EXPECT_EQ(tracker.acknowledgeable(), 1);
    const Ticket ticket = tracker.add(1);
    tracker.end(2);
    tracker.end(3);
    EXPECT_EQ(tracker.acknowledgeable(), 1) << "a transaction without messages must not overtake one on its way";
    tracker.delivered(ticket);
    EXPECT_EQ(tracker.acknowledgeable(), 3);
}

TEST(AckTracker, KnowsWhatIsOnItsWay) {
    AckTracker tracker(0);
    const Ticket first = tracker.add(100);
    const Ticket second = tracker.add(20);
    EXPECT_EQ(tracker.in_flight(), 2U);
    EXPECT_EQ(tracker.in_flight_bytes(), 120U);
    tracker.delivered(second);
    EXPECT_EQ(tracker.in_flight(), 1U);
    EXPECT_EQ(tracker.in_flight_bytes(), 100U);
    EXPECT_EQ(tracker.window(), 2U) << "the first one is missing: both would be sent again";
    tracker.delivered(first);
    EXPECT_EQ(tracker.window(), 0U);
}

TEST(AckTracker, RefusesAReportForAMessageThatIsNotOnItsWay) {
    AckTracker tracker(0);
    const Ticket ticket = tracker.add(1);
    EXPECT_THROW(tracker.delivered(ticket + 1), std::logic_error);
    tracker.delivered(ticket);
    EXPECT_THROW(tracker.delivered(ticket), std::logic_error);
}

TEST(AckTracker, AgreesWithACountUnderAnyOrderOfReports) {
    std::mt19937 random(1);
    AckTracker tracker(0);
    std::vector<Ticket> on_their_way;
    std::vector<bool> delivered;
    std::vector<std::size_t> ends; // messages up to the end of transaction i + 1
    for (int step = 0; step < 100'000; ++step) {
        switch (random() % 4) {
        case 0:
        case 1:
            // Sometimes far more than the ring's first size.
            if (on_their_way.size() > (step % 20'000 < 10'000 ? 5000U : 50U)) break;
            on_their_way.push_back(tracker.add(1));
            delivered.push_back(false);
            break;
        case 2:
            ends.push_back(delivered.size());
            tracker.end(static_cast<Csn>(ends.size()));
            break;
        default:
            if (on_their_way.empty()) break;
            const std::size_t any = random() % std::min<std::size_t>(on_their_way.size(), 3000);
            tracker.delivered(on_their_way[any]);
            delivered[on_their_way[any]] = true;
            on_their_way.erase(on_their_way.begin() + static_cast<std::ptrdiff_t>(any));
        }
        if (step % 97 != 0) continue;
        const auto first_missing = std::find(delivered.begin(), delivered.end(), false) - delivered.begin();
        const auto acknowledgeable =
            std::upper_bound(ends.begin(), ends.end(), static_cast<std::size_t>(first_missing)) - ends.begin();
        ASSERT_EQ(tracker.acknowledgeable(), acknowledgeable);
    }
}

} // namespace
} // namespace waybill
