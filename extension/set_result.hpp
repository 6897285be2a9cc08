// The result of a set-returning function that makes all its rows in one call.
#pragma once

#include "postgres.hpp"

namespace waybill {

struct SetResult {
    Tuplestorestate *store;
    TupleDesc descriptor;
};

// Prepares the caller's result, which may take `memory_kb` before it goes to disk; rows are added with
// tuplestore_putvalues(). (InitMaterializedSRF is newer than 13.)
inline SetResult begin_set_result(FunctionCallInfo fcinfo, int memory_kb = work_mem) {
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("set-valued function called in context that cannot accept a set"));
    MemoryContext before = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    if (get_call_result_type(fcinfo, nullptr, &result->setDesc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, memory_kb);
    result->returnMode = SFRM_Materialize;
    MemoryContextSwitchTo(before);
    return {.store = result->setResult, .descriptor = result->setDesc};
}

} // namespace waybill
