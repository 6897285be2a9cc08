/*
 * Raises an error in a call from the extension into the server, for faults.py. Linked into waybill.so together with a
 * wrapper for each function of the server that it calls (call_wrappers.py), which first comes here.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Calls of one function since fail_call(). */
typedef struct
{
	const char *name;			/* the wrapper's own string, so equal when the pointers are */
	int			count;
} Calls;

static Calls calls[512];
static int	functions;
static char failing[NAMEDATALEN];	/* the function to fail; empty: none */
static int	failing_call;		/* which of its calls */

PGDLLEXPORT Datum waybill_fail_call(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_counted_calls(PG_FUNCTION_ARGS);
void		waybill_before_call(const char *function);

PG_FUNCTION_INFO_V1(waybill_fail_call);
PG_FUNCTION_INFO_V1(waybill_counted_calls);

/* fail_call(function text, n int): the n-th call of the function from now on fails. */
Datum
waybill_fail_call(PG_FUNCTION_ARGS)
{
	failing_call = 0;			/* what we call ourselves is wrapped, too */
	strlcpy(failing, text_to_cstring(PG_GETARG_TEXT_PP(0)), sizeof(failing));
	failing_call = PG_GETARG_INT32(1);
	functions = 0;
	PG_RETURN_VOID();
}

/* counted_calls(): "function count" of all that were called, a line each. */
Datum
waybill_counted_calls(PG_FUNCTION_ARGS)
{
	StringInfoData lines;
	int			counted = functions;

	initStringInfo(&lines);
	for (int i = 0; i < counted; i++)
		appendStringInfo(&lines, "%s %d\n", calls[i].name, calls[i].count);
	PG_RETURN_TEXT_P(cstring_to_text(lines.data));
}

/*
 * Nothing may fail, nor does it, in a critical section or when a transaction has already ended.
 */
void
waybill_before_call(const char *function)
{
	int			i;

	if (CritSectionCount > 0 || !IsTransactionState())
		return;
	for (i = 0; i < functions && calls[i].name != function; i++)
		;
	if (i == functions)
	{
		if (functions == lengthof(calls))
			return;
		calls[functions].name = function;
		calls[functions++].count = 0;
	}
	calls[i].count++;
	if (calls[i].count == failing_call && strcmp(function, failing) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("injected fault in a call of %s", function)));
}
