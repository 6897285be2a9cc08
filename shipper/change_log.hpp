// The change log as the pump sees it, and the one place that knows the SQL.
#pragma once

#include "change.hpp"
#include "change_decoder.hpp"
#include "log.hpp"
#include "pg.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace waybill {

// What a shipper has to know before it starts.
struct Stream {
    std::int32_t id = 0;
    std::string name;
    Source source;
};

// How a table is captured.
struct Capture {
    std::uint32_t relation = 0;
    std::string table;                           // schema.table
    std::optional<std::vector<std::string>> key; // under which it is captured; nothing: not known
    std::string problem;                         // empty: none
};

// Reads the log of one stream and acknowledges in it. Everything throws PgError, and Stopped where it waits. After a
// PgError nothing but close() and open() may be called.
class ChangeLog {
public:
    // What was asked for is answered with one of these.
    struct Batch {
        Csn upto = 0;   // the safe csn that was read up to
        PgResult owner; // of the payloads
        std::vector<Chunk> chunks;
        std::size_t bytes = 0; // of payload
    };
    struct Acknowledged {};
    struct Maintained {
        std::int32_t segments_emptied;
    };
    struct ShapeDefinition {
        std::string json; // empty: there is no such shape
        bool is_in_stream = true;
    };
    // What is not acknowledged yet, as far as the server says.
    struct Backlog {
        std::optional<std::int64_t> changes;
        std::optional<std::int64_t> oldest_age_s; // of the oldest change; nullopt: there is none
    };
    // A place in the log: right behind this chunk.
    struct After {
        Csn csn;
        std::int32_t chunk;
    };
    using Answer = std::variant<Batch, Acknowledged, Maintained, ShapeDefinition, Backlog>;

    virtual ~ChangeLog() = default;

    // Connects and checks that all is there that shipping needs.
    virtual Stream open() = 0;

    // The stream as it is now: what open() found may be gone by the time that the lock is had.
    [[nodiscard]] virtual Stream find_stream() = 0;

    // Becomes the only shipper of the stream; false when there is one. Holds as long as the connection.
    [[nodiscard]] virtual bool try_lock() = 0;

    // The stream's acknowledged csn. To be read under the lock.
    [[nodiscard]] virtual Csn acknowledged() = 0;

    // The captured tables of the stream as they are now: names, names of columns, and the table's own key; no more. To
    // try settings out on. Waits for nobody who changes a table.
    [[nodiscard]] virtual std::vector<Shape> captured_tables() = 0;

    // Asks, and returns at once. One thing at a time: only when not asked().
    //
    // What there is behind a chunk up to `upto`, a safe csn; it is there, so this does not wait.
    virtual void ask_fetch(After after, Csn upto, int max_bytes) = 0;
    // The same up to a new safe csn: waits `wait_ms` at most until there is one beyond `beyond`. The batch may be
    // empty.
    virtual void ask_next(After after, Csn beyond, int wait_ms, int max_bytes) = 0;
    virtual void ask_acknowledge(Csn csn) = 0;
    virtual void ask_maintain(bool idle) = 0;
    virtual void ask_shape(std::int32_t id) = 0;
    // For people: that the server does not answer it is no error.
    virtual void ask_backlog() = 0;
    [[nodiscard]] virtual bool asked() const = 0;

    // The answer, if it has come. Never waits.
    [[nodiscard]] virtual std::optional<Answer> take_answer() = 0;

    // Readable when an answer, or a part of it, has come.
    [[nodiscard]] virtual pollfd readable() const = 0;

    // Ends the connection, after a short wait for an answer that is under way.
    virtual void close() noexcept = 0;
};

class PgChangeLog final : public ChangeLog {
public:
    PgChangeLog(std::string conninfo, std::string stream, Waiter &waiter, Log &log)
        : conninfo_(std::move(conninfo)), stream_(std::move(stream)), waiter_(waiter), log_(log) {}

    Stream open() override;
    [[nodiscard]] Stream find_stream() override;
    [[nodiscard]] bool try_lock() override;
    [[nodiscard]] Csn acknowledged() override;
    [[nodiscard]] std::vector<Shape> captured_tables() override;
    void ask_fetch(After after, Csn upto, int max_bytes) override;
    void ask_next(After after, Csn beyond, int wait_ms, int max_bytes) override;
    void ask_acknowledge(Csn csn) override;
    void ask_maintain(bool idle) override;
    void ask_shape(std::int32_t id) override;
    void ask_backlog() override;
    [[nodiscard]] bool asked() const override { return asked_ != Asked::nothing; }
    [[nodiscard]] std::optional<Answer> take_answer() override;
    [[nodiscard]] pollfd readable() const override { return connection_->readable(); }
    void close() noexcept override;

    // The steps of open(), for `check`. Each says in its PgError what is missing, why it matters and what to do.
    void connect();
    void check_extension();
    void check_privileges();

    // More about the captured_tables(). Waits for whoever changes one.
    [[nodiscard]] std::vector<Capture> captures();
    // Names of publications FOR ALL TABLES, which contain the extension's tables; empty when there are none.
    [[nodiscard]] std::string publications_of_all_tables();

    // The types of captured columns.
    [[nodiscard]] std::vector<std::string> types();

    // The greatest number of a table's definition.
    [[nodiscard]] std::int64_t last_shape();
    [[nodiscard]] PgSecurity security() const { return connection_->security(); }

    // Rows of waybill.status for this stream as (name, value), for people. After open().
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> status();

private:
    enum class Asked : std::uint8_t { nothing, fetch, next, acknowledge, maintain, shape, backlog };

    void prepare();
    void ask(Asked what, PgConnection::Parameters parameters);
    [[nodiscard]] TimePoint deadline() const;
    PgResult query(const std::string &sql, PgConnection::Parameters parameters);

    std::string conninfo_;
    std::string stream_;
    Waiter &waiter_;
    Log &log_;
    std::optional<PgConnection> connection_;
    Asked asked_ = Asked::nothing;
    Csn fetched_upto_ = 0; // what a fetch was asked for
};

// Whether version `have` is older than `need`; versions are numbers separated by dots.
[[nodiscard]] bool is_older(std::string_view have, std::string_view need);

} // namespace waybill
