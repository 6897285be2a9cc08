// Commits small transactions at a fixed rate and notes when each COMMIT returned.
//
//   paced_writer CONNINFO FIRST-ID RATE SECONDS CONNECTIONS FILE
//
// Each transaction inserts one row into `orders`, with ids that count up from FIRST-ID. What is due goes to any
// connection that is free; when none is, it waits, and those behind it keep their times. Prints as JSON how late they
// began.
#include "pace.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace {

constexpr const char *insert = "INSERT INTO orders VALUES ($1::bigint, $1 % 100, 'new', ($1 % 100) / 7.0, "
                               "'order number ' || $1, now())";

struct Free {
    void operator()(PGconn *connection) const { PQfinish(connection); }
    void operator()(PGresult *result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Free>;

struct Writer {
    std::unique_ptr<PGconn, Free> connection;
    std::int64_t id = 0; // of the transaction under way; 0: none
};

void check(const Writer &writer, bool ok) {
    if (!ok) throw std::runtime_error(PQerrorMessage(writer.connection.get()));
}

// Whether the transaction is over.
bool finish(const Writer &writer) {
    check(writer, PQconsumeInput(writer.connection.get()) == 1);
    while (PQisBusy(writer.connection.get()) == 0) {
        const Result result(PQgetResult(writer.connection.get()));
        if (!result) return true;
        check(writer, PQresultStatus(result.get()) == PGRES_COMMAND_OK);
    }
    return false;
}

void send(Writer &writer, std::int64_t id) {
    const std::string text = std::to_string(id);
    const char *const value = text.c_str();
    check(writer, PQsendQueryPrepared(writer.connection.get(), "insert", 1, &value, nullptr, nullptr, 0) == 1);
    writer.id = id;
}

int run(int argc, char **argv) {
    if (argc != 7) throw std::runtime_error("usage: paced_writer CONNINFO FIRST-ID RATE SECONDS CONNECTIONS FILE");
    const std::int64_t first_id = std::stoll(argv[2]);
    std::vector<Writer> writers(std::stoul(argv[5]));
    std::vector<pollfd> fds;
    for (Writer &writer : writers) {
        writer.connection.reset(PQconnectdb(argv[1]));
        check(writer, PQstatus(writer.connection.get()) == CONNECTION_OK);
        const Result prepared(PQprepare(writer.connection.get(), "insert", insert, 0, nullptr));
        check(writer, PQresultStatus(prepared.get()) == PGRES_COMMAND_OK);
        fds.push_back({.fd = PQsocket(writer.connection.get()), .events = POLLIN, .revents = 0});
    }

    const Schedule schedule(std::stoll(argv[3]), std::stoll(argv[4]));
    Notes commits;
    std::int64_t next = 0;
    std::int64_t latest_ns = 0;
    while (commits.size() < schedule.total()) {
        std::int64_t wait_ns = 1'000'000'000;
        for (Writer &writer : writers) {
            if (writer.id != 0) continue;
            wait_ns = next < schedule.total() ? schedule.due_ns(next) - now_ns() : wait_ns;
            if (wait_ns > 0) break;
            latest_ns = std::max(latest_ns, -wait_ns);
            send(writer, first_id + next++);
            wait_ns = 1'000'000'000;
        }
        const timespec timeout{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
        if (ppoll(fds.data(), fds.size(), &timeout, nullptr) <= 0) continue;
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].revents == 0 || !finish(writers[i])) continue;
            commits.add(writers[i].id, now_ns());
            writers[i].id = 0;
        }
    }
    commits.write(argv[6]);
    std::printf("{\"transactions\": %jd, \"latest_ms\": %.3f}\n", static_cast<std::intmax_t>(commits.size()),
                static_cast<double>(latest_ns) / 1e6);
    return EXIT_SUCCESS;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "paced_writer: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
