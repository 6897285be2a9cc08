// What stands for values that are not there: the default of a column as Debezium puts it into the column's schema, and
// what it shows for columns that it was told nothing of.
#pragma once

#include "../change.hpp"
#include "value_type.hpp"

#include <string>

namespace waybill {

// The default as write_value() writes it: that of a literal; for what is evaluated with each row (nextval(), now()) a
// placeholder of the type: zero, empty, the epoch. Empty when the column has none, or one of neither kind, or is of a
// type whose defaults Debezium leaves out.
[[nodiscard]] std::string column_default(const Column &column, const ValueType &type);

// What Debezium shows, as write_value() writes it, for a column that PostgreSQL told nothing of: the columns besides
// the key in `before` of a delete under REPLICA IDENTITY DEFAULT. Null, or what stands for it in a column that cannot
// be null: its default, or zero, empty, the epoch.
[[nodiscard]] std::string absent_value(const Column &column, const ValueType &type);

} // namespace waybill
