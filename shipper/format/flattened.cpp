#include "flattened.hpp"

#include "../errors.hpp"
#include "event_format.hpp"
#include "format_settings.hpp"

#include <string>
#include <vector>

namespace waybill {

namespace {

// ExtractNewRecordState's delete.tombstone.handling.mode: what becomes of a delete and of the tombstone behind it.
enum class Deletes : std::uint8_t {
    tombstone,              // a null with the row's schema; no tombstone
    drop,                   // nothing
    rewrite,                // the old row, "__deleted":"true"; no tombstone
    rewrite_with_tombstone, // the same, and the tombstone
    delete_to_tombstone,    // a tombstone
};

Deletes parse_deletes(const FormatSettings &settings) {
    const std::string mode =
        settings.choice("deletes", {"tombstone", "drop", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"});
    if (mode == "drop") return Deletes::drop;
    if (mode == "rewrite") return Deletes::rewrite;
    if (mode == "rewrite-with-tombstone") return Deletes::rewrite_with_tombstone;
    if (mode == "delete-to-tombstone") return Deletes::delete_to_tombstone;
    return Deletes::tombstone;
}

// A field of the envelope under its name in the row or among the headers.
struct AddedField {
    const EnvelopeField *field;
    std::string name;
};

// "op, source.ts_ms, lsn:position": __op, __source_ts_ms, __position.
std::vector<AddedField> parse_added(const FormatSettings &settings, std::string_view list) {
    const std::string prefix = settings.text(std::string(list) + "_prefix", "__");
    std::vector<AddedField> added;
    for (const std::string &item : settings.list(list, "")) {
        const std::size_t colon = item.find(':');
        const std::string reference = item.substr(0, colon);
        const EnvelopeField *const field = find_envelope_field(reference);
        if (field == nullptr)
            throw ConfigError(settings.key(list) + ": \"" + reference +
                              "\" is no field of the envelope, its source or its transaction");
        std::string name = colon == item.npos ? reference : item.substr(colon + 1);
        if (const std::size_t dot = name.find('.'); colon == item.npos && dot != name.npos) name[dot] = '_';
        if (name.empty()) throw ConfigError(settings.key(list) + ": \"" + item + "\" needs the form field:name");
        added.push_back({.field = field, .name = prefix + name});
    }
    return added;
}

class FlattenedFormat final : public EventFormat {
public:
    FlattenedFormat(const Source &source, const FormatOptions &options);

private:
    FlattenedFormat(const Source &source, const FormatOptions &options, const FormatSettings &settings);

    void complete(TablePlan &plan) const override;
    bool write_event(const Event &event, Message &message) override;
    bool write_tombstone(const Event &event, Message &message) override;
    void add_headers(const Event &event);
    void write_added(const Event &event);

    [[nodiscard]] bool rewrites() const {
        return deletes_ == Deletes::rewrite || deletes_ == Deletes::rewrite_with_tombstone;
    }

    const Deletes deletes_;
    const std::vector<AddedField> added_fields_;
    const std::vector<AddedField> added_headers_;
    EnvelopeFieldWriter field_writer_;
    JsonWriter value_;
    std::vector<JsonWriter> header_values_;
};

FlattenedFormat::FlattenedFormat(const Source &source, const FormatOptions &options)
    : FlattenedFormat(
          source, options,
          FormatSettings("flattened", options.settings,
                         {"deletes", "add_fields", "add_fields_prefix", "add_headers", "add_headers_prefix"})) {}

FlattenedFormat::FlattenedFormat(const Source &source, const FormatOptions &options, const FormatSettings &settings)
    : EventFormat(source, options), deletes_(parse_deletes(settings)),
      added_fields_(parse_added(settings, "add_fields")), added_headers_(parse_added(settings, "add_headers")),
      field_writer_(source, options), header_values_(added_headers_.size()) {}

// Only the null that stands for a delete keeps the schema of the envelope's rows, which is optional.
void FlattenedFormat::complete(TablePlan &plan) const {
    plan.null_value = "null";
    if (!options().schemas) return;
    plan.null_value = "{\"schema\":" + row_schema(plan, "}") + ",\"payload\":null}";
    JsonWriter out;
    out.raw("{\"schema\":{\"type\":\"struct\",\"fields\":[");
    write_column_schemas(out, plan, plan.columns);
    bool first = plan.columns.empty();
    const auto separate = [&] {
        if (!first) out.raw(',');
        first = false;
    };
    if (rewrites()) {
        separate();
        out.raw(R"({"type":"string","optional":true,"field":"__deleted"})");
    }
    for (const AddedField &added : added_fields_) {
        separate();
        write_envelope_field_schema(out, *added.field, added.name, true);
    }
    out.raw("],\"optional\":false,\"name\":");
    out.string(std::string(plan.topic) + ".Value");
    out.raw("},\"payload\":");
    plan.value_head = out.view();
}

bool FlattenedFormat::write_event(const Event &event, Message &message) {
    if (event.op == 't') return false;
    add_headers(event);
    if (event.op == 'd' && !rewrites()) {
        if (deletes_ == Deletes::tombstone) message.value = event.plan.null_value;
        return deletes_ != Deletes::drop;
    }
    value_.clear();
    value_.raw(event.plan.value_head);
    if (event.has_after)
        open_after(value_, event);
    else
        open_before(value_, event);
    write_added(event);
    if (options().schemas) value_.raw('}');
    message.value = value_.view();
    return true;
}

bool FlattenedFormat::write_tombstone(const Event & /*event*/, Message &message) {
    if (deletes_ != Deletes::rewrite_with_tombstone) return false;
    for (const AddedField &added : added_headers_)
        if (added.field->id == EnvelopeField::Id::op) headers().add(added.name, "d");
    message.value.reset();
    return true;
}

// As SimpleHeaderConverter writes them: texts without quotes, numbers by their digits, nulls as nulls.
void FlattenedFormat::add_headers(const Event &event) {
    for (std::size_t at = 0; at < added_headers_.size(); ++at) {
        const AddedField &added = added_headers_[at];
        JsonWriter &value = header_values_[at];
        value.clear();
        field_writer_.write_text(value, *added.field, event);
        headers().add(added.name, has_value(*added.field, event) ? value.view() : std::string_view());
    }
}

void FlattenedFormat::write_added(const Event &event) {
    bool first = event.plan.columns.empty();
    const auto name = [&](std::string_view text) {
        value_.raw(first ? '{' : ',');
        first = false;
        value_.string(text);
        value_.raw(':');
    };
    if (rewrites()) {
        name("__deleted");
        value_.raw(event.op == 'd' ? "\"true\"" : "\"false\"");
    }
    for (const AddedField &added : added_fields_) {
        name(added.name);
        field_writer_.write_json(value_, *added.field, event);
    }
    value_.raw(first ? "{}" : "}");
}

} // namespace

std::unique_ptr<Format> make_flattened_format(const Source &source, const FormatOptions &options) {
    return std::make_unique<FlattenedFormat>(source, options);
}

} // namespace waybill
