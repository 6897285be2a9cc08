#include "column_default.hpp"

#include "../errors.hpp"
#include "json_writer.hpp"
#include "value_json.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace waybill {

namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// What stands for a value that is only known when a row is made, in PostgreSQL's text form; nullopt for types whose
// defaults are left out.
std::optional<std::string_view> placeholder(const ValueType &type) {
    if (type.is_array) return std::nullopt;
    switch (type.mapping) {
    case Mapping::boolean: return "f";
    case Mapping::int16:
    case Mapping::int32:
    case Mapping::int64:
    case Mapping::oid:
    case Mapping::float32:
    case Mapping::float64:
    case Mapping::decimal:
    case Mapping::decimal_string:
    case Mapping::decimal_double:
    case Mapping::decimal_number:
    case Mapping::money:
    case Mapping::money_string:
    case Mapping::money_double:
    case Mapping::money_number: return "0";
    case Mapping::string:
    case Mapping::single_char:
    case Mapping::xml: return "";
    case Mapping::json:
    case Mapping::jsonb:
    case Mapping::raw_json: return "{}";
    case Mapping::uuid: return "00000000-0000-0000-0000-000000000000";
    case Mapping::date:
    case Mapping::connect_date:
    case Mapping::iso_date: return "1970-01-01";
    case Mapping::time_ms:
    case Mapping::time_us:
    case Mapping::time_ns:
    case Mapping::connect_time:
    case Mapping::iso_time:
    case Mapping::interval:
    case Mapping::iso_interval: return "00:00:00";
    case Mapping::zoned_time: return "00:00:00+00";
    case Mapping::timestamp_ms:
    case Mapping::timestamp_us:
    case Mapping::timestamp_ns:
    case Mapping::connect_timestamp:
    case Mapping::iso_timestamp: return "1970-01-01 00:00:00";
    case Mapping::zoned_timestamp: return "1970-01-01 00:00:00+00";
    case Mapping::boolean_bit:
    case Mapping::bits: return "0";
    case Mapping::enumeration: return ""; // literals only
    case Mapping::variable_decimal:
    case Mapping::opaque:
    case Mapping::pg_text:
    case Mapping::pg_text_of_whole:
    case Mapping::pg_text_zulu:
    case Mapping::bytes:
    case Mapping::base64:
    case Mapping::base64_url:
    case Mapping::hex:
    case Mapping::hstore:
    case Mapping::hstore_map:
    case Mapping::ltree:
    case Mapping::tsvector:
    case Mapping::point:
    case Mapping::geometry:
    case Mapping::geography:
    case Mapping::double_vector:
    case Mapping::float_vector:
    case Mapping::sparse_vector:
    case Mapping::line_string:
    case Mapping::polygon:
    case Mapping::line:
    case Mapping::circle: return std::nullopt;
    }
    return std::nullopt;
}

// Types whose defaults the connector leaves out although it publishes their values: its PostgresDefaultValueConverter
// does not know them.
bool has_no_defaults(const ValueType &type) {
    switch (type.oid) {
    case TypeOid::money:
    case TypeOid::timetz:
    case TypeOid::one_char:
    case TypeOid::name:
    case TypeOid::oid: return true;
    case TypeOid::text:
    case TypeOid::varchar:
    case TypeOid::bpchar: return false;
    default: return type.mapping == Mapping::string; // citext
    }
}

// What stands for a value of a column that cannot be null, in PostgreSQL's text form.
std::string_view fallback(const ValueType &type) {
    if (type.is_array) return "{}";
    switch (type.mapping) {
    case Mapping::json:
    case Mapping::jsonb:
    case Mapping::uuid:
    case Mapping::bits:
    case Mapping::opaque:
    case Mapping::pg_text:
    case Mapping::pg_text_of_whole:
    case Mapping::pg_text_zulu:
    case Mapping::hstore:
    case Mapping::hstore_map:
    case Mapping::ltree:
    case Mapping::tsvector: return "";
    case Mapping::raw_json: return "null";
    case Mapping::variable_decimal: return "0";
    case Mapping::bytes:
    case Mapping::base64:
    case Mapping::base64_url:
    case Mapping::hex: return "\\x";
    case Mapping::point: return "(0,0)";
    case Mapping::line_string: return "[(0,0)]";
    case Mapping::polygon: return "((0,0))";
    case Mapping::line: return "{0,0,0}";
    case Mapping::circle: return "<(0,0),0>";
    case Mapping::geometry:
    case Mapping::geography: return "010700000000000000"; // GEOMETRYCOLLECTION EMPTY
    case Mapping::sparse_vector: return "{}/0";
    default: return placeholder(type).value_or("");
    }
}

std::string as_json(const ValueType &type, std::string_view text) {
    JsonWriter json;
    write_value(json, type, {.kind = Value::Kind::text, .bytes = text});
    return std::string(json.view());
}

// The end of the quoted text that begins at `from`, or npos.
std::size_t end_of_quoted(std::string_view text, std::size_t from) {
    const char quote = text[from];
    for (std::size_t at = from + 1; at < text.size(); ++at) {
        if (text[at] != quote) continue;
        if (at + 1 == text.size() || text[at + 1] != quote) return at + 1;
        ++at; // doubled
    }
    return text.npos;
}

// The end of the parenthesis that opens at `from`, or npos.
std::size_t end_of_parenthesis(std::string_view text, std::size_t from) {
    std::size_t depth = 0;
    for (std::size_t at = from; at < text.size(); ++at) {
        if (text[at] == '(') ++depth;
        if (text[at] == ')' && --depth == 0) return at + 1;
        if (text[at] == '\'' || text[at] == '"') {
            at = end_of_quoted(text, at);
            if (at == text.npos) return text.npos;
            --at;
        }
    }
    return text.npos;
}

// Whether all of `text` is casts: "::character varying(20)", "::public.mood[]".
bool is_casts(std::string_view text) {
    if (text.empty()) return true;
    if (text.substr(0, 2) != "::") return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view(":. ()[],\"").find(c) != std::string_view::npos ||
               (static_cast<unsigned char>(c) & 0x80) != 0;
    });
}

// What a default says, from pg_get_expr()'s text.
struct Expression {
    enum class Kind : std::uint8_t { other, literal, evaluated };
    Kind kind = Kind::other;
    std::string literal;
};

// pg_get_expr() never writes E'', and with standard_conforming_strings a backslash is a character like others.
Expression parse_quoted(std::string_view text, std::size_t quote) {
    const std::size_t end = end_of_quoted(text, quote);
    if (end == text.npos || !is_casts(text.substr(end))) return {};
    Expression expression{.kind = Expression::Kind::literal, .literal = {}};
    for (std::size_t at = quote + 1; at + 1 < end; ++at) {
        if (text[at] == '\'') ++at; // doubled
        expression.literal += text[at];
    }
    return expression;
}

Expression parse_expression(std::string_view text) {
    while (!text.empty() && text.front() == '(') {
        const std::size_t end = end_of_parenthesis(text, 0);
        if (end == text.npos || !is_casts(text.substr(end))) return {};
        text = text.substr(1, end - 2);
    }
    if (text.empty()) return {};
    if (text.front() == '\'') return parse_quoted(text, 0);
    if (text.substr(0, 2) == "B'") return parse_quoted(text, 1); // a bit string

    const std::size_t sign = text.front() == '-' ? 1 : 0;
    const std::size_t number_end = std::min(text.find_first_not_of("0123456789.", sign), text.size());
    if (number_end > sign && is_casts(text.substr(number_end)))
        return {.kind = Expression::Kind::literal, .literal = std::string(text.substr(0, number_end))};

    std::size_t name_end = 0;
    while (name_end < text.size() &&
           (is_letter(text[name_end]) || is_digit(text[name_end]) || text[name_end] == '.' || text[name_end] == '"'))
        ++name_end;
    const std::string_view name = text.substr(0, name_end);
    if (name_end == 0) return {};
    if (name_end < text.size() && text[name_end] == '(') {
        const std::size_t end = end_of_parenthesis(text, name_end);
        if (end != text.npos && is_casts(text.substr(end))) return {.kind = Expression::Kind::evaluated, .literal = {}};
        return {};
    }
    if (!is_casts(text.substr(name_end))) return {};
    if (name == "true" || name == "false") return {.kind = Expression::Kind::literal, .literal = std::string(name)};
    constexpr std::array<std::string_view, 10> evaluated = {
        "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP",  "LOCALTIME",
        "CURRENT_USER",      "CURRENT_ROLE", "SESSION_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA"};
    if (std::find(evaluated.begin(), evaluated.end(), name) != evaluated.end())
        return {.kind = Expression::Kind::evaluated, .literal = {}};
    return {};
}

} // namespace

std::string column_default(const Column &column, const ValueType &type) {
    if (!column.default_expression || has_no_defaults(type)) return {};
    if (type.as_debezium && column.domain) return {};
    const std::optional<std::string_view> evaluated = placeholder(type);
    if (!evaluated) return {};
    const Expression expression = parse_expression(*column.default_expression);
    if (expression.kind == Expression::Kind::other) return {};
    if (expression.kind == Expression::Kind::evaluated && type.mapping == Mapping::enumeration) return {};
    const std::string_view text =
        expression.kind == Expression::Kind::literal ? std::string_view(expression.literal) : *evaluated;
    if (type.mapping == Mapping::zoned_timestamp && text.ends_with("infinity")) return {};
    // A reader of the schema fails on a default that is no number, with every record of the table.
    if (type.mapping == Mapping::decimal && text == "NaN") return {};
    try {
        return as_json(type, text);
    } catch (const DataError &) {
        return {}; // an expression that only looked like a literal of the type
    }
}

std::string absent_value(const Column &column, const ValueType &type) {
    if (column.nullable) return "null";
    if (std::string value = column_default(column, type); !value.empty()) return value;
    if (!type.is_array) {
        // These have forms that no value of the table has.
        if (type.mapping == Mapping::zoned_timestamp) return "\"1970-01-01T00:00:00Z\"";
        if (type.mapping == Mapping::double_vector || type.mapping == Mapping::float_vector) return "[]";
    }
    return as_json(type, fallback(type));
}

} // namespace waybill
