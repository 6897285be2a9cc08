// The default of a column as Debezium puts it into the column's schema.
#pragma once

#include "../change.hpp"
#include "value_type.hpp"

#include <string>

namespace waybill {

// The default as write_value() writes it: that of a literal; for what is evaluated with each row (nextval(), now()) a
// placeholder of the type: zero, empty, the epoch. Empty when the column has none, or one of neither kind, or is of a
// type whose defaults Debezium leaves out.
[[nodiscard]] std::string column_default(const Column &column, const ValueType &type);

} // namespace waybill
