// A stream of records in chunks: append, cut back, read, sort. In memory up to a limit, beyond it in a temporary file.
// It knows nothing of transactions.
#pragma once

#include "postgres.hpp"

namespace waybill {

// Bytes of a log row before its payload: the fixed-width columns of log_row.hpp, without padding.
inline constexpr std::size_t log_row_fixed_size = 36;

// Bytes of payload that fill one heap page: one tuple, with its header and the payload's own length word.
inline constexpr std::size_t chunk_capacity =
    MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - log_row_fixed_size - VARHDRSZ;

// A chunk is laid out as the bytea that it becomes, and as the block of the temporary file that it may go to.
struct Chunk {
    std::uint32_t changes; // records of changes that start here
    std::uint32_t size;    // bytes of payload
    alignas(std::int32_t) std::array<char, VARHDRSZ + chunk_capacity> payload;

    [[nodiscard]] char *bytes() { return payload.data() + VARHDRSZ; }
    [[nodiscard]] const char *bytes() const { return payload.data() + VARHDRSZ; }
};

static_assert(sizeof(Chunk) <= BLCKSZ);

// A block of zeros: what no record fills goes to the temporary file, too.
[[nodiscard]] inline Chunk *new_chunk(MemoryContext context) {
    return static_cast<Chunk *>(MemoryContextAllocZero(context, BLCKSZ));
}

// A place between two records: the end of the stream at some time.
struct StreamPosition {
    std::size_t chunks; // in use
    std::uint32_t last_size;
    std::uint32_t last_changes;

    friend bool operator==(const StreamPosition &, const StreamPosition &) = default;
};

class ChunkStream {
public:
    // Keeps up to `memory_limit` bytes in `context`, which ends with the stream; the file goes when the transaction
    // does. The first chunk may be given, and is the stream's as long as that is in use.
    void use(MemoryContext context, std::size_t memory_limit, Chunk *first = nullptr) {
        context_ = context;
        first_ = first;
        memory_chunks_ = std::max<std::size_t>(1, memory_limit / BLCKSZ);
    }

    [[nodiscard]] bool empty() const { return end_.chunks == 0; }
    [[nodiscard]] std::size_t size() const { return end_.chunks; }
    [[nodiscard]] const StreamPosition &end() const { return end_; }

    // Adds one record whole. Error: whatever keeps the temporary file from being written.
    void append(std::span<const char> record, bool is_change);

    // Drops all behind `end`, which end() returned earlier. Only notes it, so it cannot fail: it is called in aborts.
    void truncate(const StreamPosition &end) { end_ = end; }

    // Adds all of `stream` behind what is here, if both fit one chunk together.
    [[nodiscard]] bool absorb(ChunkStream &stream);

    // Sorts the records behind `start`, all of changes, by what `sort_key` says of the rank that each was recorded
    // with, called for one after the other; those of one key stay in the order in which they were appended. Takes
    // work_mem, and beyond it a file.
    void sort(const StreamPosition &start, std::uint64_t (*sort_key)(void *context, std::uint32_t rank), void *context);

    // Gives back the temporary file, and with it what was spilled. An abort does the same by itself.
    void close();

    // Chunk `i`; valid until the next call. In order, a spilled stream is read once from front to end.
    [[nodiscard]] Chunk &chunk(std::size_t i);

private:
    Chunk &chunk_with_room();
    Chunk &memory_chunk(std::size_t i);
    void spill();
    void read_block(std::size_t i, Chunk &chunk);

    MemoryContext context_;
    Chunk *first_;
    std::size_t memory_chunks_; // that may be in memory
    StreamPosition end_;

    // Chunks [0, spilled_) are blocks of the file, the others in memory. A stream cut back may end inside the file.
    BufFile *file_;
    std::size_t spilled_;
    Chunk **memory_;
    std::size_t capacity_;  // of `memory_`
    std::size_t allocated_; // chunks that `memory_` holds: those behind the end are kept for reuse
    Chunk *read_chunk_;     // of chunk()
};

static_assert(std::is_trivially_destructible_v<ChunkStream>);

} // namespace waybill
