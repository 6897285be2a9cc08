// One change to the bytes of change_record.hpp.
#include "row_encoder.hpp"

#include "scope.hpp"
#include "table_info.hpp"
#include "text.hpp"

namespace waybill {

namespace {

using record::Encoding;

// The record under construction. Reused by each change; what a failed change left in it is cleared by the next.
ByteBuffer record_buffer;
// A type's output function may change captured tables itself: such a change is put together elsewhere. After an error
// it stays set until the transaction ends, which only costs time.
bool record_buffer_in_use;

// Returns what `encode` makes of an empty buffer.
template <typename Encode>
std::span<const char> with_record_buffer(Encode encode) {
    const bool nested = std::exchange(record_buffer_in_use, true);
    ByteBuffer nested_buffer{};
    nested_buffer.use(CurrentMemoryContext);
    record_buffer.use(TopMemoryContext);
    ByteBuffer &buffer = nested ? nested_buffer : record_buffer;
    buffer.clear();
    const std::span<const char> bytes = encode(buffer);
    record_buffer_in_use = nested;
    return bytes;
}

void append_value(ByteBuffer &to, const void *bytes, std::size_t length, Encoding encoding) {
    char *end =
        record::put_varint(to.reserve(record::max_varint_size + length), record::value_header(length, encoding));
    std::memcpy(end, bytes, length);
    to.advance_to(end + length);
}

// The bytes of a value in its encoder's form: a view of `datum` itself, of `scratch` or of palloc'ed memory.
// Fixed-width numbers are put into `scratch` in network order.
struct FixedWidth {
    std::array<char, 8> bytes;
};

template <typename Number>
std::string_view network_order(FixedWidth &scratch, Number number) {
    std::memcpy(scratch.bytes.data(), &number, sizeof number);
    return {scratch.bytes.data(), sizeof number};
}

std::string_view varlena_bytes(Datum datum) {
    const struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

std::string_view array_bytes(const ElementType &element, Datum datum);

std::string_view value_bytes(const ValueEncoder &encoder, Datum datum, FixedWidth &scratch) {
    switch (encoder.form) {
    case ValueForm::int8: return network_order(scratch, DatumGetChar(datum));
    case ValueForm::int16: return network_order(scratch, pg_hton16(DatumGetUInt16(datum)));
    case ValueForm::int32: return network_order(scratch, pg_hton32(DatumGetUInt32(datum)));
    case ValueForm::int64: return network_order(scratch, pg_hton64(static_cast<uint64>(DatumGetInt64(datum))));
    case ValueForm::uuid: return {static_cast<const char *>(DatumGetPointer(datum)), 16};
    case ValueForm::bytes: return varlena_bytes(datum);
    case ValueForm::text: return to_utf8(varlena_bytes(datum));
    case ValueForm::name: return to_utf8(NameStr(*DatumGetName(datum)));
    case ValueForm::jsonb: {
        Jsonb *value = DatumGetJsonbP(datum);
        const char *json = JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value)));
        const std::string_view text = to_utf8(json);
        char *sent = static_cast<char *>(MemoryContextAllocHuge(CurrentMemoryContext, text.size() + 1));
        sent[0] = 1; // the version of jsonb's send format (jsonb_send)
        std::memcpy(sent + 1, text.data(), text.size());
        return {sent, text.size() + 1};
    }
    case ValueForm::array: return array_bytes(*encoder.element, datum);
    case ValueForm::send: {
        const bytea *sent = SendFunctionCall(const_cast<FmgrInfo *>(&encoder.function), datum);
        return {VARDATA(sent), VARSIZE(sent) - VARHDRSZ};
    }
    case ValueForm::output: return to_utf8(OutputFunctionCall(const_cast<FmgrInfo *>(&encoder.function), datum));
    }
    pg_unreachable();
}

// array_send's format, with our own encoding of the elements.
std::string_view array_bytes(const ElementType &element, Datum datum) {
    const ArrayType *array = DatumGetArrayTypeP(datum);
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(const_cast<ArrayType *>(array), ARR_ELEMTYPE(array), element.length, element.by_value,
                      element.alignment, &values, &nulls, &count);
    ByteBuffer buffer{};
    buffer.use(CurrentMemoryContext);
    buffer.append_int32(static_cast<std::uint32_t>(ARR_NDIM(array)));
    buffer.append_int32(ARR_HASNULL(array) ? 1 : 0);
    buffer.append_int32(ARR_ELEMTYPE(array));
    for (int dimension = 0; dimension < ARR_NDIM(array); ++dimension) {
        buffer.append_int32(static_cast<std::uint32_t>(ARR_DIMS(array)[dimension]));
        buffer.append_int32(static_cast<std::uint32_t>(ARR_LBOUND(array)[dimension]));
    }
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) {
            buffer.append_int32(std::numeric_limits<std::uint32_t>::max());
            continue;
        }
        FixedWidth scratch;
        const std::string_view bytes = value_bytes(element.encoder, values[i], scratch);
        buffer.append_int32(static_cast<std::uint32_t>(bytes.size()));
        buffer.append(bytes.data(), bytes.size());
    }
    return {buffer.data(), buffer.size()};
}

void append_datum(ByteBuffer &to, const ValueEncoder &encoder, Datum datum) {
    FixedWidth scratch;
    const std::string_view bytes = value_bytes(encoder, datum, scratch);
    append_value(to, bytes.data(), bytes.size(), encoder.form == ValueForm::output ? Encoding::text : Encoding::binary);
}

void append_row(ByteBuffer &to, const TableInfo &table, const TupleTableSlot &row) {
    for (const ColumnEncoder &column : table.columns) {
        const int i = column.attribute - 1;
        if (row.tts_isnull[i])
            to.append_varint(record::null_header);
        else
            append_datum(to, column.encoder, row.tts_values[i]);
    }
}

// Whether a column's values in both rows are stored with the same bytes.
bool is_unchanged(const ColumnEncoder &column, const TupleTableSlot &old_row, const TupleTableSlot &new_row) {
    const int i = column.attribute - 1;
    const bool is_null = old_row.tts_isnull[i];
    return is_null == new_row.tts_isnull[i] &&
           (is_null || datumIsEqual(old_row.tts_values[i], new_row.tts_values[i], column.by_value, column.length));
}

// The old row of an update: unchanged values are not written again.
void append_old_row(ByteBuffer &to, const TableInfo &table, const TupleTableSlot &old_row,
                    const TupleTableSlot &new_row) {
    for (const ColumnEncoder &column : table.columns) {
        const int i = column.attribute - 1;
        if (is_unchanged(column, old_row, new_row))
            to.append_varint(record::unchanged_header);
        else if (old_row.tts_isnull[i])
            to.append_varint(record::null_header);
        else
            append_datum(to, column.encoder, old_row.tts_values[i]);
    }
}

// For an error of a type's output function, say, which the user sees in a plain INSERT.
void tell_table(void *relation) {
    errcontext("waybill's capture of a change of table \"%s\"",
               RelationGetRelationName(static_cast<Relation>(relation)));
}

// Values that are stored outside of their row tell their size: those that cannot fit a record are refused before memory
// is filled with them. (Nothing that is stored inside is large; numbers and the like are encoded in less than they
// take.)
void check_size(const TriggerCall &call, const TableInfo &table) {
    std::size_t size = 0;
    for (const ColumnEncoder &column : table.columns) {
        if (column.encoder.form != ValueForm::text && column.encoder.form != ValueForm::bytes) continue;
        const int i = column.attribute - 1;
        for (const TupleTableSlot *row : {call.new_row, call.old_row}) {
            if (row == nullptr || row->tts_isnull[i]) continue;
            if (row == call.old_row && call.new_row != nullptr && is_unchanged(column, *row, *call.new_row)) continue;
            size += toast_raw_datum_size(row->tts_values[i]);
        }
    }
    if (size > record::max_record_size) refuse_size(size);
}

void append_rows(ByteBuffer &to, const TriggerCall &call, const TableInfo &table) {
    if (call.old_row != nullptr) slot_getsomeattrs(call.old_row, table.last_attribute);
    if (call.new_row != nullptr) slot_getsomeattrs(call.new_row, table.last_attribute);
    if (call.has_large_values) check_size(call, table);
    const auto append = [&] {
        if (call.new_row != nullptr) {
            append_row(to, table, *call.new_row);
            if (call.old_row != nullptr) append_old_row(to, table, *call.old_row, *call.new_row);
        } else if (call.old_row != nullptr) {
            append_row(to, table, *call.old_row);
        }
    };
    with_error_context(tell_table, call.relation, [&] {
        if (table.depends_on_settings)
            with_pinned_settings(append);
        else
            append();
    });
}

struct RecordHeader {
    record::Operation operation;
    std::uint32_t rank;
    std::int32_t shape;
};

// Puts a record together; `append_body` adds its rows to a buffer.
template <typename AppendBody>
std::span<const char> make_record(const RecordHeader &header, AppendBody append_body) {
    // A record begins with its length, which is known at its end: leave room and fill it in backwards.
    constexpr std::size_t prefix = record::max_varint_size;
    return with_record_buffer([&](ByteBuffer &to) -> std::span<const char> {
        to.advance_to(to.reserve(prefix) + prefix);
        to.append_byte(static_cast<std::uint8_t>(header.operation));
        to.append_varint(header.rank);
        to.append_varint(static_cast<std::uint64_t>(header.shape));
        append_body(to);

        std::array<char, prefix> length;
        const char *length_end = record::put_varint(length.data(), to.size() - prefix);
        const auto length_size = static_cast<std::size_t>(length_end - length.data());
        char *start = to.data() + prefix - length_size;
        std::memcpy(start, length.data(), length_size);
        return {start, to.size() - prefix + length_size};
    });
}

ValueEncoder function_encoder(ValueForm form, Oid function, bool depends_on_settings) {
    ValueEncoder encoder{.form = form, .depends_on_settings = depends_on_settings, .function = {}, .element = nullptr};
    fmgr_info_cxt(function, &encoder.function, CurrentMemoryContext);
    return encoder;
}

ValueEncoder array_encoder(Oid element_type) {
    ElementType element{};
    element.encoder = make_value_encoder(element_type);
    get_typlenbyvalalign(element_type, &element.length, &element.by_value, &element.alignment);
    auto *kept = static_cast<ElementType *>(palloc(sizeof(ElementType)));
    *kept = element;
    return {.form = ValueForm::array, .depends_on_settings = false, .function = {}, .element = kept};
}

// The text of these does not depend on any setting, nor, for an enum, on more than the catalog. (An xml value's text is
// its bytes without the declaration of an encoding, which it no longer has.)
bool has_constant_text(Oid type) {
    switch (type) {
    case BITOID:
    case VARBITOID:
    case XMLOID:
    case INETOID:
    case CIDROID:
    case MACADDROID:
    case MACADDR8OID: return true;
    default: return type_is_enum(type);
    }
}

} // namespace

ValueEncoder make_value_encoder(Oid declared_type) {
    const Oid type = getBaseType(declared_type);
    const auto plain = [](ValueForm form) {
        return ValueEncoder{.form = form, .depends_on_settings = false, .function = {}, .element = nullptr};
    };
    switch (type) {
    case BOOLOID:
    case CHAROID: return plain(ValueForm::int8);
    case INT2OID: return plain(ValueForm::int16);
    case INT4OID:
    case OIDOID:
    case FLOAT4OID:
    case DATEOID: return plain(ValueForm::int32);
    case INT8OID:
    case FLOAT8OID:
    case CASHOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: return plain(ValueForm::int64);
    case UUIDOID: return plain(ValueForm::uuid);
    case NAMEOID: return plain(ValueForm::name);
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case JSONOID: return plain(ValueForm::text);
    case BYTEAOID: return plain(ValueForm::bytes);
    case JSONBOID: return plain(ValueForm::jsonb);
    case NUMERICOID: return function_encoder(ValueForm::send, F_NUMERIC_SEND, false);
    case INTERVALOID: return function_encoder(ValueForm::send, F_INTERVAL_SEND, false);
    case TIMETZOID: return function_encoder(ValueForm::send, F_TIMETZ_SEND, false);
    default: break;
    }
    // Only true arrays: int2vector and the like are subscriptable too, but have text forms of their own.
    if (const Oid element_type = get_element_type(type);
        OidIsValid(element_type) && get_array_type(element_type) == type) {
        const ValueEncoder encoder = array_encoder(element_type);
        if (encoder.element->encoder.form != ValueForm::output && encoder.element->encoder.form != ValueForm::array)
            return encoder;
    }
    Oid output_function;
    bool is_varlena;
    getTypeOutputInfo(type, &output_function, &is_varlena);
    return function_encoder(ValueForm::output, output_function, !has_constant_text(type));
}

void end_encoding() {
    record_buffer_in_use = false;
    record_buffer.release_if_large();
}

std::span<const char> encode_change(const TriggerCall &call, const TableInfo &table, std::uint32_t rank) {
    return make_record({.operation = call.operation, .rank = rank, .shape = table.shape},
                       [&](ByteBuffer &to) { append_rows(to, call, table); });
}

std::span<const char> encode_moved_row(const TriggerCall &call, const TableInfo &table) {
    return with_record_buffer([&](ByteBuffer &to) -> std::span<const char> {
        append_rows(to, call, table);
        return {to.data(), to.size()};
    });
}

std::span<const char> encode_move(const TriggerCall &insert, const TableInfo &table, std::uint32_t rank,
                                  const MovedRow &moved) {
    return make_record({.operation = record::Operation::update, .rank = rank, .shape = table.shape},
                       [&](ByteBuffer &to) {
                           append_rows(to, insert, table);
                           to.append(moved.bytes.data(), moved.bytes.size());
                       });
}

std::span<const char> encode_removal(const MovedRow &moved) {
    return make_record({.operation = record::Operation::remove, .rank = moved.rank, .shape = moved.shape},
                       [&](ByteBuffer &to) { to.append(moved.bytes.data(), moved.bytes.size()); });
}

} // namespace waybill
