// What the formats of the Debezium family share: which events a change is published as, under which keys and headers.
// They differ in what an event's value is.
//
//   change                     events, and what follows each
//   insert                     c
//   update                     u
//   update of the key          d of the old key + tombstone, c of the new one
//   delete                     d + tombstone
//   truncate                   t, without a key
//
// A table without a key has null keys and no tombstones. What has no key goes to partition 0: spread over the
// partitions it would lose its order.
#pragma once

#include "envelope_fields.hpp"
#include "format.hpp"
#include "heartbeat.hpp"
#include "json_writer.hpp"
#include "record_headers.hpp"
#include "row_writer.hpp"
#include "table_plan.hpp"
#include "transaction_metadata.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

class EventFormat : public Format {
public:
    EventFormat(const Source &source, const FormatOptions &options);

    std::string_view topic(const Shape &shape) override { return plans_.of(shape).topic; }
    void encode(const Change &change, std::int64_t now_us, MessageSink &sink) override;
    void end_transaction(MessageSink &sink) override;
    void heartbeat(std::int64_t now_us, MessageSink &sink) override { heartbeat_.publish(now_us, sink); }
    void try_settings(const Shape &shape) const override { plans_.try_settings(shape); }
    [[nodiscard]] std::vector<IdleRule> idle_rules(std::span<const Shape> tables) const override {
        return plans_.shaping().idle_rules(tables);
    }
    [[nodiscard]] std::vector<std::string_view> other_topics() const override;

protected:
    // Fills in plan.value_head and plan.null_value.
    virtual void complete(TablePlan &plan) const = 0;

    // Makes `message`, which has topic, key and partition, the one of `event`: its value, and headers() with what is
    // to be added. False: nothing is published.
    virtual bool write_event(const Event &event, Message &message) = 0;

    // The same for the tombstone behind a d.
    virtual bool write_tombstone(const Event & /*event*/, Message &message) {
        message.value.reset();
        return true;
    }

    // The rows of an event, null for one it does not have. With before = key only the key's columns of `before` are
    // known, and nothing of an update's.
    void write_before(JsonWriter &out, const Event &event);
    void write_after(JsonWriter &out, const Event &event);

    // The same for a row that the event has, as an object that is still open.
    void open_before(JsonWriter &out, const Event &event);
    void open_after(JsonWriter &out, const Event &event);

    [[nodiscard]] const FormatOptions &options() const { return plans_.options(); }
    [[nodiscard]] RowWriter &rows() { return rows_; }
    [[nodiscard]] RecordHeaders &headers() { return headers_; }

private:
    void add_extended_headers();
    void publish_change(const Change &change, const TablePlan &plan, std::int64_t now_us, MessageSink &sink);
    void publish_event(const Event &event, const JsonWriter *key, MessageSink &sink);
    void write_key(JsonWriter &out, const TablePlan &plan, std::span<const Value> row);
    [[nodiscard]] std::string_view bare(const JsonWriter &key, const TablePlan &plan) const;

    TablePlans plans_;
    std::optional<TransactionMetadata> transaction_;
    Heartbeat heartbeat_;
    RowWriter rows_;
    RecordHeaders headers_;
    JsonWriter key_;
    JsonWriter new_key_;
    bool before_is_written_ = false; // of this event, whole
};

// The schema of a row: a struct named <topic>.Value, optional, ending with what `rest` says: }, ,"field":"before"}.
[[nodiscard]] std::string row_schema(const TablePlan &plan, std::string_view rest);

} // namespace waybill
