#include "log_text.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstddef>

namespace waybill {

namespace {

struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 0; // 0: no UTF-8 begins here
};

// The code point that `text`, which is not empty, begins with.
CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t bytes = lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc0 ? 2 : 0;
    if (bytes == 0 || lead >= 0xf8 || text.size() < bytes) return {};
    char32_t value = lead & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return {};
        value = value << 6 | (byte(i) & 0x3fU);
    }
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value < 0xe000;
    if (value < least[bytes] || value > 0x10ffff || surrogate) return {};
    return {value, bytes};
}

// Whether it does something else than to show: controls, ends of lines and paragraphs, and what turns the direction in
// which the rest of the line is written.
bool acts(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x061c ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

std::string escape(char32_t c) {
    switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    }
}

// Copies what neither acts nor is in `also`; a backslash is put before that. `broken` makes something of a byte that is
// no UTF-8.
template <typename Broken>
std::string escaped(std::string_view text, std::string_view also, const Broken &broken) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const CodePoint c = first_code_point(text);
        if (c.bytes == 0)
            result += broken(static_cast<unsigned char>(text.front()));
        else if (acts(c.value))
            result += escape(c.value);
        else if (c.value < 0x80 && also.find(text.front()) != std::string_view::npos)
            (result += '\\') += text.front();
        else
            result += text.substr(0, c.bytes);
        text.remove_prefix(std::max<std::size_t>(c.bytes, 1));
    }
    return result;
}

} // namespace

std::string printable(std::string_view text) {
    return escaped(text, "", [](unsigned char byte) { return fmt::format("\\x{:02x}", byte); });
}

std::string json_escaped(std::string_view text) {
    return escaped(text, "\"\\", [](unsigned char) { return "\\ufffd"; });
}

} // namespace waybill
