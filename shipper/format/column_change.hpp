// What shaping does to a column's text before it is published.
#pragma once

#include "../deleter.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

namespace waybill {

// SHA-256 of a salt's bytes followed by a text's, in lower-case hexadecimal: PostgreSQL's
// encode(sha256(convert_to(salt || value, 'UTF8')), 'hex').
//
// Debezium's column.mask.hash.v2.SHA-256.with.salt.… gives the same for columns of type text. It cuts the hash to the
// length of a varchar(n) or char(n) with n < 64, which this does not (the shorter, the more different values become
// equal), and leaves columns of other types as they are.
class SaltedHash {
public:
    using Digits = std::array<char, 64>;

    // Throws std::runtime_error when OpenSSL has no SHA-256.
    explicit SaltedHash(std::string_view salt);

    // Not from several threads at once.
    [[nodiscard]] Digits operator()(std::string_view text) const;

private:
    using Context = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

    Context salted_; // has read the salt
    Context work_;   // of one call
};

// The first `characters` Unicode code points of UTF-8 text, a view into it. Debezium's column.truncate.to.N.chars
// counts UTF-16 units, of which a character beyond the BMP has two, and may cut through one.
[[nodiscard]] std::string_view first_characters(std::string_view text, std::size_t characters);

} // namespace waybill
