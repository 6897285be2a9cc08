#include "pg.hpp"

#include "errors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstring>
#include <utility>
#include <vector>

namespace waybill {

namespace {

using ConninfoOptions = std::unique_ptr<PQconninfoOption, Deleter<PQconninfoFree>>;

template <typename Integer>
Integer big_endian(std::string_view bytes) {
    if (bytes.size() != sizeof(Integer)) throw std::logic_error("a column has not the type it is read as");
    Integer value = 0;
    for (const char byte : bytes) value = static_cast<Integer>(value << 8 | static_cast<unsigned char>(byte));
    return value;
}

// libpq's messages come as lines, some of them indented.
std::string one_line(std::string_view message) {
    std::string line;
    for (const char c : message) {
        const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
        if (!space)
            line += c;
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

std::string field(const PGresult *result, int code) {
    const char *const value = PQresultErrorField(result, code);
    return value != nullptr ? value : "";
}

// An error's or a notice's text with what the server has to add.
std::string describe(const PGresult *result) {
    std::string text = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (text.empty()) text = PQresultErrorMessage(result);
    if (const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) text += "; " + detail;
    if (const std::string hint = field(result, PG_DIAG_MESSAGE_HINT); !hint.empty()) text += "; " + hint;
    return "PostgreSQL: " + one_line(text);
}

PgError statement_error(const PGresult *result) {
    return {field(result, PG_DIAG_SQLSTATE), false, describe(result)};
}

// NOTICE, WARNING and the like, of the server or of libpq itself, which calls this in our thread.
extern "C" void write_notice(void *log, const PGresult *notice) noexcept {
    const std::string severity = field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    LogLevel level = LogLevel::debug;
    if (severity == "WARNING") level = LogLevel::warning;
    if (severity == "NOTICE" || severity == "INFO") level = LogLevel::info;
    static_cast<Log *>(log)->write(level, describe(notice));
}

std::vector<std::string> split(const char *list) {
    std::vector<std::string> parts;
    std::string_view rest = list != nullptr ? list : "";
    for (std::size_t comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
        parts.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(comma + 1);
    }
    parts.emplace_back(rest);
    return parts;
}

} // namespace

std::vector<PgConnection::Host> PgConnection::split_hosts(const std::string &conninfo) {
    const ConninfoOptions parsed(PQconninfoParse(conninfo.c_str(), nullptr));
    const auto value = [&](std::string_view keyword) -> const char * {
        for (const PQconninfoOption *option = parsed.get(); option != nullptr && option->keyword != nullptr; ++option)
            if (option->keyword == keyword) return option->val;
        return nullptr;
    };
    const std::vector<std::string> names = split(value("host"));
    const std::vector<std::string> addresses = split(value("hostaddr"));
    const std::vector<std::string> ports = split(value("port"));
    const std::size_t count = std::max(names.size(), addresses.size());
    const auto fits = [&](std::size_t size) { return size == 1 || size == count; };
    // Lists that do not fit together are libpq's to complain about.
    if (count == 1 || !fits(names.size()) || !fits(addresses.size()) || !fits(ports.size())) return {Host{}};
    const auto at = [](const std::vector<std::string> &list, std::size_t i) { return list[list.size() == 1 ? 0 : i]; };
    std::vector<Host> hosts(count);
    for (std::size_t i = 0; i < count; ++i) hosts[i] = {at(names, i), at(addresses, i), at(ports, i)};
    return hosts;
}

std::int32_t PgResult::int32(int row, int column) const {
    return std::bit_cast<std::int32_t>(big_endian<std::uint32_t>(bytes(row, column)));
}

std::int64_t PgResult::int64(int row, int column) const {
    return std::bit_cast<std::int64_t>(big_endian<std::uint64_t>(bytes(row, column)));
}

// One host after the other, each with the whole time: libpq tries several by itself, but waits for the first that says
// nothing as long as it is let.
PgConnection::PgConnection(const std::string &conninfo, Waiter &waiter, Log &log, TimePoint deadline)
    : conninfo_(conninfo), waiter_(&waiter), log_(&log) {
    const auto patience = deadline - waiter.now();
    const std::vector<Host> hosts = split_hosts(conninfo);
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        try {
            host_ = hosts[i];
            connect(waiter.now() + patience);
            return;
        } catch (const PgError &error) {
            // A wrong password or database is not right on the next host.
            const bool refused = error.sqlstate.starts_with("28") || error.sqlstate.starts_with("3D");
            if (refused || i + 1 == hosts.size()) throw;
        }
    }
}

PgConnection::PgConnection(std::string conninfo, Host host, Waiter &waiter, Log &log, TimePoint deadline)
    : conninfo_(std::move(conninfo)), host_(std::move(host)), waiter_(&waiter), log_(&log) {
    connect(deadline);
}

PgConnection PgConnection::another(TimePoint deadline) const {
    return {conninfo_, host_, *waiter_, *log_, deadline};
}

void PgConnection::connect(TimePoint deadline) {
    // libpq reads them in this order: what stands before `dbname` is a default for the user's conninfo, what stands
    // behind overrides it. A peer that vanished without a word is noticed within half a minute.
    constexpr std::array keywords{"keepalives_idle",
                                  "keepalives_interval",
                                  "keepalives_count",
                                  "tcp_user_timeout",
                                  "dbname",
                                  "fallback_application_name",
                                  "client_encoding",
                                  "host",
                                  "hostaddr",
                                  "port",
                                  ""};
    // An empty value is as none.
    const std::array values{"15",
                            "5",
                            "3",
                            "30000",
                            conninfo_.c_str(),
                            "waybill-shipper",
                            "UTF8",
                            host_.host.c_str(),
                            host_.address.c_str(),
                            host_.port.c_str(),
                            ""};
    std::array<const char *, keywords.size()> names{};
    for (std::size_t i = 0; i + 1 < keywords.size(); ++i) names[i] = keywords[i];
    names.back() = nullptr;
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 1));
    if (!connection_) throw std::bad_alloc();
    // Of a connection that fails libpq keeps no result with a SQLSTATE, but in a verbose message there is one.
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(connection_.get(), write_notice, log_);
    if (PQstatus(connection_.get()) == CONNECTION_BAD) fail_connect(PQerrorMessage(connection_.get()));

    for (PostgresPollingStatusType status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK;
         status = PQconnectPoll(connection_.get())) {
        if (status == PGRES_POLLING_FAILED) fail_connect(PQerrorMessage(connection_.get()));
        if (waiter_->now() >= deadline) fail_connect("no answer");
        pollfd socket{.fd = PQsocket(connection_.get()),
                      .events = status == PGRES_POLLING_READING ? short{POLLIN} : short{POLLOUT},
                      .revents = 0};
        waiter_->wait_or_stop({&socket, 1}, deadline);
    }
}

void PgConnection::fail_connect(std::string message) const {
    // "… FATAL:  28P01: password authentication failed for user …"
    std::string sqlstate;
    for (std::size_t at = message.find(":  "); at != std::string::npos && sqlstate.empty();
         at = message.find(":  ", at + 1)) {
        const std::string_view rest = std::string_view(message).substr(at + 3);
        if (rest.size() < 7 || rest.substr(5, 2) != ": ") continue;
        sqlstate = rest.substr(0, 5);
        message.erase(at + 2, 7);
    }
    if (const auto location = message.find("LOCATION:"); location != std::string::npos) message.erase(location);
    // A missing password is libpq's own finding; the server has no SQLSTATE for it.
    if (sqlstate.empty() && PQconnectionNeedsPassword(connection_.get()) != 0) sqlstate = "28P01";
    const std::string_view remedy =
        sqlstate.starts_with("28") ? "; check user and password in database.conninfo, PGPASSWORD or ~/.pgpass" : "";
    throw PgError(sqlstate, true, "could not connect to PostgreSQL: " + one_line(message) + std::string(remedy));
}

void PgConnection::fail_lost(std::string_view action) const {
    throw PgError("", true,
                  "lost the connection to PostgreSQL while " + std::string(action) + ": " +
                      one_line(PQerrorMessage(connection_.get())));
}

PgResult PgConnection::query(const std::string &sql, Parameters parameters, TimePoint deadline) {
    std::vector<const char *> values;
    for (const std::string &parameter : parameters) values.push_back(parameter.c_str());
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                          nullptr, nullptr, 1) == 0)
        fail_lost("sending a statement");
    sent_ = true;
    return receive(deadline);
}

void PgConnection::prepare(const std::string &name, const std::string &sql, TimePoint deadline) {
    if (PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr) == 0)
        fail_lost("preparing a statement");
    sent_ = true;
    receive(deadline);
}

void PgConnection::send(const std::string &name, Parameters parameters) {
    std::array<const char *, 8> values{};
    std::size_t count = 0;
    for (const std::string &parameter : parameters) values.at(count++) = parameter.c_str();
    if (PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(count), values.data(), nullptr, nullptr,
                            1) == 0)
        fail_lost("sending a statement");
    sent_ = true;
}

std::optional<PgResult> PgConnection::receive() {
    if (PQconsumeInput(connection_.get()) == 0) fail_lost("waiting for an answer");
    // A statement's result is followed by a null one when the server is ready for the next statement.
    while (PQisBusy(connection_.get()) == 0) {
        PgResult result(PQgetResult(connection_.get()));
        if (result.get() != nullptr) {
            pending_ = std::move(result);
            continue;
        }
        sent_ = false;
        PgResult done = std::exchange(pending_, {});
        const ExecStatusType status = PQresultStatus(done.get());
        if (PQstatus(connection_.get()) == CONNECTION_BAD) {
            PgError error = statement_error(done.get());
            throw PgError(error.sqlstate, true, std::string("lost the connection; ") + error.what());
        }
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw statement_error(done.get());
        return done;
    }
    return std::nullopt;
}

PgResult PgConnection::receive(TimePoint deadline) {
    for (;;) {
        if (std::optional<PgResult> result = receive()) return std::move(*result);
        if (waiter_->now() >= deadline) throw PgError("", true, "PostgreSQL did not answer a statement in time");
        pollfd socket = readable();
        waiter_->wait_or_stop({&socket, 1}, deadline);
    }
}

PgSecurity PgConnection::security() const {
    PgSecurity security{.host = PQhost(connection_.get()),
                        .sslmode = {},
                        .encrypted = PQsslInUse(connection_.get()) != 0 || PQgssEncInUse(connection_.get()) != 0,
                        .password = PQconnectionUsedPassword(connection_.get()) != 0};
    const ConninfoOptions used(PQconninfo(connection_.get()));
    for (const PQconninfoOption *option = used.get(); option != nullptr && option->keyword != nullptr; ++option)
        if (std::string_view(option->keyword) == "sslmode" && option->val != nullptr) security.sslmode = option->val;
    return security;
}

void check_conninfo(const std::string &conninfo) {
    char *message = nullptr;
    const ConninfoOptions parsed(PQconninfoParse(conninfo.c_str(), &message));
    const std::unique_ptr<char, Deleter<PQfreemem>> owned(message);
    if (parsed) return;
    // libpq quotes parts of what it cannot read, which may be a password.
    throw ConfigError("database.conninfo is not a libpq connection string; write it as \"host=… dbname=… user=…\" or "
                      "\"postgresql://user@host/database\"");
}

std::string mask_conninfo(const std::string &conninfo) {
    const ConninfoOptions parsed(PQconninfoParse(conninfo.c_str(), nullptr));
    if (!parsed) return "****";
    std::string masked;
    for (const PQconninfoOption *option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        const std::string_view keyword = option->keyword;
        const bool secret = keyword.find("password") != std::string_view::npos && keyword != "passfile";
        if (!masked.empty()) masked += ' ';
        masked += std::string(keyword) + '=' + (secret ? "****" : option->val);
    }
    return masked;
}

} // namespace waybill
