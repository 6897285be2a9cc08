// The change log: how a committing transaction writes its changes.
#pragma once

#include "postgres.hpp"
#include "transaction_buffer.hpp"

namespace waybill {

// Gives the committing transaction its place in the commit order and writes its changes there. Called at pre-commit;
// does nothing when the extension was dropped in this transaction.
void append_to_log(std::span<Chunk *const> chunks);

} // namespace waybill
