// Reads PostgreSQL's send format: big-endian integers one after the other.
#pragma once

#include "../errors.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace waybill {

// The first sizeof(Unsigned) bytes at `from` as a big-endian number.
template <typename Unsigned>
[[nodiscard]] Unsigned load_big_endian(const char *from) {
    Unsigned value = 0;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::little) {
        if constexpr (sizeof value == 8) value = __builtin_bswap64(value);
        if constexpr (sizeof value == 4) value = __builtin_bswap32(value);
        if constexpr (sizeof value == 2) value = __builtin_bswap16(value);
    }
    return value;
}

// A value's bytes, read from the front. Every read throws DataError when they end too early.
class BinaryReader {
public:
    explicit BinaryReader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] std::string_view rest() const { return rest_; }

    std::string_view bytes(std::size_t count) {
        if (count > rest_.size()) throw DataError("a binary value is too short");
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    template <typename Unsigned>
    Unsigned unsigned_integer() {
        return load_big_endian<Unsigned>(bytes(sizeof(Unsigned)).data());
    }
    std::uint16_t uint16() { return unsigned_integer<std::uint16_t>(); }
    std::uint32_t uint32() { return unsigned_integer<std::uint32_t>(); }
    std::int16_t int16() { return static_cast<std::int16_t>(uint16()); }
    std::int32_t int32() { return static_cast<std::int32_t>(uint32()); }
    std::int64_t int64() { return static_cast<std::int64_t>(unsigned_integer<std::uint64_t>()); }
    float float4() { return std::bit_cast<float>(uint32()); }
    double float8() { return std::bit_cast<double>(unsigned_integer<std::uint64_t>()); }

    // To be called behind the last field.
    void finish() const {
        if (!rest_.empty()) throw DataError("a binary value is too long");
    }

private:
    std::string_view rest_;
};

} // namespace waybill
