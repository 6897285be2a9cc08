// A stream of records in chunks: append, cut back, read, sort.
#include "chunk_list.hpp"

#include "byte_buffer.hpp"
#include "change_record.hpp"

namespace waybill {

namespace {

// Reads a stream from its start.
class Reader {
public:
    explicit Reader(std::span<Chunk *const> chunks) : chunks_{chunks} { skip_used_up(); }

    [[nodiscard]] bool at_end() const { return chunk_ == chunks_.size(); }

    char next_byte() {
        const char byte = chunks_[chunk_]->bytes()[offset_++];
        skip_used_up();
        return byte;
    }

    void append_to(ByteBuffer &to, std::size_t length) {
        while (length > 0) {
            const std::size_t part = std::min<std::size_t>(length, chunks_[chunk_]->size - offset_);
            to.append(chunks_[chunk_]->bytes() + offset_, part);
            offset_ += static_cast<std::uint32_t>(part);
            length -= part;
            skip_used_up();
        }
    }

    // Puts the next record, with its length, into `record`, and returns where in it the body begins.
    std::size_t next_record(ByteBuffer &record) {
        record.clear();
        std::uint64_t length = 0;
        unsigned shift = 0;
        std::uint8_t byte;
        do {
            byte = static_cast<std::uint8_t>(next_byte());
            length |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            shift += 7;
            record.append_byte(byte);
        } while (byte >= 0x80);
        const std::size_t body = record.size();
        append_to(record, length);
        return body;
    }

    [[nodiscard]] std::size_t chunk() const { return chunk_; }
    [[nodiscard]] std::uint32_t offset() const { return offset_; }
    void go_to(std::size_t chunk, std::uint32_t offset) {
        chunk_ = chunk;
        offset_ = offset;
    }

private:
    void skip_used_up() {
        while (chunk_ < chunks_.size() && offset_ == chunks_[chunk_]->size) {
            ++chunk_;
            offset_ = 0;
        }
    }

    std::span<Chunk *const> chunks_;
    std::size_t chunk_ = 0;
    std::uint32_t offset_ = 0;
};

// Where a record stands, and its place in the new order.
struct SortEntry {
    CommandId command;
    std::uint32_t offset;
    std::size_t chunk;
};

int compare_entries(const void *left, const void *right) {
    const auto &a = *static_cast<const SortEntry *>(left);
    const auto &b = *static_cast<const SortEntry *>(right);
    if (a.command != b.command) return a.command < b.command ? -1 : 1;
    if (a.chunk != b.chunk) return a.chunk < b.chunk ? -1 : 1;
    return a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0;
}

CommandId command_of(const ByteBuffer &record, std::size_t body) {
    std::uint64_t command = 0;
    record::get_varint(record.data() + body + 1, record.data() + record.size(), command);
    return static_cast<CommandId>(command);
}

} // namespace

StreamPosition ChunkList::end() const {
    if (count_ == 0) return {.chunks = 0, .last_size = 0, .last_changes = 0};
    const Chunk &last = *chunks_[count_ - 1];
    return {.chunks = count_, .last_size = last.size, .last_changes = last.changes};
}

void ChunkList::make_room_for_chunks(std::size_t added) {
    if (allocated_ + added <= capacity_) return;
    const std::size_t capacity = std::max({std::size_t{16}, capacity_ * 2, allocated_ + added});
    chunks_ = static_cast<Chunk **>(chunks_ == nullptr ? MemoryContextAllocHuge(context_, capacity * sizeof(Chunk *))
                                                       : repalloc_huge(chunks_, capacity * sizeof(Chunk *)));
    capacity_ = capacity;
}

Chunk &ChunkList::chunk_with_room() {
    if (count_ > 0 && chunks_[count_ - 1]->size < chunk_capacity) return *chunks_[count_ - 1];
    if (count_ == allocated_) {
        make_room_for_chunks(1);
        chunks_[allocated_] = static_cast<Chunk *>(MemoryContextAlloc(context_, sizeof(Chunk)));
        ++allocated_;
    }
    Chunk &chunk = *chunks_[count_++];
    chunk.changes = 0;
    chunk.size = 0;
    return chunk;
}

void ChunkList::append_chunks(const ChunkList &list) {
    Assert(count_ == allocated_);
    if (count_ > 0 && list.count_ == 1 && chunks_[count_ - 1]->size + list.chunks_[0]->size <= chunk_capacity) {
        Chunk &last = *chunks_[count_ - 1];
        const Chunk &added = *list.chunks_[0];
        std::memcpy(last.bytes() + last.size, added.bytes(), added.size);
        last.size += added.size;
        last.changes += added.changes;
        return;
    }
    make_room_for_chunks(list.count_);
    std::copy_n(list.chunks_, list.count_, chunks_ + count_);
    count_ += list.count_;
    allocated_ = count_;
}

void ChunkList::append(std::span<const char> record, bool is_change) {
    if (is_change) ++chunk_with_room().changes;
    while (!record.empty()) {
        Chunk &chunk = chunk_with_room();
        const std::size_t part = std::min(record.size(), chunk_capacity - chunk.size);
        std::memcpy(chunk.bytes() + chunk.size, record.data(), part);
        chunk.size += static_cast<std::uint32_t>(part);
        record = record.subspan(part);
    }
}

void ChunkList::truncate(const StreamPosition &end) {
    count_ = end.chunks;
    if (count_ == 0) return;
    chunks_[count_ - 1]->size = end.last_size;
    chunks_[count_ - 1]->changes = end.last_changes;
}

ChunkList ChunkList::sorted_by_command() const {
    std::size_t records = 0;
    for (const Chunk *chunk : chunks()) records += chunk->changes;
    auto *entries = static_cast<SortEntry *>(MemoryContextAllocHuge(context_, records * sizeof(SortEntry)));

    ByteBuffer record{};
    record.use(context_);
    std::size_t count = 0;
    for (Reader reader{chunks()}; !reader.at_end(); ++count) {
        entries[count] = {.command = 0, .offset = reader.offset(), .chunk = reader.chunk()};
        const std::size_t body = reader.next_record(record);
        entries[count].command = command_of(record, body);
    }
    Assert(count == records);
    qsort(entries, count, sizeof(SortEntry), compare_entries);

    ChunkList sorted{};
    sorted.use(context_);
    Reader reader{chunks()};
    for (const SortEntry &entry : std::span{entries, count}) {
        reader.go_to(entry.chunk, entry.offset);
        reader.next_record(record);
        sorted.append({record.data(), record.size()}, true);
    }
    pfree(entries);
    record.release();
    return sorted;
}

} // namespace waybill
