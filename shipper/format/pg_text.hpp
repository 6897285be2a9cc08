// Reads the text form of PostgreSQL's types (ISO dates, UTC, postgres intervals) into the numbers of their send format.
// All throw DataError.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace waybill::pg_text {

inline constexpr std::int64_t us_per_second = 1'000'000;
inline constexpr std::int64_t us_per_day = 86'400 * us_per_second;

// What a date and a timestamp are when they are infinite.
template <typename Integer>
inline constexpr Integer infinity = std::numeric_limits<Integer>::max();
template <typename Integer>
inline constexpr Integer minus_infinity = std::numeric_limits<Integer>::min();

struct Interval {
    std::int64_t us = 0;
    std::int32_t days = 0;
    std::int32_t months = 0;

    // PostgreSQL 17's infinities.
    [[nodiscard]] bool is_infinite() const {
        return us == infinity<std::int64_t> && days == infinity<std::int32_t> && months == infinity<std::int32_t>;
    }
    [[nodiscard]] bool is_minus_infinite() const {
        return us == minus_infinity<std::int64_t> && days == minus_infinity<std::int32_t> &&
               months == minus_infinity<std::int32_t>;
    }
};

struct TimeTz {
    std::int64_t us = 0;
    std::int32_t seconds_west = 0; // of UTC
};

[[nodiscard]] bool parse_bool(std::string_view text);
[[nodiscard]] std::int64_t parse_integer(std::string_view text);
[[nodiscard]] std::int32_t parse_date(std::string_view text); // days since 2000-01-01
[[nodiscard]] std::int64_t parse_time(std::string_view text); // microseconds since midnight
[[nodiscard]] TimeTz parse_timetz(std::string_view text);
[[nodiscard]] std::int64_t parse_timestamp(std::string_view text); // microseconds since 2000-01-01; with a zone: UTC
[[nodiscard]] Interval parse_interval(std::string_view text);

// Hundredths of a currency's unit. The locale's signs are skipped; a currency has two digits behind the point or none.
[[nodiscard]] std::int64_t parse_money(std::string_view text);

// The bytes of "\x0aff".
[[nodiscard]] std::string parse_hex(std::string_view text);

// From from_chars(): also "NaN", "Infinity" and "-Infinity".
template <typename Float>
[[nodiscard]] Float parse_float(std::string_view text);
extern template float parse_float<float>(std::string_view text);
extern template double parse_float<double>(std::string_view text);

} // namespace waybill::pg_text
