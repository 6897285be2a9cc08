// Change records read back in SQL: their shapes, rows and values.
#include "decode.hpp"

#include "byte_buffer.hpp"
#include "scope.hpp"
#include "text.hpp"

namespace waybill {

namespace {

// What is text for the server of something that should be: names come from the catalogs, where they may be anything.
char *valid_text(const char *text) {
    const std::string_view valid = from_utf8(to_utf8(text));
    return pnstrdup(valid.data(), valid.size());
}

std::span<Datum> text_array(Datum array, Oid element, int length, bool by_value, char alignment) {
    Datum *values;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), element, length, by_value, alignment, &values, nullptr, &count);
    return {values, static_cast<std::size_t>(count)};
}

// `element` is the base type of an array's elements.
ColumnReader make_reader(const char *name, Oid type, Oid element, std::span<const Datum> key) {
    ColumnReader reader{};
    reader.name = name;
    for (const Datum key_column : key) reader.is_key |= std::strcmp(TextDatumGetCString(key_column), name) == 0;
    // An array over a domain is read as one over its base type: the domain may be gone since, or allow less.
    reader.element = element;
    if (const Oid array = OidIsValid(element) ? get_array_type(element) : InvalidOid; OidIsValid(array)) type = array;
    // A type that is gone since was not a built-in one: its values are there as text.
    if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type))) return reader;
    reader.type = type;
    reader.encoder = make_value_encoder(type);
    if (reader.encoder.form != ValueForm::output) { // otherwise there is only text, and perhaps no receive function
        Oid receive;
        getTypeBinaryInputInfo(type, &receive, &reader.io_parameter);
        fmgr_info(receive, &reader.receive);
    }
    fmgr_info(F_TO_JSON, &reader.to_json);
    // to_json() takes the type of its argument from the expression it is called by.
    List *arguments = list_make1(makeNullConst(type, -1, InvalidOid));
    fmgr_info_set_expr(reinterpret_cast<Node *>(
                           makeFuncExpr(F_TO_JSON, JSONOID, arguments, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL)),
                       &reader.to_json);
    return reader;
}

} // namespace

DecodedShape read_shape(std::uint64_t number) {
    static constexpr const char *query =
        "SELECT pg_catalog.format('%I.%I', definition->>'schema', definition->>'table'),"
        " ARRAY(SELECT pg_catalog.json_array_elements_text(definition->'key')),"
        " ARRAY(SELECT c->>'name' FROM pg_catalog.json_array_elements(definition->'columns') c),"
        " ARRAY(SELECT (c->>'type')::pg_catalog.oid FROM pg_catalog.json_array_elements(definition->'columns') c),"
        " ARRAY(SELECT (c->>'element')::pg_catalog.oid FROM pg_catalog.json_array_elements(definition->'columns') c)"
        " FROM waybill_internal.shape WHERE id = $1";
    MemoryContext context = CurrentMemoryContext;
    DecodedShape shape{.number = number, .table_name = 0, .columns = {}};
    SPI_connect();
    std::array<Oid, 1> types{INT4OID};
    std::array<Datum, 1> arguments{Int32GetDatum(static_cast<int32>(number))};
    if (SPI_execute_with_args(query, 1, types.data(), arguments.data(), nullptr, true, 1) != SPI_OK_SELECT ||
        SPI_processed != 1)
        corrupt("unknown shape");
    const auto column = [](int attribute) {
        bool is_null;
        return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, attribute, &is_null);
    };
    with_memory_context(context, [&] {
        shape.table_name = CStringGetTextDatum(valid_text(TextDatumGetCString(column(1))));
        const std::span<Datum> key = text_array(column(2), TEXTOID, -1, false, TYPALIGN_INT);
        const std::span<Datum> names = text_array(column(3), TEXTOID, -1, false, TYPALIGN_INT);
        const std::span<Datum> column_types = text_array(column(4), OIDOID, sizeof(Oid), true, TYPALIGN_INT);
        const std::span<Datum> elements = text_array(column(5), OIDOID, sizeof(Oid), true, TYPALIGN_INT);
        auto *readers = static_cast<ColumnReader *>(palloc(sizeof(ColumnReader) * names.size()));
        for (std::size_t i = 0; i < names.size(); ++i)
            readers[i] = make_reader(TextDatumGetCString(names[i]), DatumGetObjectId(column_types[i]),
                                     DatumGetObjectId(elements[i]), key);
        shape.columns = {readers, names.size()};
        return true;
    });
    SPI_finish();
    return shape;
}

std::span<EncodedValue> read_row(Bytes &from, const DecodedShape &shape) {
    auto *values = static_cast<EncodedValue *>(palloc(sizeof(EncodedValue) * (shape.columns.size() + 1)));
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
        values[i] = {.header = from.varint(), .bytes = {}};
        if (values[i].header > record::unchanged_header)
            values[i].bytes = from.take(record::value_length(values[i].header));
    }
    return {values, shape.columns.size()};
}

char *server_cstring(std::string_view utf8) {
    const std::string_view text = from_utf8(utf8);
    return pnstrdup(text.data(), text.size());
}

namespace {

// A binary value with its text in the database's encoding, as its receive function is to find it.
std::string_view server_bytes(const ValueEncoder &encoder, std::string_view value) {
    switch (encoder.form) {
    case ValueForm::text:
    case ValueForm::name:
    case ValueForm::jsonb: return from_utf8(value);
    case ValueForm::array: break;
    default: return value;
    }
    ByteBuffer array{};
    array.use(CurrentMemoryContext);
    Bytes from{value.data(), value.size()};
    const auto take_int32 = [&] {
        std::uint32_t number;
        std::memcpy(&number, from.take(sizeof number).data(), sizeof number);
        return static_cast<std::int32_t>(pg_ntoh32(number));
    };
    constexpr std::size_t int32s_of_header = 3;
    constexpr std::size_t int32s_of_dimension = 2;
    const std::int32_t dimensions = take_int32();
    const std::string_view rest_of_header = from.take(
        sizeof(std::int32_t) * (int32s_of_header - 1 + int32s_of_dimension * static_cast<std::size_t>(dimensions)));
    array.append(value.data(), sizeof(std::int32_t) + rest_of_header.size());
    while (!from.empty()) {
        const std::int32_t length = take_int32();
        if (length < 0) {
            array.append_int32(static_cast<std::uint32_t>(length));
            continue;
        }
        const std::string_view element =
            server_bytes(encoder.element->encoder, from.take(static_cast<std::size_t>(length)));
        array.append_int32(static_cast<std::uint32_t>(element.size()));
        array.append(element.data(), element.size());
    }
    return {array.data(), array.size()};
}

// Whether a json value's text has escapes that jsonb cannot hold: of the character 0, and where Unicode is not the
// database's own, of any.
bool has_unusable_escape(const char *json) {
    return std::strstr(json, GetDatabaseEncoding() == PG_UTF8 ? "\\u0000" : "\\u") != nullptr;
}

void append_json(StringInfo json, ColumnReader &column, const EncodedValue &value) {
    if (value.header == record::null_header) {
        appendStringInfoString(json, "null");
    } else if (record::value_encoding(value.header) == record::Encoding::text || column.receive.fn_addr == nullptr) {
        escape_json(json, server_cstring(value.bytes));
    } else {
        StringInfoData bytes;
        initStringInfo(&bytes);
        const std::string_view server = server_bytes(column.encoder, value.bytes);
        appendBinaryStringInfo(&bytes, server.data(), static_cast<int>(server.size()));
        if (column.encoder.form == ValueForm::array) {
            const std::uint32_t element = pg_hton32(column.element);
            std::memcpy(bytes.data + 2 * sizeof element, &element, sizeof element); // behind dimensions and flags
        }
        if (column.type == JSONOID && has_unusable_escape(bytes.data)) return escape_json(json, bytes.data);
        const Datum datum = ReceiveFunctionCall(&column.receive, &bytes, column.io_parameter, -1);
        appendStringInfoString(json, TextDatumGetCString(FunctionCall1(&column.to_json, datum)));
    }
}

} // namespace

Datum row_to_jsonb(const DecodedShape &shape, std::span<const EncodedValue> row, bool key_only) {
    StringInfoData json;
    initStringInfo(&json);
    const char *separator = "{";
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (key_only && !shape.columns[i].is_key) continue;
        appendStringInfoString(&json, separator);
        escape_json(&json, shape.columns[i].name);
        appendStringInfoChar(&json, ':');
        append_json(&json, shape.columns[i], row[i]);
        separator = ",";
    }
    appendStringInfoString(&json, *separator == '{' ? "{}" : "}");
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(valid_text(json.data)));
}

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_utf8);
PGDLLEXPORT Datum waybill_utf8(PG_FUNCTION_ARGS);

// utf8(text) → bytea
Datum waybill_utf8(PG_FUNCTION_ARGS) {
    const text *value = PG_GETARG_TEXT_PP(0);
    const std::string_view utf8 = waybill::to_utf8({VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)});
    PG_RETURN_BYTEA_P(cstring_to_text_with_len(utf8.data(), static_cast<int>(utf8.size())));
}

} // extern "C"
