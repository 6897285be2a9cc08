#include "java_float.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace waybill {

namespace {

// d.ddd × 10^exponent
struct Scientific {
    std::array<char, 20> digits{};
    std::size_t count = 0;
    int exponent = 0;
};

template <typename Float, typename... Precision>
Scientific scientific(Float value, Precision... precision) {
    std::array<char, 32> text{};
    const char *const end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific, precision...).ptr;
    Scientific result;
    const char *at = text.data();
    for (; *at != 'e'; ++at)
        if (*at != '.') result.digits[result.count++] = *at;
    ++at; // e
    if (*at == '+') ++at;
    std::from_chars(at, end, result.exponent);
    return result;
}

// Java takes the shortest digits that read back as the number, but of at least two digits the nearest to it: the
// smallest double is 4.9E-324, not 5E-324. That matters only where doubles are that far apart.
template <typename Float>
Scientific java_digits(Float value) {
    Scientific digits = scientific(value);
    if (digits.count == 1 && value < std::numeric_limits<Float>::min()) {
        Scientific longer = scientific(value, 1);
        while (longer.count > 1 && longer.digits[longer.count - 1] == '0') --longer.count;
        return longer;
    }
    return digits;
}

template <typename Float>
void write(JsonWriter &out, Float value) {
    if (std::isnan(value)) return out.raw("\"NaN\"");
    if (std::isinf(value)) return out.raw(value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    if (std::signbit(value)) out.raw('-');
    if (value == 0) return out.raw("0.0");

    const Scientific number = java_digits(std::abs(value));
    const std::string_view digits(number.digits.data(), number.count);
    constexpr std::string_view zeros = "0000000";
    char *to = out.room(40);
    const auto put = [&](std::string_view text) { to = std::copy(text.begin(), text.end(), to); };
    if (number.exponent < -3 || number.exponent >= 7) {
        put(digits.substr(0, 1));
        put(".");
        put(digits.size() > 1 ? digits.substr(1) : "0");
        put("E");
        to = std::to_chars(to, to + 5, number.exponent).ptr;
    } else if (number.exponent < 0) {
        put("0.");
        put(zeros.substr(0, static_cast<std::size_t>(-number.exponent - 1)));
        put(digits);
    } else {
        const auto before_point = static_cast<std::size_t>(number.exponent) + 1;
        put(digits.substr(0, before_point));
        if (digits.size() < before_point) put(zeros.substr(0, before_point - digits.size()));
        put(".");
        put(digits.size() > before_point ? digits.substr(before_point) : "0");
    }
    out.advance(to);
}

} // namespace

void write_java_float(JsonWriter &out, float value) {
    write(out, value);
}
void write_java_float(JsonWriter &out, double value) {
    write(out, value);
}

} // namespace waybill
