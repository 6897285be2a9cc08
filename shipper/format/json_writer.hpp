// JSON text made piece by piece in a buffer that is kept from message to message. The form is that of Jackson as Kafka
// Connect's JsonConverter uses it: compact, UTF-8 as it is, but for quotes, backslashes, control characters and
// characters beyond U+FFFF, which are escaped: the latter in two halves.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>

namespace waybill {

class JsonWriter {
public:
    // Starts the next text. A buffer that grew for an unusually large one is given back.
    void clear() {
        if (capacity_ > kept_capacity && size_ < capacity_ / 4) {
            buffer_.reset();
            capacity_ = 0;
        }
        size_ = 0;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    // What was written behind the first `from` bytes. Valid until the next write.
    [[nodiscard]] std::string_view view(std::size_t from = 0) const { return {buffer_.get() + from, size_ - from}; }

    // Room for `count` bytes behind the text, for code that writes there itself and then calls advance().
    [[nodiscard]] char *room(std::size_t count) {
        if (capacity_ - size_ < count) grow(count);
        return buffer_.get() + size_;
    }
    // The same, without an end of it: what is written next is about so large.
    void expect(std::size_t count) { static_cast<void>(room(count)); }

    void advance(const char *end) { size_ = static_cast<std::size_t>(end - buffer_.get()); }

    void raw(std::string_view text) {
        char *const to = room(text.size());
        if (!text.empty()) std::memcpy(to, text.data(), text.size());
        size_ += text.size();
    }
    void raw(char c) {
        *room(1) = c;
        ++size_;
    }

    // Drops what is behind the first `size` bytes.
    void truncate(std::size_t size) { size_ = size; }

    // Writes the text's own bytes [from, from + count) once more.
    void repeat(std::size_t from, std::size_t count) {
        char *const to = room(count);
        if (count != 0) std::memcpy(to, buffer_.get() + from, count);
        size_ += count;
    }

    template <typename Integer>
    requires std::is_integral_v<Integer>
    void integer(Integer value) {
        char *const to = room(20);
        advance(std::to_chars(to, to + 20, value).ptr);
    }

    // A string of UTF-8, with its quotes. What is JSON in a JSON string has characters beyond U+FFFF as they are.
    void string(std::string_view text, bool escapes_pairs = true) {
        raw('"');
        escaped(text, escapes_pairs);
        raw('"');
    }

    // The inside of a string.
    void escaped(std::string_view text, bool escapes_pairs = true);

    // The same for what was written as it is behind the first `from` bytes.
    void escape_from(std::size_t from);

    // A string of standard base64 with padding; in the alphabet for URLs when `for_url`.
    void base64(std::string_view bytes, bool for_url = false);

private:
    static constexpr std::size_t first_capacity = 4096;
    static constexpr std::size_t kept_capacity = std::size_t{1} << 20;

    void grow(std::size_t count);

    std::unique_ptr<char[]> buffer_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace waybill
