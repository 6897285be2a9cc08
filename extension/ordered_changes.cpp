// A transaction's changes as records, in the order in which they were made.
#include "ordered_changes.hpp"

namespace waybill {

namespace {

using Number = OrderedChanges::Number;

void *resize_block(void *context, void *block, std::size_t bytes) {
    return block == nullptr ? MemoryContextAllocHuge(static_cast<MemoryContext>(context), bytes)
                            : repalloc_huge(block, bytes);
}

void check_interrupts() {
    CHECK_FOR_INTERRUPTS();
}

// A record tells its number by how far it is from the next one's: nearly always 0.
std::uint32_t zigzag(Number distance) {
    return distance << 1 ^ (distance >> 31 != 0 ? 0xFFFFFFFF : 0);
}

Number unzigzag(std::uint32_t rank) {
    return rank >> 1 ^ ((rank & 1) != 0 ? 0xFFFFFFFF : 0);
}

// What stretch of the order a record belongs to, told from the records before it.
struct Places {
    std::span<const CommandOrder::Stretch> stretches;
    Number last;
};

std::uint64_t place_of_next(void *context, std::uint32_t rank) {
    auto &places = *static_cast<Places *>(context);
    places.last += 1 + unzigzag(rank);
    // A row that was on its way to another partition when the window began comes first.
    const Number begin = places.stretches.front().first;
    if (static_cast<std::int32_t>(places.last - begin) < 0) return 0;
    const auto behind = std::upper_bound(
        places.stretches.begin(), places.stretches.end(), places.last - begin,
        [begin](Number distance, const CommandOrder::Stretch &stretch) { return distance < stretch.first - begin; });
    // In a stretch by number: such a row may be recorded late.
    return ((behind - 1)->place + std::uint64_t{1}) << 32 | (places.last - begin);
}

} // namespace

void OrderedChanges::use(MemoryContext context, std::size_t memory_limit, Chunk *first_chunk) {
    stream_.use(context, memory_limit, first_chunk);
    order_.use(resize_block, context, check_interrupts);
    recorded_before_ = last_recorded_ = static_cast<Number>(-1);
}

Number OrderedChanges::capture(const CommandOrder::Capture &change, bool some_late) {
    refuse_torn();
    const Number number = order_.capture(change);
    if (order_.window_size() > CommandOrder::max_window && (order_.inverted() || some_late))
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("a statement changes too many rows to put them in the order in which they were changed"),
                errdetail("Where statements in triggers or functions, or rows that leave a partition for none, change "
                          "captured tables inside a statement, these can be %u rows.",
                          CommandOrder::max_window),
                errhint("Change fewer rows by one statement."));
    return number;
}

void OrderedChanges::append(const EncodedChange &change, Number number) {
    const Number distance = number - last_recorded_ - 1;
    if (distance >> 31 != 0) order_.set_inverted();
    stream_.append(finish_record(change, zigzag(distance)), true);
    last_recorded_ = number;
}

void OrderedChanges::end_complete_window() {
    if (order_.complete() && (!order_.inverted() || is_window_behind_mark())) end_window();
}

// Nothing may be dropped back to the middle of what is put in order. (There is no such mark: a savepoint inside a
// statement whose changes wait to be captured ends before they are.)
bool OrderedChanges::is_window_behind_mark() const {
    return !marked_ || last_mark_.chunks < window_.chunks ||
           (last_mark_.chunks == window_.chunks && last_mark_.last_size <= window_.last_size);
}

// Puts the changes of the window in order, and begins another one.
void OrderedChanges::end_window() {
    if (order_.inverted() && !(window_ == stream_.end())) {
        Places places{.stretches = order_.stretches(), .last = recorded_before_};
        torn_ = true; // if it fails: a savepoint behind the window may be rolled back to, and the transaction go on
        stream_.sort(window_, place_of_next, &places);
        torn_ = false;
    }
    order_.begin_window();
    window_ = stream_.end();
    recorded_before_ = last_recorded_;
}

void OrderedChanges::refuse_torn() const {
    if (!torn_) return;
    ereport(ERROR, errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
            errmsg("cannot go on with a transaction whose captured changes were lost"),
            errdetail("An error broke off putting them in the order in which they were made."),
            errhint("Roll the transaction back and repeat it."));
}

ChunkStream &OrderedChanges::in_order() {
    refuse_torn();
    end_window();
    return stream_;
}

OrderedChanges::Mark OrderedChanges::mark() {
    marked_ = true;
    last_mark_ = stream_.end();
    return {.start = last_mark_, .last_recorded = last_recorded_, .order = order_.mark(), .torn = torn_};
}

void OrderedChanges::restore(const Mark &mark) {
    stream_.truncate(mark.start);
    last_recorded_ = mark.last_recorded;
    torn_ = mark.torn;
    if (order_.restore(mark.order)) return;
    window_ = mark.start;
    recorded_before_ = mark.last_recorded;
}

void OrderedChanges::keep_for(const Mark *last) {
    marked_ = last != nullptr;
    if (marked_) last_mark_ = last->start;
    order_.keep_for(marked_ ? &last->order : nullptr);
}

} // namespace waybill
