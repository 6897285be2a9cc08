// A stream of records in chunks: append, cut back, read, sort. No transactions here.
#pragma once

#include "transaction_buffer.hpp"

namespace waybill {

// A place between two records.
struct StreamPosition {
    std::size_t chunks; // in use
    std::uint32_t last_size;
    std::uint32_t last_changes;
};

class ChunkList {
public:
    void use(MemoryContext context) { context_ = context; }

    [[nodiscard]] std::span<Chunk *const> chunks() const { return {chunks_, count_}; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] StreamPosition end() const;

    // Adds one record whole; only the chunk in which it starts counts it, if it is a change.
    void append(std::span<const char> record, bool is_change);

    // Adds another list's chunks as they are, shared with it, but for a single one that fits into our last one.
    void append_chunks(const ChunkList &list);

    // Drops all behind `end`, which end() returned earlier.
    void truncate(const StreamPosition &end);

    // The same records in the order of their commands; those of one command stay in the order in which they were
    // appended.
    [[nodiscard]] ChunkList sorted_by_command() const;

private:
    Chunk &chunk_with_room();
    void make_room_for_chunks(std::size_t added);

    MemoryContext context_;
    Chunk **chunks_;
    std::size_t count_;     // chunks in use
    std::size_t allocated_; // chunks that exist: those behind `count_` are kept for reuse
    std::size_t capacity_;  // of `chunks_`
};

} // namespace waybill
