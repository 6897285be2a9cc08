// How the types are published that Debezium has more than one way for: the settings of [types].
#pragma once

#include "../named.hpp"
#include "pattern.hpp"

#include <array>
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

// Whom records have to be the same as where we publish more, or otherwise: docs/formats.md says what that is.
enum class Compatibility : std::uint8_t { none, debezium_3_7 };

// The defaults are Debezium's.
struct TypeOptions {
    DecimalMode decimal = DecimalMode::precise;
    TimeMode time = TimeMode::adaptive;
    BinaryMode binary = BinaryMode::bytes;
    IntervalMode interval = IntervalMode::numeric;
    HstoreMode hstore = HstoreMode::json;
    Compatibility compatibility = Compatibility::none;
    std::int32_t money_fraction_digits = 2; // 0 to max_money_fraction_digits
    std::vector<Pattern> as_text;           // names of types, as format_type() prints them, published as their text
};

inline constexpr std::int32_t max_money_fraction_digits = 16;

// What the settings call them.
inline constexpr std::array<Named<DecimalMode>, 3> decimal_modes{
    {{"precise", DecimalMode::precise}, {"string", DecimalMode::as_string}, {"double", DecimalMode::as_double}}};
inline constexpr std::array<Named<TimeMode>, 6> time_modes{
    {{"adaptive", TimeMode::adaptive},
     {"adaptive_time_microseconds", TimeMode::adaptive_time_microseconds},
     {"connect", TimeMode::connect},
     {"isostring", TimeMode::isostring},
     {"microseconds", TimeMode::microseconds},
     {"nanoseconds", TimeMode::nanoseconds}}};
inline constexpr std::array<Named<BinaryMode>, 4> binary_modes{{{"bytes", BinaryMode::bytes},
                                                                {"base64", BinaryMode::base64},
                                                                {"base64_url_safe", BinaryMode::base64_url_safe},
                                                                {"hex", BinaryMode::hex}}};
inline constexpr std::array<Named<IntervalMode>, 2> interval_modes{
    {{"numeric", IntervalMode::numeric}, {"string", IntervalMode::as_string}}};
inline constexpr std::array<Named<Compatibility>, 2> compatibilities{
    {{"none", Compatibility::none}, {"debezium-3.7", Compatibility::debezium_3_7}}};
inline constexpr std::array<Named<HstoreMode>, 2> hstore_modes{{{"json", HstoreMode::json}, {"map", HstoreMode::map}}};

} // namespace waybill
