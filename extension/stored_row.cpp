// Where a row that is stored in a table has its values.
#include "stored_row.hpp"

namespace waybill {

AttributeLayout make_layout(std::int16_t length, char alignment) {
    switch (alignment) {
    case TYPALIGN_CHAR: return {.length = length, .alignment = 1};
    case TYPALIGN_SHORT: return {.length = length, .alignment = ALIGNOF_SHORT};
    case TYPALIGN_INT: return {.length = length, .alignment = ALIGNOF_INT};
    default: return {.length = length, .alignment = ALIGNOF_DOUBLE};
    }
}

std::span<const AttributeLayout> make_layouts(TupleDesc descriptor, AttrNumber count) {
    const auto attributes = static_cast<std::size_t>(count);
    auto *layouts = static_cast<AttributeLayout *>(palloc(sizeof(AttributeLayout) * (attributes + 1)));
    for (std::size_t i = 0; i < attributes; ++i) {
        const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, static_cast<int>(i));
        layouts[i] = make_layout(attribute.attlen, attribute.attalign);
    }
    return {layouts, attributes};
}

// As heap_deform_tuple() does. A row's bytes begin at an address that is aligned for any type.
void StoredRow::read(TupleTableSlot *slot, std::span<const AttributeLayout> layouts) {
    HeapTuple row = ExecFetchSlotHeapTuple(slot, false, nullptr);
    // Attributes that were added, with a default or not, since the row was stored.
    if (HeapTupleHeaderGetNatts(row->t_data) < layouts.size()) row = heap_expand_tuple(row, slot->tts_tupleDescriptor);
    const std::uint8_t *present = HeapTupleHasNulls(row) ? row->t_data->t_bits : nullptr;
    const char *at = reinterpret_cast<const char *>(row->t_data) + row->t_data->t_hoff;
    for (std::size_t i = 0; i < layouts.size(); ++i) {
        if (present != nullptr && att_isnull(static_cast<int>(i), present)) {
            values_[i] = nullptr;
            continue;
        }
        const AttributeLayout layout = layouts[i];
        // A short varlena is not aligned, and begins with what no padding has.
        if (layout.length != -1 || *at == 0) at = layout.align(at);
        values_[i] = at;
        at += layout.size(at);
    }
}

} // namespace waybill
