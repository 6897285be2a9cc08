// The order in which a transaction's changes were made, as far as they tell.
#include "command_order.hpp"

namespace waybill {

std::uint32_t CommandOrder::rank(CommandId id, const std::optional<MadeRow> &made,
                                 const std::optional<MadeRow> &consumed) {
    if (consumed && consumed->command != id) {
        const Command *maker = find(consumed->command);
        if (maker == nullptr || !maker->captured) {
            add_part(*consumed);
            find_or_add(id).captured = false; // what follows of this command comes behind the part
        }
    }
    Command &command = find_or_add(id);
    if (!command.captured) {
        command.captured = true;
        command.rank = next_rank_++;
    }
    std::uint32_t rank = command.rank;
    if (const Part *part = command.first_part; part != nullptr) {
        rank = part->rank;
        if (made && *made == part->end) command.first_part = part->next;
    }
    return rank;
}

// Makes room in the order for what `end.command` did up to there, all of it still to be captured.
void CommandOrder::add_part(const MadeRow &end) {
    auto *part = static_cast<Part *>(MemoryContextAlloc(context_, sizeof(Part)));
    *part = {.rank = next_rank_++, .end = end, .next = nullptr};
    Command &command = find_or_add(end.command);
    (command.first_part == nullptr ? command.first_part : command.last_part->next) = part;
    command.last_part = part;
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
