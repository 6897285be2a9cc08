// One change to the bytes of change_record.hpp.
#include "row_encoder.hpp"

#include "scope.hpp"
#include "settings.hpp"
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
auto with_record_buffer(Encode encode) {
    const bool nested = std::exchange(record_buffer_in_use, true);
    ByteBuffer nested_buffer{};
    nested_buffer.use(CurrentMemoryContext);
    record_buffer.use(TopMemoryContext);
    ByteBuffer &buffer = nested ? nested_buffer : record_buffer;
    buffer.clear();
    const auto encoded = encode(buffer);
    record_buffer_in_use = nested;
    return encoded;
}

// The bytes of a value in its encoder's form: a view of the value itself, of `scratch` or of palloc'ed memory.
// Fixed-width numbers are put into `scratch` in network order.
struct Scratch {
    std::array<char, 64> bytes;
};

template <typename Number>
Number load(const char *value) {
    Number number;
    std::memcpy(&number, value, sizeof number);
    return number;
}

template <typename Number>
Number in_network_order(Number number) {
    if constexpr (sizeof number == sizeof(std::uint16_t))
        return pg_hton16(number);
    else if constexpr (sizeof number == sizeof(std::uint32_t))
        return pg_hton32(number);
    else if constexpr (sizeof number == sizeof(std::uint64_t))
        return pg_hton64(number);
    else
        return number;
}

template <typename Number>
std::string_view number_bytes(const char *value, Scratch &scratch) {
    const Number number = in_network_order(load<Number>(value));
    std::memcpy(scratch.bytes.data(), &number, sizeof number);
    return {scratch.bytes.data(), sizeof number};
}

Datum datum(const ValueEncoder &encoder, const char *value) {
    if (!encoder.by_value) return PointerGetDatum(value);
    switch (encoder.length) {
    case sizeof(std::uint8_t): return UInt8GetDatum(load<std::uint8_t>(value));
    case sizeof(std::uint16_t): return UInt16GetDatum(load<std::uint16_t>(value));
    case sizeof(std::uint32_t): return UInt32GetDatum(load<std::uint32_t>(value));
    default: return UInt64GetDatum(load<std::uint64_t>(value));
    }
}

std::string_view varlena_bytes(const char *value) {
    if (VARATT_IS_COMPRESSED(value) || VARATT_IS_EXTERNAL(value))
        value = reinterpret_cast<const char *>(PG_DETOAST_DATUM(PointerGetDatum(value)));
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

std::string_view array_bytes(const ElementType &element, const char *value);

std::string_view sent_bytes(const ValueEncoder &encoder, const char *value) {
    const bytea *sent = SendFunctionCall(const_cast<FmgrInfo *>(&encoder.function), datum(encoder, value));
    return {VARDATA(sent), VARSIZE(sent) - VARHDRSZ};
}

// numeric_send's format, for all but extreme numbers straight from the stored one, which pg_upgrade keeps from ever
// changing (utils/adt/numeric.c): 16 bits with what kind it is, its sign, scale and in the short kind weight; in the
// long kind 16 bits of weight; then the digits, of 16 bits each.
std::string_view numeric_bytes(const ValueEncoder &encoder, const char *value, Scratch &scratch) {
    constexpr unsigned kind_mask = 0xC000;
    constexpr unsigned short_kind = 0x8000;
    constexpr unsigned special_kind = 0xC000; // NaN, infinity
    constexpr unsigned negative = 0x4000;
    if (VARATT_IS_COMPRESSED(value) || VARATT_IS_EXTERNAL(value)) return sent_bytes(encoder, value);
    const char *stored = VARDATA_ANY(value);
    const unsigned head = load<std::uint16_t>(stored);
    const bool is_short = (head & kind_mask) == short_kind;
    const std::size_t head_size = sizeof(std::uint16_t) * (is_short ? 1 : 2);
    const std::size_t digits_size = VARSIZE_ANY_EXHDR(value) - head_size;
    constexpr std::size_t sent_head_size = sizeof(std::uint16_t) * 4;
    if ((head & kind_mask) == special_kind || digits_size > scratch.bytes.size() - sent_head_size)
        return sent_bytes(encoder, value);

    unsigned sign = head & negative;
    unsigned scale = head & 0x3FFF;
    unsigned weight = 0;
    if (is_short) {
        sign = (head & 0x2000) != 0 ? negative : 0;
        scale = (head & 0x1F80) >> 7;
        weight = (head & 0x3F) | ((head & 0x40) != 0 ? ~0x3FU : 0); // a number of 7 bits in two's complement
    } else {
        weight = load<std::uint16_t>(stored + sizeof(std::uint16_t));
    }
    char *to = scratch.bytes.data();
    const auto put = [&](unsigned number) {
        const std::uint16_t ordered = pg_hton16(static_cast<std::uint16_t>(number));
        std::memcpy(to, &ordered, sizeof ordered);
        to += sizeof ordered;
    };
    for (const unsigned number : {static_cast<unsigned>(digits_size / sizeof(std::uint16_t)), weight, sign, scale})
        put(number);
    for (std::size_t i = 0; i < digits_size; i += sizeof(std::uint16_t))
        put(load<std::uint16_t>(stored + head_size + i));
    return {scratch.bytes.data(), sent_head_size + digits_size};
}

std::string_view value_bytes(const ValueEncoder &encoder, const char *value, Scratch &scratch) {
    switch (encoder.form) {
    case ValueForm::int8: return {value, sizeof(std::uint8_t)};
    case ValueForm::int16: return number_bytes<std::uint16_t>(value, scratch);
    case ValueForm::int32: return number_bytes<std::uint32_t>(value, scratch);
    case ValueForm::int64: return number_bytes<std::uint64_t>(value, scratch);
    case ValueForm::uuid: return {value, UUID_LEN};
    case ValueForm::bytes: return varlena_bytes(value);
    case ValueForm::text: return to_utf8(varlena_bytes(value));
    case ValueForm::name: return to_utf8(value);
    case ValueForm::jsonb: {
        Jsonb *jsonb = DatumGetJsonbP(PointerGetDatum(value));
        StringInfoData sent;
        initStringInfo(&sent);
        appendStringInfoChar(&sent, '\1'); // the version of jsonb's send format (jsonb_send)
        JsonbToCString(&sent, &jsonb->root, static_cast<int>(VARSIZE(jsonb)));
        return to_utf8({sent.data, static_cast<std::size_t>(sent.len)});
    }
    case ValueForm::array: return array_bytes(*encoder.element, value);
    case ValueForm::numeric: return numeric_bytes(encoder, value, scratch);
    case ValueForm::send: return sent_bytes(encoder, value);
    case ValueForm::output:
        return to_utf8(OutputFunctionCall(const_cast<FmgrInfo *>(&encoder.function), datum(encoder, value)));
    }
    pg_unreachable();
}

// array_send's format, with our own encoding of the elements.
std::string_view array_bytes(const ElementType &element, const char *value) {
    const ArrayType *array = DatumGetArrayTypeP(PointerGetDatum(value));
    ByteBuffer buffer{};
    buffer.use(CurrentMemoryContext);
    buffer.append_int32(static_cast<std::uint32_t>(ARR_NDIM(array)));
    buffer.append_int32(ARR_HASNULL(array) ? 1 : 0);
    buffer.append_int32(ARR_ELEMTYPE(array));
    for (int dimension = 0; dimension < ARR_NDIM(array); ++dimension) {
        buffer.append_int32(static_cast<std::uint32_t>(ARR_DIMS(array)[dimension]));
        buffer.append_int32(static_cast<std::uint32_t>(ARR_LBOUND(array)[dimension]));
    }
    const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    const std::uint8_t *present = ARR_NULLBITMAP(array);
    const char *at = ARR_DATA_PTR(array);
    for (int i = 0; i < count; ++i) {
        if (present != nullptr && att_isnull(i, present)) {
            buffer.append_int32(std::numeric_limits<std::uint32_t>::max());
            continue;
        }
        Scratch scratch;
        at = element.layout.align(at);
        const std::string_view bytes = value_bytes(element.encoder, at, scratch);
        at += element.layout.size(at);
        buffer.append_int32(static_cast<std::uint32_t>(bytes.size()));
        buffer.append(bytes.data(), bytes.size());
    }
    return {buffer.data(), buffer.size()};
}

// Before more memory is filled with a change that cannot be captured. Numbers alone are not many.
void check_size(std::size_t size) {
    if (size > settings::max_change_size()) refuse_size(size);
}

void append_bytes(ByteBuffer &to, const void *bytes, std::size_t length, Encoding encoding) {
    check_size(to.size() + length);
    char *end =
        record::put_varint(to.reserve(record::max_varint_size + length), record::value_header(length, encoding));
    std::memcpy(end, bytes, length);
    to.advance_to(end + length);
}

template <typename Number>
void append_number(ByteBuffer &to, const char *value) {
    constexpr std::uint64_t header = record::value_header(sizeof(Number), Encoding::binary);
    static_assert(header < 0x80);
    const Number number = in_network_order(load<Number>(value));
    char *at = to.reserve(1 + sizeof number);
    *at = static_cast<char>(header);
    std::memcpy(at + 1, &number, sizeof number);
    to.advance_to(at + 1 + sizeof number);
}

// Out of line, so that numbers are not made to pay for it.
[[gnu::noinline]] void append_other(ByteBuffer &to, const ValueEncoder &encoder, const char *value) {
    Scratch scratch;
    const std::string_view bytes = value_bytes(encoder, value, scratch);
    append_bytes(to, bytes.data(), bytes.size(), encoder.form == ValueForm::output ? Encoding::text : Encoding::binary);
}

void append_value(ByteBuffer &to, const ValueEncoder &encoder, const char *value) {
    switch (encoder.form) {
    case ValueForm::int8: return append_number<std::uint8_t>(to, value);
    case ValueForm::int16: return append_number<std::uint16_t>(to, value);
    case ValueForm::int32: return append_number<std::uint32_t>(to, value);
    case ValueForm::int64: return append_number<std::uint64_t>(to, value);
    default: return append_other(to, encoder, value);
    }
}

void append_row(ByteBuffer &to, const TableInfo &table, const StoredRow &row) {
    for (const ColumnEncoder &column : table.columns) {
        if (const char *value = row.value(column.attribute); value == nullptr)
            to.append_byte(record::null_header);
        else
            append_value(to, column.encoder, value);
    }
}

// Whether a column's values in both rows are stored with the same bytes.
bool is_unchanged(const ColumnEncoder &column, const StoredRow &old_row, const StoredRow &new_row) {
    const char *old_value = old_row.value(column.attribute);
    const char *new_value = new_row.value(column.attribute);
    if (old_value == nullptr || new_value == nullptr) return old_value == new_value;
    const std::size_t size = column.layout.size(old_value);
    return (column.layout.length > 0 || size == column.layout.size(new_value)) &&
           std::memcmp(old_value, new_value, size) == 0;
}

// The old row of an update: unchanged values are not written again.
void append_old_row(ByteBuffer &to, const TableInfo &table, const StoredRow &old_row, const StoredRow &new_row) {
    for (const ColumnEncoder &column : table.columns) {
        if (is_unchanged(column, old_row, new_row))
            to.append_byte(record::unchanged_header);
        else if (const char *value = old_row.value(column.attribute); value == nullptr)
            to.append_byte(record::null_header);
        else
            append_value(to, column.encoder, value);
    }
}

// For an error of a type's output function, say, which the user sees in a plain INSERT.
void tell_table(void *relation) {
    errcontext("waybill's capture of a change of table \"%s\"",
               RelationGetRelationName(static_cast<Relation>(relation)));
}

// Of how many bytes the record of such a value has at least one. No text form is known that takes less than a sixteenth
// of what is stored, nor does an array of names; the others are stored in no more than they are encoded in.
std::size_t greatest_shrinkage(ValueForm form) {
    switch (form) {
    case ValueForm::array:
    case ValueForm::jsonb:
    case ValueForm::output: return 16;
    default: return 1;
    }
}

// Values that are stored outside of their row tell their size: those that cannot fit a record are refused before memory
// is filled with them. (Nothing that is stored inside is large.)
void check_stored_size(const TableInfo &table, const StoredRow *old_row, const StoredRow *new_row) {
    std::size_t size = 0;
    for (const ColumnEncoder &column : table.columns) {
        if (column.layout.length != -1) continue;
        for (const StoredRow *row : {new_row, old_row}) {
            const char *value = row == nullptr ? nullptr : row->value(column.attribute);
            if (value == nullptr) continue;
            if (row == old_row && new_row != nullptr && is_unchanged(column, *row, *new_row)) continue;
            size += (toast_raw_datum_size(PointerGetDatum(value)) - VARHDRSZ) / greatest_shrinkage(column.encoder.form);
        }
    }
    check_size(size);
}

void append_rows(ByteBuffer &to, const TriggerCall &call, const TableInfo &table) {
    if (call.old_row == nullptr && call.new_row == nullptr) return;
    StoredRow old_row;
    StoredRow new_row;
    if (call.old_row != nullptr) old_row.read(call.old_row, table.layouts);
    if (call.new_row != nullptr) new_row.read(call.new_row, table.layouts);
    if (call.has_large_values)
        check_stored_size(table, call.old_row == nullptr ? nullptr : &old_row,
                          call.new_row == nullptr ? nullptr : &new_row);
    const auto append = [&] {
        append_row(to, table, call.new_row != nullptr ? new_row : old_row);
        if (call.new_row != nullptr && call.old_row != nullptr) append_old_row(to, table, old_row, new_row);
    };
    with_error_context(tell_table, call.relation, [&] { with_pinned_settings(table.texts.settings, append); });
    check_size(to.size());
}

// Length, operation, rank and shape.
constexpr std::size_t head_room = 3 * record::max_varint_size + 1;

// `append_body` adds a change's rows to a buffer, behind room for what is known at their end.
template <typename AppendBody>
EncodedChange make_change(record::Operation operation, std::int32_t shape, AppendBody append_body) {
    return with_record_buffer([&](ByteBuffer &to) -> EncodedChange {
        to.advance_to(to.reserve(head_room) + head_room);
        append_body(to);
        return {.operation = operation, .shape = shape, .body = {to.data() + head_room, to.size() - head_room}};
    });
}

ValueEncoder plain_encoder(ValueForm form) {
    ValueEncoder encoder{};
    encoder.form = form;
    return encoder;
}

ValueEncoder function_encoder(ValueForm form, Oid type, Oid function) {
    ValueEncoder encoder = plain_encoder(form);
    get_typlenbyval(type, &encoder.length, &encoder.by_value);
    fmgr_info_cxt(function, &encoder.function, CurrentMemoryContext);
    return encoder;
}

ValueEncoder array_encoder(Oid element_type) {
    auto *element = static_cast<ElementType *>(palloc(sizeof(ElementType)));
    bool by_value;
    char alignment;
    std::int16_t length;
    get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
    *element = {.layout = make_layout(length, alignment), .encoder = make_value_encoder(element_type)};
    ValueEncoder encoder = plain_encoder(ValueForm::array);
    encoder.element = element;
    return encoder;
}

} // namespace

ValueEncoder make_value_encoder(Oid declared_type) {
    const Oid type = getBaseType(declared_type);
    switch (type) {
    case BOOLOID:
    case CHAROID: return plain_encoder(ValueForm::int8);
    case INT2OID: return plain_encoder(ValueForm::int16);
    case INT4OID:
    case OIDOID:
    case FLOAT4OID:
    case DATEOID: return plain_encoder(ValueForm::int32);
    case INT8OID:
    case FLOAT8OID:
    case CASHOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: return plain_encoder(ValueForm::int64);
    case UUIDOID: return plain_encoder(ValueForm::uuid);
    case NAMEOID: return plain_encoder(ValueForm::name);
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case JSONOID: return plain_encoder(ValueForm::text);
    case BYTEAOID: return plain_encoder(ValueForm::bytes);
    case JSONBOID: return plain_encoder(ValueForm::jsonb);
    case NUMERICOID: return function_encoder(ValueForm::numeric, type, F_NUMERIC_SEND);
    case INTERVALOID: return function_encoder(ValueForm::send, type, F_INTERVAL_SEND);
    case TIMETZOID: return function_encoder(ValueForm::send, type, F_TIMETZ_SEND);
    default: break;
    }
    if (const Oid element_type = array_element_type(type); OidIsValid(element_type)) {
        const ValueEncoder encoder = array_encoder(element_type);
        if (encoder.element->encoder.form != ValueForm::output && encoder.element->encoder.form != ValueForm::array)
            return encoder;
    }
    Oid output_function;
    bool is_varlena;
    getTypeOutputInfo(type, &output_function, &is_varlena);
    return function_encoder(ValueForm::output, type, output_function);
}

void end_encoding() {
    record_buffer_in_use = false;
    record_buffer.release_if_large();
}

EncodedChange encode_change(const TriggerCall &call, const TableInfo &table) {
    return make_change(call.operation, table.shape, [&](ByteBuffer &to) { append_rows(to, call, table); });
}

std::span<const char> encode_moved_row(const TriggerCall &call, const TableInfo &table) {
    return with_record_buffer([&](ByteBuffer &to) -> std::span<const char> {
        append_rows(to, call, table);
        return {to.data(), to.size()};
    });
}

EncodedChange encode_move(const TriggerCall &insert, const TableInfo &table, const MovedRow &moved) {
    return make_change(record::Operation::update, table.shape, [&](ByteBuffer &to) {
        append_rows(to, insert, table);
        check_size(to.size() + moved.bytes.size());
        to.append(moved.bytes.data(), moved.bytes.size());
    });
}

EncodedChange encode_removal(const MovedRow &moved) {
    return make_change(record::Operation::remove, moved.shape,
                       [&](ByteBuffer &to) { to.append(moved.bytes.data(), moved.bytes.size()); });
}

std::span<const char> finish_record(const EncodedChange &change, std::uint32_t rank) {
    std::array<char, 2 * record::max_varint_size + 1> head;
    head[0] = static_cast<char>(change.operation);
    char *head_end = record::put_varint(head.data() + 1, rank);
    head_end = record::put_varint(head_end, static_cast<std::uint64_t>(change.shape));
    const auto head_size = static_cast<std::size_t>(head_end - head.data());
    std::array<char, record::max_varint_size> length;
    const char *length_end = record::put_varint(length.data(), head_size + change.body.size());
    const auto length_size = static_cast<std::size_t>(length_end - length.data());

    char *start = change.body.data() - head_size - length_size;
    std::memcpy(start, length.data(), length_size);
    std::memcpy(start + length_size, head.data(), head_size);
    return {start, length_size + head_size + change.body.size()};
}

} // namespace waybill
