// The pump against a change log and a Kafka that lose, delay, reorder and fail, in a time that only waits move.
#include "pump.hpp"

#include "../extension/change_record.hpp"
#include "errors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace waybill {
namespace {

using std::chrono::milliseconds;

class FakeWaiter final : public Waiter {
public:
    [[nodiscard]] TimePoint now() const override { return now_; }
    [[nodiscard]] std::int64_t wall_clock_us() const override { return 0; }
    void wait(std::span<pollfd> fds, TimePoint until) override {
        for (pollfd &fd : fds) fd.revents = 0;
        now_ = std::clamp(until, now_, now_ + milliseconds(1));
        if (++waits > max_waits) throw std::logic_error("the pump does not come to an end");
    }
    [[nodiscard]] bool stop_requested() const override { return waits >= stop_after; }

    int waits = 0;
    int max_waits = 1'000'000;
    int stop_after = std::numeric_limits<int>::max();

private:
    TimePoint now_{std::chrono::hours(1)};
};

constexpr std::int64_t heartbeat_number = -1; // in the place of a change's number

// What the broker holds: positions in the order of arrival, as numbers of changes.
struct Broker {
    std::vector<std::int64_t> changes;

    [[nodiscard]] bool holds_all_up_to(std::int64_t last) const {
        std::vector<bool> seen(static_cast<std::size_t>(last) + 1);
        for (const std::int64_t change : changes)
            if (change <= last) seen[static_cast<std::size_t>(change)] = true;
        return std::find(seen.begin(), seen.end(), false) == seen.end();
    }
};

// Transactions of some inserts each; the inserted numbers count all changes from 0.
class FakeLog final : public ChangeLog {
public:
    explicit FakeLog(const Broker &broker) : broker_(broker) {}

    // Appends a transaction; the csn may leave numbers out, as transactions that failed do.
    void commit(int changes, Csn csns_lost = 0) {
        last_csn_ += 1 + csns_lost;
        std::string stream;
        std::vector<std::size_t> starts;
        for (int i = 0; i < changes; ++i) {
            starts.push_back(stream.size());
            const std::int64_t number = next_change_++;
            std::string body = "I";
            body += varint(0) + varint(1) + varint(record::value_header(8, record::Encoding::binary));
            for (int shift = 56; shift >= 0; shift -= 8) body += static_cast<char>(number >> shift);
            stream += varint(body.size()) + body;
        }
        const auto pieces = static_cast<std::int32_t>((stream.size() + chunk_bytes - 1) / chunk_bytes);
        for (std::int32_t i = 0; i < pieces; ++i) {
            const std::size_t begin = static_cast<std::size_t>(i) * chunk_bytes;
            payloads_.push_back(stream.substr(begin, chunk_bytes));
            const auto in_piece = std::count_if(starts.begin(), starts.end(), [&](std::size_t start) {
                return start >= begin && start < begin + chunk_bytes;
            });
            chunks_.push_back({.csn = last_csn_,
                               .chunk = i,
                               .chunks = pieces,
                               .changes = static_cast<std::int32_t>(in_piece),
                               .timeline = 1,
                               .xid = 7,
                               .committed_at_us = 0,
                               .payload = payloads_.back()});
        }
        last_change_of_.emplace_back(last_csn_, next_change_ - 1);
    }
    // Makes the first record of a chunk one of no known kind.
    void damage(std::size_t chunk) { payloads_[chunk][1] = '?'; }
    void lose_csns(Csn count) { last_csn_ += count; }

    Stream open() override {
        ++opened;
        if (open_error && opened <= open_fails) throw *open_error;
        return find_stream();
    }
    [[nodiscard]] Stream find_stream() override {
        return {.id = 1, .name = "default", .source = {.id = source, .database = "shop"}};
    }
    [[nodiscard]] bool try_lock() override {
        if (++lock_attempts <= locked_for) return false;
        source = source_when_locked;
        return true;
    }
    [[nodiscard]] Csn acknowledged() override { return acknowledged_csn; }
    [[nodiscard]] std::vector<Shape> captured_tables() override { return {}; }
    void ask_fetch(After after, Csn upto, int max_bytes) override {
        EXPECT_LE(upto, last_csn_);
        ask(batch(after, upto, max_bytes));
    }
    void ask_next(After after, Csn /*beyond*/, int wait_ms, int max_bytes) override {
        longest_wait_ms = std::max(longest_wait_ms, wait_ms);
        ++fences;
        Batch next = batch(after, last_csn_, max_bytes);
        const bool empty = next.chunks.empty();
        ask(std::move(next));
        if (empty && waiter != nullptr) delay_ = wait_ms;
    }
    void ask_acknowledge(Csn csn) override {
        EXPECT_LE(csn, last_csn_);
        EXPECT_GE(csn, acknowledged_csn) << "an acknowledgement went backwards";
        std::int64_t last_change = -1;
        for (const auto &[of, last] : last_change_of_)
            if (of <= csn) last_change = last;
        EXPECT_TRUE(publishes_nothing || broker_.holds_all_up_to(last_change))
            << "acknowledged csn " << csn << " past a gap";
        acknowledged_csn = csn;
        ++acknowledgements;
        if (waiter != nullptr) acknowledged_at_ms = waiter->waits;
        ask(Acknowledged{});
    }
    void ask_maintain(bool idle) override {
        idle_maintains += idle ? 1 : 0;
        ++maintains;
        ask(Maintained{0});
    }
    void ask_shape(std::int32_t id) override {
        ++shapes_asked;
        EXPECT_EQ(id, 1);
        ask(ShapeDefinition{.json = shape, .is_in_stream = is_in_stream});
    }
    void ask_backlog() override {
        ++backlogs_asked;
        ask(Backlog{.changes = backlog, .oldest_age_s = 5});
    }
    [[nodiscard]] bool asked() const override { return answer_.has_value(); }
    [[nodiscard]] std::optional<Answer> take_answer() override {
        if (!answer_) return std::nullopt;
        if (fails_in > 0 && --fails_in == 0) {
            if (fails_again) fails_in = 1;
            throw answer_error;
        }
        if (delay_ > 0) {
            --delay_;
            return std::nullopt;
        }
        if (silent_from_answer > 0 && --silent_from_answer == 0) delay_ = std::numeric_limits<int>::max();
        if (delay_ > 0) return std::nullopt;
        return std::exchange(answer_, std::nullopt);
    }
    [[nodiscard]] pollfd readable() const override { return {.fd = -1, .events = 0, .revents = 0}; }
    void close() noexcept override { answer_.reset(); }

    [[nodiscard]] std::int64_t changes() const { return next_change_; }
    [[nodiscard]] Csn csn_of_chunk(std::size_t chunk) const { return chunks_[chunk].csn; }
    // Of the last transaction all of whose changes are before that one.
    [[nodiscard]] Csn csn_before(std::int64_t change) const {
        Csn before = 0;
        for (const auto &[csn, last] : last_change_of_)
            if (last < change) before = csn;
        return before;
    }
    [[nodiscard]] Csn last_csn() const { return last_csn_; }

    std::size_t chunk_bytes = 50; // cuts records, which have 13 bytes, at all places
    Csn acknowledged_csn = 0;
    std::optional<PgError> open_error;
    int open_fails = std::numeric_limits<int>::max(); // so often
    bool is_in_stream = true;
    bool publishes_nothing = false; // and acknowledges it: the fake log does not look for it in the broker
    std::string shape = R"({"relation":1,"schema":"public","table":"t","key":["id"],"columns":[{"name":"id",
        "type_name":"bigint","type":20,"typmod":-1,"element":0,"kind":"b","not_null":true}]})";
    int fails_in = 0; // answers
    PgError answer_error{"57P01", true, "the fake server went away"};
    bool fails_again = false;           // and again, with the next answer
    int silent_from_answer = 0;         // that one does not come
    int slowness = 0;                   // an answer comes after up to so many looks
    const FakeWaiter *waiter = nullptr; // when there is one, the server waits as long as it may for what does not come
    int acknowledged_at_ms = -1;
    int locked_for = 0;
    std::string source = "source";
    std::string source_when_locked = "source"; // as if the extension was made anew meanwhile
    int opened = 0;
    int lock_attempts = 0;
    int fences = 0;
    int fetches = 0; // with what comes with a fence
    int acknowledgements = 0;
    int maintains = 0;
    int idle_maintains = 0;
    int shapes_asked = 0;
    int backlogs_asked = 0;
    std::int64_t backlog = 17;
    int longest_wait_ms = 0;

private:
    static std::string varint(std::uint64_t value) {
        std::array<char, record::max_varint_size> bytes{};
        return {bytes.data(), record::put_varint(bytes.data(), value)};
    }
    [[nodiscard]] Batch batch(After after, Csn upto, int max_bytes) {
        ++fetches;
        Batch batch;
        batch.upto = upto;
        for (const Chunk &chunk : chunks_) {
            if (std::pair(chunk.csn, chunk.chunk) <= std::pair(after.csn, after.chunk) || chunk.csn > upto) continue;
            batch.chunks.push_back(chunk);
            batch.bytes += chunk.payload.size();
            if (batch.bytes >= static_cast<std::size_t>(max_bytes)) break;
        }
        return batch;
    }
    void ask(Answer answer) {
        EXPECT_FALSE(asked()) << "asked before the answer was taken";
        answer_.emplace(std::move(answer));
        delay_ = slowness > 0 ? static_cast<int>(random_() % static_cast<unsigned>(slowness)) : 0;
    }

    const Broker &broker_;
    std::deque<std::string> payloads_;
    std::vector<Chunk> chunks_;
    std::vector<std::pair<Csn, std::int64_t>> last_change_of_;
    Csn last_csn_ = 0;
    std::int64_t next_change_ = 0;
    std::optional<Answer> answer_;
    int delay_ = 0;
    std::mt19937 random_{2};
};

// Appends to the broker in order, reports in any order and late, and fails on demand: then the messages behind the
// failed one are lost, and so are reports of messages that did arrive.
class FakePublisher final : public Publisher {
public:
    explicit FakePublisher(Broker &broker) : broker_(broker) {}

    void open() override {
        ++opened;
        if (open_error && opened <= open_fails) throw *open_error;
    }
    void publish(const Message &message, Ticket ticket) override {
        EXPECT_EQ(ticket, next_ticket_++) << "tickets are not in the order of publication";
        const std::int64_t change = std::stoll(std::string(*message.key));
        if (change >= 0 && change == stops_at_change) {
            stopped_ = true;
            while (!unsent_.empty()) send_one();
            throw Stopped{};
        }
        if (waits_at_change >= 0 && change == waits_at_change)
            for (int i = 0; i < 8000; ++i) {
                waiter->wait({}, waiter->now() + milliseconds(1));
                meanwhile();
            }
        unsent_.emplace_back(ticket, change);
        most_in_flight = std::max(most_in_flight, unsent_.size() + unreported_.size());
    }
    [[nodiscard]] std::span<const Ticket> take_delivered() override {
        taken_.clear();
        if (failed_) throw KafkaError(7, fail_fatally, "the fake broker failed");
        if (dead || --dead_looks >= 0) return taken_;
        if (stopped_) { // all that is known
            taken_.swap(unreported_);
            return taken_;
        }
        for (std::size_t n = random_() % 40; n > 0 && !unsent_.empty(); --n) {
            const std::int64_t change = unsent_.front().second;
            if (change >= 0 && (change == fail_at_change || change == always_fail_at_change)) {
                // Whatever was delivered is told before.
                if (unreported_.empty()) {
                    fail_at_change = -1;
                    failed_ = true;
                    throw KafkaError(7, fail_fatally, "the fake broker failed");
                }
                break;
            }
            send_one();
        }
        std::shuffle(unreported_.begin(), unreported_.end(), random_);
        for (std::size_t n = random_() % 40; n > 0 && !unreported_.empty(); --n) {
            taken_.push_back(unreported_.back());
            unreported_.pop_back();
        }
        return taken_;
    }
    [[nodiscard]] std::size_t max_message_size() const override { return 1'000'000; }
    [[nodiscard]] KafkaError too_large(const std::string &topic, const std::string &position) const override {
        return {10, true, topic + " " + position + " too large"};
    }
    void discard() noexcept override {
        unsent_.clear();
        unreported_.clear();
        failed_ = stopped_ = false;
        next_ticket_ = 0;
    }
    [[nodiscard]] std::string trouble() const override { return dead || dead_looks > 0 ? "Connection refused" : ""; }
    [[nodiscard]] pollfd wakeup() const override { return {.fd = -1, .events = 0, .revents = 0}; }

    std::optional<KafkaError> open_error;
    int open_fails = std::numeric_limits<int>::max(); // so often
    std::int64_t fail_at_change = -1;
    std::int64_t always_fail_at_change = -1;
    std::int64_t waits_at_change = -1; // for eight seconds, until there is room
    FakeWaiter *waiter = nullptr;
    std::int64_t stops_at_change = -1; // as if asked to end while it waited for room
    bool fail_fatally = false;
    bool dead = false;  // takes messages and never delivers
    int dead_looks = 0; // the same for so many looks
    int opened = 0;
    std::size_t most_in_flight = 0;

private:
    void send_one() {
        if (unsent_.front().second != heartbeat_number) broker_.changes.push_back(unsent_.front().second);
        unreported_.push_back(unsent_.front().first);
        unsent_.pop_front();
    }

    Broker &broker_;
    bool failed_ = false;
    bool stopped_ = false;
    Ticket next_ticket_ = 0;
    std::deque<std::pair<Ticket, std::int64_t>> unsent_;
    std::vector<Ticket> unreported_;
    std::vector<Ticket> taken_;
    std::mt19937 random_{3};
};

// One message a change: its key is the change's number. It may come with the next one or the end of the transaction.
class FakeFormat final : public Format {
public:
    FakeFormat(int silent_every, std::int64_t poison, bool poison_is_in_settings, bool holds_back, int &heartbeats)
        : silent_every_(silent_every), poison_(poison), poison_is_in_settings_(poison_is_in_settings),
          holds_back_(holds_back), heartbeats_(heartbeats) {}

    [[nodiscard]] std::string_view topic(const Shape & /*shape*/) override { return "t"; }
    void encode(const Change &change, std::int64_t /*now_us*/, MessageSink &sink) override {
        std::int64_t number = 0;
        for (const char byte : change.after[0].bytes) number = number << 8 | static_cast<unsigned char>(byte);
        if (number == poison_ && poison_is_in_settings_) throw ConfigError("poison");
        if (number == poison_) throw DataError("poison");
        if (silent_every_ > 0 && number % silent_every_ == 0) return;
        end_transaction(sink); // what is held back
        held_ = std::to_string(number);
        if (!holds_back_) end_transaction(sink);
    }
    void end_transaction(MessageSink &sink) override {
        if (held_) sink.message({.topic = "t", .partition = 0, .key = *held_, .value = "v", .headers = {}});
        held_.reset();
    }
    void heartbeat(std::int64_t /*now_us*/, MessageSink &sink) override {
        ++heartbeats_;
        const std::string key = std::to_string(heartbeat_number);
        sink.message({.topic = "h", .partition = 0, .key = key, .value = "v", .headers = {}});
    }
    void try_settings(const Shape & /*shape*/) const override {}
    [[nodiscard]] std::vector<IdleRule> idle_rules(std::span<const Shape> /*tables*/) const override { return {}; }
    [[nodiscard]] std::vector<std::string_view> other_topics() const override { return {}; }

private:
    int silent_every_;
    std::int64_t poison_;
    bool poison_is_in_settings_;
    bool holds_back_;
    int &heartbeats_;
    std::optional<std::string> held_;
};

class PumpTest : public testing::Test {
protected:
    void run(bool once = true) {
        options_.once = once;
        Log log(log_level_, LogFormat::text);
        Pump(
            change_log_, publisher_,
            [this](const Source &source) {
                shipped_source_ = source.id;
                return std::make_unique<FakeFormat>(silent_every_, poison_, poison_is_in_settings_, holds_back_,
                                                    heartbeats_);
            },
            waiter_, log, options_)
            .run();
    }

    // The lines that a run writes, without their times, but for those that have none of the words.
    std::vector<std::string> log_of_run(bool once, const std::string &words) {
        log_level_ = LogLevel::info;
        testing::internal::CaptureStderr();
        run(once);
        std::istringstream text(testing::internal::GetCapturedStderr());
        std::vector<std::string> lines;
        for (std::string line; std::getline(text, line);) {
            line.erase(0, line.find("] ") + 2);
            if (std::regex_search(line, std::regex(words))) lines.push_back(line);
        }
        return lines;
    }

    void commit_many(int transactions) {
        for (int i = 0; i < transactions; ++i) change_log_.commit(1 + i % 7, i % 3);
    }

    // All is there, and what follows a change is the next one or a replay of earlier ones.
    void expect_complete_in_order() const {
        EXPECT_TRUE(broker_.holds_all_up_to(change_log_.changes() - 1));
        std::int64_t furthest = -1;
        std::int64_t previous = -1;
        for (const std::int64_t change : broker_.changes) {
            EXPECT_LE(change, furthest + 1) << "a change was skipped";
            EXPECT_TRUE(change == previous + 1 || change <= previous) << "a replay left something out";
            furthest = std::max(furthest, change);
            previous = change;
        }
    }

    FakeWaiter waiter_;
    Broker broker_;
    FakeLog change_log_{broker_};
    FakePublisher publisher_{broker_};
    LogLevel log_level_ = LogLevel::off;
    PumpOptions options_;
    int silent_every_ = 0;
    std::int64_t poison_ = -1; // a change that cannot be encoded
    bool poison_is_in_settings_ = false;
    bool holds_back_ = false; // the format a message until the next
    int heartbeats_ = 0;
    std::string shipped_source_;
};

TEST_F(PumpTest, AcknowledgesWhatWasSentBeforeAChangeThatCannotBe) {
    commit_many(300);
    poison_ = 700;
    EXPECT_THROW(run(), DataError);
    EXPECT_EQ(broker_.changes.size(), 700U);
    EXPECT_TRUE(broker_.holds_all_up_to(699));
    const Csn first = change_log_.acknowledged_csn;
    EXPECT_GT(first, 0);
    EXPECT_THROW(run(), DataError);
    EXPECT_EQ(change_log_.acknowledged_csn, first);
    EXPECT_LT(broker_.changes.size(), 710U) << "what was acknowledged was sent again";
}

TEST_F(PumpTest, AcknowledgesWhatWasSentBeforeAChangeThatTheSettingsDoNotFit) {
    commit_many(300);
    poison_ = 700;
    poison_is_in_settings_ = true;
    EXPECT_THROW(run(), ConfigError);
    EXPECT_EQ(broker_.changes.size(), 700U);
    EXPECT_GT(change_log_.acknowledged_csn, 0);
    EXPECT_THROW(run(), ConfigError);
    EXPECT_LT(broker_.changes.size(), 710U) << "what was acknowledged was sent again";
}

TEST_F(PumpTest, AcknowledgesWhatWasSentBeforeAChangeThatCannotBeRead) {
    change_log_.chunk_bytes = 1 << 20; // a transaction is a chunk
    commit_many(300);
    change_log_.damage(200);
    EXPECT_THROW(run(), DataError);
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.csn_of_chunk(199));
    const std::size_t sent = broker_.changes.size();
    EXPECT_THROW(run(), DataError);
    EXPECT_EQ(broker_.changes.size(), sent) << "what was acknowledged was sent again";
}

TEST_F(PumpTest, ShipsUnderTheSourceThatIsThereOnceItHasTheLock) {
    change_log_.commit(1);
    change_log_.source_when_locked = "made anew";
    run();
    EXPECT_EQ(shipped_source_, "made anew");
}

TEST_F(PumpTest, DoesNotGoOnInALogThatEndsBeforeWhatWasAcknowledged) {
    change_log_.commit(3);
    change_log_.acknowledged_csn = 1000;
    options_.once_timeout = milliseconds(1000);
    EXPECT_THROW(run(), PgError);
    EXPECT_TRUE(broker_.changes.empty());
    EXPECT_EQ(change_log_.acknowledged_csn, 1000);
}

TEST_F(PumpTest, ShipsAllInOrderOnceWhenNothingFails) {
    commit_many(500);
    change_log_.slowness = 5;
    run();
    expect_complete_in_order();
    EXPECT_EQ(broker_.changes.size(), static_cast<std::size_t>(change_log_.changes()));
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
    EXPECT_EQ(change_log_.shapes_asked, 1);
    EXPECT_GT(change_log_.idle_maintains, 0) << "the log would not end empty";
}

TEST_F(PumpTest, StartsBehindTheAcknowledgedCsn) {
    change_log_.commit(3);
    change_log_.commit(2);
    change_log_.acknowledged_csn = 1;
    broker_.changes = {0, 1, 2};
    run();
    EXPECT_EQ(broker_.changes, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST_F(PumpTest, AcknowledgesCsnsOfTransactionsThatDidNotCommit) {
    change_log_.commit(1);
    change_log_.lose_csns(5);
    run();
    EXPECT_EQ(change_log_.acknowledged_csn, 6);
}

TEST_F(PumpTest, EndsAtOnceWhenTheLogIsEmpty) {
    run();
    EXPECT_LT(waiter_.waits, 20);
}

TEST_F(PumpTest, CountsChangesThatYieldNoMessage) {
    silent_every_ = 1;
    change_log_.commit(5);
    options_.once = true;
    change_log_.publishes_nothing = true;
    run();
    EXPECT_EQ(change_log_.acknowledged_csn, 1);
}

TEST_F(PumpTest, AcknowledgesATransactionOnlyWithWhatTheFormatHeldBack) {
    holds_back_ = true;
    commit_many(300);
    change_log_.slowness = 3;
    publisher_.fail_at_change = 500;
    run();
    expect_complete_in_order();
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
}

TEST_F(PumpTest, SendsHeartbeatsWhetherOrNotThereAreChanges) {
    options_.heartbeat_interval = milliseconds(10);
    waiter_.stop_after = 200;
    run(false);
    EXPECT_GE(heartbeats_, 10);
    EXPECT_LE(heartbeats_, 40);
    heartbeats_ = 0;
    commit_many(50);
    waiter_.stop_after = waiter_.waits + 2000;
    run(false);
    EXPECT_GE(heartbeats_, 10);
    expect_complete_in_order();
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
}

TEST_F(PumpTest, WaitsWithAHeartbeatThatIsDueUntilThereIsRoomForIt) {
    options_.heartbeat_interval = milliseconds(10);
    options_.in_flight_messages = 20;
    options_.shutdown_timeout = milliseconds(1000);
    publisher_.dead = true;
    commit_many(50);
    waiter_.stop_after = 1000;
    run(false);
    EXPECT_LT(waiter_.waits, 2100) << "it did not sleep, or not while it was ending";
}

TEST_F(PumpTest, SkipsTablesThatTheStreamDoesNotHaveAndAcknowledgesThem) {
    change_log_.is_in_stream = false;
    change_log_.publishes_nothing = true;
    change_log_.commit(5);
    run();
    EXPECT_TRUE(broker_.changes.empty());
    EXPECT_EQ(change_log_.acknowledged_csn, 1);
}

TEST_F(PumpTest, NeedsNoShapesOfTablesThatTheStreamDoesNotHave) {
    change_log_.shape = R"({"relation":1,"schema":"public","table":"t","key":[],"columns":[{"name":"odd"}]})";
    change_log_.is_in_stream = false;
    change_log_.publishes_nothing = true;
    change_log_.commit(5);
    run();
    EXPECT_EQ(change_log_.acknowledged_csn, 1);
    change_log_.is_in_stream = true;
    change_log_.commit(1);
    try {
        run();
        FAIL() << "a change without a shape was published";
    } catch (const DataError &error) {
        EXPECT_STREQ(error.what(), "could not encode the change at csn 2, index 0: shape 1, column 1, has no "
                                   "\"type_name\"");
    }
    EXPECT_EQ(change_log_.acknowledged_csn, 1);
}

TEST_F(PumpTest, KeepsWhatIsInFlightBelowTheLimit) {
    options_.in_flight_messages = 50;
    commit_many(500);
    run();
    expect_complete_in_order();
    EXPECT_LE(publisher_.most_in_flight, 50U);
    EXPECT_GT(publisher_.most_in_flight, 40U) << "the limit is there to be used";
}

TEST_F(PumpTest, StreamsATransactionThatIsLargerThanAllLimits) {
    options_.in_flight_messages = 100;
    options_.fetch_bytes = 1000;
    change_log_.commit(20'000);
    run();
    expect_complete_in_order();
    EXPECT_GT(change_log_.fetches, 200);
    EXPECT_LE(publisher_.most_in_flight, 100U);
    EXPECT_EQ(change_log_.acknowledged_csn, 1);
}

TEST_F(PumpTest, ReplaysInOrderFromTheAcknowledgedCsnAfterAFailedDelivery) {
    commit_many(500);
    publisher_.fail_at_change = 777;
    run();
    EXPECT_EQ(publisher_.opened, 2);
    EXPECT_EQ(change_log_.opened, 2) << "both sides are connected anew";
    expect_complete_in_order();
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
}

TEST_F(PumpTest, ReplaysInOrderAfterALostDatabaseConnectionAtAnyPoint) {
    for (int fails_in = 1; fails_in < 120; fails_in += 7) {
        commit_many(50);
        options_.fetch_bytes = 200;
        change_log_.fails_in = fails_in;
        run();
        expect_complete_in_order();
        EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
    }
}

TEST_F(PumpTest, SurvivesFailuresOfBothSidesWithoutEndingEarly) {
    std::mt19937 random(4);
    options_.in_flight_messages = 200;
    options_.fetch_bytes = 500;
    for (int round = 0; round < 50; ++round) {
        commit_many(40);
        publisher_.fail_at_change = change_log_.changes() - 1 - static_cast<int>(random() % 100);
        change_log_.fails_in = 1 + static_cast<int>(random() % 60);
        run();
    }
    expect_complete_in_order();
}

TEST_F(PumpTest, StopsAtAFatalErrorOfKafkaAndAcknowledgesNothingBehindIt) {
    commit_many(100);
    publisher_.fail_at_change = 200;
    publisher_.fail_fatally = true;
    EXPECT_THROW(run(), KafkaError);
    EXPECT_EQ(publisher_.opened, 1);
    EXPECT_LT(change_log_.acknowledged_csn, change_log_.last_csn());
}

TEST_F(PumpTest, AcknowledgesWhatWasDeliveredBeforeItTriesAgain) {
    // Each try fails at the same message, as one that the broker refuses does.
    change_log_.slowness = 3;
    options_.acknowledge_interval = std::chrono::hours(1);
    options_.once_timeout = milliseconds(20'000);
    commit_many(100);
    publisher_.always_fail_at_change = 200;
    EXPECT_THROW(run(), KafkaError);
    EXPECT_GT(publisher_.opened, 3);
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.csn_before(200)) << "not all that was delivered";
    EXPECT_LT(broker_.changes.size(), 200U + 7 * static_cast<std::size_t>(publisher_.opened))
        << "more than the transaction of the failed message was sent again";
    publisher_.always_fail_at_change = -1;
    run();
    expect_complete_in_order();
}

TEST_F(PumpTest, AcknowledgesWhatWasDeliveredWhenItIsStoppedWhileItWaitsForRoom) {
    options_.acknowledge_interval = std::chrono::hours(1);
    commit_many(100);
    publisher_.stops_at_change = 200;
    run();
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.csn_before(200));
}

TEST_F(PumpTest, TriesAgainInTimeWhenTheDatabaseDoesNotAnswerEither) {
    change_log_.commit(1);
    publisher_.fail_at_change = 0;
    change_log_.silent_from_answer = 3; // the change and its shape come, what is asked for then does not
    waiter_.stop_after = 30'000;
    run(false);
    EXPECT_GE(publisher_.opened, 2);
}

TEST_F(PumpTest, StopsAtOnceWhenTheDatabaseRefusesForGood) {
    for (const char *const sqlstate : {"28P01", "3D000"}) {
        change_log_.open_error = PgError(sqlstate, true, "refused");
        EXPECT_THROW(run(false), PgError);
    }
    change_log_.open_error = PgError("42501", false, "no privileges");
    EXPECT_THROW(run(false), PgError);
    EXPECT_EQ(change_log_.opened, 3);
}

TEST_F(PumpTest, AsksANewSessionOnceWhenTheExtensionMayBeGoneUnderTheOld) {
    commit_many(10);
    change_log_.answer_error = PgError("XX000", false, "could not open relation with OID 16400");
    change_log_.fails_in = 1;
    run();
    EXPECT_EQ(change_log_.opened, 2);
    expect_complete_in_order();
}

TEST_F(PumpTest, StopsWhenANewSessionFailsLikeTheOld) {
    commit_many(10);
    change_log_.answer_error = PgError("XX000", false, "could not read block 3");
    change_log_.fails_in = 1;
    change_log_.fails_again = true;
    EXPECT_THROW(run(false), PgError);
    EXPECT_EQ(change_log_.opened, 2);
}

TEST_F(PumpTest, RetriesForeverWhenTheDatabaseOrKafkaCannotBeReached) {
    waiter_.stop_after = 200'000; // milliseconds
    change_log_.open_error = PgError("", true, "unreachable");
    run(false);
    EXPECT_GT(change_log_.opened, 15);
    EXPECT_LT(change_log_.opened, 40) << "the waits do not grow";
    change_log_.open_error.reset();
    publisher_.open_error = KafkaError(-195, false, "unreachable");
    waiter_.stop_after += 200'000;
    run(false);
    EXPECT_GT(publisher_.opened, 15);
}

TEST_F(PumpTest, GivesUpOnceNothingWorkedForTheTimeGiven) {
    publisher_.open_error = KafkaError(-195, false, "unreachable");
    options_.once_timeout = milliseconds(5000);
    EXPECT_THROW(run(), KafkaError);
    EXPECT_GT(publisher_.opened, 3);
    EXPECT_LT(waiter_.waits, 30'000);
}

TEST_F(PumpTest, GivesUpOnceABrokerTakesMessagesAndNeverAnswers) {
    publisher_.dead = true;
    options_.once_timeout = milliseconds(5000);
    commit_many(10);
    EXPECT_THROW(run(), KafkaError);
    EXPECT_EQ(change_log_.acknowledged_csn, 0);
}

using Lines = std::vector<std::string>;

TEST_F(PumpTest, TellsOnceThatKafkaIsGoneWithWhatWaitsAndOnceThatItIsBack) {
    commit_many(10);
    publisher_.open_error = KafkaError(-195, false, "no broker answers");
    publisher_.open_fails = 16; // the pauses before grow to 10 s: 93 s
    waiter_.stop_after = 120'000;
    EXPECT_EQ(log_of_run(false, "interrupted|goes on|warning"),
              (Lines{"warning: shipping is interrupted, trying again: no broker answers backlog_changes=17 "
                     "oldest_change_age_s=5",
                     "warning: shipping is still interrupted: no broker answers interrupted_s=62 backlog_changes=17 "
                     "oldest_change_age_s=5",
                     "info: shipping goes on interrupted_s=102"}));
    EXPECT_EQ(change_log_.backlogs_asked, 2);
}

TEST_F(PumpTest, TellsOnceThatTheDatabaseIsGoneAndOnceThatItIsBack) {
    change_log_.open_error = PgError("", true, "connection refused");
    change_log_.open_fails = 8;
    waiter_.stop_after = 60'000;
    EXPECT_EQ(log_of_run(false, "interrupted|goes on|warning"),
              (Lines{"warning: shipping is interrupted, trying again: connection refused",
                     "info: shipping goes on interrupted_s=22"}));
}

TEST_F(PumpTest, TellsOfBothSidesWhenBothAreGone) {
    change_log_.open_error = PgError("", true, "connection refused");
    change_log_.open_fails = 3;
    publisher_.open_error = KafkaError(-195, false, "no broker answers");
    publisher_.open_fails = 3;
    waiter_.stop_after = 60'000;
    EXPECT_EQ(log_of_run(false, "interrupted|goes on|warning").size(), 3U);
}

TEST_F(PumpTest, TellsThatNothingArrivesLongBeforeItConnectsAnew) {
    commit_many(10);
    publisher_.dead_looks = 20'000;
    waiter_.stop_after = 30'000;
    const Lines lines = log_of_run(false, "interrupted|goes on|warning");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0],
              "warning: shipping is interrupted, trying again: Kafka acknowledges none of 34 messages that are on "
              "their way: Connection refused backlog_changes=17 oldest_change_age_s=5");
    EXPECT_TRUE(lines[1].starts_with("info: shipping goes on interrupted_s=")) << lines[1];
    EXPECT_EQ(publisher_.opened, 1);
    expect_complete_in_order();
}

TEST_F(PumpTest, TellsThatNothingArrivesWhileItWaitsForRoom) {
    commit_many(10);
    publisher_.waiter = &waiter_;
    publisher_.waits_at_change = 30;
    const Lines lines = log_of_run(true, "interrupted|goes on|warning");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_TRUE(lines[0].starts_with("warning: shipping is interrupted, trying again: Kafka acknowledges none of "));
}

TEST_F(PumpTest, DoesNotTakeItForTheEndOfAnOutageThatItTriesAgain) {
    commit_many(100);
    publisher_.always_fail_at_change = 200;
    waiter_.stop_after = 50'000;
    EXPECT_EQ(log_of_run(false, "interrupted|goes on|warning|shipping stream").size(), 2U);
    EXPECT_GT(publisher_.opened, 6);
}

TEST_F(PumpTest, CountsAsShippedWhatKafkaHas) {
    commit_many(2000);
    publisher_.fail_at_change = 3000;
    options_.in_flight_messages = 20; // it takes some time
    std::uint64_t changes = 0;
    std::uint64_t messages = 0;
    for (const std::string &line : log_of_run(true, "shipped ")) {
        std::smatch counts;
        ASSERT_TRUE(std::regex_search(line, counts, std::regex("changes=(\\d+) messages=(\\d+)"))) << line;
        changes += std::stoull(counts[1]);
        messages += std::stoull(counts[2]);
    }
    EXPECT_EQ(changes, static_cast<std::uint64_t>(change_log_.changes()))
        << "some of a try that failed, some of the next";
    EXPECT_GE(messages, changes);
    EXPECT_LT(messages, changes + 20);

    commit_many(10);
    publisher_.dead = true;
    waiter_.stop_after = waiter_.waits + 3000;
    options_.shutdown_timeout = milliseconds(10);
    EXPECT_EQ(log_of_run(false, "shipped "), Lines{});
}

TEST_F(PumpTest, ConnectsAnewWhenNothingIsDeliveredForLong) {
    publisher_.dead = true;
    options_.delivery_timeout = milliseconds(2000);
    waiter_.stop_after = 10'000;
    commit_many(10);
    run(false);
    EXPECT_GE(publisher_.opened, 3);
    EXPECT_EQ(change_log_.acknowledged_csn, 0);
}

TEST_F(PumpTest, WaitsAsStandbyUntilTheStreamIsFree) {
    change_log_.locked_for = 5;
    waiter_.stop_after = 20'000;
    commit_many(10);
    run(false);
    EXPECT_EQ(change_log_.lock_attempts, 6);
    EXPECT_EQ(publisher_.opened, 1);
    expect_complete_in_order();
}

TEST_F(PumpTest, FinishesWhatIsOnItsWayWhenAskedToEnd) {
    commit_many(2000);
    waiter_.stop_after = 20;
    run(false);
    EXPECT_GT(change_log_.acknowledged_csn, 0);
    EXPECT_LT(change_log_.acknowledged_csn, change_log_.last_csn()) << "it should have been asked earlier";
}

TEST_F(PumpTest, EndsInTimeWhenAskedToWhileTheBrokerIsDead) {
    publisher_.dead = true;
    commit_many(10);
    waiter_.stop_after = 20;
    options_.shutdown_timeout = milliseconds(1000);
    run(false);
    EXPECT_LT(waiter_.waits, 1100);
    EXPECT_EQ(change_log_.acknowledged_csn, 0);
}

TEST_F(PumpTest, FetchesABacklogBehindOneFence) {
    commit_many(5000);
    run();
    expect_complete_in_order();
    EXPECT_EQ(change_log_.fences, 1);
    EXPECT_GT(change_log_.fetches, 1) << "the backlog fits into the first batch";
}

TEST_F(PumpTest, ShipsAndAcknowledgesALoneChangeOfANewShapeAtOnce) {
    change_log_.commit(1);
    change_log_.waiter = &waiter_;
    waiter_.stop_after = 300; // milliseconds
    run(false);
    expect_complete_in_order();
    EXPECT_EQ(change_log_.acknowledged_csn, change_log_.last_csn());
    EXPECT_LT(change_log_.acknowledged_at_ms, 150);
}

TEST_F(PumpTest, AcknowledgesAtIntervalsNotPerTransaction) {
    options_.in_flight_messages = 20; // so that it takes some time
    commit_many(2000);
    run();
    const int elapsed_ms = waiter_.waits; // each wait is at most a millisecond
    EXPECT_LE(change_log_.acknowledgements, elapsed_ms / 50 + 2);
    EXPECT_GE(change_log_.acknowledgements, 2);
}

TEST_F(PumpTest, LetsTheServerWaitWhenThereIsNothingToDoAndTellsItThatItIsIdle) {
    waiter_.stop_after = 10'000;
    run(false);
    EXPECT_EQ(change_log_.longest_wait_ms, 500);
    EXPECT_GT(change_log_.idle_maintains, 0);
    EXPECT_LT(change_log_.maintains, 6);
}

} // namespace
} // namespace waybill
