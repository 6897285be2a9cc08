#include "toml_limits.hpp"

#include <algorithm>

namespace waybill {

namespace {

// Where the string has ended that the quote at `at` opens.
std::size_t end_of_string(std::string_view toml, std::size_t at) {
    const char quote = toml[at];
    const bool has_escapes = quote == '"';
    const std::string triple(3, quote);
    const bool is_long = toml.substr(at, 3) == triple;
    at += is_long ? 3 : 1;
    while (at < toml.size()) {
        if (has_escapes && toml[at] == '\\') {
            at += 2;
        } else if (is_long && toml.substr(at, 3) == triple) {
            at += 3;
            // Up to two more quotes belong to the string.
            for (int more = 0; more < 2 && at < toml.size() && toml[at] == quote; ++more) ++at;
            return at;
        } else if (!is_long && toml[at] == quote) {
            return at + 1;
        } else if (!is_long && toml[at] == '\n') {
            return at; // which is an error: the parser does not get further
        } else {
            ++at;
        }
    }
    return toml.size();
}

} // namespace

std::optional<std::string> objection_to_toml(std::string_view toml, const TomlLimits &limits) {
    if (toml.size() > limits.bytes)
        return "it has more than " + std::to_string(limits.bytes) + " bytes; no configuration needs so many";
    std::size_t line = 1;
    std::size_t brackets = 0;
    std::size_t dots = 0;
    const auto at_line = [&](const std::string &what) { return "line " + std::to_string(line) + ": " + what; };
    const auto too_many = [&](std::size_t most, const std::string &what) {
        return at_line("more than " + std::to_string(most) + ' ' + what + "; no configuration needs so many");
    };
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    for (std::size_t at = toml.starts_with(byte_order_mark) ? byte_order_mark.size() : 0; at < toml.size();) {
        switch (toml[at]) {
        case '#': at = std::min(toml.find('\n', at), toml.size()); continue;
        case '"':
        case '\'': {
            const std::size_t end = end_of_string(toml, at);
            for (; at < end; ++at)
                if (toml[at] == '\n') ++line;
            continue;
        }
        case '\n':
            ++line;
            dots = 0;
            break;
        case '.':
            if (++dots > limits.dots) return too_many(limits.dots, "dots in keys");
            break;
        case '[':
        case '{':
            if (++brackets > limits.brackets) return too_many(limits.brackets, "open brackets");
            break;
        case ']':
        case '}':
            if (brackets > 0) --brackets;
            break;
        default:
            if (static_cast<unsigned char>(toml[at]) >= 0x80)
                return at_line("a character outside of quotes that is not ASCII; put quotes around it");
            break;
        }
        ++at;
    }
    return std::nullopt;
}

} // namespace waybill
