// The order in which a transaction's changes were made, as far as they tell.
#include "command_order.hpp"

namespace waybill {

std::uint32_t CommandOrder::rank(CommandId id, const std::optional<MadeRow> &made,
                                 const std::optional<MadeRow> &consumed) {
    if (consumed && consumed->command != id) {
        const Command *maker = find(consumed->command);
        if (maker == nullptr || !maker->captured) add_part(*consumed, known_rank(id));
    }
    Command &command = find_or_add(id);
    if (!command.captured) {
        command.captured = true;
        command.rank = next_rank_++;
    }
    std::uint32_t rank = command.rank;
    if (const Part *part = command.first_part; part != nullptr) {
        rank = part->rank;
        if (made) end_parts(command, *made);
    }
    return rank;
}

// What the next change of a command gets, if that was decided already.
std::optional<std::uint32_t> CommandOrder::known_rank(CommandId id) {
    const Command *command = find(id);
    if (command == nullptr) return std::nullopt;
    if (command->first_part != nullptr) return command->first_part->rank;
    if (command->captured) return command->rank;
    return std::nullopt;
}

// Makes room in the order for what `end.command` did up to there, all of it still to be captured: before the rank
// `before`, or else behind all that was captured.
void CommandOrder::add_part(const MadeRow &end, std::optional<std::uint32_t> before) {
    auto *part = static_cast<Part *>(MemoryContextAlloc(context_, sizeof(Part)));
    *part = {.rank = before ? insert_rank(*before) : next_rank_++, .end = end, .next = nullptr};
    Command &command = find_or_add(end.command);
    Part **at = &command.first_part;
    if (!before && *at != nullptr) at = &command.last_part->next;
    while (*at != nullptr && precedes((*at)->rank, part->rank)) at = &(*at)->next;
    part->next = *at;
    *at = part;
    if (part->next == nullptr) command.last_part = part;
}

// Parts end in the order of their ranks, but for inserted ones.
void CommandOrder::end_parts(Command &command, const MadeRow &end) {
    Part *last = nullptr;
    Part **at = &command.first_part;
    do {
        if ((*at)->end == end) {
            *at = (*at)->next;
        } else {
            last = *at;
            at = &last->next;
        }
    } while (insertion_count_ > 0 && *at != nullptr);
    if (insertion_count_ > 0) command.last_part = last;
}

std::uint32_t CommandOrder::insert_rank(std::uint32_t anchor) {
    if (insertion_count_ == insertion_capacity_) {
        insertion_capacity_ = std::max(16U, insertion_capacity_ * 2);
        const std::size_t size = insertion_capacity_ * sizeof(Insertion);
        insertions_ = static_cast<Insertion *>(insertions_ == nullptr ? MemoryContextAllocHuge(context_, size)
                                                                      : repalloc_huge(insertions_, size));
    }
    insertions_[insertion_count_++] = {.rank = next_rank_, .anchor = anchor};
    inverted_ = true;
    return next_rank_++;
}

// What a rank was inserted before, or a number behind all ranks.
std::uint32_t CommandOrder::anchor(std::uint32_t rank) const {
    Insertion *end = insertions_ + insertion_count_;
    const Insertion *found = std::lower_bound(
        insertions_, end, rank, [](const Insertion &insertion, std::uint32_t r) { return insertion.rank < r; });
    return found != end && found->rank == rank ? found->anchor : std::numeric_limits<std::uint32_t>::max();
}

std::uint32_t CommandOrder::depth(std::uint32_t rank) const {
    std::uint32_t depth = 0;
    for (; rank != std::numeric_limits<std::uint32_t>::max(); rank = anchor(rank)) ++depth;
    return depth;
}

bool CommandOrder::precedes(std::uint32_t a, std::uint32_t b) const {
    const std::uint32_t depth_a = depth(a);
    const std::uint32_t depth_b = depth(b);
    for (std::uint32_t i = depth_b; i < depth_a; ++i) a = anchor(a);
    for (std::uint32_t i = depth_a; i < depth_b; ++i) b = anchor(b);
    if (a == b) return depth_a > depth_b; // one is inserted before the other, if not the same
    while (anchor(a) != anchor(b)) {
        a = anchor(a);
        b = anchor(b);
    }
    return a < b;
}

std::span<const std::uint32_t> CommandOrder::places() const {
    if (insertion_count_ == 0) return {};
    const std::size_t size = next_rank_ * sizeof(std::uint32_t);
    auto *ranks = static_cast<std::uint32_t *>(MemoryContextAllocHuge(context_, size));
    auto *places = static_cast<std::uint32_t *>(MemoryContextAllocHuge(context_, size));
    for (std::uint32_t rank = 0; rank < next_rank_; ++rank) ranks[rank] = rank;
    std::sort(ranks, ranks + next_rank_, [this](std::uint32_t a, std::uint32_t b) { return precedes(a, b); });
    for (std::uint32_t place = 0; place < next_rank_; ++place) places[ranks[place]] = place;
    pfree(ranks);
    return {places, next_rank_};
}

CommandOrder::Command *CommandOrder::find(CommandId id) {
    if (count_ == 0 || id > greatest_) return nullptr; // as most new ones
    if (commands_[count_ - 1].id == id) return &commands_[count_ - 1];
    if (index_ == nullptr) {
        HASHCTL control{};
        control.keysize = sizeof(CommandId);
        control.entrysize = sizeof(IndexEntry);
        control.hcxt = context_;
        HTAB *index = hash_create("waybill commands", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
        for (std::uint32_t number = 0; number < count_; ++number)
            static_cast<IndexEntry *>(hash_search(index, &commands_[number].id, HASH_ENTER, nullptr))->number = number;
        index_ = index;
    }
    const auto *entry = static_cast<const IndexEntry *>(hash_search(index_, &id, HASH_FIND, nullptr));
    return entry == nullptr ? nullptr : &commands_[entry->number];
}

CommandOrder::Command &CommandOrder::find_or_add(CommandId id) {
    if (Command *found = find(id)) return *found;
    if (count_ == capacity_) {
        const std::uint32_t capacity = std::max(16U, capacity_ * 2);
        const std::size_t size = capacity * sizeof(Command);
        commands_ = static_cast<Command *>(commands_ == nullptr ? MemoryContextAllocHuge(context_, size)
                                                                : repalloc_huge(commands_, size));
        capacity_ = capacity;
    }
    if (index_ != nullptr) static_cast<IndexEntry *>(hash_search(index_, &id, HASH_ENTER, nullptr))->number = count_;
    greatest_ = count_ == 0 ? id : std::max(greatest_, id);
    Command &added = commands_[count_++];
    added = {.id = id, .captured = false, .rank = 0, .first_part = nullptr, .last_part = nullptr};
    return added;
}

} // namespace waybill
