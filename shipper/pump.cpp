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
#include "shape_parser.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <limits>
#include <unordered_map>
#include <utility>

namespace waybill {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Between two looks at the sockets: long enough to forget the looks' cost, short enough for the next fetch to go on.
constexpr int changes_per_turn = 256;

// What librdkafka keeps with a message, besides its bytes.
constexpr std::size_t message_overhead_bytes = 400;

constexpr std::size_t prefetched_batches = 2;

// What the first batch behind a new fence may bring. It must fit into the socket's buffers however busy we are: until
// the server is rid of it, it keeps a lock if transactions are prepared.
constexpr int next_bytes = 16 << 10;

constexpr seconds maintain_interval{1};
constexpr seconds idle_after{2};
constexpr seconds idle_maintain_interval{5};
constexpr seconds summary_interval{60};
constexpr seconds standby_interval{1};
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

// The way from the acknowledged csn to the first error, the stop, or (once) the end.
class Pump::Flow final : public MessageSink {
public:
    Flow(Pump &pump, const Stream &stream, Csn acknowledged)
        : options_(pump.options_), change_log_(pump.change_log_), publisher_(pump.publisher_), waiter_(pump.waiter_),
          log_(pump.log_), format_(pump.make_format_(stream.source)), tables_(stream.tables), tracker_(acknowledged),
          acknowledged_(acknowledged), upto_(acknowledged),
          shipped_(acknowledged), cursor_{.csn = acknowledged, .chunk = std::numeric_limits<std::int32_t>::max()},
          decoder_([this](std::int32_t id) { return find_shape(id); }, acknowledged) {
        last_delivery_ = last_change_ = acknowledge_at_ = beat_at_ = waiter_.now();
        maintain_at_ = summary_at_ = waiter_.now() + maintain_interval;
    }

    void run() {
        for (;;) {
            bool more = false;
            try {
                more = turn();
            } catch (const DataError &) { // the log is damaged
                if (stuck_) throw;
                stuck_ = std::current_exception();
            }
            if (done()) break;
            wait(more);
        }
        // Only now: what was sent before a change that cannot be sent is not to be sent again at each start.
        if (stuck_) std::rethrow_exception(stuck_);
    }

    [[nodiscard]] bool acknowledged_anything() const { return acknowledged_anything_; }

private:
    // True when the next one could follow at once.
    bool turn() {
        take_delivered();
        take_answer();
        ask(); // before shipping: the server works meanwhile
        const bool more = ship();
        beat();
        ask();
        return more;
    }

    void message(const Message &message) override;
    void take_delivered();
    void take_answer();
    void take(ChangeLog::Batch &&batch);
    void take(const ChangeLog::Acknowledged &answer);
    void take(const ChangeLog::Maintained &answer);
    void take(const ChangeLog::ShapeDefinition &answer);
    void ask();
    [[nodiscard]] bool ship();
    [[nodiscard]] bool feed();
    void end_transaction();
    void beat();
    void publish(const Change &change);
    template <typename Make>
    void make_messages(const Make &make);
    void wait(bool more);
    [[nodiscard]] bool done();

    [[nodiscard]] const Shape *find_shape(std::int32_t id) const;
    [[nodiscard]] bool is_wanted(const Shape &shape);
    void summarize();

    [[nodiscard]] bool stopping() const { return waiter_.stop_requested() || stuck_; }
    [[nodiscard]] bool has_room() const {
        return tracker_.window() < options_.in_flight_messages && tracker_.in_flight_bytes() < options_.in_flight_bytes;
    }
    [[nodiscard]] bool may_beat() const {
        return options_.heartbeat_interval > milliseconds(0) && !options_.once && !stopping() && has_room();
    }
    [[nodiscard]] bool owes_acknowledgement() const { return tracker_.acknowledgeable() > acknowledged_; }
    [[nodiscard]] bool drained() const { return fenced_ && all_fetched_ && batches_.empty() && acknowledged_ == upto_; }
    [[nodiscard]] int patience_ms() const;

    const PumpOptions &options_;
    ChangeLog &change_log_;
    Publisher &publisher_;
    Waiter &waiter_;
    Log &log_;
    std::unique_ptr<Format> format_;
    std::optional<std::vector<std::string>> tables_;

    AckTracker tracker_;
    Csn acknowledged_;
    Csn asked_to_acknowledge_ = 0;
    bool acknowledged_anything_ = false;

    Csn upto_;                // the safe csn that is being read up to
    bool fenced_ = false;     // it was asked for
    bool all_fetched_ = true; // all up to it was fetched
    Csn shipped_;             // the csn of what was published last

    // Behind this chunk the next fetch starts. Nothing of the acknowledged transaction is wanted, so: its last.
    ChangeLog::After cursor_;
    int asked_bytes_ = 0;                  // by the last question for changes
    std::deque<ChangeLog::Batch> batches_; // the front one is being decoded
    std::size_t next_chunk_ = 0;           // of it

    std::unordered_map<std::int32_t, Shape> shapes_; // never moves what it holds
    std::unordered_map<const Shape *, bool> wanted_;
    std::optional<std::int32_t> missing_shape_;
    ChangeDecoder decoder_;

    std::int64_t now_us_ = 0; // wall clock of this turn
    TimePoint last_delivery_; // or the last time nothing was on its way
    TimePoint last_change_;
    TimePoint acknowledge_at_;
    TimePoint maintain_at_;
    TimePoint beat_at_;
    int final_maintains_ = 0;
    std::optional<TimePoint> stop_deadline_;
    std::exception_ptr stuck_; // at a change that cannot be read or sent

    TimePoint summary_at_;
    std::uint64_t changes_ = 0; // since the last summary, like the next
    std::uint64_t messages_ = 0;
};

// Tickets of delivered messages make the tracker's prefix grow. A failed message is an exception: the Flow ends.
void Pump::Flow::take_delivered() {
    const std::span<const Ticket> delivered = publisher_.take_delivered();
    for (const Ticket ticket : delivered) tracker_.delivered(ticket);

    const TimePoint now = waiter_.now();
    if (!delivered.empty() || tracker_.in_flight() == 0) last_delivery_ = now;
    const milliseconds patience =
        options_.once ? std::min(options_.delivery_timeout, options_.once_timeout) : options_.delivery_timeout;
    if (tracker_.in_flight() > 0 && now - last_delivery_ >= patience)
        throw KafkaError(0, false,
                         fmt::format("Kafka acknowledged none of {} messages on their way for {} s; check the brokers",
                                     tracker_.in_flight(), std::chrono::duration_cast<seconds>(patience).count()));
}

void Pump::Flow::take_answer() {
    if (std::optional<ChangeLog::Answer> answer = change_log_.take_answer())
        std::visit([this](auto &&one) { take(std::forward<decltype(one)>(one)); }, std::move(*answer));
}

void Pump::Flow::take(ChangeLog::Batch &&batch) {
    fenced_ = true;
    // Within one log csns only grow. Going on would skip what the new log has up to here.
    if (batch.upto < upto_)
        throw PgError("55006", true,
                      fmt::format("the log ends at csn {}, but was read or acknowledged up to {}: it was made anew, or "
                                  "restored",
                                  batch.upto, upto_));
    upto_ = batch.upto;
    // A batch stops at its limit, or at the end.
    all_fetched_ = batch.bytes < static_cast<std::size_t>(asked_bytes_);
    if (batch.chunks.empty()) return;
    cursor_ = {.csn = batch.chunks.back().csn, .chunk = batch.chunks.back().chunk};
    batches_.push_back(std::move(batch));
    last_change_ = waiter_.now();
}

void Pump::Flow::take(const ChangeLog::Acknowledged & /*answer*/) {
    acknowledged_ = asked_to_acknowledge_;
    acknowledged_anything_ = true;
    acknowledge_at_ = waiter_.now() + options_.acknowledge_interval;
}

void Pump::Flow::take(const ChangeLog::Maintained &answer) {
    if (answer.segments_emptied > 0) log_.debug("emptied segments of the log", {{"segments", answer.segments_emptied}});
    const TimePoint now = waiter_.now();
    maintain_at_ = now + (now - last_change_ < idle_after ? maintain_interval : idle_maintain_interval);
    if (drained()) ++final_maintains_;
}

void Pump::Flow::take(const ChangeLog::ShapeDefinition &answer) {
    if (answer.json.empty())
        throw DataError(fmt::format("shape {} is not in waybill_internal.shape, but the log refers to it after csn {}",
                                    *missing_shape_, acknowledged_));
    shapes_.emplace(*missing_shape_, parse_shape(*missing_shape_, answer.json));
    missing_shape_.reset();
}

// One connection, one question at a time, the most urgent first.
void Pump::Flow::ask() {
    if (change_log_.asked()) return;
    const TimePoint now = waiter_.now();
    const bool finishing = stopping() || (options_.once && shipped_ == upto_ && tracker_.window() == 0);
    if (missing_shape_ && !stopping()) {
        change_log_.ask_shape(*missing_shape_);
    } else if (owes_acknowledgement() && (finishing || now >= acknowledge_at_)) {
        asked_to_acknowledge_ = tracker_.acknowledgeable();
        change_log_.ask_acknowledge(asked_to_acknowledge_);
    } else if (stopping()) {
        return;
    } else if (options_.once && drained()) {
        if (final_maintains_ == 0) change_log_.ask_maintain(true);
    } else if (now >= maintain_at_) {
        change_log_.ask_maintain(now - last_change_ >= idle_after);
    } else if (!all_fetched_) {
        if (batches_.size() >= prefetched_batches) return;
        asked_bytes_ = options_.fetch_bytes;
        change_log_.ask_fetch(cursor_, upto_, asked_bytes_);
    } else if (batches_.empty() && !(options_.once && fenced_)) {
        // Not before all is shipped: the server may wait for long, and what comes up meanwhile, as a shape that we do
        // not know, would have to wait for it.
        asked_bytes_ = std::min(options_.fetch_bytes, next_bytes);
        change_log_.ask_next(cursor_, upto_, patience_ms(), asked_bytes_);
    }
}

// How long the server may wait for a change: while something is owed, not longer than until it is due.
int Pump::Flow::patience_ms() const {
    if (options_.once) return 0;
    if (tracker_.window() == 0 && !owes_acknowledgement()) return static_cast<int>(options_.idle_wait.count());
    const auto due = std::chrono::ceil<milliseconds>(acknowledge_at_ - waiter_.now());
    const milliseconds patience = due > milliseconds(0) ? due : options_.acknowledge_interval;
    return static_cast<int>(std::min(patience, options_.idle_wait).count());
}

// Publishes some changes of what was fetched. True when it could go on at once.
bool Pump::Flow::ship() {
    if (stopping() || missing_shape_) return false;
    now_us_ = waiter_.wall_clock_us();
    for (int shipped = 0; shipped < changes_per_turn; ++shipped) {
        if (!has_room()) return false;
        switch (decoder_.next()) {
        case ChangeDecoder::Step::change:
            publish(decoder_.change());
            if (stuck_) return false;
            break;
        case ChangeDecoder::Step::unknown_shape: missing_shape_ = decoder_.unknown_shape(); return false;
        case ChangeDecoder::Step::end_of_chunk:
            if (decoder_.between_transactions()) end_transaction();
            if (stuck_ || !feed()) return false;
            break;
        }
    }
    return true;
}

// Gives the decoder its next chunk, if one was fetched.
bool Pump::Flow::feed() {
    if (!batches_.empty() && next_chunk_ == batches_.front().chunks.size()) {
        batches_.pop_front();
        next_chunk_ = 0;
    }
    if (batches_.empty()) {
        if (!all_fetched_) return false;
        if (!decoder_.between_transactions())
            throw DataError(fmt::format("the log ends inside the transaction of csn {}", cursor_.csn));
        // Also when the last csns were drawn by transactions that did not commit.
        shipped_ = upto_;
        tracker_.end(shipped_);
        return false;
    }
    const Chunk &chunk = batches_.front().chunks[next_chunk_++];
    decoder_.feed(chunk);
    shipped_ = chunk.csn;
    return true;
}

void Pump::Flow::end_transaction() {
    make_messages([&] { format_->end_transaction(*this); });
    if (!stuck_) tracker_.end(shipped_);
}

// A heartbeat may come in the middle of a transaction; between two it has nothing to wait for.
void Pump::Flow::beat() {
    const TimePoint now = waiter_.now();
    if (!may_beat() || now < beat_at_) return;
    make_messages([&] { format_->heartbeat(waiter_.wall_clock_us(), *this); });
    if (!stuck_ && decoder_.between_transactions()) tracker_.end(shipped_);
    beat_at_ = now + options_.heartbeat_interval;
}

void Pump::Flow::publish(const Change &change) {
    if (!is_wanted(*change.shape)) return;
    make_messages([&] {
        format_->encode(change, now_us_, *this);
        ++changes_;
    });
}

// What cannot be made or sent, whenever it is tried again, ends the Flow; but first what was sent before it is to be
// acknowledged.
template <typename Make>
void Pump::Flow::make_messages(const Make &make) {
    try {
        make();
    } catch (const DataError &error) { // which says where
        stuck_ = std::make_exception_ptr(DataError(fmt::format("could not encode the change at {}", error.what())));
    } catch (const ConfigError &) { // the settings do not fit a table that is new, or as it was then
        stuck_ = std::current_exception();
    } catch (const KafkaError &error) {
        if (!error.fatal) throw;
        stuck_ = std::current_exception();
    }
}

void Pump::Flow::message(const Message &message) {
    std::size_t bytes =
        message_overhead_bytes + (message.key ? message.key->size() : 0) + (message.value ? message.value->size() : 0);
    for (const Header &header : message.headers) bytes += header.name.size() + header.value.size();
    publisher_.publish(message, tracker_.next());
    tracker_.add(bytes);
    ++messages_;
}

void Pump::Flow::wait(bool more) {
    const TimePoint now = waiter_.now();
    TimePoint until = more ? now : now + seconds(1);
    if (!change_log_.asked() && owes_acknowledgement()) until = std::min(until, acknowledge_at_);
    if (may_beat()) until = std::min(until, beat_at_);
    if (stop_deadline_) until = std::min(until, *stop_deadline_);
    constexpr pollfd nothing{.fd = -1, .events = 0, .revents = 0};
    std::array fds{nothing, nothing};
    if (change_log_.asked()) fds[0] = change_log_.readable();
    // Delivery reports come in small portions. They can wait for the server's answer, which does not take longer than
    // acknowledging may, unless something waits for them.
    if (!change_log_.asked() || !has_room() || options_.once || stopping()) fds[1] = publisher_.wakeup();
    waiter_.wait(fds, until);
    summarize();
}

bool Pump::Flow::done() {
    if (!stopping()) return options_.once && drained() && !change_log_.asked() && final_maintains_ > 0;
    if (!stop_deadline_) stop_deadline_ = waiter_.now() + options_.shutdown_timeout;
    if (tracker_.in_flight() == 0 && !owes_acknowledgement() && !change_log_.asked()) return true;
    if (waiter_.now() < *stop_deadline_) return false;
    log_.warning("could not finish in time: messages without an answer from Kafka will be sent again",
                 {{"messages", tracker_.in_flight()}});
    return true;
}

const Shape *Pump::Flow::find_shape(std::int32_t id) const {
    const auto found = shapes_.find(id);
    return found == shapes_.end() ? nullptr : &found->second;
}

bool Pump::Flow::is_wanted(const Shape &shape) {
    if (!tables_) return true;
    const auto [entry, is_new] = wanted_.try_emplace(&shape, false);
    if (is_new)
        entry->second = std::find(tables_->begin(), tables_->end(), shape.schema + '.' + shape.table) != tables_->end();
    return entry->second;
}

void Pump::Flow::summarize() {
    const TimePoint now = waiter_.now();
    if (now < summary_at_) return;
    if (changes_ > 0)
        log_.info("shipped", {{"changes", changes_},
                              {"messages", messages_},
                              {"acknowledged_csn", acknowledged_},
                              {"in_flight", tracker_.in_flight()}});
    changes_ = messages_ = 0;
    summary_at_ = now + summary_interval;
}

// Retries what may pass, forever or (once) for a while; all else is for the caller.
void Pump::run() {
    while (!waiter_.stop_requested()) {
        std::string reason;
        const TimePoint started = waiter_.now();
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
            return flow(progressed);
        } catch (const Stopped &) {
            return;
        } catch (const PgError &error) {
            if (!is_transient(error) || give_up()) throw;
            reason = error.what();
        } catch (const KafkaError &error) {
            if (error.fatal || give_up()) throw;
            reason = error.what();
        }
        const milliseconds pause = backoff_.next();
        log_.warning("{}; trying again in {} ms", reason, pause.count());
        for (const TimePoint until = waiter_.now() + pause; waiter_.now() < until && !waiter_.stop_requested();)
            waiter_.wait({}, until);
    }
}

// Connects both sides, becomes the stream's shipper, and ships.
void Pump::flow(bool &progressed) {
    struct Disconnect {
        Pump &pump;
        // First what is on its way to Kafka: once the lock is gone, another shipper may send.
        ~Disconnect() {
            pump.publisher_.discard();
            pump.change_log_.close();
        }
    } const disconnect{*this};

    const Stream opened = change_log_.open();
    lock(opened);
    // A standby may have waited for days, while the extension or the stream was made anew.
    const Stream stream = change_log_.find_stream();
    if (stream.id != opened.id)
        throw PgError("55006", true,
                      fmt::format("stream \"{}\" was made anew before it could be shipped", stream.name));
    // Settings that do not fit a table are to be told now, not when its first change comes. Not by the format that is
    // going to be used: these shapes are not the log's.
    const std::unique_ptr<Format> trial = make_format_(stream.source);
    for (const Shape &table : change_log_.captured_tables()) static_cast<void>(trial->topic(table));

    const Csn acknowledged = change_log_.acknowledged();
    publisher_.open();
    log_.info("shipping",
              {{"stream", stream.name}, {"database", stream.source.database}, {"acknowledged_csn", acknowledged}});
    Flow one(*this, stream, acknowledged);
    try {
        one.run();
    } catch (...) {
        progressed = one.acknowledged_anything();
        throw;
    }
}

void Pump::lock(const Stream &stream) {
    if (change_log_.try_lock()) return;
    if (options_.once)
        throw PgError("55006", false,
                      fmt::format("stream \"{}\" is being shipped by another process; stop it, or ship another stream",
                                  stream.name));
    log_.info("another process ships the stream: waiting to take over", {{"stream", stream.name}});
    do waiter_.wait_or_stop({}, waiter_.now() + standby_interval);
    while (!change_log_.try_lock());
    log_.info("took over", {{"stream", stream.name}});
}

} // namespace waybill
