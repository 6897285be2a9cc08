// The metadata of Debezium's envelope field by field, for formats that publish them elsewhere or by name.
#pragma once

#include "../change.hpp"
#include "format.hpp"
#include "json_writer.hpp"
#include "table_plan.hpp"
#include "transaction_metadata.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace waybill {

// One change as it is published: the letter of its operation, and which of its rows belong to it. A change of a key is
// two events.
struct Event {
    const Change &change;
    const TablePlan &plan;
    char op; // c, u, d, t
    bool has_before;
    bool has_after;
    std::int64_t now_us;
    const TransactionMetadata *transaction; // null: not published
};

struct EnvelopeField {
    enum class Id : std::uint8_t {
        connector_version,
        connector,
        name,
        ts_ms,
        snapshot,
        db,
        sequence,
        ts_us,
        ts_ns,
        schema,
        table,
        tx_id,
        lsn,
        xmin,
        origin,
        origin_lsn,
        op,
        event_ts_ms,
        event_ts_us,
        event_ts_ns,
        transaction_id,
        total_order,
        data_collection_order,
    };

    Id id;
    std::string_view group; // source, transaction, or empty: of the envelope itself
    std::string_view field;
    std::string_view type; // string, int64
    bool optional;
};

// The fields of the block `source`, in their order.
[[nodiscard]] std::span<const EnvelopeField> source_fields();

// Those of the block `transaction`.
[[nodiscard]] std::span<const EnvelopeField> transaction_fields();

// The field that "op", "lsn", "source.ts_ms", "transaction.id" names; null when there is none. A bare name is looked
// for where ExtractNewRecordState does: op and the times are the envelope's, id and the orders the transaction's, all
// others the source's.
[[nodiscard]] const EnvelopeField *find_envelope_field(std::string_view reference);

// Whether the field has a value, or is null.
[[nodiscard]] bool has_value(const EnvelopeField &field, const Event &event);

// Writes values of fields.
class EnvelopeFieldWriter {
public:
    EnvelopeFieldWriter(const Source &source, const FormatOptions &options)
        : version_(options.version), name_(options.prefix), database_(source.database) {}

    // As JSON, null included.
    void write_json(JsonWriter &out, const EnvelopeField &field, const Event &event);

    // A field that has a value as plain text: a string's characters, a number's digits.
    void write_text(JsonWriter &out, const EnvelopeField &field, const Event &event) const;

private:
    const std::string version_;
    const std::string name_;
    const std::string database_;
    JsonWriter text_;
};

// Writes the field's schema, named `name`. As optional it also has no default, as ExtractNewRecordState copies it.
void write_envelope_field_schema(JsonWriter &out, const EnvelopeField &field, std::string_view name,
                                 bool made_optional);

} // namespace waybill
