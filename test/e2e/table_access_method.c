/* A table access method that is heap under another handler: rows of it may tell nothing of the commands that made them. */
#include <postgres.h>

#include <access/heapam.h>
#include <access/tableam.h>
#include <fmgr.h>

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(other_handler);

Datum other_handler(PG_FUNCTION_ARGS) {
    static TableAmRoutine routine;

    routine = *GetHeapamTableAmRoutine();
    PG_RETURN_POINTER(&routine);
}
