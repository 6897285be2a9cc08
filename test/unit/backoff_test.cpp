#include "backoff.hpp"

#include <gtest/gtest.h>

namespace waybill {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
    Backoff backoff(milliseconds(100), milliseconds(500));
    EXPECT_EQ(backoff.next(), milliseconds(100));
    EXPECT_EQ(backoff.next(), milliseconds(200));
    EXPECT_EQ(backoff.next(), milliseconds(400));
    EXPECT_EQ(backoff.next(), milliseconds(500));
    EXPECT_EQ(backoff.next(), milliseconds(500));
}

TEST(Backoff, StartsOverAfterAReset) {
    Backoff backoff(milliseconds(100), milliseconds(500));
    static_cast<void>(backoff.next());
    static_cast<void>(backoff.next());
    backoff.reset();
    EXPECT_EQ(backoff.next(), milliseconds(100));
}

} // namespace
} // namespace waybill
