#include "cloudevents.hpp"

#include "calendar.hpp"
#include "event_format.hpp"
#include "format_settings.hpp"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <vector>

namespace waybill {

namespace {

// Whose rules the extensions' names follow. Debezium's have upper-case letters and nulls, which the specification
// does not allow and its SDKs do not read; and the two events of a changed key have one id.
enum class Attributes : std::uint8_t { debezium, specification };

struct Extension {
    Extension(const EnvelopeField *of, const std::string &name)
        : field(of), member(",\"" + name + "\":"), header("ce_" + name) {}

    const EnvelopeField *field;
    std::string member; // what comes before its value in an event's JSON
    std::string header;
};

// Debezium's names: iodebezium, then the field's letters and digits.
std::string extension_name(std::string_view prefix, std::string_view field) {
    std::string name(prefix);
    for (const char c : field)
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) name += c;
    return name;
}

std::vector<Extension> make_extensions(Attributes attributes) {
    std::vector<Extension> made;
    made.emplace_back(find_envelope_field("op"), "iodebeziumop");
    for (const EnvelopeField &field : source_fields())
        // In lower case it would be the transaction's id.
        if (attributes == Attributes::specification && field.id == EnvelopeField::Id::tx_id)
            made.emplace_back(&field, "iodebeziumsourcetxid");
        else
            made.emplace_back(&field, extension_name("iodebezium", field.field));
    for (const EnvelopeField &field : transaction_fields())
        made.emplace_back(&field, extension_name("iodebeziumtx", field.field));
    return made;
}

class CloudEventsFormat final : public EventFormat {
public:
    CloudEventsFormat(const Source &source, const FormatOptions &options, bool binary, Attributes attributes);

private:
    void complete(TablePlan &plan) const override;
    bool write_event(const Event &event, Message &message) override;
    bool write_tombstone(const Event &event, Message &message) override;

    void write_structured(const Event &event);
    void add_attributes(const Event &event);
    void write_data(const Event &event);
    void write_id(const Event &event);
    void write_time(const Event &event);

    const bool binary_;
    const Attributes attributes_;
    const std::vector<Extension> extensions_;
    EnvelopeFieldWriter field_writer_;
    const std::string event_source_;

    JsonWriter value_;
    JsonWriter id_;
    JsonWriter time_;
    std::int64_t time_ms_ = 0;              // that time_ says
    std::vector<JsonWriter> header_values_; // of the extensions
};

constexpr std::string_view event_type = "io.debezium.connector.postgresql.DataChangeEvent";

CloudEventsFormat::CloudEventsFormat(const Source &source, const FormatOptions &options, bool binary,
                                     Attributes attributes)
    : EventFormat(source, options), binary_(binary), attributes_(attributes), extensions_(make_extensions(attributes)),
      field_writer_(source, options), event_source_("/debezium/postgresql/" + options.prefix),
      header_values_(extensions_.size()) {}

void CloudEventsFormat::complete(TablePlan &plan) const {
    if (options().schemas)
        plan.value_head = "{\"schema\":{\"type\":\"struct\",\"fields\":[" + row_schema(plan, R"(,"field":"before"},)") +
                          row_schema(plan, R"(,"field":"after"})") +
                          R"(],"optional":false,"name":"io.debezium.connector.postgresql.Data"},"payload":)";
    plan.value_head += "{\"before\":";
}

bool CloudEventsFormat::write_event(const Event &event, Message &message) {
    write_id(event);
    write_time(event);
    value_.clear();
    if (binary_) {
        add_attributes(event);
        write_data(event);
    } else {
        if (attributes_ == Attributes::specification)
            headers().add("content-type", "application/cloudevents+json; charset=UTF-8");
        write_structured(event);
    }
    message.value = value_.view();
    return true;
}

// In binary mode a null value is an event without data. A structured one cannot be told, but compaction needs it.
bool CloudEventsFormat::write_tombstone(const Event &event, Message &message) {
    if (binary_) add_attributes(event);
    message.value.reset();
    return true;
}

void CloudEventsFormat::write_structured(const Event &event) {
    value_.raw("{\"id\":");
    value_.string(id_.view());
    value_.raw(",\"source\":");
    value_.string(event_source_);
    value_.raw(R"(,"specversion":"1.0","type":")");
    value_.raw(event_type);
    value_.raw(R"(","time":")");
    value_.raw(time_.view());
    value_.raw(R"(","datacontenttype":"application/json")");
    for (const Extension &extension : extensions_) {
        const bool has = has_value(*extension.field, event);
        if (!has && attributes_ == Attributes::specification) continue;
        value_.raw(extension.member);
        const bool quoted = has && extension.field->type != "string"; // numbers may be too large for the specification
        if (quoted) value_.raw('"');
        field_writer_.write_json(value_, *extension.field, event);
        if (quoted) value_.raw('"');
    }
    value_.raw(",\"data\":");
    write_data(event);
    value_.raw('}');
}

void CloudEventsFormat::add_attributes(const Event &event) {
    headers().add("ce_specversion", "1.0");
    headers().add("ce_id", id_.view());
    headers().add("ce_source", event_source_);
    headers().add("ce_type", event_type);
    headers().add("ce_time", time_.view());
    for (std::size_t at = 0; at < extensions_.size(); ++at) {
        const EnvelopeField &field = *extensions_[at].field;
        if (!has_value(field, event)) continue;
        JsonWriter &value = header_values_[at];
        value.clear();
        field_writer_.write_text(value, field, event);
        headers().add(extensions_[at].header, value.view());
    }
    headers().add("content-type", "application/json");
}

void CloudEventsFormat::write_data(const Event &event) {
    value_.raw(event.plan.value_head);
    write_before(value_, event);
    value_.raw(",\"after\":");
    write_after(value_, event);
    value_.raw(options().schemas ? "}}" : "}");
}

void CloudEventsFormat::write_id(const Event &event) {
    const Position &position = event.change.position;
    id_.clear();
    id_.raw("name:");
    id_.raw(options().prefix);
    id_.raw(";lsn:");
    id_.integer(position.csn);
    id_.raw(";txId:");
    id_.integer(event.change.transaction->xid);
    id_.raw(";sequence:[\"");
    id_.integer(position.csn);
    id_.raw("\",\"");
    id_.integer(position.index);
    id_.raw("\"]");
    if (attributes_ == Attributes::debezium) return;
    id_.raw(";op:");
    id_.raw(event.op);
}

// When the transaction was committed: 2024-05-01T10:00:00.123Z
void CloudEventsFormat::write_time(const Event &event) {
    constexpr std::int64_t ms_per_day = 86'400'000;
    const std::int64_t ms = event.change.transaction->committed_at_us / 1000;
    if (ms == time_ms_ && time_.size() != 0) return;
    time_ms_ = ms;
    const CivilDate date = civil_from_days(ms / ms_per_day);
    const auto of_day = static_cast<std::uint32_t>(ms % ms_per_day);
    time_.clear();
    time_.raw(fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.year, date.month, date.day,
                          of_day / 3'600'000, of_day / 60'000 % 60, of_day / 1000 % 60, of_day % 1000));
}

} // namespace

std::unique_ptr<Format> make_cloudevents_format(const Source &source, const FormatOptions &options) {
    const FormatSettings settings("cloudevents", options.settings, {"mode", "attributes"});
    const bool binary = settings.choice("mode", {"structured", "binary"}) == "binary";
    // Names of headers are in lower case by the specification's binding, and have no nulls.
    const std::string names = settings.choice("attributes", {"debezium", "specification"});
    return std::make_unique<CloudEventsFormat>(
        source, options, binary, binary || names == "specification" ? Attributes::specification : Attributes::debezium);
}

} // namespace waybill
