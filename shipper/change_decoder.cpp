#include "change_decoder.hpp"

#include "errors.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace waybill {

namespace {

// A buffer that one huge record made grow is given back once that record is done.
constexpr std::size_t kept_partial_capacity = std::size_t{1} << 20;

// A chunk is cut to fit a page of the server's.
constexpr std::uint64_t max_chunk_size = std::uint64_t{32} << 10;

} // namespace

ChangeDecoder::ChangeDecoder(ShapeLookup find_shape, Csn after) : find_shape_(std::move(find_shape)), csn_(after) {}

void ChangeDecoder::restart(Csn after) {
    csn_ = after;
    chunks_ = next_chunk_ = 0;
    chunk_open_ = false;
    partial_.clear();
    partial_size_ = 0;
    record_ = {};
}

void ChangeDecoder::feed(const Chunk &chunk) {
    if (chunk_open_) throw std::logic_error("a chunk was fed before the one before it was decoded");
    const auto where = [&] {
        return "csn " + std::to_string(chunk.csn) + ": got chunk " + std::to_string(chunk.chunk) + " of " +
               std::to_string(chunk.chunks);
    };
    if (chunk.chunk < 0 || chunk.chunk >= chunk.chunks || chunk.changes < 0)
        throw DataError(where() + " with " + std::to_string(chunk.changes) + " changes, which cannot be");
    if (between_transactions()) {
        if (chunk.csn <= csn_ || chunk.chunk != 0)
            throw DataError(where() + ", expected the first chunk of a transaction after csn " + std::to_string(csn_));
        csn_ = chunk.csn;
        timeline_ = chunk.timeline;
        chunks_ = chunk.chunks;
        next_chunk_ = 0;
        next_index_ = announced_ = 0;
        at_start_ = true;
        end_offset_ = record_offset_ = 0;
        transaction_.xid = chunk.xid;
        transaction_.committed_at_us = chunk.committed_at_us;
        transaction_.context.reset();
    } else if (chunk.csn != csn_ || chunk.chunk != next_chunk_ || chunk.chunks != chunks_) {
        throw DataError(where() + ", expected chunk " + std::to_string(next_chunk_) + " of " + std::to_string(chunks_) +
                        " of csn " + std::to_string(csn_));
    } else if (chunk.timeline != timeline_ || chunk.xid != transaction_.xid) {
        throw DataError(where() + " with another timeline or xid than the chunks before it");
    }
    ++next_chunk_;
    announced_ += chunk.changes;
    cursor_ = chunk.payload.data();
    end_ = cursor_ + chunk.payload.size();
    end_offset_ += chunk.payload.size();
    chunk_open_ = true;
}

ChangeDecoder::Step ChangeDecoder::next() {
    if (!chunk_open_) return Step::end_of_chunk;
    for (;;) {
        if (record_.begin == nullptr && !find_record()) {
            finish_chunk();
            return Step::end_of_chunk;
        }
        if (record_.body == record_.end) fail("an empty record", record_.body);
        const auto operation = static_cast<record::Operation>(*record_.body);
        if (operation != record::Operation::context) return read_change(operation, record_.body + 1);
        read_context(record_.body + 1);
    }
}

// Makes `record_` the next record that is whole; false when the chunk ends before one is.
bool ChangeDecoder::find_record() {
    if (!partial_.empty()) {
        if (partial_.size() != partial_size_) return complete_partial_record();
        partial_.clear(); // it was decoded by the last next(), whose caller is done with it now
        if (partial_.capacity() > kept_partial_capacity) partial_.shrink_to_fit();
    }
    if (cursor_ == end_) return false;
    record_offset_ = end_offset_ - static_cast<std::uint64_t>(end_ - cursor_);
    std::uint64_t length = 0;
    const char *const body = record::get_varint(cursor_, end_, length);
    if (body != nullptr && length <= static_cast<std::uint64_t>(end_ - body)) {
        record_ = {cursor_, body, body + length};
        cursor_ = record_.end;
        return true;
    }
    partial_size_ = 0;
    return complete_partial_record();
}

// Moves bytes of the chunk to `partial_` until that is a whole record; false when the chunk ends before.
bool ChangeDecoder::complete_partial_record() {
    if (partial_size_ == 0) {
        do {
            if (partial_.size() == record::max_varint_size) fail("a record's length of more than 64 bits");
            if (cursor_ == end_) return false;
            partial_ += *cursor_++;
        } while ((partial_.back() & 0x80) != 0);
        std::uint64_t length = 0;
        if (record::get_varint(partial_.data(), partial_.data() + partial_.size(), length) == nullptr)
            fail("a record's length of more than 64 bits");
        if (length > record::max_record_size) fail("a record of " + std::to_string(length) + " bytes");
        partial_size_ = partial_.size() + length;
        // At once, not by doubling: but not for more than can come, whatever a damaged length claims.
        const auto chunks_to_come = static_cast<std::uint64_t>(chunks_) - static_cast<std::uint64_t>(next_chunk_) + 1;
        partial_.reserve(static_cast<std::size_t>(std::min(partial_size_, chunks_to_come * max_chunk_size)));
    }
    const auto missing = std::min(partial_size_ - partial_.size(), static_cast<std::uint64_t>(end_ - cursor_));
    partial_.append(cursor_, static_cast<std::size_t>(missing));
    cursor_ += missing;
    if (partial_.size() < partial_size_) return false;
    std::uint64_t length = 0;
    const char *const end = partial_.data() + partial_.size();
    record_ = {partial_.data(), record::get_varint(partial_.data(), end, length), end};
    return true;
}

void ChangeDecoder::finish_chunk() {
    if (next_chunk_ == chunks_) {
        if (!partial_.empty()) fail("the transaction ends inside a record");
        if (next_index_ != announced_)
            fail("the transaction has " + std::to_string(next_index_) + " changes, its chunks say " +
                 std::to_string(announced_));
    }
    chunk_open_ = false;
}

void ChangeDecoder::read_context(const char *from) {
    if (!at_start_) fail("a context that is not the transaction's first record", from);
    at_start_ = false;
    transaction_.context.emplace(from, record_.end);
    record_ = {};
}

ChangeDecoder::Step ChangeDecoder::read_change(record::Operation operation, const char *from) {
    std::uint64_t rank = 0;
    from = read_varint(from, rank);
    if (rank > std::numeric_limits<std::uint32_t>::max()) fail("a rank of more than 32 bits", from);
    std::uint64_t shape_id = 0;
    from = read_varint(from, shape_id);
    if (shape_id > std::numeric_limits<std::int32_t>::max()) fail("a shape id of more than 31 bits", from);

    const auto id = static_cast<std::int32_t>(shape_id);
    if (shape_ == nullptr || shape_id_ != id) {
        const Shape *const shape = find_shape_(id);
        if (shape == nullptr) {
            unknown_shape_ = id;
            return Step::unknown_shape;
        }
        shape_ = shape;
        shape_id_ = id;
    }

    change_.shape = shape_;
    change_.position = {.timeline = timeline_, .csn = csn_, .index = next_index_++};
    change_.transaction = &transaction_;
    change_.size = static_cast<std::size_t>(record_.end - record_.body);
    change_.before = change_.after = {};
    at_start_ = false;
    if (shape_->error.empty()) read_rows(operation, from);
    record_ = {};
    return Step::change;
}

void ChangeDecoder::read_rows(record::Operation operation, const char *from) {
    const std::size_t columns = shape_->columns.size();
    if (values_.size() < 2 * columns) values_.resize(2 * columns);
    const std::span first(values_.data(), columns);
    const std::span second(values_.data() + columns, columns);
    switch (operation) {
    case record::Operation::insert:
        from = read_row(from, first, nullptr);
        change_.op = Operation::insert;
        change_.after = first;
        break;
    case record::Operation::update:
        from = read_row(from, first, nullptr);
        from = read_row(from, second, first.data());
        change_.op = Operation::update;
        change_.after = first;
        change_.before = second;
        break;
    case record::Operation::remove:
        from = read_row(from, first, nullptr);
        change_.op = Operation::remove;
        change_.before = first;
        break;
    case record::Operation::truncate: change_.op = Operation::truncate; break;
    case record::Operation::context:
    default: fail("an unknown operation", record_.body);
    }
    if (from != record_.end) fail("bytes behind the record's last value", from);
}

// Reads a value for each element of `row`. `unchanged` is the row that the values called so are taken from, null when
// there may be none.
const char *ChangeDecoder::read_row(const char *from, std::span<Value> row, const Value *unchanged) const {
    for (Value &value : row) {
        const char *const begin = from;
        std::uint64_t header = 0;
        from = read_varint(from, header);
        if (header == record::null_header) {
            value = {};
        } else if (header == record::unchanged_header) {
            if (unchanged == nullptr) fail("a value that says `unchanged` outside an update's old row", begin);
            value = unchanged[&value - row.data()];
        } else {
            const std::size_t length = record::value_length(header);
            if (length > static_cast<std::size_t>(record_.end - from)) fail("a value longer than its record", begin);
            value.kind =
                record::value_encoding(header) == record::Encoding::binary ? Value::Kind::binary : Value::Kind::text;
            value.bytes = {from, length};
            from += length;
        }
    }
    return from;
}

const char *ChangeDecoder::read_varint(const char *from, std::uint64_t &value) const {
    if (from != record_.end && (*from & 0x80) == 0) {
        value = static_cast<unsigned char>(*from);
        return from + 1;
    }
    const char *const end = record::get_varint(from, record_.end, value);
    if (end == nullptr) fail("a number cut by its record's end or of more than 64 bits", from);
    return end;
}

// `at` is in the record under work; without it the record last begun is to blame.
void ChangeDecoder::fail(std::string_view reason, const char *at) const {
    const std::uint64_t offset = record_offset_ + (at == nullptr ? 0 : static_cast<std::uint64_t>(at - record_.begin));
    throw DataError("csn " + std::to_string(csn_) + ", offset " + std::to_string(offset) +
                    ": the change log does not decode: " + std::string(reason));
}

} // namespace waybill
