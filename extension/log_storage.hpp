// How rows come into the extension's tables and leave them: unseen by logical decoding. A publication FOR ALL TABLES
// contains our tables too, since PostgreSQL knows no exception; but what is not decoded is sent to nobody.
#pragma once

#include "postgres.hpp"

namespace waybill {

// Inserts a row as INSERT does, with constraints and indexes, but without triggers.
void insert_unseen(Relation table, HeapTuple row);

// Deletes a row of a table with REPLICA IDENTITY NOTHING: only its place is logged, so subscribers are told nothing.
// Error: somebody else changed the row meanwhile.
void delete_unseen(Relation table, ItemPointer row);

// Empties a table as TRUNCATE does: at once, whatever snapshots are open, and undone by a rollback. Unlike TRUNCATE it
// does not tell subscribers, which would empty tables of theirs. The caller has the table's strongest lock.
void empty_table(Oid table);

} // namespace waybill
