// The fence: how far the log can be read. The order of steps is drawn in change_log.cpp.
//
// A prepared transaction that commits becomes visible without having waited for its turn. It gets its place when a
// reader sees it first (waybill_internal.release()): where its number says, or, when readers were let past that
// already, right behind what they were let read. That is where it was all along for those who came after it: they drew
// their csns when it was visible, and whoever draws is behind all that was handed out.
//
//   reader, behind its fence                                 reader that gives places
//   1 is anybody prepared, or about to be?                   a lock the places
//   2 look for what has no place: give it one                b look for what has no place
//   3 if somebody is: note how far it reads                  c read what was noted: places are behind that
//   4 look again                                             d commit: places and a note of their own
//
// What cannot be seen at 2 becomes visible later. So who depends on it draws a csn behind what the reader reads, and it
// may get a place there, too. It does: either the reader sees it at 4, or whoever sees it at b finds the note at c. So
// a reader that finds nothing to place waits for nobody. No step can be left out: test/e2e/test_commit_order_proof.py
// tries every interleaving, also without each.
#include "change_log.hpp"
#include "locks.hpp"
#include "log_objects.hpp"
#include "log_row.hpp"
#include "postgres.hpp"
#include "prepared_log.hpp"

namespace waybill {

namespace {

constexpr Csn last_number = std::numeric_limits<Csn>::max();

// Whether a transaction may be prepared, or about to be, whose changes nobody can see yet.
bool prepared_in_flight() {
    return !prepared_locks_are_listed() || anybody_is_prepared();
}

// Whether something of prepared transactions is there, visible or not: mostly not.
bool has_prepared() {
    return !is_empty(prepared_table(0)) || !is_empty(prepared_table(1)) || !is_empty(log_object("released"));
}

// The greatest csn in waybill_internal.released, of committed transactions; 0 if there is none.
Csn released_with_places() {
    static SPIPlanPtr plan;
    if (is_empty(log_object("released"))) return 0;
    SPI_connect();
    if (plan == nullptr) {
        SPIPlanPtr made = SPI_prepare("SELECT pg_catalog.max(csn) FROM waybill_internal.released", 0, nullptr);
        if (made == nullptr || SPI_keepplan(made) != 0) elog(ERROR, "could not plan: %d", SPI_result);
        plan = made;
    }
    // Not read only: so it sees what is committed by now.
    if (SPI_execute_plan(plan, nullptr, nullptr, false, 1) != SPI_OK_SELECT) elog(ERROR, "could not look");
    bool is_null;
    const Datum csn = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    const Csn result = is_null ? 0 : DatumGetInt64(csn);
    SPI_finish();
    return result;
}

// Up to where readers were let read while transactions were prepared. No crash takes that back. The table first: who
// empties it sets the sequence before.
Csn released_csn() {
    const Csn with_places = released_with_places();
    return std::max(with_places, durable_value(log_object("released_seq")));
}

// Notes that readers are let read up to `csn`, at once and for good.
void note_released(Csn csn) {
    const Oid sequence = log_object("released_seq");
    for (Csn noted = sequence_value(sequence); noted < csn && !set_sequence(sequence, noted, csn);)
        noted = sequence_value(sequence);
}

// A fence that waits for nobody: it is passed when all who were committing once are done, and so visible.
class Fence {
public:
    Fence() = default;
    explicit Fence(Oid commit_sequence) : drawn_{sequence_value(commit_sequence)}, done_{0} {
        LOCKTAG tag;
        SET_LOCKTAG_RELATION(tag, MyDatabaseId, commit_sequence);
        int count;
        holders_ = GetLockConflicts(&tag, ShareLock, &count); // with an invalid one behind the last
        // Others may hold the lock, too; see change_log.cpp.
        int committing = 0;
        for (int i = 0; i < count; ++i)
            if (is_committing(holders_[i])) holders_[committing++] = holders_[i];
        holders_[committing] = holders_[count];
    }

    [[nodiscard]] Csn drawn() const { return drawn_; }
    [[nodiscard]] bool is_passed() {
        // Only looks whether each still runs.
        while (VirtualTransactionIdIsValid(holders_[done_]) && VirtualXactLock(holders_[done_], false)) ++done_;
        return !VirtualTransactionIdIsValid(holders_[done_]);
    }
    // Those who have not been seen to be done.
    [[nodiscard]] std::span<const VirtualTransactionId> missing() const {
        std::size_t end = done_;
        while (VirtualTransactionIdIsValid(holders_[end])) ++end;
        return {holders_ + done_, end - done_};
    }
    void close() const { pfree(holders_); }

private:
    Csn drawn_;
    VirtualTransactionId *holders_;
    std::size_t done_;
};

// Between two looks: short at first, and longer with the time that nothing comes.
void pause(std::int64_t waited_us) {
    constexpr std::int64_t shortest_us = 200;
    constexpr std::int64_t longest_us = 10'000;
    const std::int64_t pause_us = std::clamp(waited_us / 8, shortest_us, longest_us);
    CHECK_FOR_INTERRUPTS();
    // A latch wakes at once for interrupts and the server's end, but counts in milliseconds.
    if (pause_us < 1000) {
        pg_usleep(pause_us);
    } else {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_us / 1000, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

// Waits until a csn greater than `after`, which is safe, is safe too, and returns it. Nothing when none was drawn in
// `wait_ms`, or when it takes more than a fence. Looking is cheap; no NOTIFY, which would serialize the commits.
//
// A fence begins whenever something new was drawn, before those in front of it are passed: else what has just committed
// would wait for all who began to commit meanwhile, and their WAL takes longer to the disk than all else takes here.
std::optional<Csn> wait_for_csn(Oid commit_sequence, Csn after, int wait_ms) {
    static TimestampTz last_news; // from call to call: when nothing comes, they follow each other
    const TimestampTz start = GetCurrentTimestamp();
    const Oid released_sequence = log_object("released_seq");
    std::array<Fence, 16> fences; // those begun and not passed: from `first`, `begun` less `first` of them
    std::size_t first = 0;
    std::size_t begun = 0;
    Csn drawn = after;
    // Whoever draws a csn writes WAL behind that: while nobody wrote any there is nothing to see. Prepared transactions
    // become visible a little after theirs, so with them that says nothing.
    XLogRecPtr looked_at = InvalidXLogRecPtr;
    bool prepared = false;
    for (;;) {
        const XLogRecPtr written = GetXLogInsertRecPtr();
        if (written != looked_at || prepared) {
            looked_at = written;
            prepared = has_prepared();
            if (sequence_value(released_sequence) > after) return {};
            if (prepared && (has_unplaced(last_number) || released_csn() > after)) return {};
            if (begun - first < fences.size() && sequence_value(commit_sequence) > drawn) {
                Fence &fence = fences[begun++ % fences.size()] = Fence{commit_sequence};
                drawn = fence.drawn();
                last_news = GetCurrentTimestamp();
            }
        }
        std::optional<Csn> passed;
        for (; first < begun && fences[first % fences.size()].is_passed(); ++first) {
            passed = fences[first % fences.size()].drawn();
            fences[first % fences.size()].close();
        }
        if (passed) return passed;

        const TimestampTz now = GetCurrentTimestamp();
        const bool in_fence = first < begun;
        // Whoever waits for us has other things to ask. But fences are begun anew then: most commits must not take
        // longer.
        if (now - start >= std::int64_t{wait_ms} * 1000 + (in_fence ? longest_wait_us : 0))
            return in_fence ? std::optional{after} : std::nullopt;
        pause(now - last_news);
    }
}

// Gives the prepared transactions that can be seen, with numbers up to `drawn`, their places, and returns how far the
// log can be read with them. Nothing when there are none.
std::optional<Csn> give_places(Csn drawn) {
    if (!has_unplaced(drawn)) return {};
    lock_places();
    if (!has_unplaced(drawn)) { // another reader gave them theirs
        unlock_places();
        return {};
    }
    std::array<Oid, 2> types{INT8OID, INT4OID};
    std::array<Datum, 2> arguments{Int64GetDatum(drawn), Int32GetDatum(position_timeline())};
    SPI_connect();
    if (SPI_execute_with_args("SELECT waybill_internal.release($1, $2)", static_cast<int>(types.size()), types.data(),
                              arguments.data(), nullptr, false, 1) != SPI_OK_SELECT)
        elog(ERROR, "could not call waybill_internal.release()");
    bool is_null;
    const Csn released = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    SPI_finish();
    ForceSyncCommit(); // a place outlives a crash before anything is shipped under it
    return released;
}

// Waits until all that was drawn so far is safe, and returns the last of it. When that takes too long: nothing if
// `may_give_up`, else an error that says for whom it waited.
std::optional<Csn> wait_for_fence(Oid commit_sequence, bool may_give_up) {
    Fence fence{commit_sequence};
    for (const TimestampTz start = GetCurrentTimestamp(); !fence.is_passed();) {
        const std::int64_t waited_us = GetCurrentTimestamp() - start;
        if (waited_us >= longest_wait_us) {
            if (may_give_up) return {};
            give_up_waiting(fence.missing(), "could not tell how far the change log can be read");
        }
        pause(waited_us);
    }
    fence.close();
    return fence.drawn();
}

// `after`, if there is one, is safe: the caller says so. It is no more than given back, never noted as handed out.
Csn safe_csn(std::optional<Csn> after, int wait_ms) {
    const Oid commit_sequence = log_object("commit_seq");
    // Places of prepared transactions are less than a step behind what was drawn.
    if (after && *after >= sequence_value(commit_sequence) + csn_step)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("no csn as great as %lld was ever handed out", static_cast<long long>(*after)),
                errhint("The position was taken from another database, or from before a restore."));
    std::optional<Csn> drawn;
    const bool waits = after && wait_ms > 0;
    if (waits) drawn = wait_for_csn(commit_sequence, *after, wait_ms);
    if (drawn && *drawn == *after) return *after; // the fence took too long
    // Who does not want to wait for news wants to know about all that there are.
    if (!drawn) drawn = wait_for_fence(commit_sequence, waits);
    if (!drawn) return *after;
    // In this order: what is in flight no more can be seen. What is prepared from now on has a number above `drawn`, so
    // nothing has to be noted for it.
    const bool in_flight = prepared_in_flight();
    if (const std::optional<Csn> released = give_places(*drawn)) return *released;
    if (in_flight) {
        note_released(*drawn);
        if (const std::optional<Csn> released = give_places(*drawn)) return *released;
    }
    return std::max(*drawn, released_csn());
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_safe_csn);
PG_FUNCTION_INFO_V1(waybill_released_csn);
PG_FUNCTION_INFO_V1(waybill_note_released);
PGDLLEXPORT Datum waybill_safe_csn(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_released_csn(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_note_released(PG_FUNCTION_ARGS);

// safe_csn(after bigint, wait_ms int) → bigint
Datum waybill_safe_csn(PG_FUNCTION_ARGS) {
    waybill::refuse_recovery();
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                errmsg("waybill.safe_csn() needs a READ COMMITTED transaction"),
                errdetail("Later statements of this transaction would not see what the fence waited for."));
    PG_RETURN_INT64(waybill::safe_csn(PG_ARGISNULL(0) ? std::nullopt : std::optional{PG_GETARG_INT64(0)},
                                      PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1)));
}

// released_csn() → bigint
Datum waybill_released_csn(PG_FUNCTION_ARGS) {
    PG_RETURN_INT64(waybill::released_csn());
}

// note_released(csn bigint)
Datum waybill_note_released(PG_FUNCTION_ARGS) {
    waybill::note_released(PG_GETARG_INT64(0));
    PG_RETURN_VOID();
}

} // extern "C"
