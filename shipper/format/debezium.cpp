// Debezium's envelope. What does not change from one change to the next (the columns' names, schemas, the source block,
// the clock's digits) is made once and copied: the text of a row is all that is worked out per change.
#include "format.hpp"

#include "../errors.hpp"
#include "column_default.hpp"
#include "connect_schema.hpp"
#include "json_writer.hpp"
#include "value_json.hpp"

#include <array>
#include <unordered_map>
#include <utility>

namespace waybill {

namespace {

constexpr std::int32_t keyless_partition = 0;

constexpr std::string_view position_header = "waybill.position";
constexpr std::string_view context_header = "waybill.context";
constexpr std::string_view new_key_header = "__debezium.newkey";
constexpr std::string_view old_key_header = "__debezium.oldkey";

// Debezium's SchemaTopicNamingStrategy. It replaces Java's chars, of which a character beyond the BMP (four bytes of
// UTF-8) has two.
std::string topic_name(std::string_view prefix, const Shape &shape) {
    constexpr std::size_t max_size = 249; // Kafka's limit
    std::string topic;
    const auto append = [&](std::string_view text) {
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                               c == '_' || c == '-';
            if (legal)
                topic += c;
            else if (byte >= 0xF0)
                topic += "__";
            else if (byte < 0x80 || byte >= 0xC0)
                topic += '_';
        }
    };
    append(prefix);
    append(".");
    append(shape.schema);
    append(".");
    append(shape.table);
    if (topic.size() > max_size) topic.resize(max_size);
    return topic;
}

// The digits of an instant in microseconds since 1970 in Debezium's three units.
void write_ms(JsonWriter &out, std::int64_t at_us) {
    constexpr std::int64_t us_per_ms = 1'000;
    out.integer(at_us / us_per_ms - (at_us % us_per_ms < 0 ? 1 : 0));
}

void write_us_and_ns(JsonWriter &out, std::int64_t at_us) {
    out.raw(",\"ts_us\":");
    out.integer(at_us);
    out.raw(",\"ts_ns\":");
    out.integer(at_us);
    if (at_us != 0) out.raw("000");
}

bool has_before(Operation op) {
    return op == Operation::update || op == Operation::remove;
}
bool has_after(Operation op) {
    return op == Operation::update || op == Operation::insert;
}

struct ColumnPlan {
    std::string name; // with what comes before the value: {"id": or ,"name":
    std::string null; // what a null is published as
    ValueType type;
};

// What is worked out once for a shape.
struct ShapePlan {
    const Shape shape; // for messages of errors
    std::string topic;
    std::vector<ColumnPlan> columns;
    std::vector<ColumnPlan> key;
    std::vector<std::uint16_t> key_columns;
    std::string key_head;     // {"schema":…,"payload": or nothing
    std::string value_head;   // the same, then {"before":
    std::string source_table; // "schema":…,"table":…,
};

// The parts of the envelope that a transaction's changes share, one behind the other in `text`.
struct TransactionParts {
    std::int32_t timeline = -1;
    Csn csn = -1;
    JsonWriter text;
    std::size_t index_at = 0; // ,"source":{ … "sequence":["<csn>"," then comes the index
    std::size_t table_at = 0; // "]", "ts_us":…,"ts_ns":…, then schema and table
                              // "txId":… ,"op":" then the operation
    JsonWriter position;      // the header's value up to the index
};

class DebeziumFormat final : public Format {
public:
    DebeziumFormat(const Source &source, const FormatOptions &options);

    std::string_view topic(const Shape &shape) override { return plan_of(shape).topic; }

    void encode(const Change &change, std::int64_t now_us, MessageSink &sink) override;

private:
    enum class RowImage : std::uint8_t { none, before, after, both };

    const ShapePlan &plan_of(const Shape &shape);
    [[nodiscard]] ShapePlan make_plan(const Shape &shape) const;
    [[nodiscard]] std::string key_schema(const ShapePlan &plan) const;
    [[nodiscard]] std::string value_schema(const ShapePlan &plan) const;

    void encode_row_change(const Change &change, const ShapePlan &plan, MessageSink &sink);
    void encode_key_change(const Change &change, const ShapePlan &plan, MessageSink &sink);
    void begin_transaction(const Change &change);
    void begin_instant(std::int64_t now_us);
    void begin_headers(const Change &change);
    [[nodiscard]] bool key_differs(const Change &change, const ShapePlan &plan) const;
    void write_key(JsonWriter &out, const ShapePlan &plan, std::span<const Value> row);
    void write_envelope(const Change &change, const ShapePlan &plan, RowImage image, char operation);
    void write_row(const ShapePlan &plan, std::span<const Value> row);
    void close_row(const ShapePlan &plan);
    void write_row_after(const ShapePlan &plan, const Change &change);
    void write_column(JsonWriter &out, const ColumnPlan &column, const Value &value);
    [[nodiscard]] std::span<const Header> headers() const { return std::span(headers_).first(header_count_); }

    const FormatOptions options_;
    std::string source_head_;   // ,"source":{ … "ts_ms":
    std::string database_;      // ,"snapshot":"false","db":…,"sequence":["
    std::string position_head_; // the source's id and a slash

    std::unordered_map<std::int32_t, ShapePlan> plans_; // its elements stay where they are
    const ShapePlan *last_plan_ = nullptr;

    TransactionParts transaction_;
    std::int64_t now_us_ = 0;
    JsonWriter now_; // ","ts_ms": … to the value's end

    JsonWriter value_;
    JsonWriter key_;
    JsonWriter other_key_; // of a changed key: the new one
    JsonWriter position_;
    std::vector<std::size_t> column_begins_; // of the row `before` in value_, and where it ends
    std::array<Header, 3> headers_;
    std::size_t header_count_ = 0;
    const ColumnPlan *column_ = nullptr; // under work, for messages of errors
};

DebeziumFormat::DebeziumFormat(const Source &source, const FormatOptions &options) : options_(options) {
    JsonWriter out;
    out.raw(",\"source\":{\"version\":");
    out.string(options_.version);
    out.raw(",\"connector\":\"postgresql\",\"name\":");
    out.string(options_.prefix);
    out.raw(",\"ts_ms\":");
    source_head_ = out.view();
    out.clear();
    out.raw(",\"snapshot\":\"false\",\"db\":");
    out.string(source.database);
    out.raw(",\"sequence\":\"[\\\"");
    database_ = out.view();
    position_head_ = source.id + "/";
}

const ShapePlan &DebeziumFormat::plan_of(const Shape &shape) {
    if (last_plan_ != nullptr && last_plan_->shape.id == shape.id) return *last_plan_;
    auto found = plans_.find(shape.id);
    if (found == plans_.end()) found = plans_.emplace(shape.id, make_plan(shape)).first;
    last_plan_ = &found->second;
    return *last_plan_;
}

ShapePlan DebeziumFormat::make_plan(const Shape &shape) const {
    ShapePlan plan{.shape = shape,
                   .topic = topic_name(options_.prefix, shape),
                   .columns = {},
                   .key = {},
                   .key_columns = shape.key,
                   .key_head = {},
                   .value_head = {},
                   .source_table = {}};
    const auto column_plan = [&](const Column &column, bool first) {
        JsonWriter name;
        name.raw(first ? '{' : ',');
        name.string(column.name);
        name.raw(':');
        ColumnPlan made{.name = std::string(name.view()), .null = "null", .type = value_type_of(column)};
        if (options_.replace_null_with_default)
            if (std::string value = column_default(column, made.type); !value.empty()) made.null = std::move(value);
        return made;
    };
    for (const Column &column : shape.columns) plan.columns.push_back(column_plan(column, plan.columns.empty()));
    for (const std::uint16_t column : shape.key)
        plan.key.push_back(column_plan(shape.columns.at(column), plan.key.empty()));

    JsonWriter table;
    table.raw("\"schema\":");
    table.string(shape.schema);
    table.raw(",\"table\":");
    table.string(shape.table);
    table.raw(',');
    plan.source_table = table.view();

    if (options_.schemas) {
        plan.key_head = "{\"schema\":" + key_schema(plan) + ",\"payload\":";
        plan.value_head = "{\"schema\":" + value_schema(plan) + ",\"payload\":";
    }
    plan.value_head += "{\"before\":";
    return plan;
}

void write_column_schema(JsonWriter &out, const ShapePlan &plan, std::size_t at) {
    const Column &column = plan.shape.columns[at];
    const ValueType &type = plan.columns[at].type;
    write_field_schema(out, type, column.nullable, column_default(column, type), column.name);
}

std::string DebeziumFormat::key_schema(const ShapePlan &plan) const {
    JsonWriter out;
    out.raw("{\"type\":\"struct\",\"fields\":[");
    for (const std::uint16_t position : plan.key_columns) {
        if (position != plan.key_columns.front()) out.raw(',');
        write_column_schema(out, plan, position);
    }
    out.raw("],\"optional\":false,\"name\":");
    out.string(plan.topic + ".Key");
    out.raw('}');
    return std::string(out.view());
}

std::string DebeziumFormat::value_schema(const ShapePlan &plan) const {
    constexpr std::string_view source_and_rest =
        R"({"type":"struct","fields":[)"
        R"({"type":"string","optional":false,"field":"version"},)"
        R"({"type":"string","optional":false,"field":"connector"},)"
        R"({"type":"string","optional":false,"field":"name"},)"
        R"({"type":"int64","optional":false,"field":"ts_ms"},)"
        R"({"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":)"
        R"("true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},)"
        R"("default":"false","field":"snapshot"},)"
        R"({"type":"string","optional":false,"field":"db"},)"
        R"({"type":"string","optional":true,"field":"sequence"},)"
        R"({"type":"int64","optional":true,"field":"ts_us"},)"
        R"({"type":"int64","optional":true,"field":"ts_ns"},)"
        R"({"type":"string","optional":false,"field":"schema"},)"
        R"({"type":"string","optional":false,"field":"table"},)"
        R"({"type":"int64","optional":true,"field":"txId"},)"
        R"({"type":"int64","optional":true,"field":"lsn"},)"
        R"({"type":"int64","optional":true,"field":"xmin"},)"
        R"({"type":"string","optional":true,"field":"origin"},)"
        R"({"type":"int64","optional":true,"field":"origin_lsn"}],)"
        R"("optional":false,"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"},)"
        R"({"type":"struct","fields":[)"
        R"({"type":"string","optional":false,"field":"id"},)"
        R"({"type":"int64","optional":false,"field":"total_order"},)"
        R"({"type":"int64","optional":false,"field":"data_collection_order"}],)"
        R"("optional":true,"name":"event.block","version":1,"field":"transaction"},)"
        R"({"type":"string","optional":false,"field":"op"},)"
        R"({"type":"int64","optional":true,"field":"ts_ms"},)"
        R"({"type":"int64","optional":true,"field":"ts_us"},)"
        R"({"type":"int64","optional":true,"field":"ts_ns"}],)"
        R"("optional":false,"name":)";

    JsonWriter row;
    row.raw("{\"type\":\"struct\",\"fields\":[");
    for (std::size_t at = 0; at < plan.columns.size(); ++at) {
        if (at != 0) row.raw(',');
        write_column_schema(row, plan, at);
    }
    row.raw("],\"optional\":true,\"name\":");
    row.string(plan.topic + ".Value");
    row.raw(",\"field\":");

    JsonWriter out;
    out.raw("{\"type\":\"struct\",\"fields\":[");
    for (const std::string_view field : {"before", "after"}) {
        out.raw(row.view());
        out.string(field);
        out.raw("},");
    }
    out.raw(source_and_rest);
    out.string(plan.topic + ".Envelope");
    out.raw(",\"version\":2}");
    return std::string(out.view());
}

void DebeziumFormat::encode(const Change &change, std::int64_t now_us, MessageSink &sink) {
    const ShapePlan &plan = plan_of(*change.shape);
    const std::size_t columns = plan.columns.size();
    begin_transaction(change);
    begin_instant(now_us);
    begin_headers(change);
    column_ = nullptr;
    try {
        if (change.before.size() != (has_before(change.op) ? columns : 0) ||
            change.after.size() != (has_after(change.op) ? columns : 0))
            throw DataError("the rows do not have the columns of the shape");
        encode_row_change(change, plan, sink);
    } catch (const DataError &error) {
        // The plan's name of a column has the JSON around it.
        const std::string column =
            column_ == nullptr ? "" : ", column " + column_->name.substr(1, column_->name.size() - 2);
        throw DataError("csn " + std::to_string(change.position.csn) + ", index " +
                        std::to_string(change.position.index) + ", table " + plan.shape.schema + "." +
                        plan.shape.table + column + ": " + error.what());
    }
}

void DebeziumFormat::encode_row_change(const Change &change, const ShapePlan &plan, MessageSink &sink) {
    Message message{.topic = plan.topic, .partition = Message::by_key, .key = {}, .value = {}, .headers = headers()};
    switch (change.op) {
    case Operation::truncate: write_envelope(change, plan, RowImage::none, 't'); break;
    case Operation::insert: write_envelope(change, plan, RowImage::after, 'c'); break;
    case Operation::update:
        if (key_differs(change, plan)) return encode_key_change(change, plan, sink);
        write_envelope(change, plan, RowImage::both, 'u');
        break;
    case Operation::remove: write_envelope(change, plan, RowImage::before, 'd'); break;
    }
    if (plan.key.empty() || change.op == Operation::truncate) {
        // Records without a key would be spread over the partitions, and lose their order.
        message.partition = keyless_partition;
    } else {
        write_key(key_, plan, change.op == Operation::remove ? change.before : change.after);
        message.key = key_.view();
    }
    message.value = value_.view();
    sink.message(message);
    if (change.op == Operation::remove && message.key) {
        message.value.reset();
        sink.message(message);
    }
}

// The row goes away under its old key and appears under the new one.
void DebeziumFormat::encode_key_change(const Change &change, const ShapePlan &plan, MessageSink &sink) {
    write_key(key_, plan, change.before);
    write_key(other_key_, plan, change.after);
    if (key_.view() == other_key_.view()) { // 1.0 and 1.00 are different bytes, but one key
        write_envelope(change, plan, RowImage::both, 'u');
        sink.message({.topic = plan.topic,
                      .partition = Message::by_key,
                      .key = other_key_.view(),
                      .value = value_.view(),
                      .headers = headers()});
        return;
    }
    // Header values are keys without their schema, as Connect's SimpleHeaderConverter writes them.
    const auto bare = [&](const JsonWriter &key) {
        const std::string_view text = key.view(plan.key_head.size());
        return options_.schemas ? text.substr(0, text.size() - 1) : text;
    };
    Header &key_header = headers_[header_count_++];

    key_header = {.name = new_key_header, .value = bare(other_key_)};
    write_envelope(change, plan, RowImage::before, 'd');
    Message message{.topic = plan.topic,
                    .partition = Message::by_key,
                    .key = key_.view(),
                    .value = value_.view(),
                    .headers = headers()};
    sink.message(message);
    message.value.reset();
    sink.message(message);

    key_header = {.name = old_key_header, .value = bare(key_)};
    write_envelope(change, plan, RowImage::after, 'c');
    message.key = other_key_.view();
    message.value = value_.view();
    sink.message(message);
}

void DebeziumFormat::begin_transaction(const Change &change) {
    const Csn csn = change.position.csn;
    if (transaction_.csn == csn && transaction_.timeline == change.position.timeline) return;
    transaction_.csn = csn;
    transaction_.timeline = change.position.timeline;

    const std::int64_t committed_at_us = change.transaction->committed_at_us;
    JsonWriter &text = transaction_.text;
    text.clear();
    text.raw(source_head_);
    write_ms(text, committed_at_us);
    text.raw(database_);
    text.integer(csn);
    text.raw("\\\",\\\"");
    transaction_.index_at = text.size();
    text.raw("\\\"]\"");
    write_us_and_ns(text, committed_at_us);
    text.raw(',');
    transaction_.table_at = text.size();
    text.raw("\"txId\":");
    text.integer(change.transaction->xid);
    text.raw(",\"lsn\":");
    text.integer(csn);
    text.raw(",\"xmin\":null,\"origin\":null,\"origin_lsn\":null},\"transaction\":null,\"op\":\"");

    transaction_.position.clear();
    transaction_.position.raw(position_head_);
    transaction_.position.integer(transaction_.timeline);
    transaction_.position.raw('/');
    transaction_.position.integer(csn);
    transaction_.position.raw('/');
}

void DebeziumFormat::begin_instant(std::int64_t now_us) {
    if (now_us == now_us_ && now_.size() != 0) return;
    now_us_ = now_us;
    now_.clear();
    now_.raw("\",\"ts_ms\":");
    write_ms(now_, now_us);
    write_us_and_ns(now_, now_us);
    now_.raw(options_.schemas ? "}}" : "}");
}

void DebeziumFormat::begin_headers(const Change &change) {
    position_.clear();
    position_.raw(transaction_.position.view());
    position_.integer(change.position.index);
    headers_[0] = {.name = position_header, .value = position_.view()};
    header_count_ = 1;
    if (change.transaction->context)
        headers_[header_count_++] = {.name = context_header, .value = *change.transaction->context};
}

// Whether the key's bytes differ; that its values do is not said by that.
bool DebeziumFormat::key_differs(const Change &change, const ShapePlan &plan) const {
    for (const std::uint16_t column : plan.key_columns)
        if (change.before[column] != change.after[column]) return true;
    return false;
}

void DebeziumFormat::write_column(JsonWriter &out, const ColumnPlan &column, const Value &value) {
    column_ = &column;
    out.raw(column.name);
    if (value.kind == Value::Kind::null)
        out.raw(column.null);
    else
        write_value(out, column.type, value);
}

void DebeziumFormat::write_key(JsonWriter &out, const ShapePlan &plan, std::span<const Value> row) {
    out.clear();
    out.raw(plan.key_head);
    for (std::size_t at = 0; at < plan.key.size(); ++at) write_column(out, plan.key[at], row[plan.key_columns[at]]);
    out.raw('}');
    if (options_.schemas) out.raw('}');
}

void DebeziumFormat::write_envelope(const Change &change, const ShapePlan &plan, RowImage image, char operation) {
    value_.clear();
    value_.raw(plan.value_head);
    if (image == RowImage::before || image == RowImage::both)
        write_row(plan, change.before);
    else
        value_.raw("null");
    value_.raw(",\"after\":");
    if (image == RowImage::both)
        write_row_after(plan, change);
    else if (image == RowImage::after)
        write_row(plan, change.after);
    else
        value_.raw("null");
    const std::string_view parts = transaction_.text.view();
    value_.raw(parts.substr(0, transaction_.index_at));
    value_.integer(change.position.index);
    value_.raw(parts.substr(transaction_.index_at, transaction_.table_at - transaction_.index_at));
    value_.raw(plan.source_table);
    value_.raw(parts.substr(transaction_.table_at));
    value_.raw(operation);
    value_.raw(now_.view());
}

void DebeziumFormat::write_row(const ShapePlan &plan, std::span<const Value> row) {
    column_begins_.clear();
    for (std::size_t at = 0; at < plan.columns.size(); ++at) {
        column_begins_.push_back(value_.size());
        write_column(value_, plan.columns[at], row[at]);
    }
    column_begins_.push_back(value_.size());
    close_row(plan);
}

// A row's opening brace comes with its first column.
void DebeziumFormat::close_row(const ShapePlan &plan) {
    value_.raw(plan.columns.empty() ? "{}" : "}");
}

// The row `after` of an update, behind `before`: what is unchanged, which the decoder shows by handing out the same
// bytes for both, is copied from there.
void DebeziumFormat::write_row_after(const ShapePlan &plan, const Change &change) {
    for (std::size_t at = 0; at < plan.columns.size(); ++at) {
        const Value &value = change.after[at];
        const Value &old = change.before[at];
        if (value.kind == old.kind && value.bytes.data() == old.bytes.data() && value.bytes.size() == old.bytes.size())
            value_.repeat(column_begins_[at], column_begins_[at + 1] - column_begins_[at]);
        else
            write_column(value_, plan.columns[at], value);
    }
    close_row(plan);
}

} // namespace

std::unique_ptr<Format> make_debezium_format(const Source &source, const FormatOptions &options) {
    return std::make_unique<DebeziumFormat>(source, options);
}

} // namespace waybill
