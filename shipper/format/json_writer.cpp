#include "json_writer.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace waybill {

namespace {

// The first byte of a character beyond U+FFFF.
constexpr bool begins_pair(char c) {
    return static_cast<unsigned char>(c) >= 0xF0;
}

constexpr bool needs_escape(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || begins_pair(c);
}

// Whether one of the eight bytes needs an escape. Each test marks the high bit of the bytes it finds; a borrow can
// mark a byte above a found one too, never without one.
bool any_needs_escape(std::uint64_t bytes) {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t high = 0x8080808080808080U;
    const auto zero = [](std::uint64_t word) { return (word - ones) & ~word; };
    // From 0xF0 on all of the four upper bits are set; shifted, they meet in the highest.
    const std::uint64_t pairs = bytes & bytes << 1 & bytes << 2 & bytes << 3;
    return ((zero(bytes ^ (ones * '"')) | zero(bytes ^ (ones * '\\')) | ((bytes - ones * 0x20) & ~bytes) | pairs) &
            high) != 0;
}

const char *find_escape(const char *from, const char *end) {
    while (end - from >= 8) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, from, sizeof bytes);
        if (any_needs_escape(bytes)) break;
        from += 8;
    }
    return std::find_if(from, end, needs_escape);
}

constexpr std::string_view digits = "0123456789ABCDEF";

// Writes the escape of `c` at `to`, which has room for six bytes.
char *put_escape(char *to, char c) {
    *to++ = '\\';
    switch (c) {
    case '\b': *to++ = 'b'; break;
    case '\t': *to++ = 't'; break;
    case '\n': *to++ = 'n'; break;
    case '\f': *to++ = 'f'; break;
    case '\r': *to++ = 'r'; break;
    case '"':
    case '\\': *to++ = c; break;
    default:
        to = std::copy_n("u00", 3, to);
        *to++ = digits[static_cast<unsigned char>(c) >> 4];
        *to++ = digits[static_cast<unsigned char>(c) & 15];
    }
    return to;
}

// The character beyond U+FFFF that begins at `from`, 0 when what is there is no UTF-8.
std::uint32_t read_pair(const char *from, const char *end) {
    if (end - from < 4) return 0;
    std::uint32_t character = static_cast<unsigned char>(from[0]) & 0x0FU;
    for (int at = 1; at < 4; ++at) {
        const auto byte = static_cast<unsigned char>(from[at]);
        if ((byte & 0xC0U) != 0x80U) return 0;
        character = character << 6 | (byte & 0x3FU);
    }
    return character > 0xFFFF && character <= 0x10FFFF ? character : 0;
}

// Writes the escape of such a character: a pair of surrogates, in twelve bytes.
char *put_pair(char *to, std::uint32_t character) {
    character -= 0x10000;
    for (const std::uint32_t unit : {0xD800 | character >> 10, 0xDC00 | (character & 0x3FF)}) {
        to = std::copy_n("\\u", 2, to);
        for (int shift = 12; shift >= 0; shift -= 4) *to++ = digits[unit >> shift & 15];
    }
    return to;
}

} // namespace

void JsonWriter::grow(std::size_t count) {
    const std::size_t capacity = std::max({first_capacity, capacity_ * 2, size_ + count});
    auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(buffer.get(), buffer_.get(), size_);
    buffer_ = std::move(buffer);
    capacity_ = capacity;
}

void JsonWriter::escaped(std::string_view text, bool escapes_pairs) {
    const char *from = text.data();
    const char *const end = from + text.size();
    while (from != end) {
        const char *const special = find_escape(from, end);
        raw({from, static_cast<std::size_t>(special - from)});
        if (special == end) return;
        from = special + 1;
        if (!begins_pair(*special)) {
            advance(put_escape(room(6), *special));
        } else if (const std::uint32_t character = escapes_pairs ? read_pair(special, end) : 0; character != 0) {
            advance(put_pair(room(12), character));
            from = special + 4;
        } else {
            raw(*special);
        }
    }
}

void JsonWriter::escape_from(std::size_t from) {
    const char *const end = buffer_.get() + size_;
    if (find_escape(buffer_.get() + from, end) == end) return;
    const std::string text(view(from));
    truncate(from);
    escaped(text);
}

void JsonWriter::base64(std::string_view bytes, bool for_url) {
    static constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static constexpr std::string_view url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *const alphabet = for_url ? url.data() : standard.data();
    char *to = room((bytes.size() + 2) / 3 * 4 + 2);
    *to++ = '"';
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])); };
    const auto put = [&](std::uint32_t group, int count) {
        for (int digit = 0; digit < count; ++digit) *to++ = alphabet[group >> (18 - 6 * digit) & 63];
        for (int digit = count; digit < 4; ++digit) *to++ = '=';
    };
    std::size_t at = 0;
    for (; bytes.size() - at >= 3; at += 3) put(byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2), 4);
    if (bytes.size() - at == 2)
        put(byte(at) << 16 | byte(at + 1) << 8, 3);
    else if (bytes.size() - at == 1)
        put(byte(at) << 16, 2);
    *to++ = '"';
    advance(to);
}

} // namespace waybill
