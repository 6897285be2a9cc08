// Change records read back in SQL: their rows as jsonb. Made for people and tests; the shipper has its own decoder.
#pragma once

#include "change_record.hpp"
#include "postgres.hpp"
#include "row_encoder.hpp"

namespace waybill {

// How a column's values are read back: its receive function, and to_json() for its type.
struct ColumnReader {
    const char *name;
    bool is_key;
    Oid type;
    Oid element;          // of an array
    ValueEncoder encoder; // by which its binary values were made
    Oid io_parameter;
    FmgrInfo receive;
    FmgrInfo to_json;
};

struct DecodedShape {
    std::uint64_t number; // the hash key
    Datum table_name;
    std::span<ColumnReader> columns;
};

[[noreturn]] inline void corrupt(const char *what) {
    ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED), errmsg("could not decode a record of the change log: %s", what));
    pg_unreachable();
}

// The bytes of a record, read from the front.
class Bytes {
public:
    Bytes(const char *from, std::size_t length) : from_{from}, end_{from + length} {}

    [[nodiscard]] bool empty() const { return from_ == end_; }

    [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - from_); }

    std::uint64_t varint() {
        std::uint64_t value;
        from_ = record::get_varint(from_, end_, value);
        if (from_ == nullptr) corrupt("bad number");
        return value;
    }

    std::string_view take(std::size_t length) {
        if (remaining() < length) corrupt("too short");
        const std::string_view taken{from_, length};
        from_ += length;
        return taken;
    }

private:
    const char *from_;
    const char *end_;
};

// Reads a shape from waybill_internal.shape into the present memory context.
DecodedShape read_shape(std::uint64_t number);

// One value of a row; `header` says how `bytes` are to be read.
struct EncodedValue {
    std::uint64_t header;
    std::string_view bytes;
};

// One value for each column of the shape, in the present memory context; `from` is behind them then.
std::span<EncodedValue> read_row(Bytes &from, const DecodedShape &shape);

// The row as jsonb, or its key alone.
Datum row_to_jsonb(const DecodedShape &shape, std::span<const EncodedValue> row, bool key_only);

// Text of the log in the database's encoding.
char *server_cstring(std::string_view utf8);

} // namespace waybill
