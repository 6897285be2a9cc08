// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace waybill::fuzzing {

// Ends the process, which keeps the input, when a property does not hold.
inline void require(bool holds, const char *otherwise) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: %s\n", otherwise);
    std::abort();
}

// An input, read from the front; behind its end are zeros.
class Bytes {
public:
    Bytes(const std::uint8_t *data, std::size_t size) : rest_(reinterpret_cast<const char *>(data), size) {}

    std::uint8_t take() {
        if (rest_.empty()) return 0;
        const char byte = rest_.front();
        rest_.remove_prefix(1);
        return static_cast<std::uint8_t>(byte);
    }

    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

} // namespace waybill::fuzzing
