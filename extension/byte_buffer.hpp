// A growing run of bytes in one memory context: where a record is put together.
#pragma once

#include "change_record.hpp"
#include "postgres.hpp"
#include "settings.hpp"

namespace waybill {

// Ends the statement whose change would take at least so many bytes.
[[noreturn]] inline void refuse_size(std::size_t bytes) {
    const std::size_t most = settings::max_change_size();
    const bool is_raisable = most < record::max_record_size;
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("cannot capture a change of %zu bytes", bytes),
            errdetail("A change takes the new row and what differs of the old one, up to %zu bytes.", most),
            errhint("Store such values in several rows, or in a table that is not captured.%s",
                    is_raisable ? " A superuser can raise waybill.max_change_size." : ""));
    pg_unreachable();
}

class ByteBuffer {
public:
    // Keeps its memory in `context`, which must live longer than the buffer.
    void use(MemoryContext context) { context_ = context; }

    // Forgets the bytes; keeps the memory unless a large value made it large.
    void clear() {
        release_if_large();
        size_ = 0;
    }

    void release_if_large() {
        if (capacity_ > keep_capacity) release();
    }

    void release() {
        if (data_ != nullptr) pfree(data_);
        data_ = nullptr;
        size_ = capacity_ = 0;
    }

    [[nodiscard]] const char *data() const { return data_; }
    [[nodiscard]] char *data() { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }

    // Room for `bytes` more at the returned place; advance() says how many were used.
    char *reserve(std::size_t bytes) {
        if (capacity_ - size_ < bytes) grow(bytes);
        return data_ + size_;
    }
    void advance_to(const char *end) { size_ = static_cast<std::size_t>(end - data_); }

    void append(const void *bytes, std::size_t length) {
        char *to = reserve(length);
        std::memcpy(to, bytes, length);
        advance_to(to + length);
    }

    void append_byte(std::uint8_t byte) {
        char *to = reserve(1);
        *to = static_cast<char>(byte);
        advance_to(to + 1);
    }

    void append_varint(std::uint64_t value) { advance_to(record::put_varint(reserve(record::max_varint_size), value)); }

    // A number of `bytes` bytes in network order.
    void append_int32(std::uint32_t value) {
        value = pg_hton32(value);
        append(&value, sizeof value);
    }

private:
    static constexpr std::size_t initial_capacity = 1024;
    static constexpr std::size_t keep_capacity = 1024 * 1024;

    void grow(std::size_t bytes) {
        // A record, with what it is wrapped in.
        constexpr std::size_t limit = record::max_record_size + 1024;
        const std::size_t needed = size_ + bytes;
        if (needed > limit) refuse_size(needed);
        const std::size_t wanted = std::max({initial_capacity, std::min(capacity_ * 2, limit), needed});
        // Huge: as the text of a row, a record may be larger than the row.
        data_ = static_cast<char *>(data_ == nullptr ? MemoryContextAllocHuge(context_, wanted)
                                                     : repalloc_huge(data_, wanted));
        capacity_ = wanted;
    }

    MemoryContext context_;
    char *data_;
    std::size_t size_;
    std::size_t capacity_;
};

} // namespace waybill
