#include "change_log.hpp"

#include "format/shaping.hpp"
#include "pooler.hpp"
#include "shape_parser.hpp"
#include "version.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace waybill {

namespace {

// For all that should be answered at once.
constexpr std::chrono::seconds answer_timeout{30};
constexpr std::chrono::seconds connect_timeout{10};

// timestamptz counts from 2000-01-01.
constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;

// What a role may have set for people must not end a fetch or a wait for a slow commit. The answer to a lost
// acknowledgement is to send again, so it need not wait for the disk. A fetch sorts nothing that outgrows work_mem. A
// server that lost us must let the stream's lock go, or no standby could take over; later, though, than we give up, so
// that the two never ship at a time. What search_path a role comes with, and what operators somebody put there, is not
// known yet: so every name has its schema.
constexpr const char *session_settings = R"(
    SELECT pg_catalog.set_config(name, value, false)
    FROM (VALUES ('search_path', 'pg_catalog, pg_temp'), ('synchronous_commit', 'off'), ('statement_timeout', '0'),
                 ('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
                 ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'),
                 ('work_mem', '16MB'), ('jit', 'off'), ('transaction_timeout', '0'), ('tcp_keepalives_idle', '30'),
                 ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '60000'),
                 ('client_connection_check_interval', '10s')) setting (name, value)
    WHERE EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) setting.name))";

// Whether the role has all that grant_shipper() gives for the stream, if there is one.
constexpr const char *privileges_sql = R"(
    SELECT (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p
            WHERE p.pronamespace = n.oid
              AND p.proname IN ('take_stream', 'acknowledged', 'safe_csn', 'fetch', 'utf8', 'is_in_stream',
                                'acknowledge', 'maintain'))
           AND (SELECT bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class c
                WHERE c.relnamespace = n.oid AND c.relname IN ('source', 'stream', 'shape', 'status', 'captured_tables'))
           AND coalesce((SELECT has_sequence_privilege(c.oid, 'USAGE')
                         FROM waybill.stream s
                         JOIN pg_class c ON c.relname = format('stream_%s_acknowledged_at_seq', s.id)
                         JOIN pg_namespace i ON i.oid = c.relnamespace AND i.nspname = 'waybill_internal'
                         WHERE s.name = $1), true)
    FROM pg_namespace n WHERE n.nspname = 'waybill')";

const char *const fetch_sql = "SELECT csn, chunk, chunks, changes, timeline, xid, committed_at, payload "
                              "FROM waybill.fetch($1::bigint, $2::int, $3::bigint, $4::int)";
// The fence and what is behind it, in this order: fetch() looks with a snapshot of its own. When there is nothing, one
// row says how far one can see.
const char *const next_sql =
    "SELECT f.csn, f.chunk, f.chunks, f.changes, f.timeline, f.xid, f.committed_at, f.payload, safe.csn "
    "FROM (SELECT waybill.safe_csn($3::bigint, $4::int) AS csn OFFSET 0) safe "
    "LEFT JOIN LATERAL waybill.fetch($1::bigint, $2::int, safe.csn, $5::int) f ON true";
const char *const acknowledge_sql = "SELECT waybill.acknowledge($1::text, $2::bigint)";
const char *const maintain_sql = "SELECT waybill.maintain($1::boolean)";
const char *const shape_sql =
    "SELECT waybill.utf8(definition::text), waybill.is_in_stream($2::text, relation, schema, \"table\") "
    "FROM waybill.shape WHERE id = $1::int LIMIT 1";
const char *const backlog_sql = "SELECT backlog_changes, extract(epoch FROM oldest_unacknowledged_age)::bigint "
                                "FROM waybill.status WHERE stream = $1::text";

const char *statement_name(int asked) {
    constexpr std::array names{"", "fetch", "next", "acknowledge", "maintain", "shape", "backlog"};
    return names.at(static_cast<std::size_t>(asked));
}

ChangeLog::Backlog to_backlog(const PgResult &result) {
    const auto value = [&](int column) -> std::optional<std::int64_t> {
        if (result.rows() == 0 || result.is_null(0, column)) return std::nullopt;
        return result.int64(0, column);
    };
    return {.changes = value(0), .oldest_age_s = value(1)};
}

ChangeLog::Batch to_batch(PgResult result, Csn upto) {
    ChangeLog::Batch batch;
    batch.upto = upto;
    batch.chunks.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) {
        if (result.is_null(row, 0)) break; // of next_sql, with nothing behind the fence
        batch.chunks.push_back({.csn = result.int64(row, 0),
                                .chunk = result.int32(row, 1),
                                .chunks = result.int32(row, 2),
                                .changes = result.int32(row, 3),
                                .timeline = result.int32(row, 4),
                                .xid = static_cast<std::uint32_t>(result.int32(row, 5)),
                                .committed_at_us = result.int64(row, 6) + postgres_epoch_us,
                                .payload = result.bytes(row, 7)});
        batch.bytes += batch.chunks.back().payload.size();
    }
    batch.owner = std::move(result);
    return batch;
}

} // namespace

bool is_older(std::string_view have, std::string_view need) {
    const auto take_number = [](std::string_view &rest) {
        unsigned number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        rest.remove_prefix(rest.empty() ? 0 : 1);
        return error == std::errc{} ? number : 0;
    };
    while (!have.empty() || !need.empty()) {
        const unsigned have_number = take_number(have);
        const unsigned need_number = take_number(need);
        if (have_number != need_number) return have_number < need_number;
    }
    return false;
}

TimePoint PgChangeLog::deadline() const {
    return waiter_.now() + answer_timeout;
}

PgResult PgChangeLog::query(const std::string &sql, PgConnection::Parameters parameters) {
    return connection_->query(sql, parameters, deadline());
}

Stream PgChangeLog::open() {
    connect();
    check_extension();
    check_privileges();
    Stream stream = find_stream();
    prepare();
    return stream;
}

void PgChangeLog::connect() {
    connection_.reset();
    asked_ = Asked::nothing;
    connection_.emplace(conninfo_, waiter_, log_, waiter_.now() + connect_timeout);
    // Before anything is set, prepared or locked that would stay behind in a pool.
    refuse_transaction_pooling(*connection_, waiter_);
    if (query("SELECT pg_catalog.pg_is_in_recovery()", {}).boolean(0, 0))
        throw PgError(
            "25006", false,
            "the PostgreSQL server is a standby in recovery, where nothing can be acknowledged; connect to the "
            "primary, for instance with several hosts and target_session_attrs=primary in database.conninfo");
    query(session_settings, {});
}

void PgChangeLog::check_extension() {
    const PgResult installed = query("SELECT extversion FROM pg_extension WHERE extname = 'waybill'", {});
    const std::string database = connection_->database();
    if (installed.rows() == 0)
        throw PgError(
            "42704", false,
            "extension waybill is missing in database \"" + database +
                "\", so there is no change log to ship; run as its owner or a superuser: CREATE EXTENSION waybill");
    const std::string have = installed.text(0, 0);
    if (is_older(have, version))
        throw PgError("0A000", false,
                      "extension waybill in database \"" + database + "\" is version " + have +
                          ", older than this shipper (" + std::string(version) +
                          "); run there: ALTER EXTENSION waybill UPDATE");
}

void PgChangeLog::check_privileges() {
    const PgResult asked = query(R"(
        SELECT has_schema_privilege(n.oid, 'USAGE'), current_user::text, quote_literal(quote_ident(current_user)),
               quote_literal($1)
        FROM pg_namespace n WHERE n.nspname = 'waybill')",
                                 {stream_});
    // Without USAGE no statement can name what is in the schema.
    const bool allowed = asked.rows() == 1 && asked.boolean(0, 0) && query(privileges_sql, {stream_}).boolean(0, 0);
    if (allowed) return;
    const std::string role = asked.rows() == 1 ? asked.text(0, 1) : "";
    const std::string arguments = asked.rows() == 1 ? asked.text(0, 2) + ", " + asked.text(0, 3) : "'…'";
    throw PgError("42501", false,
                  "role \"" + role + "\" may not ship stream \"" + stream_ +
                      "\"; run as the extension's owner: " + "SELECT waybill.grant_shipper(" + arguments + ")");
}

Stream PgChangeLog::find_stream() {
    const PgResult found = query("SELECT s.id, d.id::text, d.original_id::text "
                                 "FROM waybill.stream s, waybill.source d WHERE s.name = $1 LIMIT 1",
                                 {stream_});
    if (found.rows() == 0)
        throw PgError("42704", false,
                      "stream \"" + stream_ + "\" does not exist in database \"" + connection_->database() +
                          "\"; create it with SELECT waybill.create_stream('" + stream_ +
                          "'), or name another one in stream.name");
    return {.id = found.int32(0, 0),
            .name = stream_,
            .source = {.id = found.text(0, 1), .database = connection_->database(), .original_id = found.text(0, 2)}};
}

void PgChangeLog::prepare() {
    for (const auto &[asked, sql] :
         {std::pair{Asked::fetch, fetch_sql}, std::pair{Asked::next, next_sql},
          std::pair{Asked::acknowledge, acknowledge_sql}, std::pair{Asked::maintain, maintain_sql},
          std::pair{Asked::shape, shape_sql}, std::pair{Asked::backlog, backlog_sql}})
        connection_->prepare(statement_name(static_cast<int>(asked)), sql, deadline());
}

bool PgChangeLog::try_lock() {
    return query("SELECT waybill.take_stream($1)", {stream_}).boolean(0, 0);
}

Csn PgChangeLog::acknowledged() {
    return query("SELECT waybill.acknowledged($1::text)", {stream_}).int64(0, 0);
}

void PgChangeLog::ask(Asked what, PgConnection::Parameters parameters) {
    if (asked()) throw std::logic_error("the change log was asked before it answered");
    connection_->send(statement_name(static_cast<int>(what)), parameters);
    asked_ = what;
}

void PgChangeLog::ask_fetch(After after, Csn upto, int max_bytes) {
    ask(Asked::fetch,
        {std::to_string(after.csn), std::to_string(after.chunk), std::to_string(upto), std::to_string(max_bytes)});
    fetched_upto_ = upto;
}

void PgChangeLog::ask_next(After after, Csn beyond, int wait_ms, int max_bytes) {
    ask(Asked::next, {std::to_string(after.csn), std::to_string(after.chunk), std::to_string(beyond),
                      std::to_string(wait_ms), std::to_string(max_bytes)});
}

void PgChangeLog::ask_acknowledge(Csn csn) {
    ask(Asked::acknowledge, {stream_, std::to_string(csn)});
}

void PgChangeLog::ask_maintain(bool idle) {
    ask(Asked::maintain, {idle ? "true" : "false"});
}

void PgChangeLog::ask_shape(std::int32_t id) {
    ask(Asked::shape, {std::to_string(id), stream_});
}

void PgChangeLog::ask_backlog() {
    ask(Asked::backlog, {stream_});
}

std::optional<ChangeLog::Answer> PgChangeLog::take_answer() {
    if (!asked()) return std::nullopt;
    std::optional<PgResult> result;
    try {
        result = connection_->receive();
    } catch (const PgError &error) {
        if (asked_ != Asked::backlog || error.connection_lost) throw;
        result.emplace(); // without a row
    }
    if (!result) return std::nullopt;
    switch (std::exchange(asked_, Asked::nothing)) {
    case Asked::fetch: return to_batch(std::move(*result), fetched_upto_);
    case Asked::next: {
        const Csn upto = result->int64(0, 8);
        return to_batch(std::move(*result), upto);
    }
    case Asked::acknowledge: return Acknowledged{};
    case Asked::maintain: return Maintained{result->int32(0, 0)};
    case Asked::shape:
        if (result->rows() == 0) return ShapeDefinition{};
        return ShapeDefinition{.json = result->text(0, 0), .is_in_stream = result->boolean(0, 1)};
    case Asked::backlog: return to_backlog(*result);
    case Asked::nothing: break;
    }
    return std::nullopt;
}

void PgChangeLog::close() noexcept {
    // The server would go on with what it was asked, and keep the stream's lock until it noticed.
    try {
        if (connection_ && asked() && !waiter_.stop_requested())
            connection_->receive(waiter_.now() + std::chrono::seconds(1));
    } catch (const std::exception &) {
        // The connection is to be given up anyway.
    }
    connection_.reset();
    asked_ = Asked::nothing;
}

// By the triggers, not by waybill.captured_tables, which looks at much more. The columns that enable_capture() was
// given as the key are arguments of the trigger, behind a word; each ends with a zero byte.
std::vector<Shape> PgChangeLog::captured_tables() {
    const PgResult rows = query(R"(
        SELECT c.oid::int8, waybill.utf8(n.nspname::text), waybill.utf8(c.relname::text),
               waybill.utf8(array_to_json(ARRAY(
                   SELECT a.attname FROM pg_attribute a -- none that is virtual: it is in no change
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
                   ORDER BY a.attnum))::text),
               waybill.utf8(array_to_json(CASE WHEN cardinality(t.key) > 0 THEN t.key ELSE ARRAY(
                   SELECT a.attname::text FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k (number, place)
                   JOIN pg_attribute a ON a.attnum = k.number
                   WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND k.place <= i.indnkeyatts
                   ORDER BY k.place) END)::text)
        FROM (SELECT DISTINCT ON (tgrelid) tgrelid, CASE WHEN tgargs <> '' THEN ARRAY(
                  SELECT convert_from(decode(m.argument[1], 'hex'), getdatabaseencoding())
                  FROM regexp_matches(encode(tgargs, 'hex'), '((?:(?!00)[0-9a-f]{2})+)00', 'g') WITH ORDINALITY m (argument, place)
                  WHERE m.place > 1 ORDER BY m.place) END AS key
              FROM pg_trigger
              WHERE tgparentid = 0 AND tgfoid IN (SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                                                  WHERE n.nspname = 'waybill_internal' AND p.proname = 'capture')) t
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN waybill.stream s ON s.name = $1
                             AND (s.tables IS NULL OR waybill.is_in_stream(s.name, c.oid, n.nspname, c.relname))
        ORDER BY 2, 3)",
                                {stream_});
    std::vector<Shape> tables(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) {
        Shape &table = tables[static_cast<std::size_t>(row)];
        table.id = row + 1;
        table.relation = static_cast<std::uint32_t>(rows.int64(row, 0));
        table.schema = rows.text(row, 1);
        table.table = rows.text(row, 2);
        for (std::string &name : parse_names(rows.text(row, 3))) table.columns.emplace_back().name = std::move(name);
        table.key = find_columns(table, parse_names(rows.text(row, 4))).value_or(table.key);
    }
    return tables;
}

std::vector<Capture> PgChangeLog::captures() {
    const PgResult rows = query(R"(
        SELECT c.oid::int8, waybill.utf8(n.nspname || '.' || c.relname),
               waybill.utf8(array_to_json(t.key)::text), waybill.utf8(coalesce(t.problem, ''))
        FROM waybill.captured_tables t
        JOIN pg_class c ON c.oid = t."table"
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN waybill.stream s ON s.name = $1
                             AND (s.tables IS NULL OR waybill.is_in_stream(s.name, c.oid, n.nspname, c.relname))
        ORDER BY 2)",
                                {stream_});
    std::vector<Capture> captures(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row)
        captures[static_cast<std::size_t>(row)] = {
            .relation = static_cast<std::uint32_t>(rows.int64(row, 0)),
            .table = rows.text(row, 1),
            .key = rows.is_null(row, 2) ? std::nullopt : std::optional{parse_names(rows.text(row, 2))},
            .problem = rows.text(row, 3)};
    return captures;
}

std::string PgChangeLog::publications_of_all_tables() {
    return query("SELECT coalesce(waybill.utf8(string_agg(quote_ident(pubname), ', ' ORDER BY pubname)), '') "
                 "FROM pg_publication WHERE puballtables",
                 {})
        .text(0, 0);
}

std::vector<std::string> PgChangeLog::types() {
    const PgResult rows = query(R"(
        SELECT DISTINCT waybill.utf8(format_type(a.atttypid, a.atttypmod))
        FROM (SELECT DISTINCT atttypid, atttypmod FROM pg_attribute
              WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (SELECT "table" FROM waybill.captured_tables)) a)",
                                {});
    std::vector<std::string> types(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) types[static_cast<std::size_t>(row)] = rows.text(row, 0);
    return types;
}

std::int64_t PgChangeLog::last_shape() {
    return query("SELECT coalesce(max(id), 0)::int8 FROM waybill.shape", {}).int64(0, 0);
}

std::vector<std::pair<std::string, std::string>> PgChangeLog::status() {
    const PgResult row = query(R"(
        SELECT stream, acknowledged_csn::text, last_csn::text, backlog_changes::text, pg_size_pretty(backlog_bytes),
               coalesce(oldest_unacknowledged_age::text, 'none'), coalesce(last_acknowledged_at::text, 'never'),
               segments_in_use::text, pg_size_pretty(log_bytes), CASE WHEN connected THEN 'yes' ELSE 'no' END
        FROM waybill.status WHERE stream = $1)",
                               {stream_});
    constexpr std::array names{"stream",
                               "acknowledged csn",
                               "last csn",
                               "backlog in changes",
                               "backlog in bytes",
                               "oldest unacknowledged change",
                               "last acknowledged at",
                               "segments in use",
                               "log size",
                               "shipper connected"};
    std::vector<std::pair<std::string, std::string>> lines;
    for (std::size_t i = 0; row.rows() == 1 && i < names.size(); ++i)
        lines.emplace_back(names.at(i), row.text(0, static_cast<int>(i)));
    return lines;
}

} // namespace waybill
