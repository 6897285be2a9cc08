// What the text of a type's values depends on, by looking into the type.
#include "text_dependence.hpp"

namespace waybill {

namespace {

void add_row_dependence(Oid type, Oid row_relation, TextDependence &to) {
    // Through a multirange a type can contain itself: not every version of PostgreSQL refuses that.
    if (list_member_oid(to.row_types, row_relation)) return;
    to.row_types = lappend_oid(to.row_types, row_relation);
    TupleDesc descriptor = lookup_rowtype_tupdesc(type, -1);
    for (int i = 0; i < descriptor->natts; ++i)
        if (const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, i); !attribute.attisdropped)
            add_text_dependence(attribute.atttypid, to);
    ReleaseTupleDesc(descriptor);
}

} // namespace

void add_text_dependence(Oid declared_type, TextDependence &to) {
    check_stack_depth();
    const Oid type = getBaseType(declared_type);
    switch (type) {
    case BOOLOID:
    case CHAROID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case INT2VECTOROID:
    case OIDVECTOROID:
    case NAMEOID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case BITOID:
    case VARBITOID:
    case UUIDOID:
    case JSONOID:
    case JSONBOID:
    case XMLOID: // its bytes without the declaration of an encoding, which it no longer has
    case INETOID:
    case CIDROID:
    case MACADDROID:
    case MACADDR8OID:
    case TSVECTOROID:
    case TSQUERYOID: return;
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID: to.settings |= text_setting::date_style; return;
    case TIMETZOID:
    case TIMESTAMPTZOID: to.settings |= text_setting::date_style | text_setting::time_zone; return;
    case INTERVALOID: to.settings |= text_setting::interval_style; return;
    case FLOAT4OID:
    case FLOAT8OID:
    case POINTOID:
    case LINEOID:
    case LSEGOID:
    case BOXOID:
    case PATHOID:
    case POLYGONOID:
    case CIRCLEOID: to.settings |= text_setting::float_digits; return;
    case BYTEAOID: to.settings |= text_setting::bytea_format; return;
    default: break;
    }
    if (type_is_enum(type)) return;
    if (const Oid row_relation = get_typ_typrelid(type); OidIsValid(row_relation))
        return add_row_dependence(type, row_relation, to);
    for (const Oid part : {array_element_type(type), get_range_subtype(type), range_of_multirange(type)})
        if (OidIsValid(part)) return add_text_dependence(part, to);
    to.settings |= text_setting::any;
}

} // namespace waybill
