// The changes of the transaction in progress: a stream of records cut into chunks of one heap page each, kept in
// transaction memory until pre-commit makes each chunk a row of the log.
#pragma once

#include "postgres.hpp"

namespace waybill {

// Columns before the payload in a log row: see LogRow in change_log.cpp.
inline constexpr std::size_t log_row_fixed_size = 36;

// Bytes of payload that fill one heap page: one tuple, with its header and the payload's own length word.
inline constexpr std::size_t chunk_capacity =
    MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - log_row_fixed_size - VARHDRSZ;

// A chunk is laid out as the bytea that it becomes.
struct Chunk {
    std::uint32_t changes; // records that start here
    std::uint32_t size;    // bytes of payload
    alignas(std::int32_t) std::array<char, VARHDRSZ + chunk_capacity> payload;

    [[nodiscard]] char *bytes() { return payload.data() + VARHDRSZ; }
    [[nodiscard]] const char *bytes() const { return payload.data() + VARHDRSZ; }
};

// Adds an encoded change of this transaction, made by `command`. It is dropped again if the savepoint in force is
// rolled back. Error: program_limit_exceeded beyond waybill.buffer_size.
void append_to_transaction(std::span<const char> record, CommandId command);

// Writes the transaction's changes into the log at pre-commit, drops them at its end.
void register_transaction_callbacks();

} // namespace waybill
