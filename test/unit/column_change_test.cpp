#include "format/column_change.hpp"

#include <gtest/gtest.h>

#include <string>

namespace waybill {

namespace {

std::string hash(const std::string &salt, const std::string &text) {
    const SaltedHash::Digits digits = SaltedHash(salt)(text);
    return {digits.data(), digits.size()};
}

// The vectors of FIPS 180-2, appendix B.
TEST(SaltedHash, IsSha256) {
    EXPECT_EQ(hash("", "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hash("", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(hash("", std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    EXPECT_EQ(hash("", ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(SaltedHash, ReadsTheSaltBeforeTheText) {
    EXPECT_EQ(hash("a", "bc"), hash("", "abc"));
    EXPECT_EQ(hash("abc", ""), hash("", "abc"));
    EXPECT_NE(hash("salt", "abc"), hash("pepper", "abc"));
}

TEST(SaltedHash, StartsAnewWithEachText) {
    const SaltedHash salted("a");
    const SaltedHash::Digits first = salted("bc");
    EXPECT_NE(salted("x"), first);
    EXPECT_EQ(salted("bc"), first);
}

TEST(FirstCharacters, LeavesShortTextAlone) {
    EXPECT_EQ(first_characters("", 3), "");
    EXPECT_EQ(first_characters("abc", 3), "abc");
    EXPECT_EQ(first_characters("äöü", 3), "äöü");
    EXPECT_EQ(first_characters("äöü", 5), "äöü");
}

TEST(FirstCharacters, CutsBetweenCharacters) {
    EXPECT_EQ(first_characters("abcd", 3), "abc");
    EXPECT_EQ(first_characters("äöüß", 3), "äöü");
    EXPECT_EQ(first_characters("€😀€", 2), "€😀");
    EXPECT_EQ(first_characters("😀😀", 1), "😀");
}

} // namespace

} // namespace waybill
