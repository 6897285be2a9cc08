// PostgreSQL's numeric as the pair Java's BigDecimal is made of: an unscaled integer of any size and a scale.
#pragma once

#include "json_writer.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace waybill {

__extension__ typedef unsigned __int128 UInt128;
__extension__ typedef __int128 Int128;

class Numeric {
public:
    enum class Kind : std::uint8_t { finite, nan, infinity, minus_infinity };

    // From numeric_send()'s bytes, from numeric_out()'s text. Both throw DataError.
    [[nodiscard]] static Numeric from_binary(std::string_view bytes);
    [[nodiscard]] static Numeric from_text(std::string_view text);

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] std::int32_t scale() const { return scale_; }

    // Rewrites the number with `scale` digits behind the point (negative: with zeros before it, not kept).
    // Throws DataError when that would lose digits.
    void set_scale(std::int32_t scale);

    // Drops zeros at the end of the fraction; the scale is never negative afterwards.
    void strip_trailing_zeros();

    // Writes the unscaled integer as base64 of its shortest big-endian two's complement.
    void write_unscaled(JsonWriter &out) const;

private:
    class DigitGroups;

    [[nodiscard]] bool is_zero() const;
    void append_digits(std::uint64_t factor, std::uint64_t digits);
    [[nodiscard]] std::uint64_t divide(std::uint64_t divisor);
    [[nodiscard]] std::uint64_t remainder(std::uint64_t divisor) const;

    Kind kind_ = Kind::finite;
    bool negative_ = false;
    std::int32_t scale_ = 0;
    // The magnitude is `small_` until it might not fit, then `large_`: 64-bit limbs, the lowest first.
    UInt128 small_ = 0;
    std::vector<std::uint64_t> large_;
};

// Writes base64 of an integer's shortest big-endian two's complement.
void write_twos_complement(JsonWriter &out, std::int64_t value);

// Writes an integer that may be too large for 64 bits.
void write_integer(JsonWriter &out, Int128 value);

} // namespace waybill
