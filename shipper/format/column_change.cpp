#include "column_change.hpp"

#include <stdexcept>

namespace waybill {

namespace {

void require(int ok) {
    if (ok != 1) throw std::runtime_error("could not compute a SHA-256: OpenSSL refuses it");
}

} // namespace

SaltedHash::SaltedHash(std::string_view salt) : salted_(EVP_MD_CTX_new()), work_(EVP_MD_CTX_new()) {
    require(EVP_DigestInit_ex(salted_.get(), EVP_sha256(), nullptr));
    require(EVP_DigestUpdate(salted_.get(), salt.data(), salt.size()));
}

SaltedHash::Digits SaltedHash::operator()(std::string_view text) const {
    constexpr std::string_view hexadecimal = "0123456789abcdef";
    std::array<unsigned char, std::tuple_size_v<Digits> / 2> bytes{};
    require(EVP_MD_CTX_copy_ex(work_.get(), salted_.get())); // so the algorithm is looked up once, not per value
    require(EVP_DigestUpdate(work_.get(), text.data(), text.size()));
    require(EVP_DigestFinal_ex(work_.get(), bytes.data(), nullptr));
    Digits digits{};
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        digits[2 * at] = hexadecimal[bytes[at] >> 4U];
        digits[2 * at + 1] = hexadecimal[bytes[at] & 0xFU];
    }
    return digits;
}

std::string_view first_characters(std::string_view text, std::size_t characters) {
    if (text.size() <= characters) return text;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
        if (begins && characters-- == 0) return text.substr(0, at);
    }
    return text;
}

} // namespace waybill
