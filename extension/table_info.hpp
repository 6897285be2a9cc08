// What capture knows of a table, cached per backend.
#pragma once

#include "postgres.hpp"
#include "row_condition.hpp"
#include "row_encoder.hpp"
#include "stored_row.hpp"
#include "text_dependence.hpp"

namespace waybill {

struct ColumnEncoder {
    AttrNumber attribute; // in the table or partition that holds the row
    AttributeLayout layout;
    ValueEncoder encoder;
};

struct TableInfo {
    Oid relation;           // the table or partition that holds the row
    Oid trigger;            // the row trigger that records; InvalidOid when none does
    Oid published_relation; // the table that was captured: a partition's rows are published as its root's
    std::int32_t shape;
    List *key_indexes; // of the published table, when its key is of one of them and another could take its place
    std::span<const AttributeLayout> layouts; // of the table's own attributes, up to the last that is encoded
    TextDependence texts;                     // what those of columns depend on
    bool depends_on_types;                    // has types that can be altered
    std::span<const ColumnEncoder> columns;
    RowCondition *condition;     // that rows have to satisfy; null when all count
    mutable std::uint32_t place; // where made_changes.hpp may find the table
};

// The facts of a table on which one of our triggers fired. Valid until the end of the transaction, whatever is altered.
//
// A partition that was captured itself, or whose ancestors were at several levels, has a row trigger from each of them.
// All fire; only the one of the topmost captured table records.
const TableInfo &table_info(const RelationData &relation);

// The same for a table that this transaction has changed; null when it is not captured.
const TableInfo *captured_table_info(Oid relation);

// In the order in which they count.
enum class KeySource : std::uint8_t { none, named_columns, primary_key, replica_identity, unique_index };

struct PublishedKey {
    std::span<const Datum> columns; // their names
    KeySource source;
};

// The key under which a table's changes are published: the columns named when it was captured, else the primary key,
// else the index of REPLICA IDENTITY USING INDEX, else the first by name of the unique indexes over NOT NULL columns
// that are not partial, not deferrable and without expressions. Empty when there is none, or a named column is gone;
// nothing when the table is not captured.
std::optional<PublishedKey> published_key(const RelationData &relation);

// Grows with every invalidation of a table, a type or a schema that this backend hears of: what is as it was when the
// number was the same needs no new look-up.
std::uint64_t invalidation_count();

// Makes the conditions of tables anew before they are used again. Only marks, so that it can be called in an abort.
void invalidate_conditions();

// The same for all that is known of tables.
void invalidate_all();

// Invalidation only marks entries: it can arrive at any time, and an error inside it would be a PANIC.
void register_invalidation_callbacks();

} // namespace waybill
