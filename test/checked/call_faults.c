/*
 * Raises an error in the n-th call from the extension into the server, for faults.py. Linked into waybill.so together
 * with a wrapper for each function of the server that it calls (call_wrappers.py), which first comes here.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"

static int64 calls;     /* since the counter was set */
static int64 failing;   /* the call to fail; 0: none */

PGDLLEXPORT Datum waybill_fail_call(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_counted_calls(PG_FUNCTION_ARGS);
void waybill_before_call(const char *function);
extern const PGDLLEXPORT Pg_finfo_record *pg_finfo_waybill_fail_call(void);
extern const PGDLLEXPORT Pg_finfo_record *pg_finfo_waybill_counted_calls(void);

PG_FUNCTION_INFO_V1(waybill_fail_call);
PG_FUNCTION_INFO_V1(waybill_counted_calls);

/* fail_call(n bigint): the n-th call from now on fails. */
Datum
waybill_fail_call(PG_FUNCTION_ARGS)
{
	calls = 0;
	failing = PG_GETARG_INT64(0);
	PG_RETURN_VOID();
}

/* counted_calls(): how many there were. */
Datum
waybill_counted_calls(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(calls);
}

/*
 * Nothing may fail, nor does it, in a critical section or when a transaction has already ended.
 */
void
waybill_before_call(const char *function)
{
	if (CritSectionCount > 0 || !IsTransactionState())
		return;
	if (++calls == failing)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("injected fault in a call of %s", function)));
}
