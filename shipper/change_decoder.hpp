// Turns the chunks of the change log back into changes: bytes in, values out. Pure: it does no I/O, and whatever bytes
// it is given it either decodes or throws DataError.
//
//   decoder.feed(chunk);
//   for (;;) switch (decoder.next()) {
//       case ChangeDecoder::Step::change:         publish(decoder.change()); break;
//       case ChangeDecoder::Step::unknown_shape:  load(decoder.unknown_shape()); break;   // then next() tries again
//       case ChangeDecoder::Step::end_of_chunk:   return;
//   }
#pragma once

#include "../extension/change_record.hpp"
#include "change.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// One row of waybill.fetch(): a piece of a transaction's record stream.
struct Chunk {
    Csn csn = 0;
    std::int32_t chunk = 0;   // which piece, from 0
    std::int32_t chunks = 0;  // how many pieces the transaction has
    std::int32_t changes = 0; // how many changes start in this piece
    std::int32_t timeline = 0;
    std::uint32_t xid = 0;
    std::int64_t committed_at_us = 0; // microseconds since 1970-01-01 UTC
    std::string_view payload;
};

class ChangeDecoder {
public:
    enum class Step : std::uint8_t {
        change,        // change() is the next one
        unknown_shape, // the look-up does not know unknown_shape(); nothing was consumed
        end_of_chunk,  // all of the chunk was decoded; feed() the next one
    };

    // Gives the shape with an id, or nullptr when the caller must fetch it first. A shape once given must stay where it
    // is, unchanged, as long as the decoder lives.
    using ShapeLookup = std::function<const Shape *(std::int32_t id)>;

    // The first chunk fed must be the first of a transaction with a csn above `after`.
    explicit ChangeDecoder(ShapeLookup find_shape, Csn after = 0);

    ChangeDecoder(const ChangeDecoder &) = delete;
    ChangeDecoder &operator=(const ChangeDecoder &) = delete;

    // Forgets a transaction begun and starts again behind `after`: for a new connection, and after a DataError.
    void restart(Csn after);

    // Takes the next chunk in the order of (csn, chunk). Its payload must stay where it is until end_of_chunk was
    // reached, and end_of_chunk must have been reached before the next call.
    // Throws DataError when the chunk is not the one that has to come next.
    void feed(const Chunk &chunk);

    // Decodes one more change. Throws DataError when the bytes are malformed, or when the transaction's last chunk ends
    // inside a record or after another number of changes than its chunks say.
    [[nodiscard]] Step next();

    // The change found by the last next(). It and all it refers to are valid until the next call of next(), feed() or
    // restart().
    [[nodiscard]] const Change &change() const { return change_; }

    // The id that made the last next() return unknown_shape.
    [[nodiscard]] std::int32_t unknown_shape() const { return unknown_shape_; }

    // Whether all chunks of the transaction last fed were decoded; also true before the first.
    [[nodiscard]] bool between_transactions() const { return next_chunk_ == chunks_ && !chunk_open_; }

private:
    [[nodiscard]] bool find_record();
    [[nodiscard]] bool complete_partial_record();
    void finish_chunk();
    void read_context(const char *from);
    [[nodiscard]] Step read_change(record::Operation operation, const char *from);
    void read_rows(record::Operation operation, const char *from);
    const char *read_row(const char *from, std::span<Value> row, const Value *unchanged) const;
    const char *read_varint(const char *from, std::uint64_t &value) const;
    [[noreturn]] void fail(std::string_view reason, const char *at = nullptr) const;

    ShapeLookup find_shape_;
    Transaction transaction_;
    Change change_;
    std::vector<Value> values_; // the new row, then an update's old row
    std::int32_t unknown_shape_ = 0;
    const Shape *shape_ = nullptr; // the last one looked up, and its id
    std::int32_t shape_id_ = 0;

    Csn csn_; // of the transaction last begun, as are the next six
    std::int32_t timeline_ = 0;
    std::int32_t chunks_ = 0;
    std::int32_t next_chunk_ = 0; // the one to be fed
    std::int64_t next_index_ = 0; // the next change's
    std::int64_t announced_ = 0;  // how many changes the chunks so far say they hold
    bool at_start_ = false;       // no record was decoded yet

    // The part of the chunk that was not looked at yet, and where in the transaction's stream the chunk ends.
    bool chunk_open_ = false;
    const char *cursor_ = nullptr;
    const char *end_ = nullptr;
    std::uint64_t end_offset_ = 0;

    // A record cut by a chunk's end, from its length on; empty when none is. `partial_size_` is its whole size, 0 while
    // even the length is cut.
    std::string partial_;
    std::uint64_t partial_size_ = 0;

    // The record under work, whole, in the chunk or in `partial_`; `begin`, where its length is, is null when none is.
    struct {
        const char *begin = nullptr;
        const char *body = nullptr;
        const char *end = nullptr;
    } record_;
    std::uint64_t record_offset_ = 0; // of the record last begun in the transaction's stream
};

} // namespace waybill
