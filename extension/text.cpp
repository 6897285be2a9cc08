// Text between the database's encoding and the UTF-8 of the log.
#include "text.hpp"

#include "byte_buffer.hpp"

namespace waybill {

namespace {

constexpr std::size_t byte_character_size = 3; // U+F700 + byte: EF, 9E or 9F, 80 … BF

bool is_byte_character(std::string_view text) {
    return text.size() >= byte_character_size && text[0] == '\xEF' && (text[1] == '\x9E' || text[1] == '\x9F') &&
           (static_cast<unsigned char>(text[2]) & 0xC0) == 0x80;
}

void append_byte_character(ByteBuffer &utf8, char c) {
    const auto byte = static_cast<unsigned char>(c);
    utf8.append_byte(0xEF);
    utf8.append_byte(static_cast<std::uint8_t>(0x9C | byte >> 6));
    utf8.append_byte(static_cast<std::uint8_t>(0x80 | (byte & 0x3F)));
}

std::uint8_t byte_of_character(std::string_view text) {
    return static_cast<std::uint8_t>(static_cast<unsigned char>(text[1]) << 6 |
                                     (static_cast<unsigned char>(text[2]) & 0x3F));
}

bool is_ascii(std::string_view text) {
    constexpr std::uint64_t high_bits = 0x8080808080808080U;
    std::uint64_t seen = 0;
    while (text.size() >= sizeof seen) {
        std::memcpy(&seen, text.data(), sizeof seen);
        if ((seen & high_bits) != 0) return false;
        text.remove_prefix(sizeof seen);
    }
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
}

// The server's own conversion, whatever conversions of the same name are first in search_path; invalid when there is
// none. A pinned object, so never stale.
Oid conversion(int from, int to) {
    static Oid to_utf8_conversion;
    static Oid from_utf8_conversion;
    Oid &known = to == PG_UTF8 ? to_utf8_conversion : from_utf8_conversion;
    if (!OidIsValid(known)) known = FindDefaultConversion(PG_CATALOG_NAMESPACE, from, to);
    return known;
}

// Converts from the front of `text` what can be, and returns how many bytes of it that were.
std::size_t append_converted(ByteBuffer &converted, std::string_view text, int from, int to) {
    const Oid function = conversion(from, to);
    if (!OidIsValid(function)) return 0;
    constexpr std::size_t most_at_once = std::size_t{1} << 28; // four times that fits an int
    std::size_t done = 0;
    while (done < text.size()) {
        const std::string_view part = text.substr(done, most_at_once);
        const std::size_t room = part.size() * MAX_CONVERSION_GROWTH + 1;
        char *to_place = converted.reserve(room);
        const std::size_t consumed = convert_front(function, from, to, part, to_place, room);
        if (consumed == 0) break;
        converted.advance_to(to_place + std::strlen(to_place));
        done += consumed;
    }
    return done;
}

// The part in front that is well-formed UTF-8 and has none of the characters that stand for bytes.
std::size_t utf8_size(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto *character = reinterpret_cast<const unsigned char *>(text.data() + at);
        const auto length = static_cast<std::size_t>(pg_utf_mblen(character));
        if (length > text.size() - at || !pg_utf8_islegal(character, static_cast<int>(length)) ||
            is_byte_character(text.substr(at)))
            break;
        at += length;
    }
    return at;
}

} // namespace

std::string_view to_utf8(std::string_view text) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || is_ascii(text)) return text;
    ByteBuffer utf8{};
    utf8.use(CurrentMemoryContext);
    while (!text.empty()) {
        std::size_t bytes = 1;
        if (encoding == PG_SQL_ASCII) { // what looks like UTF-8 is meant to be
            const std::size_t size = utf8_size(text);
            utf8.append(text.data(), size);
            text.remove_prefix(size);
        } else {
            text.remove_prefix(append_converted(utf8, text, encoding, PG_UTF8));
            if (!text.empty()) bytes = static_cast<std::size_t>(pg_encoding_mblen(encoding, text.data()));
        }
        for (const char c : text.substr(0, bytes)) {
            if (static_cast<signed char>(c) < 0)
                append_byte_character(utf8, c);
            else
                utf8.append_byte(static_cast<std::uint8_t>(c));
        }
        text.remove_prefix(std::min(bytes, text.size()));
    }
    return {utf8.data(), utf8.size()};
}

std::string_view from_utf8(std::string_view text) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || is_ascii(text)) return text;
    ByteBuffer converted{};
    converted.use(CurrentMemoryContext);
    while (!text.empty()) {
        if (is_byte_character(text)) {
            converted.append_byte(byte_of_character(text));
            text.remove_prefix(byte_character_size);
            continue;
        }
        // Up to the next byte.
        std::size_t size = 1;
        while (size < text.size() && !is_byte_character(text.substr(size))) ++size;
        std::string_view run = text.substr(0, size);
        text.remove_prefix(size);
        if (encoding == PG_SQL_ASCII) {
            converted.append(run.data(), run.size());
            continue;
        }
        for (;;) {
            run.remove_prefix(append_converted(converted, run, PG_UTF8, encoding));
            if (run.empty()) break;
            converted.append_byte('?'); // came from a character to which Unicode's does not lead back
            const auto length =
                static_cast<std::size_t>(pg_utf_mblen(reinterpret_cast<const unsigned char *>(run.data())));
            run.remove_prefix(std::min(length, run.size()));
        }
    }
    return {converted.data(), converted.size()};
}

} // namespace waybill
