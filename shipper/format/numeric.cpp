#include "numeric.hpp"

#include "../errors.hpp"
#include "pg_binary.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string>

namespace waybill {

namespace {

// PostgreSQL's limits: 131072 digits before the point and 16383 behind it, and a sign and a point in the text.
constexpr std::size_t max_text_size = 131072 + 16383 + 2;

constexpr std::int32_t digits_per_step = 16;

constexpr std::uint64_t power_of_ten(std::int32_t exponent) {
    std::uint64_t power = 1;
    while (exponent-- > 0) power *= 10;
    return power;
}

// Calls `step` with powers of ten whose product is 10^exponent.
template <typename Step>
void in_powers_of_ten(std::int32_t exponent, Step step) {
    for (; exponent >= digits_per_step; exponent -= digits_per_step) step(power_of_ten(digits_per_step));
    if (exponent > 0) step(power_of_ten(exponent));
}

} // namespace

// Collects digits so that the magnitude, which may be long, is multiplied once for many of them.
class Numeric::DigitGroups {
public:
    explicit DigitGroups(Numeric &numeric) : numeric_(numeric) {}

    void add(std::uint64_t factor, std::uint64_t digit) {
        factor_ *= factor;
        digits_ = digits_ * factor + digit;
        if (factor_ == power_of_ten(digits_per_step)) finish();
    }
    void finish() {
        numeric_.append_digits(factor_, digits_);
        factor_ = 1;
        digits_ = 0;
    }

private:
    Numeric &numeric_;
    std::uint64_t factor_ = 1;
    std::uint64_t digits_ = 0;
};

// magnitude = magnitude * factor + digits, both at most 10^16.
void Numeric::append_digits(std::uint64_t factor, std::uint64_t digits) {
    constexpr UInt128 fits = (~UInt128{0} - power_of_ten(digits_per_step)) / power_of_ten(digits_per_step);
    if (large_.empty() && small_ <= fits) {
        small_ = small_ * factor + digits;
        return;
    }
    if (large_.empty()) {
        large_ = {static_cast<std::uint64_t>(small_), static_cast<std::uint64_t>(small_ >> 64)};
        small_ = 0;
    }
    std::uint64_t carry = digits;
    for (std::uint64_t &limb : large_) {
        const UInt128 product = UInt128{limb} * factor + carry;
        limb = static_cast<std::uint64_t>(product);
        carry = static_cast<std::uint64_t>(product >> 64);
    }
    if (carry != 0) large_.push_back(carry);
}

// magnitude = magnitude / divisor; returns the remainder.
std::uint64_t Numeric::divide(std::uint64_t divisor) {
    if (large_.empty()) {
        if (small_ >> 64 == 0) { // the machine divides these itself
            const auto dividend = static_cast<std::uint64_t>(small_);
            small_ = dividend / divisor;
            return dividend % divisor;
        }
        const auto rest = static_cast<std::uint64_t>(small_ % divisor);
        small_ /= divisor;
        return rest;
    }
    std::uint64_t rest = 0;
    for (auto limb = large_.rbegin(); limb != large_.rend(); ++limb) {
        const UInt128 part = UInt128{rest} << 64 | *limb;
        *limb = static_cast<std::uint64_t>(part / divisor);
        rest = static_cast<std::uint64_t>(part % divisor);
    }
    return rest;
}

std::uint64_t Numeric::remainder(std::uint64_t divisor) const {
    if (large_.empty() && small_ >> 64 == 0) return static_cast<std::uint64_t>(small_) % divisor;
    if (large_.empty()) return static_cast<std::uint64_t>(small_ % divisor);
    std::uint64_t rest = 0;
    for (auto limb = large_.rbegin(); limb != large_.rend(); ++limb)
        rest = static_cast<std::uint64_t>((UInt128{rest} << 64 | *limb) % divisor);
    return rest;
}

bool Numeric::is_zero() const {
    return small_ == 0 && std::all_of(large_.begin(), large_.end(), [](std::uint64_t limb) { return limb == 0; });
}

Numeric Numeric::from_binary(std::string_view bytes) {
    constexpr std::int32_t digits_per_group = 4;
    BinaryReader reader(bytes);
    const std::int32_t groups = reader.uint16();
    const std::int32_t weight = reader.int16(); // of the first group, in powers of 10^4
    const std::uint16_t sign = reader.uint16();
    reader.uint16(); // the scale for display
    Numeric numeric;
    switch (sign) {
    case 0x0000: break;
    case 0x4000: numeric.negative_ = true; break;
    case 0xC000: numeric.kind_ = Kind::nan; break;
    case 0xD000: numeric.kind_ = Kind::infinity; break;
    case 0xF000: numeric.kind_ = Kind::minus_infinity; break;
    default: throw DataError("a numeric with an unknown sign");
    }
    DigitGroups digits(numeric);
    for (std::int32_t group = 0; group < groups; ++group) {
        const std::uint16_t value = reader.uint16();
        if (value > 9999) throw DataError("a numeric with a digit above 9999");
        digits.add(10000, value);
    }
    digits.finish();
    reader.finish();
    numeric.scale_ = numeric.is_zero() ? 0 : digits_per_group * (groups - 1 - weight);
    return numeric;
}

Numeric Numeric::from_text(std::string_view text) {
    Numeric numeric;
    if (text == "NaN") {
        numeric.kind_ = Kind::nan;
        return numeric;
    }
    if (text.size() > max_text_size) throw DataError("a numeric of too many digits");
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        numeric.negative_ = text.front() == '-';
        text.remove_prefix(1);
    }
    if (text == "Infinity") {
        numeric.kind_ = numeric.negative_ ? Kind::minus_infinity : Kind::infinity;
        return numeric;
    }
    DigitGroups groups(numeric);
    bool point = false;
    bool any_digit = false;
    for (const char c : text) {
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            groups.add(10, static_cast<std::uint64_t>(c - '0'));
            numeric.scale_ += point ? 1 : 0;
            any_digit = true;
        } else {
            throw DataError("a numeric that is no number");
        }
    }
    if (!any_digit) throw DataError("a numeric without digits");
    groups.finish();
    return numeric;
}

void Numeric::set_scale(std::int32_t scale) {
    if (!is_zero()) {
        in_powers_of_ten(scale - scale_, [&](std::uint64_t power) { append_digits(power, 0); });
        in_powers_of_ten(scale_ - scale, [&](std::uint64_t power) {
            if (divide(power) != 0) throw DataError("a numeric with more digits than its column's scale");
        });
    }
    scale_ = scale;
}

void Numeric::strip_trailing_zeros() {
    if (scale_ < 0 || is_zero()) set_scale(0);
    for (const std::int32_t step : {digits_per_step, 1})
        while (scale_ >= step && remainder(power_of_ten(step)) == 0) {
            static_cast<void>(divide(power_of_ten(step)));
            scale_ -= step;
        }
}

void Numeric::write_unscaled(JsonWriter &out) const {
    if (large_.empty() && small_ <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        const auto magnitude = static_cast<std::int64_t>(small_);
        return write_twos_complement(out, negative_ ? -magnitude : magnitude);
    }
    // Big-endian magnitude behind at least one zero byte, so that its two's complement has a sign bit.
    std::array<char, 17> small{};
    std::string large;
    char *begin = small.data();
    std::size_t size = small.size();
    if (!large_.empty()) {
        large.resize(large_.size() * 8 + 1);
        begin = large.data();
        size = large.size();
    }
    for (std::size_t byte = 0; byte + 1 < size; ++byte) {
        const auto value =
            large_.empty() ? static_cast<std::uint64_t>(small_ >> (byte * 8)) : large_[byte / 8] >> (byte % 8 * 8);
        begin[size - 1 - byte] = static_cast<char>(value & 0xFF);
    }
    if (negative_) {
        bool carry = true;
        for (std::size_t at = size; at-- > 0;) {
            begin[at] = static_cast<char>(~begin[at]);
            if (carry) {
                begin[at] = static_cast<char>(begin[at] + 1);
                carry = begin[at] == 0;
            }
        }
    }
    // Leading bytes that only repeat the sign bit of the byte behind them say nothing.
    std::size_t first = 0;
    const auto sign_bit = [&](std::size_t at) { return (begin[at] & 0x80) != 0; };
    while (first + 1 < size && begin[first] == (sign_bit(first + 1) ? '\xFF' : '\0')) ++first;
    out.base64({begin + first, size - first});
}

void write_twos_complement(JsonWriter &out, std::int64_t value) {
    std::array<char, sizeof value> bytes{};
    // The first bits that all repeat the sign bit say nothing, but for one.
    const auto magnitude_bits = std::bit_width(static_cast<std::uint64_t>(value < 0 ? ~value : value));
    const auto size = static_cast<std::size_t>(magnitude_bits) / 8 + 1;
    for (std::size_t at = 0; at < size; ++at)
        bytes[at] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * (size - 1 - at)) & 0xFF);
    out.base64({bytes.data(), size});
}

void write_integer(JsonWriter &out, Int128 value) {
    std::array<char, 40> digits{};
    char *begin = digits.data() + digits.size();
    UInt128 rest = value < 0 ? UInt128{0} - static_cast<UInt128>(value) : static_cast<UInt128>(value);
    do {
        *--begin = static_cast<char>('0' + static_cast<int>(rest % 10));
        rest /= 10;
    } while (rest != 0);
    if (value < 0) *--begin = '-';
    out.raw({begin, static_cast<std::size_t>(digits.data() + digits.size() - begin)});
}

} // namespace waybill
