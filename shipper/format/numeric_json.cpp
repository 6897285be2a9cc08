#include "numeric_json.hpp"

#include "java_float.hpp"
#include "numeric.hpp"
#include "pg_text_writer.hpp"
#include "pg_value.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

namespace waybill {

namespace {

// Writes what is no number as its name, which neither Decimal nor VariableScaleDecimal could hold: a reader of numbers
// must fail on it rather than take it for one. Debezium has null.
bool write_special(JsonWriter &out, const ValueType &type, const Numeric &numeric) {
    if (type.as_debezium && numeric.kind() != Numeric::Kind::finite) {
        out.raw("null");
        return true;
    }
    switch (numeric.kind()) {
    case Numeric::Kind::finite: return false;
    case Numeric::Kind::nan: out.raw("\"NaN\""); return true;
    case Numeric::Kind::infinity: out.raw("\"Infinity\""); return true;
    case Numeric::Kind::minus_infinity: out.raw("\"-Infinity\""); return true;
    }
    return false;
}

void write_precise(JsonWriter &out, const ValueType &type, const Value &value) {
    Numeric numeric = is_binary(value) ? Numeric::from_binary(value.bytes) : Numeric::from_text(value.bytes);
    if (write_special(out, type, numeric)) return;
    if (type.mapping == Mapping::decimal) {
        numeric.set_scale(type.scale);
        return numeric.write_unscaled(out);
    }
    numeric.strip_trailing_zeros();
    out.raw("{\"scale\":");
    out.integer(numeric.scale());
    out.raw(",\"value\":");
    numeric.write_unscaled(out);
    out.raw('}');
}

bool is_number(std::string_view digits) {
    return digits.back() >= '0' && digits.back() <= '9';
}

// Whether numeric_out() writes a finite number so: 0.5, not .5, 00.5 or +0.5. JSON knows the same form only.
bool is_canonical(std::string_view digits) {
    if (digits.front() == '-') digits.remove_prefix(1);
    const bool first_is_digit = is_number(digits.substr(0, 1));
    const bool leads_with_zeros = digits.size() > 1 && digits[0] == '0' && digits[1] != '.';
    return first_is_digit && !leads_with_zeros && is_number(digits);
}

// PostgreSQL's text of a numeric from either form. One from a default's expression may lack zeros at its end.
void write_digits(JsonWriter &out, const ValueType &type, const Value &value) {
    if (is_binary(value)) return write_pg_numeric(out, value.bytes);
    const Numeric numeric = Numeric::from_text(value.bytes); // that it is one
    out.raw(value.bytes);
    if (numeric.kind() != Numeric::Kind::finite) return;
    if (!is_canonical(value.bytes)) throw DataError("a numeric that no PostgreSQL prints");
    if (type.precision != 0 && numeric.scale() > std::max(type.scale, 0))
        throw DataError("a numeric with more digits than its column's scale");
    for (std::int32_t digits = numeric.scale(); digits < type.scale; ++digits) {
        if (digits == 0) out.raw('.');
        out.raw('0');
    }
}

void write_string(JsonWriter &out, const ValueType &type, const Value &value) {
    out.raw('"');
    const std::size_t begin = out.size();
    write_digits(out, type, value);
    // As Debezium's SpecialValueDecimal spells them.
    const std::string_view digits = out.view(begin);
    if (!is_number(digits)) {
        const std::string_view name = digits == "NaN"        ? "NAN"
                                      : digits == "Infinity" ? "POSITIVE_INFINITY"
                                                             : "NEGATIVE_INFINITY";
        out.truncate(begin);
        out.raw(name);
    }
    out.raw('"');
}

// A number of all digits, which JSON allows; what is none as a string.
void write_number(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::size_t begin = out.size();
    write_digits(out, type, value);
    const std::string_view digits = out.view(begin);
    if (is_number(digits)) return;
    const std::string name(digits);
    out.truncate(begin);
    out.string(name);
}

void write_double(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::size_t begin = out.size();
    write_digits(out, type, value);
    const std::string_view digits = out.view(begin);
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc::result_out_of_range) {
        // Java rounds to infinity, or to zero.
        const std::size_t first = digits.find_first_not_of("-0");
        const bool too_large = first != digits.npos && digits[first] != '.';
        number = too_large ? std::numeric_limits<double>::infinity() : 0;
        if (digits.front() == '-') number = -number;
    } else if (error != std::errc()) {
        throw DataError("a numeric that is no number");
    }
    out.truncate(begin);
    write_java_float(out, number);
}

// Hundredths as a number with two digits behind the point.
void write_money_digits(JsonWriter &out, std::int64_t hundredths) {
    const std::uint64_t magnitude =
        hundredths < 0 ? -static_cast<std::uint64_t>(hundredths) : static_cast<std::uint64_t>(hundredths);
    if (hundredths < 0) out.raw('-');
    out.integer(magnitude / 100);
    out.raw('.');
    out.raw(static_cast<char>('0' + magnitude / 10 % 10));
    out.raw(static_cast<char>('0' + magnitude % 10));
}

void write_money_unscaled(JsonWriter &out, std::int64_t hundredths, std::int32_t scale) {
    if (scale == 2) return write_twos_complement(out, hundredths);
    if (scale > 2) {
        JsonWriter text;
        write_money_digits(text, hundredths);
        Numeric numeric = Numeric::from_text(text.view());
        numeric.set_scale(scale);
        return numeric.write_unscaled(out);
    }
    const std::int64_t unit = scale == 1 ? 10 : 100;
    const std::int64_t rest = hundredths % unit;
    const std::int64_t away = std::abs(rest) * 2 < unit ? 0 : rest < 0 ? -1 : 1; // half is rounded away from zero
    write_twos_complement(out, hundredths / unit + away);
}

} // namespace

void write_numeric(JsonWriter &out, const ValueType &type, const Value &value) {
    switch (type.mapping) {
    case Mapping::decimal_string: return write_string(out, type, value);
    case Mapping::decimal_double: return write_double(out, type, value);
    case Mapping::decimal_number: return write_number(out, type, value);
    default: return write_precise(out, type, value);
    }
}

void write_money(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int64_t hundredths = money_of(value);
    switch (type.mapping) {
    case Mapping::money_string:
        out.raw('"');
        write_money_digits(out, hundredths);
        return out.raw('"');
    case Mapping::money_number: return write_money_digits(out, hundredths);
    case Mapping::money_double: {
        const std::size_t begin = out.size();
        write_money_digits(out, hundredths);
        const auto number = pg_text::parse_float<double>(out.view(begin));
        out.truncate(begin);
        return write_java_float(out, number);
    }
    default: return write_money_unscaled(out, hundredths, type.scale);
    }
}

} // namespace waybill
