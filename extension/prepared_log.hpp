// The prepared log: where the changes of prepared transactions wait for their place.
#pragma once

#include "postgres.hpp"

namespace waybill {

// Whether `snapshot` shows a transaction there that has no place yet.
bool has_unplaced(Snapshot snapshot);

} // namespace waybill
