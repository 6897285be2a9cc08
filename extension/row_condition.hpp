// The condition of a captured table: which of its rows consumers get.
//
// PostgreSQL keeps it, as the WHEN of a second trigger: one for DELETE, on OLD, that is disabled and so costs writers
// nothing. (The trigger that records cannot have it: what fires for INSERT, UPDATE and DELETE has no WHEN on columns.)
// As part of a trigger it follows renamed columns, is mapped to the columns of each partition, comes with a dump, and
// keeps columns and functions that it uses from being dropped or retyped.
#pragma once

#include "postgres.hpp"

namespace waybill {

struct RowCondition;

// Makes the condition of a table or partition, from the WHEN of its trigger; allocated in the current memory context.
RowCondition *make_row_condition(const char *when, const RelationData &relation);

// Whether what PostgreSQL made of it depends on types or functions that can be altered: of users, not its own.
bool can_change(const RowCondition &condition);

// Whether a row of that table or partition satisfies its condition; null is false. It is planned and run with the
// writer's rights, as PostgreSQL does with the WHEN of a trigger.
// Error: whatever its functions raise, or that the writer may not call one, which fails the writer's statement.
bool satisfies(RowCondition &condition, TupleTableSlot *row);

// Called when a transaction ends; true when an error broke off an evaluation: then what was prepared is to be made
// anew.
bool end_conditions();

} // namespace waybill
