// The one door to PostgreSQL's headers, and the only file that knows of differences between its versions (13 to 18).
//
// Rules for everything behind this door: an error is a longjmp, so every type is trivially destructible and all memory
// is palloc'ed; nothing throws; entry points are extern "C". `make lint-boundary` checks it on the object code.
#pragma once

// The standard library first: PostgreSQL redefines printf and friends as macros.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

extern "C" {
#include <postgres.h>

#include <access/genam.h>
#include <access/heapam.h>
#include <access/htup_details.h>
#include <access/nbtree.h>
#include <access/relation.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <catalog/index.h>
#include <catalog/indexing.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <catalog/pg_enum.h>
#include <catalog/pg_trigger.h>
#include <catalog/pg_type.h>
#include <commands/sequence.h>
#include <commands/trigger.h>
#include <common/hashfn.h>
#include <executor/executor.h>
#include <executor/spi.h>
#include <fmgr.h>
#include <funcapi.h>
#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <storage/bufmgr.h>
#include <storage/lmgr.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/date.h>
#include <utils/datum.h>
#include <utils/fmgroids.h>
#include <utils/guc.h>
#include <utils/hsearch.h>
#include <utils/inval.h>
#include <utils/json.h>
#include <utils/jsonb.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include <utils/typcache.h>
#if PG_VERSION_NUM >= 180000
#include <utils/ruleutils.h>
#endif
}

#if PG_VERSION_NUM < 130000
#error "waybill needs PostgreSQL 13 or later"
#endif

// Empty before PostgreSQL 16, but we compile with hidden visibility.
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))

namespace waybill {

// The timeline on which this server writes WAL.
inline TimeLineID current_timeline() {
#if PG_VERSION_NUM >= 150000
    return GetWALInsertionTimeLine();
#else
    return ThisTimeLineID;
#endif
}

inline bool insert_into_index(Relation index, Datum *values, bool *nulls, ItemPointer tid, Relation heap,
                              IndexInfo *info) {
#if PG_VERSION_NUM >= 140000
    return index_insert(index, values, nulls, tid, heap, UNIQUE_CHECK_NO, false, info);
#else
    return index_insert(index, values, nulls, tid, heap, UNIQUE_CHECK_NO, info);
#endif
}

inline IndexScanDesc begin_index_scan(Relation heap, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 180000
    return index_beginscan(heap, index, snapshot, nullptr, keys, 0);
#else
    return index_beginscan(heap, index, snapshot, keys, 0);
#endif
}

// Virtual generated columns (PostgreSQL 18) have no stored value.
inline bool is_stored(const FormData_pg_attribute &attribute) {
#if PG_VERSION_NUM >= 180000
    return !attribute.attisdropped && attribute.attgenerated != ATTRIBUTE_GENERATED_VIRTUAL;
#else
    return !attribute.attisdropped;
#endif
}

inline void reserve_setting_prefix(const char *prefix) {
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved(prefix);
#else
    EmitWarningsOnPlaceholders(prefix);
#endif
}

} // namespace waybill
