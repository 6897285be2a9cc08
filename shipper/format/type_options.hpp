// How the types are published that Debezium has more than one way for: the settings of [types].
#pragma once

#include "pattern.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace waybill {

enum class DecimalMode : std::uint8_t { precise, as_string, as_double };
enum class TimeMode : std::uint8_t {
    adaptive,
    adaptive_time_microseconds,
    connect,
    isostring,
    microseconds,
    nanoseconds
};
enum class BinaryMode : std::uint8_t { bytes, base64, base64_url_safe, hex };
enum class IntervalMode : std::uint8_t { numeric, as_string };
enum class HstoreMode : std::uint8_t { json, map };

// The defaults are Debezium's.
struct TypeOptions {
    DecimalMode decimal = DecimalMode::precise;
    TimeMode time = TimeMode::adaptive;
    BinaryMode binary = BinaryMode::bytes;
    IntervalMode interval = IntervalMode::numeric;
    HstoreMode hstore = HstoreMode::json;
    std::int32_t money_fraction_digits = 2; // 0 to max_money_fraction_digits
    std::vector<Pattern> as_text;           // names of types, as format_type() prints them, published as their text
};

inline constexpr std::int32_t max_money_fraction_digits = 16;

// From a setting's text. Throws ConfigError that names the setting by `where` and what is possible.
[[nodiscard]] DecimalMode decimal_mode(const std::string &text, const std::string &where);
[[nodiscard]] TimeMode time_mode(const std::string &text, const std::string &where);
[[nodiscard]] BinaryMode binary_mode(const std::string &text, const std::string &where);
[[nodiscard]] IntervalMode interval_mode(const std::string &text, const std::string &where);
[[nodiscard]] HstoreMode hstore_mode(const std::string &text, const std::string &where);

} // namespace waybill
