// One record a change, also when the key changes; deletes have no tombstones, truncates no records.
//
// Only the last record of a transaction says "commit":true. Which one that is shows when the next change comes or the
// transaction ends, so a record is held back until then.
#include "maxwell.hpp"

#include "../errors.hpp"
#include "format_settings.hpp"
#include "heartbeat.hpp"
#include "record_headers.hpp"
#include "row_writer.hpp"
#include "table_plan.hpp"
#include "template.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace waybill {

namespace {

// Which optional fields there are: Maxwell's output_… settings.
struct Output {
    bool commit_info = false; // xid, commit
    bool nulls = false;       // members of `data` that are null
    bool xoffset = false;
    bool position = false;
    bool push_ts = false;
    bool primary_key = false;
    bool primary_key_columns = false;
};

Output parse_output(const FormatSettings &settings) {
    Output output;
    for (const std::string &name : settings.list(
             "output", "commit_info,nulls",
             {"commit_info", "nulls", "xoffset", "position", "push_ts", "primary_key", "primary_key_columns"})) {
        output.commit_info |= name == "commit_info";
        output.nulls |= name == "nulls";
        output.xoffset |= name == "xoffset";
        output.position |= name == "position";
        output.push_ts |= name == "push_ts";
        output.primary_key |= name == "primary_key";
        output.primary_key_columns |= name == "primary_key_columns";
    }
    return output;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

class MaxwellFormat final : public Format {
public:
    MaxwellFormat(const Source &source, const FormatOptions &options, const FormatSettings &settings);

    std::string_view topic(const Shape &shape) override { return plans_.of(shape).topic; }
    void encode(const Change &change, std::int64_t now_us, MessageSink &sink) override;
    void end_transaction(MessageSink &sink) override;
    void heartbeat(std::int64_t now_us, MessageSink &sink) override { heartbeat_.publish(now_us, sink); }
    void try_settings(const Shape &shape) const override { plans_.try_settings(shape); }
    [[nodiscard]] std::vector<IdleRule> idle_rules(std::span<const Shape> tables) const override {
        return plans_.shaping().idle_rules(tables);
    }
    [[nodiscard]] std::vector<std::string_view> other_topics() const override {
        return plans_.options().heartbeats ? std::vector{heartbeat_.topic()} : std::vector<std::string_view>{};
    }

private:
    void complete(TablePlan &plan) const;
    void write_record(const Change &change, const TablePlan &plan, std::int64_t now_us);
    void write_key(const Change &change, const TablePlan &plan);
    void write_row(const TablePlan &plan, std::span<const Value> row);
    void write_known_row(const TablePlan &plan, std::span<const Value> row);
    void write_old(const Change &change, const TablePlan &plan);
    void write_primary_key(const TablePlan &plan, std::span<const Value> row);
    void publish_held(bool is_last, MessageSink &sink);

    const Source source_;
    const BeforeImage before_;
    const Output output_;
    const Template database_;
    const bool key_is_array_;
    TablePlans plans_;
    Heartbeat heartbeat_;

    RowWriter rows_;
    RecordHeaders headers_;
    bool holds_ = false;
    Message held_;                       // without its value
    std::optional<std::string> context_; // the held record's
    JsonWriter key_;
    JsonWriter head_; // of the value, up to where the commit goes
    JsonWriter rest_;
    JsonWriter value_;
    std::int64_t xoffset_ = 0; // of the held record in its transaction
};

MaxwellFormat::MaxwellFormat(const Source &source, const FormatOptions &options, const FormatSettings &settings)
    : source_(source), before_(options.before), output_(parse_output(settings)),
      database_(settings.text("database", "{schema}"), settings.key("database")),
      key_is_array_(settings.choice("key", {"hash", "array"}) == "array"),
      plans_(
          source, options,
          [this](const Column &column) { return value_type_of_maxwell(column, plans_.options().types.as_text); },
          [this](TablePlan &plan) { complete(plan); }),
      heartbeat_(options), headers_(source) {
    if (options.schemas)
        throw ConfigError("stream.schemas = true is not possible: the format maxwell has no schemas; leave it out");
    if (options.transaction_metadata)
        throw ConfigError("stream.transaction_metadata = true is not possible: the format maxwell has no such "
                          "records; leave it out");
}

void MaxwellFormat::complete(TablePlan &plan) const {
    JsonWriter database;
    database.string(database_.expand(plan.shape, plans_.options().prefix, source_.database));
    JsonWriter table;
    table.string(plan.shape.table);
    const std::string names = std::string(database.view()) + (key_is_array_ ? "," : ",\"table\":");
    plan.key_head = (key_is_array_ ? "[" : "{\"database\":") + names + std::string(table.view());
    plan.value_head = "{\"database\":" + std::string(database.view()) + ",\"table\":" + std::string(table.view());
    for (ColumnPlan &column : plan.key) {
        const std::string name = lower(plan.shape.columns[column.position].name);
        JsonWriter lead;
        if (key_is_array_)
            lead.raw(&column == &plan.key.front() ? "{" : "},{");
        else
            lead.raw(',');
        lead.string(key_is_array_ ? name : "pk." + name);
        lead.raw(':');
        column.lead = lead.view();
    }
}

void MaxwellFormat::encode(const Change &change, std::int64_t now_us, MessageSink &sink) {
    const TablePlan &plan = plans_.of(*change.shape);
    if (plan.topic.empty() || change.op == Operation::truncate) return;
    rows_.begin(change, sink.max_message_size());
    try {
        check_rows(change);
        if (plans_.is_skipped(change, plan)) return;
        publish_held(false, sink);
        write_record(change, plan, now_us);
    } catch (const DataError &error) {
        throw_located(change, plan, rows_.column(), error.what());
    } catch (const RowTooLarge &) {
        headers_.begin(change.position);
        throw MessageTooLarge(plan.topic, headers_.position());
    }
}

void MaxwellFormat::end_transaction(MessageSink &sink) {
    publish_held(true, sink);
    xoffset_ = 0;
}

void MaxwellFormat::publish_held(bool is_last, MessageSink &sink) {
    if (!holds_) return;
    holds_ = false;
    value_.clear();
    value_.raw(head_.view());
    if (output_.commit_info && is_last) {
        value_.raw(",\"commit\":true");
    } else if (output_.commit_info && output_.xoffset) {
        value_.raw(",\"xoffset\":");
        value_.integer(xoffset_);
    }
    value_.raw(rest_.view());
    ++xoffset_;
    held_.value = value_.view();
    held_.headers = headers_.all();
    sink.message(held_);
}

void MaxwellFormat::write_record(const Change &change, const TablePlan &plan, std::int64_t now_us) {
    const std::span<const Value> row = change.op == Operation::remove ? change.before : change.after;
    head_.clear();
    head_.raw(plan.value_head);
    switch (change.op) {
    case Operation::insert: head_.raw(R"(,"type":"insert","ts":)"); break;
    case Operation::update: head_.raw(R"(,"type":"update","ts":)"); break;
    default: head_.raw(R"(,"type":"delete","ts":)"); break;
    }
    head_.integer(change.transaction->committed_at_us / 1'000'000);
    if (output_.commit_info) {
        head_.raw(",\"xid\":");
        head_.integer(change.transaction->xid);
    }

    rest_.clear();
    if (output_.position) {
        rest_.raw(",\"position\":\"");
        rest_.integer(change.position.csn);
        rest_.raw(':');
        rest_.integer(change.position.index);
        rest_.raw('"');
    }
    if (output_.push_ts) {
        rest_.raw(fmt::format(",\"push_ts\":{}.{:06}", now_us / 1'000'000, now_us % 1'000'000));
    }
    if (!plan.key.empty()) write_primary_key(plan, row);
    rest_.raw(",\"data\":");
    if (change.op == Operation::remove && before_ == BeforeImage::key)
        write_known_row(plan, row);
    else
        write_row(plan, row);
    if (change.op == Operation::update && before_ == BeforeImage::full) write_old(change, plan);
    rest_.raw('}');

    held_ = {.topic = plan.topic, .partition = keyless_partition, .key = {}, .value = {}, .headers = {}};
    if (!plan.key.empty()) {
        write_key(change, plan);
        held_.partition = Message::by_key;
        held_.key = key_.view();
    }
    headers_.begin(change.position);
    context_ = change.transaction->context;
    if (context_) headers_.add_context(*context_);
    holds_ = true;
}

// {"database":"shop","table":"items","pk.a":1,"pk.b":2} or ["shop","items",[{"a":1},{"b":2}]]
void MaxwellFormat::write_key(const Change &change, const TablePlan &plan) {
    key_.clear();
    key_.raw(plan.key_head);
    if (key_is_array_) key_.raw(",[");
    rows_.open_key(key_, plan, change.op == Operation::remove ? change.before : change.after);
    key_.raw(key_is_array_ ? "}]]" : "}");
}

void MaxwellFormat::write_row(const TablePlan &plan, std::span<const Value> row) {
    if (output_.nulls) {
        rows_.open_row(rest_, plan, row);
        return RowWriter::close(rest_, plan.columns);
    }
    rows_.check_size(plan, row);
    char before = '{';
    for (const ColumnPlan &column : plan.columns) {
        const bool is_null = row[column.position].kind == Value::Kind::null;
        if (is_null && column.null == "null") continue; // another text hides nulls: a mask, a default
        rows_.write_member(rest_, column, row[column.position], before);
        before = ',';
    }
    rest_.raw(before == '{' ? "{}" : "}");
}

void MaxwellFormat::write_known_row(const TablePlan &plan, std::span<const Value> row) {
    rows_.open_known_row(rest_, plan, row);
    RowWriter::close(rest_, plan.columns);
}

void MaxwellFormat::write_old(const Change &change, const TablePlan &plan) {
    char before = '{';
    for (const ColumnPlan &column : plan.columns) {
        const Value &old = change.before[column.position];
        if (old == change.after[column.position]) continue;
        if (before == '{') rest_.raw(",\"old\":");
        rows_.write_member(rest_, column, old, before);
        before = ',';
    }
    if (before != '{') rest_.raw('}');
}

void MaxwellFormat::write_primary_key(const TablePlan &plan, std::span<const Value> row) {
    const auto write_list = [&](std::string_view field, const auto &write_item) {
        rest_.raw(field);
        for (const ColumnPlan &column : plan.key) {
            if (&column != &plan.key.front()) rest_.raw(',');
            write_item(column);
        }
        rest_.raw(']');
    };
    if (output_.primary_key)
        write_list(",\"primary_key\":[",
                   [&](const ColumnPlan &column) { rows_.write_value(rest_, column, row[column.position]); });
    if (output_.primary_key_columns)
        write_list(",\"primary_key_columns\":[",
                   [&](const ColumnPlan &column) { rest_.string(plan.shape.columns[column.position].name); });
}

} // namespace

std::unique_ptr<Format> make_maxwell_format(const Source &source, const FormatOptions &options) {
    const FormatSettings settings("maxwell", options.settings, {"database", "key", "output"});
    return std::make_unique<MaxwellFormat>(source, options, settings);
}

} // namespace waybill
