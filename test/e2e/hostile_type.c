/*
 * A type whose output function runs its value as SQL when that begins with "sql:". For test_errors.py: only a C function
 * can be an output function.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hostile_in);
PG_FUNCTION_INFO_V1(hostile_out);

Datum
hostile_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(PG_GETARG_CSTRING(0)));
}

Datum
hostile_out(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (strncmp(value, "sql:", 4) == 0)
	{
		SPI_connect();
		SPI_execute(value + 4, false, 0);
		SPI_finish();
	}
	PG_RETURN_CSTRING(value);
}
