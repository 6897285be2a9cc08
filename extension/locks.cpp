// Locks of our own, which SQL cannot take, and waits that end.
#include "locks.hpp"

#include "log_objects.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

// waybill's number among the users of advisory locks. The lock's kind is its fourth field.
constexpr std::uint32_t advisory_class = 2003790188;

enum class Kind : std::uint16_t {
    stream = 3,     // of the id; waybill.status looks for it
    log = 4,        // see lock_log() in waybill--1.0.sql
    committing = 5, // a backend of the number
    prepared = 6,   // or about to be; shared by all who are
    emptied = 7,    // a table of the oid
};

constexpr std::uint32_t places = 2; // of the log's locks

LOCKTAG own_lock(Kind kind, std::uint32_t number) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, advisory_class, number, static_cast<std::uint16_t>(kind));
    return tag;
}

// Other transactions that hold the lock in a mode that conflicts with this one. (Not idle sessions that do.)
std::span<VirtualTransactionId> holders(const LOCKTAG &tag, LOCKMODE mode) {
    int count;
    VirtualTransactionId *found = GetLockConflicts(&tag, mode, &count);
    return {found, static_cast<std::size_t>(count)};
}

// By another transaction, in whatever mode.
bool is_held(const LOCKTAG &tag) {
    const std::span<VirtualTransactionId> found = holders(tag, ExclusiveLock);
    pfree(found.data());
    return !found.empty();
}

bool try_lock(const LOCKTAG &tag, LOCKMODE mode, Hold hold) {
    return LockAcquire(&tag, mode, hold == Hold::session, true) != LOCKACQUIRE_NOT_AVAIL;
}

// Until the top transaction ends. Error: unseen by readers, its changes would be lost.
void mark_transaction(const LOCKTAG &tag, LOCKMODE mode) {
    ResourceOwner owner = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    if (!try_lock(tag, mode, Hold::transaction)) elog(ERROR, "could not mark the transaction for readers of the log");
    CurrentResourceOwner = owner;
}

// In short attempts: we join no queue in which others would have to wait behind us, and end in time.
void acquire_in_time(const LOCKTAG &tag, LOCKMODE mode, const char *purpose) {
    constexpr long pause_us = 1000;
    for (const TimestampTz start = GetCurrentTimestamp(); !try_lock(tag, mode, Hold::transaction);) {
        if (GetCurrentTimestamp() - start >= longest_wait_us) {
            // Or for somebody who waits in front of us for those who hold it in whatever mode.
            const std::span<VirtualTransactionId> present = holders(tag, mode);
            give_up_waiting(present.empty() ? holders(tag, AccessExclusiveLock) : present, purpose);
        }
        CHECK_FOR_INTERRUPTS();
        pg_usleep(pause_us);
    }
}

const char *describe(std::span<const VirtualTransactionId> transactions) {
    if (transactions.empty()) return "others that are done by now";
    auto *pids = static_cast<Datum *>(palloc(transactions.size() * sizeof(Datum)));
    for (std::size_t i = 0; i < transactions.size(); ++i) pids[i] = Int32GetDatum(process_of(transactions[i]));
    std::array<Oid, 1> types{INT4ARRAYOID};
    std::array<Datum, 1> arguments{PointerGetDatum(
        construct_array(pids, static_cast<int>(transactions.size()), INT4OID, sizeof(std::int32_t), true, 'i'))};
    const char *text = nullptr;
    with_role(log_owner(), [&] {
        MemoryContext caller = CurrentMemoryContext;
        SPI_connect();
        if (SPI_execute_with_args("SELECT waybill_internal.describe_processes($1)", 1, types.data(), arguments.data(),
                                  nullptr, true, 1) != SPI_OK_SELECT)
            elog(ERROR, "could not look at processes");
        text = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
        SPI_finish();
    });
    return text;
}

bool prepare_refused;
bool places_locked; // since lock_places()

void transaction_event(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PRE_PREPARE:
        if (!prepare_refused) break;
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot PREPARE a transaction that has locked the change log or a stream of waybill"),
                errdetail("The lock would keep the log from being read or emptied for as long as the transaction is "
                          "prepared."),
                errhint("Call waybill.maintain(), safe_csn(), acknowledge(), create_stream() and drop_stream() in "
                        "transactions of their own."));
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE: prepare_refused = places_locked = false; break;
    default: break;
    }
}

} // namespace

void mark_as_committing() {
    mark_transaction(own_lock(Kind::committing, my_backend_number()), ExclusiveLock);
}

// PREPARE keeps a transaction's advisory locks with all else that it holds, also through a crash.
void mark_as_prepared() {
    mark_transaction(own_lock(Kind::prepared, 0), ShareLock);
}

bool anybody_is_prepared() {
    return is_held(own_lock(Kind::prepared, 0));
}

void mark_as_emptied(Oid table) {
    if (!try_lock(own_lock(Kind::emptied, table), ExclusiveLock, Hold::transaction))
        elog(ERROR, "table %u is being emptied by another transaction", table);
}

bool is_being_emptied(Oid table) {
    return is_held(own_lock(Kind::emptied, table));
}

void lock_places() {
    refuse_prepare();
    acquire_in_time(own_lock(Kind::log, places), ExclusiveLock, "could not give prepared transactions their places");
    places_locked = true;
}

void unlock_places() {
    const LOCKTAG tag = own_lock(Kind::log, places);
    LockRelease(&tag, ExclusiveLock, false);
    places_locked = holds_lock(tag, ExclusiveLock); // by a call before
}

// One that is prepared goes by the number of the backend that prepared it, which may be committing another by now.
bool is_committing(const VirtualTransactionId &transaction) {
    const std::optional<std::uint32_t> backend = backend_number(transaction);
    if (!backend) return false;
    const std::span<VirtualTransactionId> found = holders(own_lock(Kind::committing, *backend), ExclusiveLock);
    const bool is_marked = std::any_of(found.begin(), found.end(), [&](const VirtualTransactionId &holder) {
        return VirtualTransactionIdEquals(holder, transaction);
    });
    pfree(found.data());
    return is_marked;
}

bool take_stream(std::int32_t stream, Hold hold) {
    if (hold == Hold::transaction) refuse_prepare();
    return try_lock(own_lock(Kind::stream, static_cast<std::uint32_t>(stream)), ExclusiveLock, hold);
}

void lock_in_time(Oid relation, LOCKMODE mode, const char *purpose) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    if (ConditionalLockRelationOid(relation, mode)) return;
    acquire_in_time(tag, mode, purpose);
    AcceptInvalidationMessages();
}

void give_up_waiting(std::span<const VirtualTransactionId> transactions, const char *purpose) {
    ereport(ERROR, errcode(ERRCODE_LOCK_NOT_AVAILABLE),
            errmsg("%s: waited for %d seconds for %s", purpose, static_cast<int>(longest_wait_us / 1'000'000),
                   describe(transactions)),
            errhint("Try again; pg_stat_activity tells what it does, pg_terminate_backend() ends it."));
    pg_unreachable();
}

void refuse_prepare() {
    prepare_refused = true;
}

void register_lock_callbacks() {
    RegisterXactCallback(transaction_event, nullptr);
}

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_lock_log);
PG_FUNCTION_INFO_V1(waybill_try_lock_log);
PG_FUNCTION_INFO_V1(waybill_is_locked_here);
PGDLLEXPORT Datum waybill_lock_log(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_try_lock_log(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_is_locked_here(PG_FUNCTION_ARGS);

// lock_log(number int, purpose text)
Datum waybill_lock_log(PG_FUNCTION_ARGS) {
    waybill::refuse_prepare();
    waybill::acquire_in_time(waybill::own_lock(waybill::Kind::log, PG_GETARG_UINT32(0)), ExclusiveLock,
                             text_to_cstring(PG_GETARG_TEXT_PP(1)));
    PG_RETURN_VOID();
}

// try_lock_log(number int) → boolean
Datum waybill_try_lock_log(PG_FUNCTION_ARGS) {
    const std::uint32_t number = PG_GETARG_UINT32(0);
    // Until the places that this transaction gave are committed, others look for what has them where it was prepared.
    if (number == waybill::places && waybill::places_locked) PG_RETURN_BOOL(false);
    waybill::refuse_prepare();
    PG_RETURN_BOOL(
        waybill::try_lock(waybill::own_lock(waybill::Kind::log, number), ExclusiveLock, waybill::Hold::transaction));
}

// is_locked_here(table text) → boolean; the table is one of the extension's
Datum waybill_is_locked_here(PG_FUNCTION_ARGS) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, waybill::log_object(text_to_cstring(PG_GETARG_TEXT_PP(0))));
    PG_RETURN_BOOL(waybill::holds_lock(tag, AccessExclusiveLock));
}

} // extern "C"
