// Finds out whether a connection stays with one server process, as all that the shipper does needs: a session's lock,
// settings, prepared statements.
#pragma once

#include "pg.hpp"
#include "waiter.hpp"

namespace waybill {

// Throws ConfigError when `connection`, which has done nothing yet, leads to a pooler that gives it another server
// process for each transaction or statement. Leaves nothing behind. Throws PgError, Stopped.
void refuse_transaction_pooling(PgConnection &connection, Waiter &waiter);

} // namespace waybill
