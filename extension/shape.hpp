// Shapes: what a reader of the log must know of a table to understand its changes, under a number that the changes
// carry. A shape is immutable; an altered table gets a new one, so every change is read as it was written.
#pragma once

#include "postgres.hpp"

namespace waybill {

// The number of the shape that `relation` has now with the key columns `key`. It is looked up in
// waybill_internal.shape, or drawn and kept until store_new_shapes() stores it with the first transaction that needs
// it.
std::int32_t shape_number(Relation relation, std::span<const AttrNumber> key);

// Stores the shapes that this backend drew and no committed transaction has stored yet. Two backends may draw numbers
// for equal shapes at the same time: both are stored, since waiting for each other would be worse.
void store_new_shapes();

// The end of the transaction that called store_new_shapes().
void new_shapes_stored(bool committed);

} // namespace waybill
