// A change as plain values: what the decoder makes and the formats read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

using Csn = std::int64_t;

enum class Operation : std::uint8_t { insert, update, remove, truncate };

// One column of a shape. Types are PostgreSQL's oids with domains already resolved to their base type.
struct Column {
    std::string name;
    std::string type_name;      // as format_type() prints the declared type, with modifier; a domain's own name
    std::uint32_t type = 0;     // oid of the base type
    std::int32_t typmod = -1;   // of the base type
    std::uint32_t element = 0;  // oid of the element's base type when the base type is an array, else 0
    char kind = 'b';            // pg_type.typtype of the base type, or of the element for an array: b, c, e, m, r
    std::string extension_type; // name, without its schema, of a base type (or element) that is not built in
    char delimiter = ',';       // between the elements of an array of the base type, in text
    bool nullable = true;
    bool domain = false;                           // a domain, or an array of one
    bool generated = false;                        // GENERATED ALWAYS AS (…)
    std::optional<std::string> default_expression; // pg_get_expr() of the default; not of generated columns
    std::vector<std::string> labels;               // an enum's labels in order (also for an array of it)
};

// What a table looked like when a change was written: decides how the change's bytes are read.
struct Shape {
    std::int32_t id = 0;
    std::uint32_t relation = 0; // oid of the table
    std::string schema;
    std::string table;
    std::vector<Column> columns;
    std::vector<std::uint16_t> key; // positions in `columns`, in the key's order; empty: the table has no key
    std::string error{};            // why it does not read, but for the names; empty: it does
};

// A column's value. `bytes` are in PostgreSQL's send format (binary) or its text form in UTF-8 (text).
struct Value {
    enum class Kind : std::uint8_t { null, binary, text };
    Kind kind = Kind::null;
    std::string_view bytes;

    friend bool operator==(const Value &, const Value &) = default;
};

// Where a change stands in the stream; grows along it and is the same each time the change is sent.
struct Position {
    std::int32_t timeline = 0;
    Csn csn = 0;
    std::int64_t index = 0; // of the change in its transaction, from 0

    friend auto operator<=>(const Position &, const Position &) = default;
};

// What the changes of one transaction have in common.
struct Transaction {
    std::uint32_t xid = 0;
    std::int64_t committed_at_us = 0;   // microseconds since 1970-01-01 UTC
    std::optional<std::string> context; // what `SET LOCAL waybill.context` said
};

// One row change or truncate. Rows have one value per column of the shape; the views live as long as the decoder's
// input. `before` is empty for an insert, `after` for a delete, both for a truncate; an update has both, whole. Without
// a shape that reads there are no rows.
struct Change {
    Operation op = Operation::insert;
    const Shape *shape = nullptr;
    Position position;
    const Transaction *transaction = nullptr;
    std::size_t size = 0; // in the log, where what is the same in both rows is once
    std::span<const Value> before;
    std::span<const Value> after;
};

// The database the changes come from, for envelopes and positions.
struct Source {
    std::string id;               // waybill.source.id, a uuid
    std::string database;         // name of the database
    std::string original_id = {}; // another when the database is a copy, or got a new oid from pg_upgrade
};

} // namespace waybill
