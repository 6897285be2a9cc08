#include "event_format.hpp"

#include "../errors.hpp"

#include <algorithm>

namespace waybill {

EventFormat::EventFormat(const Source &source, const FormatOptions &options)
    : plans_(
          source, options, [this](const Column &column) { return value_type_of(column, plans_.options().types); },
          [this](TablePlan &plan) {
              if (this->options().schemas) plan.key_head = "{\"schema\":" + key_schema(plan) + ",\"payload\":";
              complete(plan);
          }),
      heartbeat_(options), headers_(source) {
    if (options.transaction_metadata) transaction_.emplace(source, options);
}

void EventFormat::encode(const Change &change, std::int64_t now_us, MessageSink &sink) {
    const TablePlan &plan = plans_.of(change);
    if (plan.topic.empty()) return;
    rows_.begin(change, sink.max_message_size());
    try {
        check_rows(change);
        if (plans_.is_skipped(change, plan)) return;
        headers_.begin(change);
        publish_change(change, plan, now_us, sink);
    } catch (const DataError &error) {
        throw_located(change, plan, rows_.column(), error.what());
    } catch (const RowTooLarge &) {
        throw MessageTooLarge(plan.topic, headers_.position());
    }
}

// Debezium's extended.headers.enabled, for a connector with one task.
void EventFormat::add_extended_headers() {
    headers_.add("__debezium.context.connectorLogicalName", options().prefix);
    headers_.add("__debezium.context.taskId", "0");
    headers_.add("__debezium.context.connectorName", "postgresql");
    headers_.add("__debezium.context.runId", options().run_id);
}

void EventFormat::end_transaction(MessageSink &sink) {
    if (transaction_) transaction_->end(sink);
}

std::vector<std::string_view> EventFormat::other_topics() const {
    std::vector<std::string_view> topics;
    if (transaction_) topics.push_back(transaction_->topic());
    if (options().heartbeats) topics.push_back(heartbeat_.topic());
    return topics;
}

void EventFormat::publish_change(const Change &change, const TablePlan &plan, std::int64_t now_us, MessageSink &sink) {
    Event event{.change = change,
                .plan = plan,
                .op = letter(change.op),
                .has_before = change.op == Operation::update || change.op == Operation::remove,
                .has_after = change.op == Operation::update || change.op == Operation::insert,
                .now_us = now_us,
                .transaction = transaction_ ? &*transaction_ : nullptr};
    if (plan.key.empty() || change.op == Operation::truncate) return publish_event(event, nullptr, sink);

    write_key(key_, plan, change.op == Operation::insert ? change.after : change.before);
    if (change.op == Operation::update && std::any_of(plan.key.begin(), plan.key.end(), [&](const ColumnPlan &column) {
            return change.before[column.position] != change.after[column.position];
        })) {
        write_key(new_key_, plan, change.after);
        // 1.0 and 1.00 are different bytes, but one key.
        if (key_.view() != new_key_.view()) {
            const std::size_t headers = headers_.size();
            event.op = 'd';
            event.has_after = false;
            headers_.add("__debezium.newkey", bare(new_key_, plan));
            publish_event(event, &key_, sink);
            headers_.shrink(headers);

            event.op = 'c';
            event.has_before = false;
            event.has_after = true;
            headers_.add("__debezium.oldkey", bare(key_, plan));
            return publish_event(event, &new_key_, sink);
        }
    }
    publish_event(event, &key_, sink);
}

void EventFormat::publish_event(const Event &event, const JsonWriter *key, MessageSink &sink) {
    if (transaction_) transaction_->count(event.change, event.plan.name, sink);
    before_is_written_ = false;
    Message message{.topic = event.plan.topic, .partition = keyless_partition, .key = {}, .value = {}, .headers = {}};
    if (key != nullptr) {
        message.partition = Message::by_key;
        message.key = key->view();
    }
    const std::size_t of_change = headers_.size();
    if (options().extended_headers) add_extended_headers(); // behind those of a changed key, as Debezium has them
    const std::size_t headers = headers_.size();
    const auto publish = [&](bool wanted) {
        message.headers = headers_.all();
        if (wanted) sink.message(message);
        headers_.shrink(headers);
    };
    publish(write_event(event, message));
    if (event.op == 'd' && key != nullptr && options().tombstones) publish(write_tombstone(event, message));
    headers_.shrink(of_change);
}

void EventFormat::write_key(JsonWriter &out, const TablePlan &plan, std::span<const Value> row) {
    out.clear();
    out.raw(plan.key_head);
    rows_.open_key(out, plan, row);
    out.raw(options().schemas ? "}}" : "}");
}

// A key without its schema: as Connect's SimpleHeaderConverter writes the struct into a header.
std::string_view EventFormat::bare(const JsonWriter &key, const TablePlan &plan) const {
    const std::string_view text = key.view(plan.key_head.size());
    return options().schemas ? text.substr(0, text.size() - 1) : text;
}

void EventFormat::write_before(JsonWriter &out, const Event &event) {
    if (!event.has_before || (options().before == BeforeImage::key && event.op == 'u')) return out.raw("null");
    open_before(out, event);
    RowWriter::close(out, event.plan.columns);
}

void EventFormat::write_after(JsonWriter &out, const Event &event) {
    if (!event.has_after) return out.raw("null");
    open_after(out, event);
    RowWriter::close(out, event.plan.columns);
}

void EventFormat::open_before(JsonWriter &out, const Event &event) {
    before_is_written_ = options().before == BeforeImage::full;
    if (before_is_written_)
        rows_.open_row(out, event.plan, event.change.before);
    else
        rows_.open_known_row(out, event.plan, event.change.before);
}

void EventFormat::open_after(JsonWriter &out, const Event &event) {
    if (before_is_written_)
        rows_.open_new_row(out, event.plan, event.change.after, event.change.before);
    else
        rows_.open_row(out, event.plan, event.change.after);
}

std::string row_schema(const TablePlan &plan, std::string_view rest) {
    JsonWriter out;
    out.raw("{\"type\":\"struct\",\"fields\":[");
    write_column_schemas(out, plan, plan.columns);
    out.raw("],\"optional\":true,\"name\":");
    out.string(std::string(plan.topic) + ".Value");
    out.raw(rest);
    return std::string(out.view());
}

} // namespace waybill
