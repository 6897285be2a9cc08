#include "envelope_fields.hpp"

#include "instant.hpp"

#include <algorithm>
#include <array>

namespace waybill {

namespace {

using Id = EnvelopeField::Id;

constexpr std::size_t source_field_count = 16;

constexpr std::array<EnvelopeField, 23> fields{{
    {Id::connector_version, "source", "version", "string", false},
    {Id::connector, "source", "connector", "string", false},
    {Id::name, "source", "name", "string", false},
    {Id::ts_ms, "source", "ts_ms", "int64", false},
    {Id::snapshot, "source", "snapshot", "string", true},
    {Id::db, "source", "db", "string", false},
    {Id::sequence, "source", "sequence", "string", true},
    {Id::ts_us, "source", "ts_us", "int64", true},
    {Id::ts_ns, "source", "ts_ns", "int64", true},
    {Id::schema, "source", "schema", "string", false},
    {Id::table, "source", "table", "string", false},
    {Id::tx_id, "source", "txId", "int64", true},
    {Id::lsn, "source", "lsn", "int64", true},
    {Id::xmin, "source", "xmin", "int64", true},
    {Id::origin, "source", "origin", "string", true},
    {Id::origin_lsn, "source", "origin_lsn", "int64", true},
    {Id::op, "", "op", "string", false},
    {Id::event_ts_ms, "", "ts_ms", "int64", true},
    {Id::event_ts_us, "", "ts_us", "int64", true},
    {Id::event_ts_ns, "", "ts_ns", "int64", true},
    {Id::transaction_id, "transaction", "id", "string", false},
    {Id::total_order, "transaction", "total_order", "int64", false},
    {Id::data_collection_order, "transaction", "data_collection_order", "int64", false},
}};
constexpr std::size_t transaction_field_count = 3;

} // namespace

std::span<const EnvelopeField> source_fields() {
    return std::span(fields).first(source_field_count);
}

std::span<const EnvelopeField> transaction_fields() {
    return std::span(fields).last(transaction_field_count);
}

const EnvelopeField *find_envelope_field(std::string_view reference) {
    const std::size_t dot = reference.find('.');
    const auto find = [](std::string_view group, std::string_view name) -> const EnvelopeField * {
        const auto *const found = std::find_if(fields.begin(), fields.end(), [&](const EnvelopeField &one) {
            return one.group == group && one.field == name;
        });
        return found == fields.end() ? nullptr : found;
    };
    if (dot != reference.npos) return dot == 0 ? nullptr : find(reference.substr(0, dot), reference.substr(dot + 1));
    for (const std::string_view group : {"", "transaction", "source"})
        if (const EnvelopeField *const found = find(group, reference)) return found;
    return nullptr;
}

bool has_value(const EnvelopeField &field, const Event &event) {
    switch (field.id) {
    case Id::xmin:
    case Id::origin:
    case Id::origin_lsn: return false;
    case Id::transaction_id:
    case Id::total_order:
    case Id::data_collection_order: return event.transaction != nullptr;
    default: return true;
    }
}

void EnvelopeFieldWriter::write_text(JsonWriter &out, const EnvelopeField &field, const Event &event) const {
    const Transaction &transaction = *event.change.transaction;
    const Position &position = event.change.position;
    if (!has_value(field, event)) return;
    switch (field.id) {
    case Id::connector_version: return out.raw(version_);
    case Id::connector: return out.raw("postgresql");
    case Id::name: return out.raw(name_);
    case Id::ts_ms: return write_ms(out, transaction.committed_at_us);
    case Id::snapshot: return out.raw("false");
    case Id::db: return out.raw(database_);
    case Id::sequence:
        out.raw("[\"");
        out.integer(position.csn);
        out.raw("\",\"");
        out.integer(position.index);
        return out.raw("\"]");
    case Id::ts_us: return out.integer(transaction.committed_at_us);
    case Id::ts_ns: return write_ns(out, transaction.committed_at_us);
    case Id::schema: return out.raw(event.plan.shape.schema);
    case Id::table: return out.raw(event.plan.shape.table);
    case Id::tx_id: return out.integer(transaction.xid);
    case Id::lsn: return out.integer(position.csn);
    case Id::xmin:
    case Id::origin:
    case Id::origin_lsn: return;
    case Id::op: return out.raw(event.op);
    case Id::event_ts_ms: return write_ms(out, event.now_us);
    case Id::event_ts_us: return out.integer(event.now_us);
    case Id::event_ts_ns: return write_ns(out, event.now_us);
    case Id::transaction_id: return out.raw(event.transaction->id());
    case Id::total_order: return out.integer(event.transaction->total_order());
    case Id::data_collection_order: return out.integer(event.transaction->data_collection_order());
    }
}

void EnvelopeFieldWriter::write_json(JsonWriter &out, const EnvelopeField &field, const Event &event) {
    if (!has_value(field, event)) return out.raw("null");
    if (field.type != "string") return write_text(out, field, event);
    text_.clear();
    write_text(text_, field, event);
    out.string(text_.view());
}

void write_envelope_field_schema(JsonWriter &out, const EnvelopeField &field, std::string_view name,
                                 bool made_optional) {
    out.raw("{\"type\":");
    out.string(field.type);
    out.raw(made_optional || field.optional ? ",\"optional\":true" : ",\"optional\":false");
    if (field.id == Id::snapshot) {
        out.raw(R"(,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":)"
                R"("true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"})");
        if (!made_optional) out.raw(R"(,"default":"false")");
    }
    out.raw(",\"field\":");
    out.string(name);
    out.raw('}');
}

} // namespace waybill
