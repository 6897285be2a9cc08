// How long to wait between attempts. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace waybill {

class Backoff {
public:
    using Duration = std::chrono::milliseconds;

    Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

    // The time to wait before the next attempt: twice the last one's, up to the longest.
    [[nodiscard]] Duration next() {
        const Duration wait = next_;
        next_ = std::min(next_ * 2, longest_);
        return wait;
    }

    // An attempt got somewhere: the next failure starts over.
    void reset() { next_ = first_; }

private:
    Duration first_;
    Duration longest_;
    Duration next_;
};

} // namespace waybill
