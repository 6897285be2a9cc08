// What capture knows of a table, cached per backend.
#pragma once

#include "postgres.hpp"
#include "row_encoder.hpp"

namespace waybill {

// The row trigger of a captured table. It sorts before any name that users choose; its arguments name the key columns.
inline constexpr const char *capture_trigger_name = "!waybill_capture";

struct ColumnEncoder {
    AttrNumber attribute; // in the table or partition that holds the row
    std::int16_t length;
    bool by_value;
    ValueEncoder encoder;
};

struct TableInfo {
    Oid relation;           // the table or partition that holds the row
    Oid published_relation; // the table that was captured: a partition's rows are published as its root's
    std::int32_t shape;
    AttrNumber last_attribute;
    bool depends_on_settings;
    bool depends_on_types; // has types that can be altered
    std::span<const ColumnEncoder> columns;
};

// The facts of the table on which `trigger` fired. Valid until the end of the transaction, whatever is altered.
const TableInfo &table_info(const RelationData &relation, const Trigger &trigger);

// The key under which a captured table is published, as attribute numbers of `relation`: the columns named when it was
// captured, else the primary key, else the replica identity index. Empty when there is none, or a named column is gone.
std::span<const AttrNumber> key_attributes(Relation relation, std::span<char *const> named_columns);

// Grows with every invalidation of a table, a type or a schema that this backend hears of: what is as it was when the
// number was the same needs no new look-up.
std::uint64_t invalidation_count();

// Invalidation only marks entries: it can arrive at any time, and an error inside it would be a PANIC.
void register_invalidation_callbacks();

} // namespace waybill
