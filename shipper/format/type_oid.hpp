// The oids of PostgreSQL's built-in types that are not published as their text, or that text needs to know of.
#pragma once

#include <cstdint>

namespace waybill {

// From pg_type.dat; they never change.
enum class TypeOid : std::uint32_t {
    unknown = 0, // any other
    boolean = 16,
    bytea = 17,
    one_char = 18,
    name = 19,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    oid = 26,
    json = 114,
    xml = 142,
    point = 600,
    lseg = 601,
    path = 602,
    box = 603,
    polygon = 604,
    line = 628,
    float4 = 700,
    float8 = 701,
    circle = 718,
    money = 790,
    bpchar = 1042,
    varchar = 1043,
    date = 1082,
    time = 1083,
    timestamp = 1114,
    timestamptz = 1184,
    interval = 1186,
    timetz = 1266,
    bit = 1560,
    varbit = 1562,
    numeric = 1700,
    uuid = 2950,
    tsvector = 3614,
    jsonb = 3802,
};

} // namespace waybill
