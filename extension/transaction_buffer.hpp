// The changes of the transaction in progress: a stream of records in chunks, which pre-commit makes rows of the log.
#pragma once

#include "postgres.hpp"

namespace waybill {

// Adds an encoded change of this transaction, made by `command` from a row that `consumed` made (command_order.hpp). It
// is dropped again if the savepoint in force is rolled back. Beyond waybill.buffer_size in memory they go to a
// temporary file.
void append_to_transaction(std::span<const char> record, CommandId command, std::optional<CommandId> consumed);

// Writes the transaction's changes into the log at pre-commit, drops them at its end.
void register_transaction_callbacks();

} // namespace waybill
