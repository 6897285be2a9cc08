// Any bytes as a transaction's record stream, cut anywhere, with chunks numbered right or wrong: the decoder gives the
// changes that a second, simpler reader finds too, or says with csn and offset which record is damaged.
//
// The input is a header and the stream:
//   u8 what is wrong with the chunks, u8 with which of them, u8 how far their count of changes is off (signed),
//   u8 number of cuts, u8 for each the size of the chunk before it
#include "change_decoder.hpp"
#include "errors.hpp"
#include "fuzzing.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waybill {
namespace {

using fuzzing::require;

constexpr Csn csn = 77;
constexpr std::int32_t timeline = 3;
constexpr std::uint32_t xid = 771;
constexpr std::int64_t committed_at_us = 1'714'557'600'123'456;
constexpr std::size_t max_cuts = 15;

// Every id is some shape's.
std::size_t columns_of(std::int32_t shape) {
    return static_cast<std::size_t>(shape % 5);
}

// ---- what a stream holds

struct Cell {
    Value::Kind kind = Value::Kind::null;
    std::string bytes;

    friend bool operator==(const Cell &, const Cell &) = default;
};

using Row = std::vector<Cell>;

struct Found {
    Operation op = Operation::insert;
    std::int32_t shape = 0;
    std::optional<std::string> context;
    Row before;
    Row after;

    friend bool operator==(const Found &, const Found &) = default;
};

// ---- the second reader, which has the whole stream in one piece

class Reader {
public:
    explicit Reader(std::string_view stream) : stream_(stream) {
        while (at_ < stream_.size() && read_record()) {
        }
    }

    // Those before the first damaged record, or all.
    [[nodiscard]] const std::vector<Found> &changes() const { return changes_; }

    [[nodiscard]] bool is_damaged() const { return damaged_; }

    // Where the last record begins and, unless the stream ends before, ends: the damaged one when one is.
    [[nodiscard]] std::size_t record_begin() const { return begin_; }
    [[nodiscard]] std::size_t record_end() const { return end_; }

private:
    bool damage() {
        damaged_ = true;
        return false;
    }

    // A number of at most 64 bits that ends before `end`.
    std::optional<std::uint64_t> number(std::size_t end) {
        unsigned __int128 value = 0;
        for (unsigned digit = 0; digit < record::max_varint_size && at_ < end; ++digit) {
            const auto byte = static_cast<unsigned char>(stream_[at_++]);
            value += static_cast<unsigned __int128>(byte % 128) << 7 * digit;
            if (byte < 128) {
                if (value >> 64 != 0) return std::nullopt;
                return static_cast<std::uint64_t>(value);
            }
        }
        return std::nullopt;
    }

    std::optional<Row> row(std::size_t columns, const Row *newer) {
        Row cells;
        for (std::size_t column = 0; column < columns; ++column) {
            const auto header = number(end_);
            if (!header) return std::nullopt;
            if (*header == 0) {
                cells.push_back({});
            } else if (*header == 1) {
                if (newer == nullptr) return std::nullopt;
                cells.push_back((*newer)[column]);
            } else {
                const std::uint64_t length = (*header - 2) / 2;
                if (length > end_ - at_) return std::nullopt;
                cells.push_back({.kind = *header % 2 == 0 ? Value::Kind::binary : Value::Kind::text,
                                 .bytes = std::string(stream_.substr(at_, length))});
                at_ += length;
            }
        }
        return cells;
    }

    bool read_record() {
        begin_ = at_;
        end_ = stream_.size();
        const auto length = number(end_);
        if (!length || *length == 0 || *length > stream_.size() - at_) return damage();
        end_ = at_ + *length;
        const char operation = stream_[at_++];
        if (operation == 'C') {
            if (begin_ != 0) return damage();
            context_ = stream_.substr(at_, end_ - at_);
            at_ = end_;
            return true;
        }
        const auto rank = number(end_);
        if (!rank || *rank >> 32 != 0) return damage();
        const auto shape = number(end_);
        if (!shape || *shape >> 31 != 0) return damage();
        Found found{.op = Operation::insert,
                    .shape = static_cast<std::int32_t>(*shape),
                    .context = context_,
                    .before = {},
                    .after = {}};
        const std::size_t columns = columns_of(found.shape);
        std::optional<Row> first = Row();
        std::optional<Row> second = Row();
        switch (operation) {
        case 'I': first = row(columns, nullptr); break;
        case 'U':
            found.op = Operation::update;
            first = row(columns, nullptr);
            if (first) second = row(columns, &*first);
            break;
        case 'D':
            found.op = Operation::remove;
            second = row(columns, nullptr);
            break;
        case 'T': found.op = Operation::truncate; break;
        default: return damage();
        }
        if (!first || !second || at_ != end_) return damage();
        found.after = *first;
        found.before = *second;
        changes_.push_back(found);
        return true;
    }

    std::string_view stream_;
    std::size_t at_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool damaged_ = false;
    std::optional<std::string> context_;
    std::vector<Found> changes_;
};

// ---- and a writer, which knows one form of each change

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value > 127; value /= 128) bytes += static_cast<char>(128 + value % 128);
    return bytes + static_cast<char>(value);
}

void write_row(std::string &to, const Row &row, const Row *newer) {
    for (std::size_t column = 0; column < row.size(); ++column) {
        const Cell &cell = row[column];
        if (newer != nullptr && cell == (*newer)[column])
            to += varint(1);
        else if (cell.kind == Value::Kind::null)
            to += varint(0);
        else
            to += varint(2 + cell.bytes.size() * 2 + (cell.kind == Value::Kind::text ? 1 : 0)) + cell.bytes;
    }
}

std::string write_stream(const std::vector<Found> &changes) {
    std::string stream;
    if (!changes.empty() && changes.front().context)
        stream = varint(changes.front().context->size() + 1) + 'C' + *changes.front().context;
    for (const Found &change : changes) {
        std::string body(1, "IUDT"[static_cast<std::size_t>(change.op)]);
        body += varint(0) + varint(static_cast<std::uint64_t>(change.shape));
        write_row(body, change.after, nullptr);
        write_row(body, change.before, change.op == Operation::update ? &change.after : nullptr);
        stream += varint(body.size()) + body;
    }
    return stream;
}

// ---- what the decoder makes of a stream

struct Outcome {
    std::vector<Found> changes;
    std::string error; // empty: none

    friend bool operator==(const Outcome &, const Outcome &) = default;
};

Row copy(std::span<const Value> row) {
    Row cells;
    for (const Value &value : row) cells.push_back({.kind = value.kind, .bytes = std::string(value.bytes)});
    return cells;
}

class Decoding {
public:
    [[nodiscard]] bool between_transactions() const { return decoder_.between_transactions(); }

    void restart(Csn after) { decoder_.restart(after); }

    // Chunks of one transaction, in this order, each in memory of its own that is gone when the next one comes.
    Outcome decode(const std::vector<Chunk> &chunks) {
        Outcome outcome;
        try {
            for (const Chunk &chunk : chunks) decode(chunk, outcome);
        } catch (const DataError &error) {
            outcome.error = error.what();
            require(!outcome.error.empty(), "an error without a text");
        }
        return outcome;
    }

private:
    void decode(const Chunk &chunk, Outcome &outcome) {
        const std::unique_ptr<char[]> bytes(new char[chunk.payload.size()]);
        std::copy(chunk.payload.begin(), chunk.payload.end(), bytes.get());
        Chunk fed = chunk;
        fed.payload = {bytes.get(), chunk.payload.size()};
        decoder_.feed(fed);
        for (;;) {
            switch (decoder_.next()) {
            case ChangeDecoder::Step::end_of_chunk: return;
            case ChangeDecoder::Step::unknown_shape: {
                Shape shape;
                shape.id = decoder_.unknown_shape();
                shape.columns.resize(columns_of(shape.id));
                require(shapes_.emplace(shape.id, shape).second, "a shape that is known was asked for");
                break;
            }
            case ChangeDecoder::Step::change: {
                const Change &change = decoder_.change();
                require(change.position == Position{.timeline = timeline,
                                                    .csn = chunk.csn,
                                                    .index = static_cast<std::int64_t>(outcome.changes.size())},
                        "a wrong position");
                require(change.transaction->xid == xid && change.transaction->committed_at_us == committed_at_us,
                        "another transaction's facts");
                outcome.changes.push_back({.op = change.op,
                                           .shape = change.shape->id,
                                           .context = change.transaction->context,
                                           .before = copy(change.before),
                                           .after = copy(change.after)});
            }
            }
        }
    }

    std::map<std::int32_t, Shape> shapes_;
    ChangeDecoder decoder_{[this](std::int32_t id) -> const Shape * {
        const auto found = shapes_.find(id);
        return found == shapes_.end() ? nullptr : &found->second;
    }};
};

Chunk make_chunk(Csn of, std::string_view payload, std::int64_t changes) {
    return {.csn = of,
            .chunk = 0,
            .chunks = 1,
            .changes = static_cast<std::int32_t>(changes),
            .timeline = timeline,
            .xid = xid,
            .committed_at_us = committed_at_us,
            .payload = payload};
}

// A transaction that leaves traces, were there any: several chunks, a context, wide rows, its records far into it.
void decode_valid_transaction(Decoding &decoding, Csn of) {
    Found wide{.op = Operation::insert, .shape = 4, .context = "before", .before = {}, .after = Row(4)};
    wide.after[0] = {.kind = Value::Kind::text, .bytes = std::string(300, 'x')};
    Found renewed = wide;
    renewed.op = Operation::update;
    renewed.before = wide.after;
    renewed.after[1] = {.kind = Value::Kind::binary, .bytes = "new"};
    const std::vector<Found> changes{wide, renewed};
    const std::string stream = write_stream(changes);
    const std::string_view view = stream;
    Chunk first = make_chunk(of, view.substr(0, 200), 1);
    Chunk second = make_chunk(of, view.substr(200), 1);
    first.chunks = second.chunks = 2;
    second.chunk = 1;
    require(decoding.decode({first, second}) == Outcome{.changes = changes, .error = {}},
            "a valid transaction does not decode");
}

// ---- the input

struct Input {
    std::uint8_t damage = 0;
    std::uint8_t damaged_chunk = 0;
    std::int8_t count_off_by = 0;
    std::vector<std::size_t> sizes; // of all chunks but the last
    std::string_view stream;
};

Input read_input(fuzzing::Bytes &bytes) {
    Input input;
    input.damage = bytes.take();
    input.damaged_chunk = bytes.take();
    input.count_off_by = static_cast<std::int8_t>(bytes.take());
    input.sizes.resize(bytes.take() % (max_cuts + 1));
    for (std::size_t &size : input.sizes) size = bytes.take();
    input.stream = bytes.rest();
    return input;
}

std::vector<Chunk> cut(const Input &input, std::int64_t changes) {
    std::vector<Chunk> chunks;
    std::string_view rest = input.stream;
    for (const std::size_t size : input.sizes) {
        const std::string_view payload = rest.substr(0, size);
        rest.remove_prefix(payload.size());
        chunks.push_back(make_chunk(csn, payload, 0));
    }
    chunks.push_back(make_chunk(csn, rest, 0));
    for (Chunk &chunk : chunks) {
        chunk.chunk = static_cast<std::int32_t>(&chunk - chunks.data());
        chunk.chunks = static_cast<std::int32_t>(chunks.size());
    }
    chunks[input.damaged_chunk % chunks.size()].changes = static_cast<std::int32_t>(changes);
    return chunks;
}

// Makes one chunk's metadata wrong and returns its place, or nothing when the input says they are all right.
std::optional<std::size_t> damage(std::vector<Chunk> &chunks, const Input &input) {
    const std::size_t place = input.damaged_chunk % chunks.size();
    Chunk &chunk = chunks[place];
    switch (input.damage % 16) {
    case 1: ++chunk.chunk; return place;
    case 2: --chunk.chunk; return place;
    case 3: chunk.changes = -1; return place;
    case 4: chunk.csn = 0; return place;
    case 5: chunk.chunks = chunk.chunk; return place;
    case 6: chunk.csn = -chunk.csn; return place;
    default: break;
    }
    if (place == 0) return std::nullopt; // these facts the first one sets
    switch (input.damage % 16) {
    case 7: ++chunk.csn; return place;
    case 8: ++chunk.chunks; return place;
    case 9: ++chunk.xid; return place;
    case 10: ++chunk.timeline; return place;
    default: return std::nullopt;
    }
}

// ---- the properties

// An error that next() throws: where it says the damage is.
std::uint64_t offset_of(std::string_view error) {
    const std::string expected = "csn " + std::to_string(csn) + ", offset ";
    require(error.starts_with(expected), "an error without its csn and offset");
    error.remove_prefix(expected.size());
    std::uint64_t offset = 0;
    const auto [end, problem] = std::from_chars(error.data(), error.data() + error.size(), offset);
    require(problem == std::errc(), "an error whose offset is no number");
    require(std::string_view(end, static_cast<std::size_t>(error.data() + error.size() - end)).size() > 2,
            "an error without a reason");
    return offset;
}

void check_outcome(const Outcome &outcome, const Reader &reader, const Input &input) {
    require(outcome.changes == reader.changes(), "changes that the stream does not hold");
    if (outcome.error.empty()) {
        require(!reader.is_damaged(), "a damaged record was not seen");
        require(input.count_off_by == 0, "a wrong number of changes was not seen");
        return;
    }
    require(reader.is_damaged() || input.count_off_by != 0, "an error where there is none");
    const std::uint64_t offset = offset_of(outcome.error);
    require(offset >= reader.record_begin() && offset <= reader.record_end(), "an error at a wrong offset");
}

void check(const Input &input) {
    const Reader reader(input.stream);
    const auto changes = static_cast<std::int64_t>(reader.changes().size()) + input.count_off_by;
    if (changes < 0) return;

    Decoding whole;
    const Outcome outcome = whole.decode({make_chunk(csn, input.stream, changes)});
    check_outcome(outcome, reader, input);
    require(!outcome.error.empty() || whole.between_transactions(), "a transaction that does not end");

    if (outcome.error.empty()) {
        const std::string again = write_stream(outcome.changes);
        Decoding decoding;
        require(decoding.decode({make_chunk(csn, again, changes)}) == outcome, "written again it is something else");
    }

    Decoding cut_up;
    decode_valid_transaction(cut_up, csn - 1);
    std::vector<Chunk> chunks = cut(input, changes);
    require(cut_up.decode(chunks) == outcome, "it matters where the stream is cut");
    if (!outcome.error.empty()) cut_up.restart(csn);
    decode_valid_transaction(cut_up, csn + 1);

    cut_up.restart(csn - 1);
    if (const auto place = damage(chunks, input)) {
        const Outcome damaged = cut_up.decode(chunks);
        require(!damaged.error.empty(), "a wrong chunk was taken");
        const std::string got = "csn " + std::to_string(chunks[*place].csn) + ": got chunk ";
        require(damaged.error == outcome.error || damaged.error.starts_with(got), "an error without the chunk's csn");
        require(damaged.changes.size() <= outcome.changes.size() &&
                    std::equal(damaged.changes.begin(), damaged.changes.end(), outcome.changes.begin()),
                "other changes before a wrong chunk");
        cut_up.restart(csn);
        decode_valid_transaction(cut_up, csn + 1);
    }
}

} // namespace
} // namespace waybill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    waybill::fuzzing::Bytes bytes(data, size);
    waybill::check(waybill::read_input(bytes));
    return 0;
}
