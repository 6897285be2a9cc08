// The changes of the transaction in progress, and the callbacks that tie them to its fate.
#include "transaction_buffer.hpp"

#include "byte_buffer.hpp"
#include "change_log.hpp"
#include "chunk_stream.hpp"
#include "log_objects.hpp"
#include "made_changes.hpp"
#include "ordered_changes.hpp"
#include "row_encoder.hpp"
#include "scope.hpp"
#include "settings.hpp"
#include "shape.hpp"
#include "table_info.hpp"
#include "text.hpp"

namespace waybill {

namespace {

// The state when the first change of a subtransaction came.
struct Savepoint {
    SubTransactionId subtransaction;
    OrderedChanges::Mark changes;
    MadeChanges::Mark made;
    std::uint32_t changes_in_progress;
};

// Lives in TopTransactionContext from the transaction's first change to its end.
struct TransactionBuffer {
    MemoryContext context;
    OrderedChanges changes;
    Savepoint *savepoints; // innermost last; only subtransactions that made changes
    std::size_t savepoint_count;
    std::size_t savepoint_capacity;
    MadeChanges made;
    CommandId last_command;
    TimestampTz client_command;        // when it came, that of the last change
    std::uint32_t changes_in_progress; // one inside the other: an output function may make changes
    MovedRows moved_rows;
    Oid commit_sequence;       // of the extension that captured the changes
    std::uint64_t verified_at; // invalidation_count() when it was found to be the present one
};

static_assert(std::is_trivially_destructible_v<TransactionBuffer>);

TransactionBuffer *buffer;
bool logged; // pre-commit is over: nothing can be added any more

// The extension may have been dropped and created anew in this transaction: what was captured for the old one is no
// change of any table that the new one captured.
bool belongs_to_present_extension() {
    if (buffer->verified_at == invalidation_count()) return true;
    const std::uint64_t now = invalidation_count();
    const Oid present = find_log_object("commit_seq");
    // Under another name the extension is still there: what was captured is not to be lost.
    if (!OidIsValid(present) && get_rel_name(buffer->commit_sequence) != nullptr) log_object("commit_seq");
    if (buffer->commit_sequence != present) return false;
    buffer->verified_at = now;
    return true;
}

// Kept from transaction to transaction: most need no other, and an allocation of this size, whose memory goes back to
// the system with the transaction's, would be the dearest part of their capture.
Chunk *first_chunk() {
    static Chunk *chunk;
    if (chunk == nullptr) chunk = new_chunk(TopMemoryContext);
    return chunk;
}

void create_buffer() {
    MemoryContext context = AllocSetContextCreate(TopTransactionContext, "waybill changes", ALLOCSET_DEFAULT_SIZES);
    auto *created = static_cast<TransactionBuffer *>(MemoryContextAllocZero(context, sizeof(TransactionBuffer)));
    created->context = context;
    created->changes.use(context, settings::buffer_size(), first_chunk());
    created->made.use(context);
    created->last_command = InvalidCommandId;
    created->moved_rows.use(context);
    created->client_command = GetCurrentStatementStartTimestamp();
    created->verified_at = invalidation_count();
    created->commit_sequence = log_object("commit_seq");
    buffer = created;
}

int trigger_depth() {
    return DatumGetInt32(pg_trigger_depth(nullptr)); // which takes nothing
}

Savepoint *innermost_savepoint() {
    return buffer->savepoint_count == 0 ? nullptr : &buffer->savepoints[buffer->savepoint_count - 1];
}

// Marks the start of the present subtransaction's changes, if this is its first.
void mark_savepoint() {
    const SubTransactionId current = GetCurrentSubTransactionId();
    if (current == TopSubTransactionId) return;
    if (const Savepoint *innermost = innermost_savepoint();
        innermost != nullptr && innermost->subtransaction == current)
        return;
    if (buffer->savepoint_count == buffer->savepoint_capacity) {
        const std::size_t capacity = std::max<std::size_t>(8, buffer->savepoint_capacity * 2);
        buffer->savepoints = static_cast<Savepoint *>(
            buffer->savepoints == nullptr ? MemoryContextAlloc(buffer->context, capacity * sizeof(Savepoint))
                                          : repalloc(buffer->savepoints, capacity * sizeof(Savepoint)));
        buffer->savepoint_capacity = capacity;
    }
    buffer->savepoints[buffer->savepoint_count++] = {.subtransaction = current,
                                                     .changes = buffer->changes.mark(),
                                                     .made = buffer->made.mark(),
                                                     .changes_in_progress = buffer->changes_in_progress};
}

// Drops what came since a savepoint. Called in an abort.
void roll_back(const Savepoint &savepoint) {
    buffer->changes.restore(savepoint.changes);
    buffer->last_command = InvalidCommandId;
    buffer->changes_in_progress = savepoint.changes_in_progress;
    buffer->made.restore(savepoint.made);
}

// Rows that were on their way to another partition, in a statement of that subtransaction which is done.
void record_moved_rows(SubTransactionId subtransaction) {
    while (const std::optional<MovedRow> moved = buffer->moved_rows.take_of_subtransaction(subtransaction))
        append_to_transaction(encode_removal(*moved), moved->number);
}

void end_complete_window() {
    if (buffer->changes_in_progress == 0 && buffer->moved_rows.empty()) buffer->changes.end_complete_window();
}

// Whatever the client had sent before is done, triggers and all: nothing of it waits to be captured.
void settle_client_command() {
    const TimestampTz command = GetCurrentStatementStartTimestamp();
    if (command == buffer->client_command) return;
    buffer->client_command = command;
    record_moved_rows(GetCurrentSubTransactionId());
    buffer->made.settle(buffer->changes.captured());
    buffer->changes.set_complete();
    end_complete_window();
}

// Prepares the buffer for a change. Error: when the transaction's changes were logged already.
void use_buffer() {
    if (logged)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("cannot capture a change after the changes of its transaction were logged"),
                errdetail("Another module changed a captured table in its own pre-commit callback."),
                errhint("Load waybill before that module, with session_preload_libraries."));
    if (buffer != nullptr && !belongs_to_present_extension()) {
        if (!buffer->changes.empty()) leave_old_log();
        buffer->changes.close();
        buffer = nullptr;
    }
    if (buffer == nullptr) create_buffer();
    settle_client_command();
}

// What waybill.context says at commit, as the record that leads the transaction's stream.
ChunkStream context_record() {
    ChunkStream stream{};
    stream.use(buffer->context, settings::buffer_size());
    const std::string_view context = settings::context();
    if (context.empty()) return stream;
    ByteBuffer bytes{};
    bytes.use(buffer->context);
    const std::string_view text = to_utf8(context);
    bytes.append_varint(text.size() + 1);
    bytes.append_byte(static_cast<std::uint8_t>(record::Operation::context));
    bytes.append(text.data(), text.size());
    stream.append({bytes.data(), bytes.size()}, false);
    return stream;
}

// PRE_COMMIT and PRE_PREPARE come after all deferred triggers: no change can follow, but from another module's
// callback.
void log_changes(void (*append)(Oid commit_sequence, ChunkStream &context, ChunkStream &changes)) {
    if (buffer != nullptr)
        while (const std::optional<MovedRow> moved = buffer->moved_rows.take_any())
            append_to_transaction(encode_removal(*moved), moved->number);
    logged = true;
    if (buffer == nullptr) return;
    if (!buffer->changes.empty() && belongs_to_present_extension()) {
        store_new_shapes();
        ChunkStream &changes = buffer->changes.in_order();
        ChunkStream context = context_record();
        if (context.absorb(changes)) changes.close();
        append(buffer->commit_sequence, context, changes);
        context.close();
    }
    buffer->changes.close();
}

void transaction_event(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PRE_COMMIT: log_changes(append_to_log); break;
    case XACT_EVENT_PRE_PREPARE: log_changes(append_to_prepared_log); break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
        new_shapes_stored(event);
        buffer = nullptr; // its memory goes with TopTransactionContext
        logged = false;
        end_encoding();
        if (end_conditions()) invalidate_conditions();
        break;
    default: break; // parallel workers change nothing
    }
}

void subtransaction_event(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *) {
    if (buffer == nullptr) return;
    if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
        record_moved_rows(own);
    else if (event == SUBXACT_EVENT_ABORT_SUB)
        while (buffer->moved_rows.take_of_subtransaction(own)) {
        }
    buffer->made.end_subtransaction();
    Savepoint *innermost = innermost_savepoint();
    if (innermost == nullptr || innermost->subtransaction != own) return;
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        roll_back(*innermost);
        --buffer->savepoint_count;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
        // Its changes are the parent's now: undone with the parent's, if the parent is a subtransaction at all.
        const bool parent_marked = buffer->savepoint_count > 1 && (innermost - 1)->subtransaction == parent;
        if (parent == TopSubTransactionId || parent_marked)
            --buffer->savepoint_count;
        else
            innermost->subtransaction = parent;
    }
    innermost = innermost_savepoint();
    buffer->changes.keep_for(innermost == nullptr ? nullptr : &innermost->changes);
}

} // namespace

CommandOrder::Number begin_change(const TriggerCall &call, const TableInfo &table) {
    use_buffer();
    mark_savepoint();
    // Not with track_counts off.
    const bool counted = call.counted && call.relation->pgstat_info != nullptr && buffer->made.is_counting();
    if (!counted && call.operation != record::Operation::truncate) buffer->made.add(1);
    std::uint64_t made = counted ? buffer->made.with(*call.relation, table.place) : 0;
    // While a statement's changes are captured one after the other, only its own table can have others.
    if (!counted || call.command != buffer->last_command) made = buffer->made.count();
    buffer->last_command = call.command;
    const CommandOrder::Number number = buffer->changes.capture({.command = call.command,
                                                                 .consumer = call.consumer,
                                                                 .depth = static_cast<std::uint32_t>(trigger_depth()),
                                                                 .made = made,
                                                                 .counted = counted || !call.counted,
                                                                 .found = counted ? buffer->made.found() : 0},
                                                                !buffer->moved_rows.empty());
    ++buffer->changes_in_progress;
    return number;
}

void end_change() {
    --buffer->changes_in_progress;
    end_complete_window();
}

void note_truncation(bool unseen) {
    use_buffer();
    mark_savepoint(); // before tables are looked for that may go with it
    const bool any_counted = buffer->made.any_counted();
    if (any_counted && (unseen || GetCurrentSubTransactionId() != TopSubTransactionId)) buffer->made.expect_to_forget();
}

void note_truncated(std::uint32_t tables) {
    use_buffer();
    buffer->made.add(tables);
}

void append_to_transaction(const EncodedChange &change, CommandOrder::Number number) {
    mark_savepoint();
    buffer->changes.append(change, number);
}

void keep_moved_row(const TriggerCall &call, const TableInfo &table, CommandOrder::Number number) {
    buffer->moved_rows.keep({.command = call.command,
                             .subtransaction = GetCurrentSubTransactionId(),
                             .published_relation = table.published_relation,
                             .shape = table.shape,
                             .number = number,
                             .bytes = encode_moved_row(call, table)});
}

std::optional<MovedRow> take_moved_row(CommandId command) {
    std::optional<MovedRow> row = buffer->moved_rows.take(command);
    if (!row) return row;
    // Copied: while the new row is encoded, a type's output function may make changes, and move rows.
    auto *bytes = static_cast<char *>(MemoryContextAllocHuge(CurrentMemoryContext, row->bytes.size()));
    std::memcpy(bytes, row->bytes.data(), row->bytes.size());
    row->bytes = {bytes, row->bytes.size()};
    return row;
}

void register_transaction_callbacks() {
    RegisterXactCallback(transaction_event, nullptr);
    RegisterSubXactCallback(subtransaction_event, nullptr);
}

} // namespace waybill
