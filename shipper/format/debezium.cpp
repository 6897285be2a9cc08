// What does not change from one change to the next (the columns' names, schemas, the source block, the clock's digits)
// is made once and copied: the text of a row is all that is worked out per change.
#include "debezium.hpp"

#include "event_format.hpp"
#include "format_settings.hpp"
#include "instant.hpp"

#include <utility>

namespace waybill {

namespace {

// What the envelopes of one transaction share. Between its pieces go, in this order: the change's index, the table,
// the transaction block, the operation.
struct TransactionText {
    std::int32_t timeline = -1;
    Csn csn = -1;
    JsonWriter text;
    std::size_t index_at = 0;       // ,"source":{ … "sequence":["<csn>","
    std::size_t table_at = 0;       // "]","ts_us":…,"ts_ns":…,
    std::size_t transaction_at = 0; // "txId": … },"transaction":
    // ,"op":"
};

class DebeziumFormat final : public EventFormat {
public:
    DebeziumFormat(const Source &source, const FormatOptions &options);

private:
    void complete(TablePlan &plan) const override;
    bool write_event(const Event &event, Message &message) override;
    void begin_transaction(const Change &change);
    void begin_instant(std::int64_t now_us);

    std::string source_head_; // ,"source":{ … "ts_ms":
    std::string database_;    // ,"snapshot":"false","db":…,"sequence":["

    TransactionText transaction_;
    std::int64_t now_us_ = 0;
    JsonWriter now_; // ","ts_ms": … to the value's end
    JsonWriter value_;
};

DebeziumFormat::DebeziumFormat(const Source &source, const FormatOptions &options) : EventFormat(source, options) {
    JsonWriter out;
    out.raw(",\"source\":{\"version\":");
    out.string(options.version);
    out.raw(",\"connector\":\"postgresql\",\"name\":");
    out.string(options.prefix);
    out.raw(",\"ts_ms\":");
    source_head_ = out.view();
    out.clear();
    out.raw(",\"snapshot\":\"false\",\"db\":");
    out.string(source.database);
    out.raw(",\"sequence\":\"[\\\"");
    database_ = out.view();
}

std::string envelope_schema(const TablePlan &plan) {
    JsonWriter out;
    out.raw("{\"type\":\"struct\",\"fields\":[");
    out.raw(row_schema(plan, R"(,"field":"before"},)"));
    out.raw(row_schema(plan, R"(,"field":"after"},)"));
    out.raw("{\"type\":\"struct\",\"fields\":[");
    for (const EnvelopeField &field : source_fields()) {
        if (&field != &source_fields().front()) out.raw(',');
        write_envelope_field_schema(out, field, field.field, false);
    }
    out.raw(R"(],"optional":false,"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"},)"
            R"({"type":"struct","fields":[)"
            R"({"type":"string","optional":false,"field":"id"},)"
            R"({"type":"int64","optional":false,"field":"total_order"},)"
            R"({"type":"int64","optional":false,"field":"data_collection_order"}],)"
            R"("optional":true,"name":"event.block","version":1,"field":"transaction"},)"
            R"({"type":"string","optional":false,"field":"op"},)"
            R"({"type":"int64","optional":true,"field":"ts_ms"},)"
            R"({"type":"int64","optional":true,"field":"ts_us"},)"
            R"({"type":"int64","optional":true,"field":"ts_ns"}],)"
            R"("optional":false,"name":)");
    out.string(std::string(plan.topic) + ".Envelope");
    out.raw(",\"version\":2}");
    return std::string(out.view());
}

void DebeziumFormat::complete(TablePlan &plan) const {
    if (options().schemas) plan.value_head = "{\"schema\":" + envelope_schema(plan) + ",\"payload\":";
    plan.value_head += "{\"before\":";
    JsonWriter table;
    table.raw("\"schema\":");
    table.string(plan.shape.schema);
    table.raw(",\"table\":");
    table.string(plan.shape.table);
    table.raw(',');
    plan.source_table = table.view();
}

bool DebeziumFormat::write_event(const Event &event, Message &message) {
    begin_transaction(event.change);
    begin_instant(event.now_us);
    value_.clear();
    value_.raw(event.plan.value_head);
    write_before(value_, event);
    value_.raw(",\"after\":");
    write_after(value_, event);

    const std::string_view parts = transaction_.text.view();
    const auto part = [&](std::size_t from, std::size_t to) { value_.raw(parts.substr(from, to - from)); };
    part(0, transaction_.index_at);
    value_.integer(event.change.position.index);
    part(transaction_.index_at, transaction_.table_at);
    value_.raw(event.plan.source_table);
    part(transaction_.table_at, transaction_.transaction_at);
    if (event.transaction == nullptr)
        value_.raw("null");
    else
        event.transaction->write_block(value_);
    part(transaction_.transaction_at, parts.size());
    value_.raw(event.op);
    value_.raw(now_.view());
    message.value = value_.view();
    return true;
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
    text.raw("\\\"]\",\"ts_us\":");
    text.integer(committed_at_us);
    text.raw(",\"ts_ns\":");
    write_ns(text, committed_at_us);
    text.raw(',');
    transaction_.table_at = text.size();
    text.raw("\"txId\":");
    text.integer(change.transaction->xid);
    text.raw(",\"lsn\":");
    text.integer(csn);
    text.raw(",\"xmin\":null,\"origin\":null,\"origin_lsn\":null},\"transaction\":");
    transaction_.transaction_at = text.size();
    text.raw(",\"op\":\"");
}

void DebeziumFormat::begin_instant(std::int64_t now_us) {
    if (now_us == now_us_ && now_.size() != 0) return;
    now_us_ = now_us;
    now_.clear();
    now_.raw("\",\"ts_ms\":");
    write_ms(now_, now_us);
    now_.raw(",\"ts_us\":");
    now_.integer(now_us);
    now_.raw(",\"ts_ns\":");
    write_ns(now_, now_us);
    now_.raw(options().schemas ? "}}" : "}");
}

} // namespace

std::unique_ptr<Format> make_debezium_format(const Source &source, const FormatOptions &options) {
    const FormatSettings no_settings("debezium", options.settings, {});
    return std::make_unique<DebeziumFormat>(source, options);
}

} // namespace waybill
