// A stream of records in chunks: append, cut back, read, sort.
#include "chunk_stream.hpp"

#include "byte_buffer.hpp"
#include "change_record.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

// Reads a stream's records one after the other, from a place between two of them.
class RecordReader {
public:
    RecordReader(ChunkStream &stream, const StreamPosition &start) : stream_{stream} {
        if (start.chunks == 0) return;
        next_chunk_ = start.chunks;
        current_ = &stream.chunk(start.chunks - 1);
        offset_ = start.last_size;
    }

    // Puts the next record, with its length, into `record`; false at the end. `body` is where behind the length it
    // begins.
    bool next(ByteBuffer &record, std::size_t &body) {
        record.clear();
        if (!find_bytes()) return false;
        std::uint64_t length = 0;
        unsigned shift = 0;
        std::uint8_t byte;
        do {
            need_bytes();
            byte = static_cast<std::uint8_t>(current_->bytes()[offset_++]);
            length |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            shift += 7;
            record.append_byte(byte);
        } while (byte >= 0x80);
        body = record.size();
        while (length > 0) {
            need_bytes();
            const std::size_t part = std::min<std::size_t>(length, current_->size - offset_);
            record.append(current_->bytes() + offset_, part);
            offset_ += static_cast<std::uint32_t>(part);
            length -= part;
        }
        return true;
    }

private:
    void need_bytes() {
        if (!find_bytes()) elog(ERROR, "the last change of the transaction is cut off");
    }

    // Goes to the next chunk when this one is used up; false at the end.
    bool find_bytes() {
        while (current_ == nullptr || offset_ == current_->size) {
            if (next_chunk_ == stream_.size()) return false;
            current_ = &stream_.chunk(next_chunk_++);
            offset_ = 0;
        }
        return true;
    }

    ChunkStream &stream_;
    std::size_t next_chunk_ = 0;
    const Chunk *current_ = nullptr;
    std::uint32_t offset_ = 0;
};

std::uint32_t rank_of(const ByteBuffer &record, std::size_t body) {
    std::uint64_t rank = 0;
    record::get_varint(record.data() + body + 1, record.data() + record.size(), rank);
    return static_cast<std::uint32_t>(rank);
}

// Sorts records by a key, then by the order in which they were put; on disk beyond work_mem.
class RecordSort {
public:
    RecordSort() {
        descriptor_ = CreateTemplateTupleDesc(columns);
        TupleDescInitEntry(descriptor_, 1, "key", INT8OID, -1, 0);
        TupleDescInitEntry(descriptor_, 2, "number", INT8OID, -1, 0);
        TupleDescInitEntry(descriptor_, 3, "record", BYTEAOID, -1, 0);
        std::array<AttrNumber, 2> keys{1, 2};
        std::array<Oid, 2> operators{Int8LessOperator, Int8LessOperator};
        std::array<Oid, 2> collations{InvalidOid, InvalidOid};
        std::array<bool, 2> nulls_first{false, false};
        sort_ = begin_tuple_sort(descriptor_, static_cast<int>(keys.size()), keys.data(), operators.data(),
                                 collations.data(), nulls_first.data());
    }

    void put(std::uint64_t key, const ByteBuffer &record) {
        TupleTableSlot *slot = put_slot();
        ExecClearTuple(slot);
        value_.clear();
        value_.append_int32(0);
        value_.append(record.data(), record.size());
        SET_VARSIZE(value_.data(), value_.size());
        slot->tts_values[0] = Int64GetDatum(static_cast<int64>(key));
        slot->tts_values[1] = Int64GetDatum(number_++);
        slot->tts_values[2] = PointerGetDatum(value_.data());
        std::fill_n(slot->tts_isnull, columns, false);
        ExecStoreVirtualTuple(slot);
        tuplesort_puttupleslot(sort_, slot);
    }

    template <typename Take>
    void take_all(Take take) {
        tuplesort_performsort(sort_);
        TupleTableSlot *slot = MakeSingleTupleTableSlot(descriptor_, &TTSOpsMinimalTuple);
        while (tuplesort_gettupleslot(sort_, true, false, slot, nullptr)) {
            CHECK_FOR_INTERRUPTS();
            slot_getallattrs(slot);
            const auto *value = reinterpret_cast<const struct varlena *>(DatumGetPointer(slot->tts_values[2]));
            take(std::span<const char>{VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)});
        }
        ExecDropSingleTupleTableSlot(slot);
        ExecDropSingleTupleTableSlot(put_slot_);
        tuplesort_end(sort_);
        FreeTupleDesc(descriptor_);
        value_.release();
    }

private:
    static constexpr int columns = 3;

    TupleTableSlot *put_slot() {
        if (put_slot_ == nullptr) {
            put_slot_ = MakeSingleTupleTableSlot(descriptor_, &TTSOpsVirtual);
            value_.use(CurrentMemoryContext);
        }
        return put_slot_;
    }

    TupleDesc descriptor_;
    Tuplesortstate *sort_;
    TupleTableSlot *put_slot_ = nullptr;
    ByteBuffer value_{};
    std::int64_t number_ = 0;
};

} // namespace

Chunk &ChunkStream::memory_chunk(std::size_t i) {
    if (i >= capacity_) {
        const std::size_t capacity = std::max<std::size_t>({16, capacity_ * 2, i + 1});
        const std::size_t size = capacity * sizeof(Chunk *);
        memory_ = static_cast<Chunk **>(memory_ == nullptr ? MemoryContextAllocHuge(context_, size)
                                                           : repalloc_huge(memory_, size));
        capacity_ = capacity; // not before: an exception block may go on with the stream after an error
    }
    if (allocated_ == 0 && first_ != nullptr) memory_[allocated_++] = first_;
    while (allocated_ <= i) memory_[allocated_++] = new_chunk(context_);
    return *memory_[i];
}

// Moves the chunks in memory to the file, behind those that are there: all of them, or none if that fails.
void ChunkStream::spill() {
    if (file_ == nullptr) file_ = create_transaction_file(context_);
    seek_block(file_, spilled_);
    for (std::size_t i = spilled_; i < end_.chunks; ++i) write_block(file_, memory_[i - spilled_]);
    spilled_ = end_.chunks;
}

void ChunkStream::read_block(std::size_t i, Chunk &chunk) {
    seek_block(file_, i);
    waybill::read_block(file_, &chunk);
}

Chunk &ChunkStream::chunk_with_room() {
    if (end_.chunks > 0 && end_.last_size < chunk_capacity) {
        const std::size_t last = end_.chunks - 1;
        if (last < spilled_) { // the stream was cut back into the file
            read_block(last, memory_chunk(0));
            spilled_ = last;
        }
        return memory_chunk(last - spilled_);
    }
    spilled_ = std::min(spilled_, end_.chunks);
    if (end_.chunks - spilled_ == memory_chunks_) spill();
    Chunk &chunk = memory_chunk(end_.chunks - spilled_);
    ++end_.chunks;
    end_.last_size = end_.last_changes = 0;
    return chunk;
}

void ChunkStream::append(std::span<const char> record, bool is_change) {
    bool counts = is_change;
    while (!record.empty()) {
        Chunk &chunk = chunk_with_room();
        const std::size_t part = std::min(record.size(), chunk_capacity - end_.last_size);
        std::memcpy(chunk.bytes() + end_.last_size, record.data(), part);
        end_.last_size += static_cast<std::uint32_t>(part);
        end_.last_changes += counts ? 1 : 0;
        chunk.size = end_.last_size;
        chunk.changes = end_.last_changes;
        record = record.subspan(part);
        counts = false;
    }
}

bool ChunkStream::absorb(ChunkStream &stream) {
    if (size() != 1 || stream.size() != 1 || end_.last_size + stream.end_.last_size > chunk_capacity) return false;
    const std::uint32_t changes = end_.last_changes + stream.end_.last_changes;
    append({stream.chunk(0).bytes(), stream.end_.last_size}, false);
    chunk(0).changes = end_.last_changes = changes;
    return true;
}

void ChunkStream::close() {
    if (file_ != nullptr) BufFileClose(file_);
    file_ = nullptr;
    end_ = {};
    spilled_ = 0;
}

Chunk &ChunkStream::chunk(std::size_t i) {
    Chunk *found;
    if (i >= spilled_) {
        found = memory_[i - spilled_];
    } else {
        if (read_chunk_ == nullptr) read_chunk_ = new_chunk(context_);
        read_block(i, *read_chunk_);
        found = read_chunk_;
    }
    if (i == end_.chunks - 1) { // cut back since it was written, perhaps
        found->size = end_.last_size;
        found->changes = end_.last_changes;
    }
    return *found;
}

void ChunkStream::sort(const StreamPosition &start, std::uint64_t (*sort_key)(void *context, std::uint32_t rank),
                       void *context) {
    with_memory_context(context_, [&] {
        ByteBuffer record{};
        record.use(context_);
        std::size_t body;
        RecordSort sort;
        for (RecordReader reader{*this, start}; reader.next(record, body);) {
            CHECK_FOR_INTERRUPTS();
            sort.put(sort_key(context, rank_of(record, body)), record);
        }
        record.release();
        truncate(start);
        sort.take_all([&](std::span<const char> next) { append(next, true); });
        return true;
    });
}

} // namespace waybill
