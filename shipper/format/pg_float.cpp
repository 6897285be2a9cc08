#include "pg_float.hpp"

#include "numeric.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace waybill {

namespace {

// digits × 10^exponent
struct Decimal {
    std::uint64_t digits = 0;
    int exponent = 0;
};

// mantissa × 2^exponent
struct Binary {
    std::uint64_t mantissa = 0;
    int exponent = 0;
};

template <typename Float>
Binary binary_of(Float value) {
    using Bits = std::conditional_t<sizeof(Float) == 8, std::uint64_t, std::uint32_t>;
    constexpr int fraction_bits = std::numeric_limits<Float>::digits - 1;
    constexpr int bias = std::numeric_limits<Float>::max_exponent - 1 + fraction_bits;
    const auto bits = std::bit_cast<Bits>(value);
    const std::uint64_t fraction = bits & ((Bits{1} << fraction_bits) - 1);
    const int exponent = static_cast<int>(bits >> fraction_bits);
    if (exponent == 0) return {.mantissa = fraction, .exponent = 1 - bias};
    return {.mantissa = fraction | std::uint64_t{1} << fraction_bits, .exponent = exponent - bias};
}

// Whether both are the same number. The mantissa is odd.
bool is_same(const Decimal &decimal, const Binary &binary) {
    // digits × 5^e × 2^e = mantissa × 2^b, so that what is odd in both is equal, and the powers of two are.
    constexpr int largest_power_of_five = 27; // of 64 bits
    const int e = decimal.exponent;
    if (e > largest_power_of_five || e < -largest_power_of_five) return false;
    UInt128 fives = 1;
    for (int i = 0; i < std::abs(e); ++i) fives *= 5;
    UInt128 left = decimal.digits;
    UInt128 right = binary.mantissa;
    (e >= 0 ? left : right) *= fives;
    int twos = 0;
    for (; (left & 1) == 0; left >>= 1) ++twos;
    return left == right && twos + e == binary.exponent;
}

// Whether `decimal` lies exactly between `value` and one of its neighbours. It reads as `value` when that has the even
// mantissa, but PostgreSQL does not rely on how a reader rounds.
template <typename Float>
bool is_at_boundary(const Decimal &decimal, Float value) {
    const Binary binary = binary_of(value);
    const std::uint64_t twice = binary.mantissa * 2;
    if (is_same(decimal, {.mantissa = twice + 1, .exponent = binary.exponent - 1})) return true;
    const bool at_power_of_two = std::has_single_bit(binary.mantissa); // the neighbour below is only half as far away
    return at_power_of_two ? is_same(decimal, {.mantissa = twice * 2 - 1, .exponent = binary.exponent - 2})
                           : is_same(decimal, {.mantissa = twice - 1, .exponent = binary.exponent - 1});
}

template <typename Float, typename... Precision>
Decimal decimal_of(Float value, Precision... precision) {
    std::array<char, 32> text{};
    const char *const end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific, precision...).ptr;
    Decimal decimal;
    int behind_point = -1;
    const char *at = text.data();
    for (; *at != 'e'; ++at) {
        if (*at == '.') {
            behind_point = 0;
            continue;
        }
        decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(*at - '0');
        if (behind_point >= 0) ++behind_point;
    }
    ++at; // e
    if (*at == '+') ++at;
    std::from_chars(at, end, decimal.exponent);
    decimal.exponent -= std::max(behind_point, 0);
    return decimal;
}

// The shortest digits that can only mean `value`.
template <typename Float>
Decimal shortest(Float value) {
    Decimal decimal = decimal_of(value);
    int digits = 0;
    for (std::uint64_t rest = decimal.digits; rest != 0; rest /= 10) ++digits;
    for (; is_at_boundary(decimal, value) && digits < std::numeric_limits<Float>::max_digits10; ++digits)
        decimal = decimal_of(value, digits); // one more digit: the precision does not count the first
    return decimal;
}

template <typename Float>
void write(JsonWriter &out, Float value) {
    if (std::isnan(value)) return out.raw("NaN");
    if (std::signbit(value)) out.raw('-');
    if (std::isinf(value)) return out.raw("Infinity");
    if (value == 0) return out.raw('0');

    const Decimal decimal = shortest(std::abs(value));
    std::array<char, 20> text{};
    const char *const text_end = std::to_chars(text.data(), text.data() + text.size(), decimal.digits).ptr;
    std::string_view digits(text.data(), static_cast<std::size_t>(text_end - text.data()));
    const int exponent = decimal.exponent + static_cast<int>(digits.size()) - 1; // of the first digit
    digits = digits.substr(0, digits.find_last_not_of('0') + 1);

    constexpr std::string_view zeros = "000000000000000";
    const auto padding = [&](std::size_t count) { out.raw(zeros.substr(0, count)); };
    if (exponent < -4 || exponent >= std::numeric_limits<Float>::digits10) {
        out.raw(digits.front());
        if (digits.size() > 1) {
            out.raw('.');
            out.raw(digits.substr(1));
        }
        out.raw(exponent < 0 ? "e-" : "e+");
        if (std::abs(exponent) < 10) out.raw('0');
        out.integer(std::abs(exponent));
    } else if (exponent < 0) {
        out.raw("0.");
        padding(static_cast<std::size_t>(-exponent - 1));
        out.raw(digits);
    } else if (const auto before_point = static_cast<std::size_t>(exponent) + 1; digits.size() <= before_point) {
        out.raw(digits);
        padding(before_point - digits.size());
    } else {
        out.raw(digits.substr(0, before_point));
        out.raw('.');
        out.raw(digits.substr(before_point));
    }
}

} // namespace

void write_pg_float(JsonWriter &out, float value) {
    write(out, value);
}
void write_pg_float(JsonWriter &out, double value) {
    write(out, value);
}

} // namespace waybill
