// A capture condition as a user writes it, to one that PostgreSQL printed.
#pragma once

#include "postgres.hpp"

namespace waybill {

// The same condition with names of columns as they are, which can be compared, and as OLD's, for the WHEN of a trigger.
struct PrintedCondition {
    const char *on_row;
    const char *on_old;
};

// Checks a condition for the rows of a table, with the present role's rights: what in it can be computed without a row
// is. The text is whole and means the same under any settings but standard_conforming_strings, which has to be on.
// Error: whatever is wrong with it, said with its place.
PrintedCondition print_condition(Oid table, const char *condition);

} // namespace waybill
