#include "pooler.hpp"

#include "errors.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace waybill {

namespace {

constexpr std::chrono::seconds answer_timeout{30};
constexpr std::chrono::seconds patience{2}; // with a pool that may have no server connection left

// What runs before search_path is known to be harmless has no operator, and names with their schemas.
constexpr const char *pid_sql = "SELECT pg_catalog.pg_backend_pid()";

// The process that answers; nullopt: none until the deadline.
std::optional<std::int32_t> serving_pid(PgConnection &connection, Waiter &waiter, TimePoint deadline) {
    try {
        return connection.query(pid_sql, {}, deadline).int32(0, 0);
    } catch (const PgError &) {
        if (waiter.now() >= deadline) return std::nullopt;
        throw;
    }
}

// Whether a transaction in another connection can take away the server process that `connection` had.
//
//     connection   pid? ── 1                          pid? ── 2, or no answer: all there are are taken
//     another              BEGIN ── 1 (if it gets any)                            COMMIT by closing
//
// In session mode the other one gets a process of its own or none, and 1 stays 1.
bool loses_its_process(PgConnection &connection, std::int32_t pid, Waiter &waiter) {
    std::optional<PgConnection> other;
    try {
        other.emplace(connection.another(waiter.now() + patience));
        other->query("BEGIN", {}, waiter.now() + patience);
    } catch (const PgError &error) {
        // Statement pooling: PgBouncer refuses transactions by itself, in the place of a server that would not.
        if (error.sqlstate == "08P01") return true;
        // Otherwise it got none: `connection` has its own if that answers.
    }
    // A pool that hands out its processes by turns may give back the same one at first.
    for (int turn = 0; turn < 3; ++turn)
        if (serving_pid(connection, waiter, waiter.now() + patience) != pid) return true;
    return false;
}

} // namespace

void refuse_transaction_pooling(PgConnection &connection, Waiter &waiter) {
    // A pooler knows no server process when it has to name one: it makes a number up. Without a pooler this is all.
    const std::int32_t pid = connection.query(pid_sql, {}, waiter.now() + answer_timeout).int32(0, 0);
    if (pid == connection.backend_pid() || !loses_its_process(connection, pid, waiter)) return;
    throw ConfigError("database.conninfo leads to a connection pooler such as PgBouncer that changes the server "
                      "connection after each transaction, so the stream's lock and prepared statements would get "
                      "lost; connect to PostgreSQL itself, or to a pool with pool_mode = session");
}

} // namespace waybill
