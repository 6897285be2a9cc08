// libpq with owners, deadlines and exceptions. No wait happens but in the Waiter. What the server says by the way goes
// to the log.
#pragma once

#include "deleter.hpp"
#include "log.hpp"
#include "waiter.hpp"

#include <libpq-fe.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// PostgreSQL refused, or could not be reached. `sqlstate` is empty when the server did not say one.
struct PgError : std::runtime_error {
    PgError(std::string state, bool lost, const std::string &text)
        : std::runtime_error(text), sqlstate(std::move(state)), connection_lost(lost) {}

    std::string sqlstate;
    bool connection_lost;
};

// Rows in binary format. A column is read as the type that the statement gave it.
class PgResult {
public:
    PgResult() = default;
    explicit PgResult(PGresult *result) : result_(result) {}

    [[nodiscard]] int rows() const { return PQntuples(result_.get()); }
    [[nodiscard]] bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
    // Lives as long as the result.
    [[nodiscard]] std::string_view bytes(int row, int column) const {
        return {PQgetvalue(result_.get(), row, column),
                static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
    }
    [[nodiscard]] std::string text(int row, int column) const { return std::string(bytes(row, column)); }
    [[nodiscard]] bool boolean(int row, int column) const { return bytes(row, column) == std::string_view("\1", 1); }
    [[nodiscard]] std::int32_t int32(int row, int column) const;
    [[nodiscard]] std::int64_t int64(int row, int column) const;
    [[nodiscard]] PGresult *get() const { return result_.get(); }

private:
    std::unique_ptr<PGresult, Deleter<PQclear>> result_;
};

// How a connection is protected.
struct PgSecurity {
    std::string host; // or the directory of a socket
    std::string sslmode;
    bool encrypted = false; // by TLS or GSSAPI
    bool password = false;  // one was sent, or something made of it
};

class PgConnection {
public:
    using Parameters = std::initializer_list<std::string>;

    // Connects, or throws PgError, Stopped. Of several hosts in `conninfo` each gets the time until the deadline.
    PgConnection(const std::string &conninfo, Waiter &waiter, Log &log, TimePoint deadline);

    // Another connection to the same host.
    [[nodiscard]] PgConnection another(TimePoint deadline) const;

    // Runs a statement to its end. Parameters are texts. Throws PgError, also at the deadline; Stopped.
    PgResult query(const std::string &sql, Parameters parameters, TimePoint deadline);

    // Makes `sql` known as `name`, for send().
    void prepare(const std::string &name, const std::string &sql, TimePoint deadline);

    // Sends a prepared statement. receive() gives its result, once; until then nothing else may be sent.
    void send(const std::string &name, Parameters parameters);
    [[nodiscard]] bool sent() const { return sent_; }

    // The result of what was sent if it is there. Never waits. Throws PgError.
    [[nodiscard]] std::optional<PgResult> receive();

    // Waits for the result of what was sent.
    PgResult receive(TimePoint deadline);

    [[nodiscard]] pollfd readable() const {
        return {.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    }
    [[nodiscard]] int server_version() const { return PQserverVersion(connection_.get()); }
    [[nodiscard]] std::string database() const { return PQdb(connection_.get()); }
    // What the other side said its process was; a pooler makes one up.
    [[nodiscard]] std::int32_t backend_pid() const { return PQbackendPID(connection_.get()); }
    [[nodiscard]] PgSecurity security() const;

private:
    // One of the hosts of a conninfo; all empty for a single one, which libpq takes from there itself.
    struct Host {
        std::string host;
        std::string address;
        std::string port;
    };
    PgConnection(std::string conninfo, Host host, Waiter &waiter, Log &log, TimePoint deadline);
    [[nodiscard]] static std::vector<Host> split_hosts(const std::string &conninfo);
    void connect(TimePoint deadline);
    [[noreturn]] void fail_connect(std::string message) const;
    [[noreturn]] void fail_lost(std::string_view action) const;

    std::string conninfo_;
    Host host_;
    Waiter *waiter_;
    Log *log_;
    std::unique_ptr<PGconn, Deleter<PQfinish>> connection_;
    PgResult pending_;
    bool sent_ = false;
};

// Throws ConfigError when libpq cannot read `conninfo`; does not quote it.
void check_conninfo(const std::string &conninfo);

// `conninfo` with its secrets as ****, for people.
[[nodiscard]] std::string mask_conninfo(const std::string &conninfo);

} // namespace waybill
