#include "connect_schema.hpp"

namespace waybill {

namespace {

// A Connect type and, where one tells more, the name of what it stands for. `inner` are a struct's fields, an array's
// elements, a map's keys and values, as JSON.
struct ConnectType {
    std::string_view type;
    std::string_view name;
    std::string_view doc;
    std::string_view inner;
};

constexpr std::string_view geography_fields =
    R"(,"fields":[{"type":"bytes","optional":false,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}])";

constexpr std::string_view geometry_fields =
    R"(,"fields":[{"type":"bytes","optional":false,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"},)"
    R"({"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":false},)"
    R"("optional":true,"field":"extensions"}])";

constexpr std::string_view line_fields =
    R"(,"fields":[{"type":"double","optional":false,"field":"a"},{"type":"double","optional":false,"field":"b"},)"
    R"({"type":"double","optional":false,"field":"c"}])";

constexpr std::string_view circle_fields =
    R"(,"fields":[{"type":"struct","fields":[{"type":"double","optional":false,"field":"x"},)"
    R"({"type":"double","optional":false,"field":"y"},{"type":"bytes","optional":true,"field":"wkb"},)"
    R"({"type":"int32","optional":true,"field":"srid"}],"optional":false,"name":"io.debezium.data.geometry.Point",)"
    R"-("version":1,"doc":"Geometry (POINT)","field":"center"},{"type":"double","optional":false,"field":"radius"}])-";

ConnectType connect_type(Mapping mapping) {
    switch (mapping) {
    case Mapping::boolean:
    case Mapping::boolean_bit: return {"boolean", "", "", ""};
    case Mapping::int16: return {"int16", "", "", ""};
    case Mapping::int32: return {"int32", "", "", ""};
    case Mapping::int64:
    case Mapping::oid: return {"int64", "", "", ""};
    case Mapping::float32: return {"float", "", "", ""};
    case Mapping::float64:
    case Mapping::decimal_double:
    case Mapping::decimal_number:
    case Mapping::money_double:
    case Mapping::money_number: return {"double", "", "", ""};
    case Mapping::decimal:
    case Mapping::money: return {"bytes", "org.apache.kafka.connect.data.Decimal", "", ""};
    case Mapping::variable_decimal:
        return {"struct", "io.debezium.data.VariableScaleDecimal", "Variable scaled decimal",
                R"(,"fields":[{"type":"int32","optional":false,"field":"scale"},)"
                R"({"type":"bytes","optional":false,"field":"value"}])"};
    case Mapping::decimal_string:
    case Mapping::money_string:
    case Mapping::string:
    case Mapping::opaque:
    case Mapping::single_char:
    case Mapping::raw_json:
    case Mapping::pg_text:
    case Mapping::pg_text_of_whole:
    case Mapping::pg_text_zulu:
    case Mapping::base64:
    case Mapping::base64_url:
    case Mapping::hex: return {"string", "", "", ""};
    case Mapping::enumeration: return {"string", "io.debezium.data.Enum", "", ""};
    case Mapping::bytes: return {"bytes", "", "", ""};
    case Mapping::bits: return {"bytes", "io.debezium.data.Bits", "", ""};
    case Mapping::date: return {"int32", "io.debezium.time.Date", "", ""};
    case Mapping::connect_date: return {"int32", "org.apache.kafka.connect.data.Date", "", ""};
    case Mapping::iso_date: return {"string", "io.debezium.time.IsoDate", "", ""};
    case Mapping::time_ms: return {"int32", "io.debezium.time.Time", "", ""};
    case Mapping::time_us: return {"int64", "io.debezium.time.MicroTime", "", ""};
    case Mapping::time_ns: return {"int64", "io.debezium.time.NanoTime", "", ""};
    case Mapping::connect_time: return {"int32", "org.apache.kafka.connect.data.Time", "", ""};
    case Mapping::iso_time: return {"string", "io.debezium.time.IsoTime", "", ""};
    case Mapping::zoned_time: return {"string", "io.debezium.time.ZonedTime", "", ""};
    case Mapping::timestamp_ms: return {"int64", "io.debezium.time.Timestamp", "", ""};
    case Mapping::timestamp_us: return {"int64", "io.debezium.time.MicroTimestamp", "", ""};
    case Mapping::timestamp_ns: return {"int64", "io.debezium.time.NanoTimestamp", "", ""};
    case Mapping::connect_timestamp: return {"int64", "org.apache.kafka.connect.data.Timestamp", "", ""};
    case Mapping::iso_timestamp: return {"string", "io.debezium.time.IsoTimestamp", "", ""};
    case Mapping::zoned_timestamp: return {"string", "io.debezium.time.ZonedTimestamp", "", ""};
    case Mapping::interval: return {"int64", "io.debezium.time.MicroDuration", "", ""};
    case Mapping::iso_interval: return {"string", "io.debezium.time.Interval", "", ""};
    case Mapping::uuid: return {"string", "io.debezium.data.Uuid", "", ""};
    case Mapping::json:
    case Mapping::jsonb:
    case Mapping::hstore: return {"string", "io.debezium.data.Json", "", ""};
    case Mapping::hstore_map:
        return {"map", "", "",
                R"(,"keys":{"type":"string","optional":false},"values":{"type":"string","optional":true})"};
    case Mapping::xml: return {"string", "io.debezium.data.Xml", "", ""};
    case Mapping::ltree: return {"string", "io.debezium.data.Ltree", "", ""};
    case Mapping::tsvector: return {"string", "io.debezium.data.Tsvector", "", ""};
    case Mapping::point:
        return {"struct", "io.debezium.data.geometry.Point", "Geometry (POINT)",
                R"(,"fields":[{"type":"double","optional":false,"field":"x"},)"
                R"({"type":"double","optional":false,"field":"y"},{"type":"bytes","optional":true,"field":"wkb"},)"
                R"({"type":"int32","optional":true,"field":"srid"}])"};
    case Mapping::geometry: return {"struct", "io.debezium.data.geometry.Geometry", "Geometry", geometry_fields};
    case Mapping::geography: return {"struct", "io.debezium.data.geometry.Geography", "Geography", geography_fields};
    case Mapping::line_string:
    case Mapping::polygon: return {"struct", "io.debezium.data.geometry.Geometry", "Geometry", geometry_fields};
    case Mapping::line: return {"struct", "io.debezium.data.geometry.Line", "Geometry (LINE)", line_fields};
    case Mapping::circle: return {"struct", "io.debezium.data.geometry.Circle", "Geometry (CIRCLE)", circle_fields};
    case Mapping::double_vector:
        return {"array", "io.debezium.data.DoubleVector", "", R"(,"items":{"type":"double","optional":false})"};
    case Mapping::float_vector:
        return {"array", "io.debezium.data.FloatVector", "", R"(,"items":{"type":"float","optional":false})"};
    case Mapping::sparse_vector:
        return {"struct", "io.debezium.data.SparseDoubleVector", "Sparse double vector",
                R"(,"fields":[{"type":"int16","optional":false,"field":"dimensions"},{"type":"map",)"
                R"("keys":{"type":"int16","optional":false},"values":{"type":"double","optional":false},)"
                R"("optional":false,"field":"vector"}])"};
    }
    return {"string", "", "", ""};
}

bool is_geometry(Mapping mapping) {
    return mapping == Mapping::geometry || mapping == Mapping::line_string || mapping == Mapping::polygon;
}

// Debezium makes the fields of these types optional, also those that cannot be null.
bool is_always_optional(Mapping mapping) {
    return is_geometry(mapping) || mapping == Mapping::geography || mapping == Mapping::line ||
           mapping == Mapping::circle;
}

// Debezium's elements may be null but for those of these types.
bool may_be_null_in_array(Mapping mapping) {
    return mapping != Mapping::enumeration && mapping != Mapping::tsvector;
}

void write_parameters(JsonWriter &out, const ValueType &type) {
    const auto quoted_integer = [&](std::string_view name, std::int32_t value) {
        out.string(name);
        out.raw(":\"");
        out.integer(value);
        out.raw('"');
    };
    switch (type.mapping) {
    case Mapping::decimal:
        out.raw(",\"parameters\":{");
        quoted_integer("scale", type.scale);
        out.raw(',');
        quoted_integer("connect.decimal.precision", type.precision);
        return out.raw('}');
    case Mapping::money:
        out.raw(",\"parameters\":{");
        quoted_integer("scale", type.scale);
        return out.raw('}');
    case Mapping::bits:
        out.raw(",\"parameters\":{");
        quoted_integer("length", type.precision);
        return out.raw('}');
    case Mapping::enumeration:
        out.raw(",\"parameters\":{\"allowed\":");
        out.string(type.allowed);
        return out.raw('}');
    default: return;
    }
}

// Writes a node up to where its default and its field's name go.
void write_open_node(JsonWriter &out, const ValueType &type, bool optional) {
    const ConnectType connect = connect_type(type.mapping);
    out.raw("{\"type\":");
    out.string(connect.type);
    out.raw(connect.inner);
    out.raw(optional || is_always_optional(type.mapping) ? ",\"optional\":true" : ",\"optional\":false");
    if (!connect.name.empty()) {
        out.raw(",\"name\":");
        out.string(connect.name);
        out.raw(is_geometry(type.mapping) ? ",\"version\":2" : ",\"version\":1");
    }
    if (!connect.doc.empty()) {
        out.raw(",\"doc\":");
        out.string(connect.doc);
    }
    write_parameters(out, type);
}

} // namespace

void write_field_schema(JsonWriter &out, const ValueType &type, bool optional, std::string_view parameters,
                        std::string_view default_json, std::string_view field) {
    if (type.is_array) {
        for (std::uint32_t dimension = 0; dimension < type.dimensions; ++dimension)
            out.raw("{\"type\":\"array\",\"items\":");
        write_open_node(out, type, may_be_null_in_array(type.mapping));
        for (std::uint32_t dimension = 1; dimension < type.dimensions; ++dimension) out.raw("},\"optional\":true");
        out.raw(optional ? "},\"optional\":true" : "},\"optional\":false");
    } else {
        write_open_node(out, type, optional);
    }
    if (!parameters.empty()) {
        out.raw(",\"parameters\":");
        out.raw(parameters);
    }
    if (!default_json.empty()) {
        out.raw(",\"default\":");
        out.raw(default_json);
    }
    out.raw(",\"field\":");
    out.string(field);
    out.raw('}');
}

} // namespace waybill
