// Rows on their way from one partition to another.
#include "moved_rows.hpp"

namespace waybill {

void MovedRows::keep(const MovedRow &row) {
    if (count_ == capacity_) {
        const std::size_t capacity = std::max<std::size_t>(4, capacity_ * 2);
        places_ = static_cast<Place *>(places_ == nullptr ? MemoryContextAlloc(context_, capacity * sizeof(Place))
                                                          : repalloc(places_, capacity * sizeof(Place)));
        std::fill(places_ + capacity_, places_ + capacity, Place{});
        capacity_ = capacity;
    }
    Place &place = places_[count_];
    place.bytes.use(context_);
    place.bytes.clear();
    place.bytes.append(row.bytes.data(), row.bytes.size());
    place.row = row;
    place.row.bytes = {place.bytes.data(), place.bytes.size()};
    ++count_;
}

} // namespace waybill
