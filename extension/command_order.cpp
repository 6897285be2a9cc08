// The order of a transaction's commands, as far as their changes tell.
#include "command_order.hpp"

namespace waybill {

std::uint32_t CommandOrder::rank_or_add(CommandId command) {
    // New commands have greater ids, but for those around the ones that run inside them.
    if (count_ == 0 || command > greatest_) return add(command);
    if (command == commands_[count_ - 1]) return count_ - 1;
    index_all();
    const auto *found = static_cast<const Entry *>(hash_search(ranks_, &command, HASH_FIND, nullptr));
    return found != nullptr ? found->rank : add(command);
}

void CommandOrder::index_all() {
    if (ranks_ != nullptr) return;
    HASHCTL control{};
    control.keysize = sizeof(CommandId);
    control.entrysize = sizeof(Entry);
    control.hcxt = context_;
    HTAB *ranks = hash_create("waybill commands", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    for (std::uint32_t rank = 0; rank < count_; ++rank)
        static_cast<Entry *>(hash_search(ranks, &commands_[rank], HASH_ENTER, nullptr))->rank = rank;
    ranks_ = ranks;
}

std::uint32_t CommandOrder::add(CommandId command) {
    if (count_ == capacity_) {
        const std::uint32_t capacity = std::max(16U, capacity_ * 2);
        const std::size_t size = capacity * sizeof(CommandId);
        commands_ = static_cast<CommandId *>(commands_ == nullptr ? MemoryContextAllocHuge(context_, size)
                                                                  : repalloc_huge(commands_, size));
        capacity_ = capacity;
    }
    if (ranks_ != nullptr) static_cast<Entry *>(hash_search(ranks_, &command, HASH_ENTER, nullptr))->rank = count_;
    commands_[count_] = command;
    greatest_ = count_ == 0 ? command : std::max(greatest_, command);
    return count_++;
}

} // namespace waybill
