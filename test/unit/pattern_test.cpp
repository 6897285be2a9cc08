#include "errors.hpp"
#include "format/pattern.hpp"

#include <gtest/gtest.h>

namespace waybill {

namespace {

TEST(Pattern, MatchesTheWholeNameInAnyCase) {
    const Pattern pattern("public\\.orders_.*", "tables.include");
    EXPECT_TRUE(pattern.matches("public.orders_2024"));
    EXPECT_TRUE(pattern.matches("Public.ORDERS_"));
    EXPECT_FALSE(pattern.matches("my_public.orders_2024"));
    EXPECT_FALSE(pattern.matches("public.orders"));
    EXPECT_FALSE(Pattern("public", "tables.include").matches("public.orders"));
}

TEST(Pattern, CanBeToldToMindCase) {
    EXPECT_FALSE(Pattern("(?-i)public\\.orders", "tables.include").matches("public.Orders"));
}

TEST(Pattern, ReadsNamesAsUtf8) {
    EXPECT_TRUE(Pattern("public\\..l", "tables.include").matches("public.öl"));
    EXPECT_TRUE(Pattern("public\\.Öl", "tables.include").matches("public.öl"));
    EXPECT_TRUE(Pattern("a.b", "tables.include").matches("a\nb"));
}

TEST(Pattern, GivesItsGroups) {
    const Pattern pattern("public\\.(.*)_(\\d+)", "topics.routes");
    EXPECT_EQ(pattern.group_count(), 2);
    EXPECT_EQ(pattern.groups("public.orders_7"), (std::vector<std::string>{"public.orders_7", "orders", "7"}));
    EXPECT_TRUE(pattern.groups("public.orders").empty());
}

TEST(Pattern, SaysWhatIsWrongWithAnExpressionAndWhereItStands) {
    try {
        const Pattern pattern("public\\.(a|b", "tables.include");
        FAIL() << "no error";
    } catch (const ConfigError &error) {
        EXPECT_STREQ(error.what(), "tables.include: \"public\\.(a|b\" is not a regular expression: missing ): "
                                   "public\\.(a|b");
    }
}

TEST(Pattern, IsNotEmpty) {
    try {
        const Pattern pattern("", "tables.include");
        FAIL() << "no error";
    } catch (const ConfigError &error) {
        EXPECT_STREQ(error.what(), "tables.include: a pattern is empty, so it matches nothing");
    }
}

} // namespace

} // namespace waybill
