// The guarantee: every change committed to the log reaches Kafka at least once, in the log's order, and is acknowledged
// in the log only after that.
//
//     safe csn ──► fetch ──► decode ──► encode ──► publish ──► delivered ──► acknowledge
//        ▲ no change can appear          in order, each           │ only up to the first
//        │ at or below it later          change whole             │ message missing
//        └─────────────── starts behind what is acknowledged ◄────┘
//
// - Nothing is skipped: a Flow starts behind the acknowledged csn and reads all there is up to a safe csn, in order.
// - Nothing is acknowledged too early: AckTracker gives only ends of transactions before which all was delivered.
// - Whatever fails, the Flow ends, all that is on its way is discarded, and a new Flow starts from the acknowledged
// csn:
//   what is sent again is a replay, in the same order with the same positions.
//
// Memory is bounded: two batches of fetched chunks, and a limited number of messages and bytes on their way. One thread
// does all this and never blocks but in wait(): the server works on the next batch while this one is encoded, and
// librdkafka's threads send.
#include "pump.hpp"

#include "errors.hpp"
#include "flow.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waybill {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds standby_interval{1};
constexpr seconds backlog_timeout{5};
constexpr seconds healthy_after{10};

// Whether the same might work a little later, without anybody's help.
bool is_transient(const PgError &error) {
    const std::string_view state = error.sqlstate;
    const std::string_view sqlstate_class = state.substr(0, 2);
    if (error.connection_lost) return sqlstate_class != "28" && sqlstate_class != "3D" && sqlstate_class != "42";
    // Resources, operator's intervention, conflicts, objects in use; a standby may be promoted.
    constexpr std::array<std::string_view, 6> classes{"08", "40", "53", "55", "57", "58"};
    return state == "25006" || std::find(classes.begin(), classes.end(), sqlstate_class) != classes.end();
}

} // namespace

// Retries what may pass, forever or (once) for a while; all else is for the caller.
void Pump::run() {
    while (!waiter_.stop_requested()) {
        std::string reason;
        auto side = Outage::Side::database;
        const TimePoint started = waiter_.now();
        bool shipping = false;
        bool progressed = false;
        // The first failure after things went well starts a new count of failures.
        const auto give_up = [&] {
            const TimePoint now = waiter_.now();
            if (progressed || now - started >= healthy_after + options_.delivery_timeout) {
                backoff_.reset();
                failing_since_.reset();
            }
            if (!failing_since_) failing_since_ = progressed ? now : started;
            return options_.once && now - *failing_since_ >= options_.once_timeout;
        };
        try {
            return attempt(shipping, progressed);
        } catch (const Stopped &) {
            return;
        } catch (const PgError &error) {
            // The extension may have been dropped or made anew under a session that had begun well: a new one goes on,
            // or says so in words.
            suspects_session_ = !is_transient(error) && shipping && (progressed || !suspects_session_);
            if ((!is_transient(error) && !suspects_session_) || give_up()) throw;
            reason = error.what();
        } catch (const KafkaError &error) {
            if (error.fatal || give_up()) throw;
            reason = error.what();
            side = Outage::Side::kafka;
        }
        if (outage_.due(side)) outage_.report(side, waiter_.now(), reason, backlog_);
        backlog_ = {};
        const milliseconds pause = backoff_.next();
        log_.debug("trying again", {{"pause_ms", pause.count()}, {"reason", reason}});
        for (const TimePoint until = waiter_.now() + pause; waiter_.now() < until && !waiter_.stop_requested();)
            waiter_.wait({}, until);
    }
}

// Connects both sides, becomes the stream's shipper, and ships.
void Pump::attempt(bool &shipping, bool &progressed) {
    struct Disconnect {
        Pump &pump;
        // First what is on its way to Kafka: once the lock is gone, another shipper may send.
        ~Disconnect() {
            pump.publisher_.discard();
            pump.change_log_.close();
        }
    } const disconnect{*this};

    const Stream stream = open_log();
    shipping = true;
    try {
        ship(stream, progressed);
    } catch (const KafkaError &error) {
        if (!error.fatal && outage_.due(Outage::Side::kafka)) backlog_ = ask_backlog();
        throw;
    }
}

Stream Pump::open_log() {
    const Stream opened = change_log_.open();
    lock(opened);
    // A standby may have waited for days, while the extension or the stream was made anew.
    Stream stream = change_log_.find_stream();
    if (stream.id != opened.id)
        throw PgError("55006", true,
                      fmt::format("stream \"{}\" was made anew before it could be shipped", stream.name));
    // Settings that do not fit a table are to be told now, not when its first change comes. Not by the format that is
    // going to be used: these shapes are not the log's.
    const std::unique_ptr<Format> trial = make_format_(stream.source);
    const std::vector<Shape> tables = change_log_.captured_tables();
    for (const Shape &table : tables) trial->try_settings(table);
    if (!std::exchange(rules_are_told_, true))
        for (const IdleRule &rule : trial->idle_rules(tables))
            if (rule.hides) log_.warning("{}", rule.text);
    if (stream.source.id != stream.source.original_id && !std::exchange(source_is_told_, true))
        log_.info(
            "the database is a copy, or was moved by pg_upgrade to PostgreSQL 13 or 14: positions have a source id "
            "of its own, and what the original had not acknowledged is sent with it",
            {{"source", stream.source.id}, {"original_source", stream.source.original_id}});
    return stream;
}

void Pump::lock(const Stream &stream) {
    if (change_log_.try_lock()) return;
    if (options_.once)
        throw PgError("55006", false,
                      fmt::format("stream \"{}\" is being shipped by another process; stop it, or ship another stream",
                                  stream.name));
    outage_.over(); // for this one
    log_.info("another process ships the stream: waiting to take over", {{"stream", stream.name}});
    do waiter_.wait_or_stop({}, waiter_.now() + standby_interval);
    while (!change_log_.try_lock());
    log_.info("took over", {{"stream", stream.name}});
}

void Pump::ship(const Stream &stream, bool &progressed) {
    const Csn acknowledged = change_log_.acknowledged();
    publisher_.open();
    log_.write(
        outage_.going_on() ? LogLevel::debug : LogLevel::info, "shipping",
        Log::Fields{{"stream", stream.name}, {"database", stream.source.database}, {"acknowledged_csn", acknowledged}});
    Flow flow(options_, change_log_, publisher_, make_format_(stream.source), waiter_, log_, outage_, acknowledged);
    try {
        flow.run();
    } catch (const PgError &) { // the database cannot be asked any more
        progressed = flow.acknowledged_anything();
        throw;
    } catch (...) {
        flow.settle();
        progressed = flow.acknowledged_anything();
        throw;
    }
}

// What waits for Kafka, if the database says so in time.
ChangeLog::Backlog Pump::ask_backlog() {
    try {
        if (!change_log_.asked()) change_log_.ask_backlog();
        for (const TimePoint deadline = waiter_.now() + backlog_timeout; waiter_.now() < deadline;) {
            if (const std::optional<ChangeLog::Answer> answer = change_log_.take_answer()) {
                const auto *const backlog = std::get_if<ChangeLog::Backlog>(&*answer);
                return backlog != nullptr ? *backlog : ChangeLog::Backlog{};
            }
            pollfd fd = change_log_.readable();
            waiter_.wait({&fd, 1}, deadline);
        }
    } catch (const PgError &) {
        // The next attempt says so.
    }
    return {};
}

} // namespace waybill
