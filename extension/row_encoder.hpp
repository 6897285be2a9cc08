// One change to the bytes of change_record.hpp.
#pragma once

#include "byte_buffer.hpp"
#include "moved_rows.hpp"
#include "postgres.hpp"
#include "stored_row.hpp"
#include "trigger_call.hpp"

namespace waybill {

struct TableInfo;

// How values of a type become bytes. All forms but `output` make PostgreSQL's send format, most of them without
// calling the type's send function, which for text would convert to the client's encoding instead of UTF-8.
enum class ValueForm : std::uint8_t {
    int8,
    int16,
    int32,
    int64,
    uuid,
    name,
    text,  // varlena holding text in the database's encoding
    bytes, // varlena sent as it is
    numeric,
    jsonb,
    array,
    send,   // by the type's send function
    output, // text, by the type's output function
};

struct ElementType;

struct ValueEncoder {
    ValueForm form;
    bool by_value;              // the type is; only set for those with a function
    std::int16_t length;        // of the type; as above
    FmgrInfo function;          // of `numeric`, `send` and `output`
    const ElementType *element; // of `array`
};

struct ElementType {
    AttributeLayout layout;
    ValueEncoder encoder;
};

// Chooses the encoder of a type; what it needs is allocated in the current memory context.
ValueEncoder make_value_encoder(Oid type);

// A change without the head of its record; the bytes before `body` are for that.
struct EncodedChange {
    record::Operation operation;
    std::int32_t shape;
    std::span<char> body;
};

// Encodes a change. As the others, the bytes are valid until the next call.
EncodedChange encode_change(const TriggerCall &call, const TableInfo &table);

// A row that is on its way to another partition, and what comes of it: an update, with the insert at the other end, or
// the delete that it is when there is none.
std::span<const char> encode_moved_row(const TriggerCall &call, const TableInfo &table);
EncodedChange encode_move(const TriggerCall &insert, const TableInfo &table, const MovedRow &moved);
EncodedChange encode_removal(const MovedRow &moved);

// Puts the head before the body: the whole record.
std::span<const char> finish_record(const EncodedChange &change, std::uint32_t rank);

// Forgets what an error broke off and gives back what a very large row took; called when a transaction ends.
void end_encoding();

} // namespace waybill
