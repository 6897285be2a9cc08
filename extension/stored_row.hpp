// Where a row that is stored in a table has its values: found in one pass over its bytes, without making Datums of
// them.
#pragma once

#include "postgres.hpp"

namespace waybill {

// How the values of an attribute lie in a row, or those of an array in it.
struct AttributeLayout {
    std::int16_t length;    // as pg_type.typlen: -1 for varlena, -2 for cstring
    std::uint8_t alignment; // in bytes

    [[nodiscard]] const char *align(const char *at) const {
        return at + (-reinterpret_cast<std::uintptr_t>(at) & (alignment - 1U));
    }
    [[nodiscard]] std::size_t size(const char *value) const {
        if (length > 0) return static_cast<std::size_t>(length);
        return length == -1 ? VARSIZE_ANY(value) : std::strlen(value) + 1;
    }
};

// `alignment` as pg_type.typalign.
AttributeLayout make_layout(std::int16_t length, char alignment);

// The layout of a table's first `count` attributes, dropped ones too; allocated in the current memory context.
std::span<const AttributeLayout> make_layouts(TupleDesc descriptor, AttrNumber count);

// The values of one row: pointers to them in the row, null for NULL.
class StoredRow {
public:
    // Reads the row of a slot, which must live as long as this; `layouts` are of its table.
    void read(TupleTableSlot *slot, std::span<const AttributeLayout> layouts);

    // The value of an attribute that has one of the layouts.
    [[nodiscard]] const char *value(AttrNumber attribute) const {
        return values_[static_cast<std::size_t>(attribute - 1)];
    }

private:
    std::array<const char *, MaxHeapAttributeNumber> values_;
};

} // namespace waybill
