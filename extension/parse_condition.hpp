// A capture condition as a user writes it, to one for the WHEN of a trigger.
#pragma once

#include "postgres.hpp"

namespace waybill {

struct ParsedCondition {
    const char *text; // as PostgreSQL prints it, which can be compared
    Node *expression; // on the table's columns, numbered as OLD's in the WHEN of a trigger
};

// Checks a condition for the rows of a table, with the present role's rights: parsing it computes what it can, literals
// of the user's types to begin with. The table stays as it is until the transaction ends. Error: whatever is wrong with
// it, said with its place.
ParsedCondition parse_condition(Oid table, const char *condition);

} // namespace waybill
