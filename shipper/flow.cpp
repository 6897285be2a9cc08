// Messages on their way are counted by AckTracker, what is asked of the log by ask(): one question at a time. The rest
// is a loop that looks at both, and sleeps when neither has anything to say.
#include "flow.hpp"

#include "errors.hpp"
#include "shape_parser.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
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
constexpr seconds settle_timeout{5};
constexpr seconds proven_after{10}; // a delivery is no fluke any more

} // namespace

Flow::Flow(const PumpOptions &options, ChangeLog &change_log, Publisher &publisher, std::unique_ptr<Format> format,
           Waiter &waiter, Log &log, Outage &outage, Csn acknowledged)
    : options_(options), change_log_(change_log), publisher_(publisher), waiter_(waiter), log_(log), outage_(outage),
      format_(std::move(format)), tracker_(acknowledged), acknowledged_(acknowledged), upto_(acknowledged),
      shipped_(acknowledged), cursor_{.csn = acknowledged, .chunk = std::numeric_limits<std::int32_t>::max()},
      decoder_([this](std::int32_t id) { return find_shape(id); }, acknowledged) {
    began_ = last_delivery_ = last_change_ = acknowledge_at_ = beat_at_ = waiter_.now();
    maintain_at_ = summary_at_ = waiter_.now() + maintain_interval;
    publisher_.set_meanwhile([this] {
        if (is_stall_due()) report_stall({});
    });
}

Flow::~Flow() {
    publisher_.set_meanwhile({});
}

void Flow::run() {
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
    summarize();
    // Only now: what was sent before a change that cannot be sent is not to be sent again at each start.
    if (stuck_) std::rethrow_exception(stuck_);
}

// True when the next one could follow at once.
bool Flow::turn() {
    take_delivered();
    take_answer();
    ask(); // before shipping: the server works meanwhile
    const bool more = ship();
    beat();
    ask();
    return more;
}

// Tickets of delivered messages make the tracker's prefix grow. A failed message is an exception: the Flow ends.
void Flow::take_delivered() {
    const std::size_t delivered = count_delivered();
    const TimePoint now = waiter_.now();
    if (delivered > 0 && now - began_ >= proven_after) outage_.over();
    if (delivered > 0 || tracker_.in_flight() == 0) last_delivery_ = now;
    const milliseconds patience =
        options_.once ? std::min(options_.delivery_timeout, options_.once_timeout) : options_.delivery_timeout;
    if (tracker_.in_flight() > 0 && now - last_delivery_ >= patience)
        throw KafkaError(0, false,
                         fmt::format("Kafka acknowledged none of {} messages on their way for {} s; check the brokers",
                                     tracker_.in_flight(), std::chrono::duration_cast<seconds>(patience).count()));
}

std::size_t Flow::count_delivered() {
    const std::span<const Ticket> delivered = publisher_.take_delivered();
    for (const Ticket ticket : delivered) tracker_.delivered(ticket);
    messages_ += delivered.size();
    return delivered.size();
}

void Flow::settle() noexcept {
    try {
        acknowledge_delivered();
    } catch (const std::exception &) {
        // The next try begins where the database says.
    }
    summarize();
}

void Flow::acknowledge_delivered() {
    try {
        while (count_delivered() > 0) {
        }
    } catch (const KafkaError &) {
        // The failure that is known, or what comes of it.
    }
    for (const TimePoint deadline = waiter_.now() + settle_timeout; waiter_.now() < deadline;) {
        if (change_log_.asked()) {
            const std::optional<ChangeLog::Answer> answer = change_log_.take_answer();
            if (!answer) {
                pollfd fd = change_log_.readable();
                waiter_.wait({&fd, 1}, deadline);
            } else if (std::holds_alternative<ChangeLog::Acknowledged>(*answer)) {
                note_acknowledged();
            }
        } else if (owes_acknowledgement()) {
            ask_acknowledge();
        } else {
            return;
        }
    }
}

void Flow::take_answer() {
    if (std::optional<ChangeLog::Answer> answer = change_log_.take_answer())
        std::visit([this](auto &&one) { take(std::forward<decltype(one)>(one)); }, std::move(*answer));
}

void Flow::take(ChangeLog::Batch &&batch) {
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
    if (drained()) outage_.over();
    if (batch.chunks.empty()) return;
    cursor_ = {.csn = batch.chunks.back().csn, .chunk = batch.chunks.back().chunk};
    batches_.push_back(std::move(batch));
    last_change_ = waiter_.now();
}

void Flow::take(const ChangeLog::Acknowledged & /*answer*/) {
    note_acknowledged();
    outage_.over();
}

void Flow::note_acknowledged() {
    acknowledged_ = asked_to_acknowledge_;
    acknowledged_anything_ = true;
    acknowledge_at_ = waiter_.now() + options_.acknowledge_interval;
}

void Flow::take(const ChangeLog::Maintained &answer) {
    if (answer.segments_emptied > 0) log_.debug("emptied segments of the log", {{"segments", answer.segments_emptied}});
    const TimePoint now = waiter_.now();
    maintain_at_ = now + (now - last_change_ < idle_after ? maintain_interval : idle_maintain_interval);
    if (drained()) ++final_maintains_;
}

void Flow::take(const ChangeLog::ShapeDefinition &answer) {
    if (answer.json.empty())
        throw DataError(fmt::format("shape {} is not in waybill_internal.shape, but the log refers to it after csn {}",
                                    *missing_shape_, acknowledged_));
    const auto [shape, is_new] = shapes_.emplace(*missing_shape_, parse_shape(*missing_shape_, answer.json));
    if (!answer.is_in_stream) unwanted_.insert(&shape->second);
    missing_shape_.reset();
}

void Flow::take(const ChangeLog::Backlog &answer) {
    if (is_stall_due()) report_stall(answer);
}

// Whether it is time to say that messages are on their way and none arrives.
bool Flow::is_stall_due() const {
    return tracker_.in_flight() > 0 && waiter_.now() - last_delivery_ >= options_.stall_notice &&
           outage_.due(Outage::Side::kafka);
}

void Flow::report_stall(const ChangeLog::Backlog &backlog) {
    const std::string trouble = publisher_.trouble();
    outage_.report(Outage::Side::kafka, last_delivery_,
                   fmt::format("Kafka acknowledges none of {} messages that are on their way{}{}", tracker_.in_flight(),
                               trouble.empty() ? "" : ": ", trouble),
                   backlog);
}

// One connection, one question at a time, the most urgent first.
void Flow::ask() {
    if (change_log_.asked()) return;
    const TimePoint now = waiter_.now();
    const bool finishing = stopping() || (options_.once && shipped_ == upto_ && tracker_.window() == 0);
    if (missing_shape_ && !stopping()) {
        change_log_.ask_shape(*missing_shape_);
    } else if (owes_acknowledgement() && (finishing || now >= acknowledge_at_)) {
        ask_acknowledge();
    } else if (stopping()) {
        return;
    } else if (is_stall_due()) {
        change_log_.ask_backlog();
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

void Flow::ask_acknowledge() {
    asked_to_acknowledge_ = tracker_.acknowledgeable();
    change_log_.ask_acknowledge(asked_to_acknowledge_);
}

// How long the server may wait for a change: while something is owed, not longer than until it is due.
int Flow::patience_ms() const {
    if (options_.once) return 0;
    if (tracker_.window() == 0 && !owes_acknowledgement()) return static_cast<int>(options_.idle_wait.count());
    const auto due = std::chrono::ceil<milliseconds>(acknowledge_at_ - waiter_.now());
    const milliseconds patience = due > milliseconds(0) ? due : options_.acknowledge_interval;
    return static_cast<int>(std::min(patience, options_.idle_wait).count());
}

// Publishes some changes of what was fetched. True when it could go on at once.
bool Flow::ship() {
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
bool Flow::feed() {
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
        tracker_.end(shipped_, changes_);
        return false;
    }
    const Chunk &chunk = batches_.front().chunks[next_chunk_++];
    decoder_.feed(chunk);
    shipped_ = chunk.csn;
    return true;
}

void Flow::end_transaction() {
    make_messages([&] { format_->end_transaction(*this); });
    if (!stuck_) tracker_.end(shipped_, changes_);
}

// A heartbeat may come in the middle of a transaction; between two it has nothing to wait for.
void Flow::beat() {
    const TimePoint now = waiter_.now();
    if (!may_beat() || now < beat_at_) return;
    make_messages([&] { format_->heartbeat(waiter_.wall_clock_us(), *this); });
    if (!stuck_ && decoder_.between_transactions()) tracker_.end(shipped_, changes_);
    beat_at_ = now + options_.heartbeat_interval;
}

void Flow::publish(const Change &change) {
    if (unwanted_.contains(change.shape)) return;
    make_messages([&] {
        if (!change.shape->error.empty()) return refuse_unreadable(change);
        format_->encode(change, now_us_, *this);
        ++changes_;
    });
}

// A table that is not published needs no shape that reads.
void Flow::refuse_unreadable(const Change &change) {
    try {
        if (format_->topic(*change.shape).empty()) return;
    } catch (const ConfigError &) {
        // The settings name columns, which are not known.
    }
    throw DataError(
        fmt::format("csn {}, index {}: {}", change.position.csn, change.position.index, change.shape->error));
}

// What cannot be made or sent, whenever it is tried again, ends the Flow; but first what was sent before it is to be
// acknowledged.
template <typename Make>
void Flow::make_messages(const Make &make) {
    try {
        make();
    } catch (const DataError &error) { // which says where
        stuck_ = std::make_exception_ptr(DataError(fmt::format("could not encode the change at {}", error.what())));
    } catch (const MessageTooLarge &large) {
        stuck_ = std::make_exception_ptr(publisher_.too_large(large.topic, large.position));
    } catch (const ConfigError &) { // the settings do not fit a table that is new, or as it was then
        stuck_ = std::current_exception();
    } catch (const KafkaError &error) {
        if (!error.fatal) throw;
        stuck_ = std::current_exception();
    }
}

void Flow::message(const Message &message) {
    std::size_t bytes =
        message_overhead_bytes + (message.key ? message.key->size() : 0) + (message.value ? message.value->size() : 0);
    for (const Header &header : message.headers) bytes += header.name.size() + header.value.size();
    publisher_.publish(message, tracker_.next());
    tracker_.add(bytes);
}

void Flow::wait(bool more) {
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
    if (waiter_.now() >= summary_at_) summarize();
}

bool Flow::done() {
    if (!stopping()) return options_.once && drained() && !change_log_.asked() && final_maintains_ > 0;
    if (!stop_deadline_) stop_deadline_ = waiter_.now() + options_.shutdown_timeout;
    if (tracker_.in_flight() == 0 && !owes_acknowledgement() && !change_log_.asked()) return true;
    if (waiter_.now() < *stop_deadline_) return false;
    log_.warning("could not finish in time: messages without an answer from Kafka will be sent again",
                 {{"messages", tracker_.in_flight()}});
    return true;
}

const Shape *Flow::find_shape(std::int32_t id) const {
    const auto found = shapes_.find(id);
    return found == shapes_.end() ? nullptr : &found->second;
}

// What reached Kafka since the last time; changes count once their transaction has whole.
void Flow::summarize() {
    const std::uint64_t changes = tracker_.delivered_changes() - summarized_changes_;
    if (changes > 0 || messages_ > 0)
        log_.info("shipped", {{"changes", changes},
                              {"messages", messages_},
                              {"acknowledged_csn", acknowledged_},
                              {"in_flight", tracker_.in_flight()}});
    summarized_changes_ += changes;
    messages_ = 0;
    summary_at_ = waiter_.now() + summary_interval;
}

} // namespace waybill
