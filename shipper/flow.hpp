// One attempt of the pump, from the acknowledged csn to the first error, the stop, or (once) the end; see pump.cpp for
// what it guarantees.
#pragma once

#include "ack_tracker.hpp"
#include "change_decoder.hpp"
#include "change_log.hpp"
#include "format/format.hpp"
#include "log.hpp"
#include "outage.hpp"
#include "publisher.hpp"
#include "pump_options.hpp"
#include "waiter.hpp"

#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace waybill {

class Flow final : public MessageSink {
public:
    // All are connected, and the stream is locked. `options` and the others outlive the Flow.
    Flow(const PumpOptions &options, ChangeLog &change_log, Publisher &publisher, std::unique_ptr<Format> format,
         Waiter &waiter, Log &log, Outage &outage, Csn acknowledged);
    ~Flow();

    Flow(const Flow &) = delete;
    Flow &operator=(const Flow &) = delete;

    // Throws what ended it: PgError, KafkaError, DataError, ConfigError, Stopped.
    void run();

    // After run() threw, but for a PgError: acknowledges what was delivered, or the next try would send it again.
    void settle() noexcept;

    [[nodiscard]] bool acknowledged_anything() const { return acknowledged_anything_; }

private:
    [[nodiscard]] bool turn();
    void acknowledge_delivered();
    void message(const Message &message) override;
    [[nodiscard]] std::size_t max_message_size() const override { return publisher_.max_message_size(); }
    void take_delivered();
    std::size_t count_delivered();
    void take_answer();
    void take(ChangeLog::Batch &&batch);
    void take(const ChangeLog::Acknowledged &answer);
    void take(const ChangeLog::Maintained &answer);
    void take(const ChangeLog::ShapeDefinition &answer);
    void take(const ChangeLog::Backlog &answer);
    void note_acknowledged();
    void ask();
    void ask_acknowledge();
    [[nodiscard]] bool ship();
    [[nodiscard]] bool feed();
    void end_transaction();
    void beat();
    void publish(const Change &change);
    void refuse_unreadable(const Change &change);
    template <typename Make>
    void make_messages(const Make &make);
    void wait(bool more);
    [[nodiscard]] bool done();

    [[nodiscard]] const Shape *find_shape(std::int32_t id) const;
    void summarize();

    [[nodiscard]] bool is_stall_due() const;
    void report_stall(const ChangeLog::Backlog &backlog);

    [[nodiscard]] bool stopping() const { return waiter_.stop_requested() || stuck_; }
    [[nodiscard]] bool has_room() const {
        return tracker_.window() < options_.in_flight_messages && tracker_.in_flight_bytes() < options_.in_flight_bytes;
    }
    [[nodiscard]] bool may_beat() const {
        return options_.heartbeat_interval > std::chrono::milliseconds(0) && !options_.once && !stopping() &&
               has_room();
    }
    [[nodiscard]] bool owes_acknowledgement() const { return tracker_.acknowledgeable() > acknowledged_; }
    [[nodiscard]] bool drained() const { return fenced_ && all_fetched_ && batches_.empty() && acknowledged_ == upto_; }
    [[nodiscard]] int patience_ms() const;

    const PumpOptions &options_;
    ChangeLog &change_log_;
    Publisher &publisher_;
    Waiter &waiter_;
    Log &log_;
    Outage &outage_;
    std::unique_ptr<Format> format_;

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
    std::unordered_set<const Shape *> unwanted_;     // of tables that the stream does not have
    std::optional<std::int32_t> missing_shape_;
    ChangeDecoder decoder_;

    std::int64_t now_us_ = 0; // wall clock of this turn
    TimePoint began_;
    TimePoint last_delivery_; // or the last time nothing was on its way
    TimePoint last_change_;
    TimePoint acknowledge_at_;
    TimePoint maintain_at_;
    TimePoint beat_at_;
    int final_maintains_ = 0;
    std::optional<TimePoint> stop_deadline_;
    std::exception_ptr stuck_; // at a change that cannot be read or sent

    TimePoint summary_at_;
    std::uint64_t changes_ = 0;            // published
    std::uint64_t summarized_changes_ = 0; // of those delivered
    std::uint64_t messages_ = 0;           // delivered since the last summary
};

} // namespace waybill
