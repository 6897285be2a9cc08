// Text between the database's encoding and the UTF-8 of the log.
#include "text.hpp"

#include "byte_buffer.hpp"

namespace waybill {

namespace {

constexpr std::size_t byte_character_size = 3; // U+F700 + byte: EF, 9E or 9F, 80 … BF; of zero EF, 9C, 80

// Not of zero, to which there is no way back.
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

constexpr std::uint64_t high_bits = 0x8080808080808080U;

std::uint64_t load_word(const char *from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// Has the highest bit of a byte set when that is no ASCII character, or (at least somewhere) when one is zero: then
// what is one less has it.
std::uint64_t marks(std::uint64_t word) {
    return word | (word - 0x0101010101010101U);
}

// Whether text is the same in all encodings, and has no zero, which only binary-coercible casts, C functions and the
// like can bring into it.
bool is_plain(std::string_view text) {
    constexpr std::size_t step = sizeof(std::uint64_t);
    if (text.size() < step)
        return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) > 0; });
    const char *const last = text.data() + text.size() - step;
    std::uint64_t seen = marks(load_word(last));
    for (const char *from = text.data(); from < last; from += step) seen |= marks(load_word(from));
    return (seen & high_bits) == 0;
}

// What may come next in UTF-8: an automaton that takes four instructions a byte. PostgreSQL's own validator takes three
// times as many for texts as short as most are. A row of the table has for each state the one that the byte leads to;
// states are the places of their successors in a row, so that one shift is a step.
namespace automaton {

constexpr std::uint64_t state_bits = 6;
enum State : std::uint64_t {
    between = 0 * state_bits, // characters
    one_more = 1 * state_bits,
    two_more = 2 * state_bits,
    three_more = 3 * state_bits,
    behind_e0 = 4 * state_bits, // what would fit into two bytes is refused
    behind_ed = 5 * state_bits, // halves of surrogate pairs
    behind_f0 = 6 * state_bits, // what would fit into three
    behind_f4 = 7 * state_bits, // what is beyond U+10FFFF
    failed = 8 * state_bits,
};

constexpr std::array<std::uint64_t, 256> make_table() {
    std::array<std::uint64_t, 256> table{};
    for (auto &row : table)
        for (std::uint64_t state = between; state <= failed; state += state_bits) row |= failed << state;
    const auto lead = [&](State state, unsigned first, unsigned last, State next) {
        for (unsigned byte = first; byte <= last; ++byte) table[byte] ^= (failed ^ next) << state;
    };
    lead(between, 0x01, 0x7F, between);
    lead(between, 0xC2, 0xDF, one_more);
    lead(between, 0xE0, 0xE0, behind_e0);
    lead(between, 0xE1, 0xEC, two_more);
    lead(between, 0xED, 0xED, behind_ed);
    lead(between, 0xEE, 0xEF, two_more);
    lead(between, 0xF0, 0xF0, behind_f0);
    lead(between, 0xF1, 0xF3, three_more);
    lead(between, 0xF4, 0xF4, behind_f4);
    lead(one_more, 0x80, 0xBF, between);
    lead(two_more, 0x80, 0xBF, one_more);
    lead(three_more, 0x80, 0xBF, two_more);
    lead(behind_e0, 0xA0, 0xBF, one_more);
    lead(behind_ed, 0x80, 0x9F, one_more);
    lead(behind_f0, 0x90, 0xBF, two_more);
    lead(behind_f4, 0x80, 0x8F, two_more);
    return table;
}

constexpr std::array<std::uint64_t, 256> table = make_table();

std::uint64_t step(std::uint64_t state, char byte) {
    return table[static_cast<unsigned char>(byte)] >> (state % 64);
}

} // namespace automaton

// Whether text is UTF-8 without zeros.
bool is_utf8(std::string_view text) {
    std::uint64_t state = automaton::between;
    const char *from = text.data();
    const char *const end = from + text.size();
    for (; end - from >= 8; from += 8) {
        if (state % 64 == automaton::between && (marks(load_word(from)) & high_bits) == 0) continue;
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) state = automaton::step(state, from[i]);
    }
    for (; from < end; ++from) state = automaton::step(state, *from);
    return state % 64 == automaton::between;
}

// The size of the part in front that is UTF-8 without zeros, and without the characters that stand for bytes unless
// they may be in it.
std::size_t utf8_size(std::string_view text, bool with_byte_characters) {
    std::size_t at = 0;
    while (at < text.size() && (with_byte_characters || !is_byte_character(text.substr(at)))) {
        const std::size_t size = character_size(PG_UTF8, text.substr(at));
        if (size == 0) break;
        at += size;
    }
    return at;
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
    constexpr std::size_t most_at_once = std::size_t{1} << 20; // of which four times as much is made room for
    std::size_t done = 0;
    while (done < text.size()) {
        std::string_view part = text.substr(done, most_at_once);
        if (part.size() == most_at_once) // not to end inside of a character
            part =
                part.substr(0, static_cast<std::size_t>(pg_encoding_mbcliplen(
                                   from, part.data(), static_cast<int>(part.size()), static_cast<int>(part.size()))));
        const std::size_t room = part.size() * MAX_CONVERSION_GROWTH + 1;
        char *to_place = converted.reserve(room);
        const std::size_t consumed = convert_front(function, from, to, part, to_place, room);
        if (consumed == 0) break;
        converted.advance_to(to_place + std::strlen(to_place));
        done += consumed;
    }
    return done;
}

// What the server would not take for text, though it has it in a table.
void mask_invalid(std::span<char> text, int encoding) {
    for (;;) {
        text = text.subspan(valid_size(encoding, {text.data(), text.size()}));
        if (text.empty()) return;
        text.front() = '?';
    }
}

[[gnu::noinline]] std::string_view convert_to_utf8(std::string_view text, int encoding) {
    ByteBuffer utf8{};
    utf8.use(CurrentMemoryContext);
    while (!text.empty()) {
        std::size_t bytes = 1;
        if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) { // where what looks like UTF-8 is meant to be
            const std::size_t size = utf8_size(text, encoding == PG_UTF8);
            utf8.append(text.data(), size);
            text.remove_prefix(size);
        } else {
            text.remove_prefix(append_converted(utf8, text, encoding, PG_UTF8));
            if (!text.empty()) bytes = static_cast<std::size_t>(pg_encoding_mblen(encoding, text.data()));
        }
        for (const char c : text.substr(0, bytes)) {
            if (static_cast<signed char>(c) <= 0)
                append_byte_character(utf8, c);
            else
                utf8.append_byte(static_cast<std::uint8_t>(c));
        }
        text.remove_prefix(std::min(bytes, text.size()));
    }
    return {utf8.data(), utf8.size()};
}

} // namespace

std::string_view to_utf8(std::string_view text) {
    if (is_plain(text)) return text;
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 && is_utf8(text)) return text;
    return convert_to_utf8(text, encoding);
}

std::string_view from_utf8(std::string_view text) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || is_plain(text)) return text;
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
    mask_invalid({converted.data(), converted.size()}, encoding);
    return {converted.data(), converted.size()};
}

} // namespace waybill
