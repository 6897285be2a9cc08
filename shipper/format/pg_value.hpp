// A value's bytes, in either of PostgreSQL's forms, as the number they are. All throw DataError.
#pragma once

#include "../change.hpp"
#include "pg_binary.hpp"
#include "pg_text.hpp"

#include <bit>
#include <type_traits>

namespace waybill {

[[nodiscard]] inline bool is_binary(const Value &value) {
    return value.kind == Value::Kind::binary;
}

// For types whose send format is not read here.
inline void require_text(const Value &value) {
    if (is_binary(value)) throw DataError("a binary value of a type that is read as text only");
}

// A binary value that is one integer.
template <typename Integer>
[[nodiscard]] Integer fixed(std::string_view bytes) {
    if (bytes.size() != sizeof(Integer)) throw DataError("a binary value has the wrong size");
    return static_cast<Integer>(load_big_endian<std::make_unsigned_t<Integer>>(bytes.data()));
}

template <typename Float, typename Bits>
[[nodiscard]] Float float_of(const Value &value) {
    return is_binary(value) ? std::bit_cast<Float>(fixed<Bits>(value.bytes)) : pg_text::parse_float<Float>(value.bytes);
}

// Days since 2000-01-01.
[[nodiscard]] inline std::int32_t date_of(const Value &value) {
    return is_binary(value) ? fixed<std::int32_t>(value.bytes) : pg_text::parse_date(value.bytes);
}

inline void check_time(std::int64_t us) {
    if (us < 0 || us > pg_text::us_per_day) throw DataError("a time of day out of range");
}

// Microseconds since midnight.
[[nodiscard]] inline std::int64_t time_of(const Value &value) {
    const std::int64_t us = is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_time(value.bytes);
    check_time(us);
    return us;
}

[[nodiscard]] inline pg_text::TimeTz timetz_of(const Value &value) {
    if (!is_binary(value)) return pg_text::parse_timetz(value.bytes);
    BinaryReader reader(value.bytes);
    const pg_text::TimeTz time{.us = reader.int64(), .seconds_west = reader.int32()};
    reader.finish();
    check_time(time.us);
    return time;
}

// Microseconds since 2000-01-01.
[[nodiscard]] inline std::int64_t timestamp_of(const Value &value) {
    return is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_timestamp(value.bytes);
}

[[nodiscard]] inline pg_text::Interval interval_of(const Value &value) {
    if (!is_binary(value)) return pg_text::parse_interval(value.bytes);
    BinaryReader reader(value.bytes);
    pg_text::Interval interval;
    interval.us = reader.int64();
    interval.days = reader.int32();
    interval.months = reader.int32();
    reader.finish();
    return interval;
}

// Hundredths of a currency's unit.
[[nodiscard]] inline std::int64_t money_of(const Value &value) {
    return is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_money(value.bytes);
}

// A jsonb's text.
[[nodiscard]] inline std::string_view jsonb_text(const Value &value) {
    if (!is_binary(value)) return value.bytes;
    if (value.bytes.empty() || value.bytes.front() != 1) throw DataError("a jsonb of an unknown version");
    return value.bytes.substr(1);
}

struct Point {
    double x = 0;
    double y = 0;
};

[[nodiscard]] inline Point point_of(const Value &value) {
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        Point point;
        point.x = reader.float8();
        point.y = reader.float8();
        reader.finish();
        return point;
    }
    const std::string_view text = value.bytes;
    const std::size_t comma = text.find(',');
    if (text.size() < 5 || text.front() != '(' || text.back() != ')' || comma == text.npos)
        throw DataError("the text of a point does not read");
    return {.x = pg_text::parse_float<double>(text.substr(1, comma - 1)),
            .y = pg_text::parse_float<double>(text.substr(comma + 1, text.size() - comma - 2))};
}

// The bits of a bit string, packed as bit_send() does: eight a byte, the first highest, the last byte padded.
class BitString {
public:
    explicit BitString(const Value &value);

    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool operator[](std::size_t at) const {
        return is_packed_ ? (bytes_[at / 8] >> (7 - at % 8) & 1) != 0 : bytes_[at] == '1';
    }

private:
    std::string_view bytes_;
    std::size_t count_ = 0;
    bool is_packed_ = false;
};

inline BitString::BitString(const Value &value) : bytes_(value.bytes), count_(value.bytes.size()) {
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        is_packed_ = true;
        count_ = reader.uint32();
        bytes_ = reader.bytes(count_ / 8 + (count_ % 8 != 0 ? 1 : 0));
        reader.finish();
    } else if (bytes_.find_first_not_of("01") != bytes_.npos) {
        throw DataError("the text of a bit string does not read");
    }
}

} // namespace waybill
