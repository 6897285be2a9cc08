// Values as the extension writes them, for the tests: PostgreSQL's send format made by hand.
#pragma once

#include "change.hpp"

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waybill::testing {

template <typename Integer>
std::string big_endian(Integer value) {
    std::string bytes;
    for (std::size_t byte = sizeof value; byte-- > 0;)
        bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * byte) & 0xFF);
    return bytes;
}

inline std::string int2(std::int16_t value) {
    return big_endian(value);
}
inline std::string int4(std::int32_t value) {
    return big_endian(value);
}
inline std::string int8(std::int64_t value) {
    return big_endian(value);
}
inline std::string float4(float value) {
    return big_endian(std::bit_cast<std::uint32_t>(value));
}
inline std::string float8(double value) {
    return big_endian(std::bit_cast<std::uint64_t>(value));
}

// numeric_send(): digits of base 10000, the first times 10000^weight.
inline std::string numeric(std::initializer_list<std::int16_t> digits, std::int16_t weight, std::uint16_t sign = 0,
                           std::int16_t display_scale = 0) {
    std::string bytes =
        int2(static_cast<std::int16_t>(digits.size())) + int2(weight) + big_endian(sign) + int2(display_scale);
    for (const std::int16_t digit : digits) bytes += int2(digit);
    return bytes;
}
inline constexpr std::uint16_t negative = 0x4000;

// 131072 nines: more groups than fit into a signed number.
inline std::string longest_numeric() {
    std::string bytes = int2(std::numeric_limits<std::int16_t>::min()) + int2(32767) + int2(0) + int2(0);
    for (int group = 0; group < 32768; ++group) bytes += int2(9999);
    return bytes;
}

// array_send() of a one-dimensional array.
inline std::string array(std::int32_t element_oid, const std::vector<std::optional<std::string>> &elements) {
    if (elements.empty()) return int4(0) + int4(0) + int4(element_oid);
    std::string bytes =
        int4(1) + int4(1) + int4(element_oid) + int4(static_cast<std::int32_t>(elements.size())) + int4(1);
    for (const auto &element : elements)
        bytes += element ? int4(static_cast<std::int32_t>(element->size())) + *element : int4(-1);
    return bytes;
}

inline Value binary(std::string_view bytes) {
    return {.kind = Value::Kind::binary, .bytes = bytes};
}
inline Value text(std::string_view bytes) {
    return {.kind = Value::Kind::text, .bytes = bytes};
}

// numeric(precision, scale) as pg_attribute.atttypmod has it.
constexpr std::int32_t numeric_typmod(std::int32_t precision, std::int32_t scale) {
    return (precision << 16 | (scale & 0x7FF)) + 4;
}

inline Column column(std::string name, std::uint32_t type, std::int32_t typmod = -1) {
    Column made;
    made.name = std::move(name);
    made.type = type;
    made.typmod = typmod;
    return made;
}

inline Column array_column(std::string name, std::uint32_t type, std::uint32_t element, std::int32_t typmod = -1) {
    Column made = column(std::move(name), type, typmod);
    made.element = element;
    return made;
}

} // namespace waybill::testing
