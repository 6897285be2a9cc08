// Reads a shape from the form in which the extension keeps it (waybill_internal.shape.definition).
#pragma once

#include "change.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// Throws DataError when `definition` is not JSON that names a table. What is wrong with the rest is in the shape's
// `error`: a stream that needs no change of the table can do without. Members it does not know are left alone.
[[nodiscard]] Shape parse_shape(std::int32_t id, std::string_view definition);

// Reads names from a JSON array of them. Throws DataError when it is none.
[[nodiscard]] std::vector<std::string> parse_names(std::string_view json);

} // namespace waybill
