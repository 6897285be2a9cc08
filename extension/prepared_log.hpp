// The prepared log: where the changes of prepared transactions wait for their place.
#pragma once

#include "log_row.hpp"
#include "postgres.hpp"

namespace waybill {

// Whether a transaction that is committed by now has no place yet, with a number up to `last`.
bool has_unplaced(Csn last);

} // namespace waybill
