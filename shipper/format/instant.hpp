// The digits of an instant, given in microseconds since 1970, in Debezium's three units.
#pragma once

#include "json_writer.hpp"

#include <cstdint>

namespace waybill {

inline void write_ms(JsonWriter &out, std::int64_t at_us) {
    constexpr std::int64_t us_per_ms = 1'000;
    out.integer(at_us / us_per_ms - (at_us % us_per_ms < 0 ? 1 : 0));
}

inline void write_ns(JsonWriter &out, std::int64_t at_us) {
    out.integer(at_us);
    if (at_us != 0) out.raw("000");
}

} // namespace waybill
