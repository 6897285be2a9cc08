// Shapes: what a reader of the log must know of a table to understand its changes, under a number that the changes
// carry. A shape is immutable; an altered table gets a new one, so every change is read as it was written.
#pragma once

#include "postgres.hpp"

namespace waybill {

// The number of the shape that `relation` has now with the key columns `key`. It is looked up in
// waybill_internal.shape, or drawn and kept until store_new_shapes() stores it with the first transaction that needs
// it.
std::int32_t shape_number(Relation relation, std::span<const AttrNumber> key);

// Nothing is ever removed there. A shape is in use while the log has changes that carry it, and while any session or
// prepared transaction remembers its number for changes to come: to know that nobody does, one would have to wait for
// all transactions, as CREATE INDEX CONCURRENTLY does, and then to read the whole log. Definitions come with DDL alone,
// so they are few; `waybill-shipper check` tells when they are not.

// Stores the shapes that this backend drew and no committed transaction has stored yet. Two backends may draw numbers
// for equal shapes at the same time: both are stored, since waiting for each other would be worse.
void store_new_shapes();

// The end of the transaction that called store_new_shapes(): COMMIT, PREPARE or ABORT.
void new_shapes_stored(XactEvent event);

} // namespace waybill
