// The binary form of a change, shared by the extension (which writes it) and the shipper (which reads it).
// This header includes nothing of PostgreSQL and nothing that throws or allocates.
//
// The log keeps each transaction as one stream of records, cut into chunks of at most one heap page. A cut may fall
// anywhere: only the chunks of a transaction, put together in order, are meaningful. All integers called varint are
// unsigned LEB128.
//
//   stream  := record*
//   record  := varint length of what follows, u8 operation, body
//   body    := context:  the transaction's context, UTF-8 text (at most one such record, and the first)
//              insert:   varint rank, varint shape, row (new)
//              delete:   varint rank, varint shape, row (old)
//              update:   varint rank, varint shape, row (new), row (old; equal columns are `unchanged`)
//              truncate: varint rank, varint shape
//   rank    := of use to the writing transaction only: how far behind the one before it a change was captured, less
//              one, zigzag; the log has the changes in the order in which they were made
//   row     := value for each column of the shape, in the shape's order
//   value   := varint header [, bytes]
//              header 0: NULL; header 1: unchanged (same as the new row's value; in an update's old row only);
//              otherwise header - 2 = length << 1 | encoding, followed by `length` bytes
//
// Encoding binary is PostgreSQL's send format of the column's type (domains: of the base type), text the output
// function's text with ISO dates, UTC, postgres intervals, shortest exact floats, hex bytea. Text and text-like
// values are UTF-8 in both, whatever the database's encoding.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

// What is written into pages and shared memory lies as the machine has it, and is tried on such machines only.
static_assert(std::endian::native == std::endian::little,
              "waybill needs a little-endian machine (x86-64, arm64, riscv64)");
static_assert(sizeof(void *) == 8, "waybill needs a 64-bit machine; 32-bit PostgreSQL is not supported");

namespace waybill::record {

enum class Operation : std::uint8_t {
    context = 'C',
    insert = 'I',
    update = 'U',
    remove = 'D',
    truncate = 'T',
};

enum class Encoding : std::uint8_t { binary = 0, text = 1 };

inline constexpr std::uint64_t null_header = 0;
inline constexpr std::uint64_t unchanged_header = 1;

// The longest varint of a 64-bit number, in bytes.
inline constexpr std::size_t max_varint_size = 10;

[[nodiscard]] constexpr std::uint64_t value_header(std::size_t length, Encoding encoding) {
    return (static_cast<std::uint64_t>(length) << 1 | static_cast<std::uint64_t>(encoding)) + 2;
}

// The two halves of a header that is neither null_header nor unchanged_header.
[[nodiscard]] constexpr std::size_t value_length(std::uint64_t header) {
    return static_cast<std::size_t>((header - 2) >> 1);
}
[[nodiscard]] constexpr Encoding value_encoding(std::uint64_t header) {
    return static_cast<Encoding>((header - 2) & 1);
}

// The most bytes that a record may take; capture refuses what would need more. PostgreSQL can neither sort nor hand out
// in one piece anything of 1 GiB, the largest message that librdkafka can be allowed to send is as large as this, and a
// single value can be no larger by much.
inline constexpr std::size_t max_record_size = 1'000'000'000;

// Writes `value` at `to`, which has room for max_varint_size bytes, and returns the end of what was written.
constexpr char *put_varint(char *to, std::uint64_t value) {
    while (value >= 0x80) {
        *to++ = static_cast<char>(value | 0x80);
        value >>= 7;
    }
    *to++ = static_cast<char>(value);
    return to;
}

// Reads a varint from [from, end) into `value` and returns the end of what was read, or nullptr when the bytes end
// too early or encode more than 64 bits.
constexpr const char *get_varint(const char *from, const char *end, std::uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; from != end && shift < 64; shift += 7) {
        const auto byte = static_cast<std::uint8_t>(*from++);
        if (shift == 63 && byte > 1) return nullptr;
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return from;
    }
    return nullptr;
}

} // namespace waybill::record
