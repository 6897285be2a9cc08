#include "format/shaping.hpp"

#include "errors.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace waybill {

namespace {

using Positions = std::vector<std::uint16_t>;
using Kind = ColumnRule::Change;

Shape shape(const std::string &schema, const std::string &table) {
    Shape made{.id = 1, .relation = 1, .schema = schema, .table = table, .columns = {}, .key = {0}};
    for (const char *const column : {"id", "customer", "email", "note"}) made.columns.emplace_back().name = column;
    return made;
}

const Shape orders = shape("public", "orders");

std::string error(const std::function<void()> &act) {
    try {
        act();
    } catch (const ConfigError &error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "an error is one line";
        return error.what();
    }
    return "no error";
}

std::string construction_error(const ShapingOptions &options) {
    return error([&] { const Shaping shaping(options); });
}

TEST(Template, PutsNamesInPlaceOfPlaceholders) {
    EXPECT_EQ(Template("{prefix}.{schema}.{table}", "topics.name").expand(orders, "shop", "db"), "shop.public.orders");
    EXPECT_EQ(Template("{database}-{table}-", "topics.name").expand(orders, "shop", "db"), "db-orders-");
    EXPECT_EQ(Template("all", "topics.name").expand(orders, "shop", "db"), "all");
}

TEST(Template, PutsGroupsInPlaceOfTheirNumbers) {
    const std::vector<std::string> groups{"whole", "one", "two"};
    EXPECT_EQ(Template("$2.$1.$0", "topics.routes", 2).expand(orders, "shop", "db", groups), "two.one.whole");
}

TEST(Template, TakesASecondDigitOnlyWhereThereAreSoManyGroups) {
    std::vector<std::string> groups{"whole", "one"};
    EXPECT_EQ(Template("$10", "topics.routes", 1).expand(orders, "", "", groups), "one0");
    groups.resize(11, "ten");
    EXPECT_EQ(Template("$10", "topics.routes", 10).expand(orders, "", "", groups), "ten");
}

TEST(Template, SaysWhatIsWrongWithIt) {
    const auto message = [](const std::string &text, int groups = Template::no_pattern) {
        return error([&] { const Template made(text, "topics.name", groups); });
    };
    EXPECT_EQ(message("{prefix}.{shema}"), "topics.name: \"{prefix}.{shema}\" has the unknown placeholder {shema}; "
                                           "possible: {prefix}, {database}, {schema}, {table}");
    EXPECT_EQ(message("{prefix"), "topics.name: \"{prefix\" has a \"{\" without \"}\"");
    EXPECT_EQ(message("prefix}"), "topics.name: \"prefix}\" has a \"}\" without \"{\"");
    EXPECT_EQ(message("$1"), "topics.name: \"$1\" has $1, but there is no pattern with groups here");
    EXPECT_EQ(message("$3", 2), "topics.name: \"$3\" has $3, but the pattern has 2 groups");
    EXPECT_EQ(message("$2", 1), "topics.name: \"$2\" has $2, but the pattern has 1 group");
    EXPECT_EQ(message("$1", 0), "topics.name: \"$1\" has $1, but the pattern has no group");
    EXPECT_EQ(message("a$", 1), "topics.name: \"a$\" has a \"$\" without the number of a group behind it");
    EXPECT_EQ(message("${table}", 1), "topics.name: \"${table}\" has a \"$\" without the number of a group behind it");
}

TEST(Shaping, PublishesEverythingUnderItsNameWhenNothingIsSaid) {
    const Shaping shaping({});
    EXPECT_TRUE(shaping.publishes(orders));
    EXPECT_EQ(shaping.topic(orders, "shop", "db"), "shop.public.orders");
    EXPECT_EQ(shaping.key(orders), Positions{0});
    const ColumnRule rule = shaping.column(orders, 2);
    EXPECT_TRUE(rule.published);
    EXPECT_EQ(rule.change, Kind::none);
}

TEST(Shaping, PublishesIncludedTables) {
    const Shaping shaping({.include_tables = {"public\\.ord.*", "audit\\..*"}});
    EXPECT_TRUE(shaping.publishes(orders));
    EXPECT_TRUE(shaping.publishes(shape("Audit", "any")));
    EXPECT_FALSE(shaping.publishes(shape("public", "customers")));
}

TEST(Shaping, PublishesNoExcludedTable) {
    const Shaping shaping({.exclude_tables = {"public\\.orders"}});
    EXPECT_FALSE(shaping.publishes(orders));
    EXPECT_TRUE(shaping.publishes(shape("public", "orders_2")));
}

TEST(Shaping, TakesExcludedTablesFromTheIncludedOnes) {
    const Shaping shaping({.include_tables = {"public\\..*"}, .exclude_tables = {".*_old"}});
    EXPECT_TRUE(shaping.publishes(orders));
    EXPECT_FALSE(shaping.publishes(shape("public", "orders_old")));
    EXPECT_FALSE(shaping.publishes(shape("audit", "orders")));
}

TEST(Shaping, MakesTopicsOfATemplate) {
    EXPECT_EQ(Shaping({.topic = "cdc.{table}"}).topic(orders, "shop", "db"), "cdc.orders");
    EXPECT_EQ(Shaping({.topic = "everything"}).topic(orders, "shop", "db"), "everything");
    EXPECT_EQ(Shaping({.topic = "{database}_{prefix}"}).topic(orders, "shop", "db"), "db_shop");
}

TEST(Shaping, TakesTheFirstRouteThatMatches) {
    const Shaping shaping({.routes = {"public\\.(.*)_\\d+={prefix}.$1", ".*_7=seven", "public\\.log=log"}});
    EXPECT_EQ(shaping.topic(shape("public", "orders_7"), "shop", "db"), "shop.orders");
    EXPECT_EQ(shaping.topic(shape("audit", "orders_7"), "shop", "db"), "seven");
    EXPECT_EQ(shaping.topic(shape("public", "log"), "shop", "db"), "log");
    EXPECT_EQ(shaping.topic(orders, "shop", "db"), "shop.public.orders");
}

TEST(Shaping, SplitsARuleAtItsFirstEqualsSign) {
    const Shaping shaping({.mask = {".*\\.note=a=b"}});
    EXPECT_EQ(shaping.column(orders, 3).text, "a=b");
}

TEST(Shaping, MakesTopicsThatKafkaAllows) {
    const Shaping shaping({});
    EXPECT_EQ(shaping.topic(shape("public", "a b/ä€😀"), "shop", "db"), "shop.public.a_b_____");
    EXPECT_EQ(shaping.topic(shape("public", std::string(300, 'x')), "shop", "db").size(), 249U);
    const Shaping of_tables({.topic = "{table}"});
    EXPECT_EQ(of_tables.topic(shape("public", "."), "shop", "db"), "_");
    EXPECT_EQ(of_tables.topic(shape("public", ".."), "shop", "db"), "__");
    EXPECT_EQ(of_tables.topic(shape("public", "..."), "shop", "db"), "...");
}

TEST(Shaping, SaysWhenNothingIsLeftOfATopic) {
    const Shaping shaping({.routes = {"public\\.orders(.*)=$1"}});
    EXPECT_EQ(shaping.topic(shape("public", "orders_eu"), "shop", "db"), "_eu");
    EXPECT_EQ(error([&] { static_cast<void>(shaping.topic(orders, "shop", "db")); }),
              "topics.routes: \"$1\" leaves nothing of a name for the topic of table public.orders");
}

TEST(Shaping, TakesAnotherKeyInTheOrderGiven) {
    const Shaping shaping({.keys = {"public\\.orders=email, id", ".*=customer"}});
    EXPECT_EQ(shaping.key(orders), (Positions{2, 0}));
    EXPECT_EQ(shaping.key(shape("public", "customers")), Positions{1});
}

TEST(Shaping, NamesTheTableThatLacksAKeysColumn) {
    const Shaping shaping({.keys = {"public\\.orders=id,nr"}});
    EXPECT_EQ(
        error([&] { static_cast<void>(shaping.key(orders)); }),
        "tables.key: \"public\\.orders=id,nr\" names column \"nr\", which table public.orders has not; for changes "
        "from before it was renamed, add a rule with the name that it had");
}

TEST(Shaping, TakesTheFirstKeyRuleWhoseColumnsTheTableHas) {
    const Shaping shaping({.keys = {"public\\.orders=buyer", "public\\.orders=customer", "public\\.orders=id"}});
    EXPECT_EQ(shaping.key(orders), Positions{1});
    Shape earlier = orders;
    earlier.columns[3].name = "buyer";
    EXPECT_EQ(shaping.key(earlier), Positions{3});
    const Shaping unfit({.keys = {"public\\.orders=nr", "public\\.orders=no"}});
    EXPECT_NE(error([&] { static_cast<void>(unfit.key(orders)); }).find("orders=nr"), std::string::npos);
}

TEST(Shaping, TellsRulesThatMatchNothing) {
    const auto idle = [](const ShapingOptions &options) {
        std::vector<std::string> found;
        for (const IdleRule &rule : Shaping(options).idle_rules({&orders, 1}))
            found.push_back((rule.hides ? "! " : "") + rule.text);
        return found;
    };
    using Texts = std::vector<std::string>;
    EXPECT_EQ(idle({.include_tables = {"a"}}), Texts{"tables.include: \"a\" matches no captured table"});
    EXPECT_EQ(idle({.exclude_tables = {"a"}}),
              Texts{"! tables.exclude: \"a\" matches no captured table, so it keeps nothing back"});
    EXPECT_EQ(idle({.keys = {"a=id"}}), Texts{"tables.key: \"a=id\" matches no captured table"});
    EXPECT_EQ(idle({.keys = {".*=nr", ".*=id"}}),
              Texts{"tables.key: \".*=nr\" names columns that none of its tables has now; it counts for older changes "
                    "only"});
    EXPECT_EQ(idle({.include_columns = {"a"}}), Texts{"columns.include: \"a\" matches no column of a captured table"});
    const std::string no_column = "\" matches no column of a captured table, so it keeps nothing back";
    EXPECT_EQ(idle({.exclude_columns = {"a"}}), Texts{"! columns.exclude: \"a" + no_column});
    EXPECT_EQ(idle({.mask = {"a=*"}}), Texts{"! columns.mask: \"a=*" + no_column});
    EXPECT_EQ(idle({.hash = {"a=pepper"}}), Texts{"! columns.hash: \"a=****" + no_column});
    EXPECT_EQ(idle({.truncate = {"a=3"}}), Texts{"! columns.truncate: \"a=3" + no_column});
    EXPECT_EQ(idle({.routes = {"a=b"}}), Texts{"topics.routes: \"a=b\" matches no captured table"});
    EXPECT_EQ(idle({.include_tables = {"public.*"},
                    .keys = {".*=customer"},
                    .exclude_columns = {".*note"},
                    .mask = {".*\\.email=*"},
                    .routes = {"public\\.(.*)=$1"}}),
              Texts{});
}

TEST(Shaping, PublishesIncludedColumnsWithoutTheExcludedOnes) {
    const Shaping included({.include_columns = {"public\\.orders\\.(id|note)"}});
    EXPECT_TRUE(included.column(orders, 3).published);
    EXPECT_FALSE(included.column(orders, 2).published);
    const Shaping excluded({.exclude_columns = {".*\\.email"}});
    EXPECT_TRUE(excluded.column(orders, 3).published);
    EXPECT_FALSE(excluded.column(orders, 2).published);
    const Shaping both({.include_columns = {"public\\..*"}, .exclude_columns = {".*\\.email"}});
    EXPECT_TRUE(both.column(orders, 3).published);
    EXPECT_FALSE(both.column(orders, 2).published);
    EXPECT_FALSE(both.column(shape("audit", "orders"), 3).published);
}

TEST(Shaping, KeepsAKeyWhoseColumnIsNotPublished) {
    const Shaping shaping({.exclude_columns = {".*\\.id"}});
    EXPECT_FALSE(shaping.column(orders, 0).published);
    EXPECT_EQ(shaping.key(orders), Positions{0});
}

TEST(Shaping, ChangesColumns) {
    const Shaping shaping({.mask = {".*\\.customer=***"}, .hash = {".*\\.email=pepper"}, .truncate = {".*\\.note=10"}});
    EXPECT_EQ(shaping.column(orders, 0).change, Kind::none);
    EXPECT_EQ(shaping.column(orders, 1).change, Kind::mask);
    EXPECT_EQ(shaping.column(orders, 1).text, "***");
    EXPECT_EQ(shaping.column(orders, 2).change, Kind::hash);
    EXPECT_EQ(shaping.column(orders, 2).text, "pepper");
    EXPECT_EQ(shaping.column(orders, 3).change, Kind::truncate);
    EXPECT_EQ(shaping.column(orders, 3).characters, 10U);
}

TEST(Shaping, TakesTheFirstOfMaskHashAndTruncate) {
    const Shaping shaping({.mask = {".*\\.email=first", ".*\\.e.*=second"},
                           .hash = {".*\\.(email|note)=pepper"},
                           .truncate = {".*\\.(email|note)=10"}});
    EXPECT_EQ(shaping.column(orders, 2).text, "first");
    EXPECT_EQ(shaping.column(orders, 3).change, Kind::hash);
}

TEST(Shaping, LeavesDifferentKeysDifferent) {
    const auto message = [](const ShapingOptions &options, std::uint16_t position) {
        return error([&] { static_cast<void>(Shaping(options).column(orders, position)); });
    };
    EXPECT_EQ(message({.mask = {".*\\.id=x"}}, 0),
              "columns.mask: \".*\\.id=x\" matches public.orders.id, a column of the table's key: it would make "
              "different keys equal; hash it (columns.hash) or give the table another key (tables.key)");
    EXPECT_EQ(message({.truncate = {".*\\.id=3"}}, 0),
              "columns.truncate: \".*\\.id=3\" matches public.orders.id, a column of the table's key: it would make "
              "different keys equal; hash it (columns.hash) or give the table another key (tables.key)");
    EXPECT_NE(message({.keys = {".*=email"}, .mask = {".*\\.email=x"}}, 2), "no error");
    EXPECT_EQ(message({.keys = {".*=email"}, .mask = {".*\\.id=x"}}, 0), "no error");
    EXPECT_EQ(message({.hash = {".*\\.id=x"}}, 0), "no error");
}

TEST(Shaping, SaysWhatIsWrongWithAPattern) {
    const std::string reason = "\"a(\" is not a regular expression: missing ): a(";
    EXPECT_EQ(construction_error({.include_tables = {"a("}}), "tables.include: " + reason);
    EXPECT_EQ(construction_error({.exclude_tables = {"a("}}), "tables.exclude: " + reason);
    EXPECT_EQ(construction_error({.keys = {"a(=id"}}), "tables.key: " + reason);
    EXPECT_EQ(construction_error({.include_columns = {"a("}}), "columns.include: " + reason);
    EXPECT_EQ(construction_error({.exclude_columns = {"a("}}), "columns.exclude: " + reason);
    EXPECT_EQ(construction_error({.mask = {"a(=x"}}), "columns.mask: " + reason);
    EXPECT_EQ(construction_error({.hash = {"a(=x"}}), "columns.hash: " + reason);
    EXPECT_EQ(construction_error({.truncate = {"a(=1"}}), "columns.truncate: " + reason);
    EXPECT_EQ(construction_error({.routes = {"a(=x"}}), "topics.routes: " + reason);
    EXPECT_EQ(construction_error({.include_tables = {""}}),
              "tables.include: a pattern is empty, so it matches nothing");
    EXPECT_EQ(construction_error({.mask = {"=x"}}), "columns.mask: a pattern is empty, so it matches nothing");
}

TEST(Shaping, WantsAnEqualsSignInARule) {
    EXPECT_EQ(construction_error({.keys = {"a"}}), "tables.key: \"a\" needs the form PATTERN=COLUMN,COLUMN");
    EXPECT_EQ(construction_error({.mask = {"a"}}), "columns.mask: \"a\" needs the form PATTERN=TEXT");
    EXPECT_EQ(construction_error({.truncate = {"a"}}), "columns.truncate: \"a\" needs the form PATTERN=CHARACTERS");
    EXPECT_EQ(construction_error({.routes = {"a"}}), "topics.routes: \"a\" needs the form PATTERN=TOPIC");
}

TEST(Shaping, KeepsSaltsOutOfErrors) {
    EXPECT_EQ(construction_error({.hash = {"a:pepper"}}), "columns.hash: a rule needs the form PATTERN=SALT");
    EXPECT_EQ(construction_error({.hash = {"a(=pepper"}}).find("pepper"), std::string::npos);
}

TEST(Shaping, WantsColumnsForAKey) {
    const std::string comma = "\" needs a column's name before and behind each comma";
    EXPECT_EQ(construction_error({.keys = {"a="}}), "tables.key: \"a=" + comma);
    EXPECT_EQ(construction_error({.keys = {"a=x,"}}), "tables.key: \"a=x," + comma);
    EXPECT_EQ(construction_error({.keys = {"a=x, ,y"}}), "tables.key: \"a=x, ,y" + comma);
    EXPECT_EQ(construction_error({.keys = {"a=x,y,x"}}), "tables.key: \"a=x,y,x\" names column \"x\" twice");
}

TEST(Shaping, WantsANumberToTruncateTo) {
    for (const char *const value : {"", "ten", "10x", "0", "-1", "1.5", "99999999999"})
        EXPECT_EQ(construction_error({.truncate = {std::string("a=") + value}}),
                  std::string("columns.truncate: \"a=") + value +
                      "\" needs a number of characters behind the \"=\", from 1 to 2147483647");
}

TEST(Shaping, RefusesTopicsThatKafkaDoesNotAllow) {
    EXPECT_EQ(construction_error({.topic = ""}), "topics.name: a topic's name is empty");
    EXPECT_EQ(construction_error({.topic = "."}), "topics.name: \".\" is no name that Kafka allows");
    EXPECT_EQ(construction_error({.routes = {"a=.."}}), "topics.routes: \"..\" is no name that Kafka allows");
    EXPECT_EQ(construction_error({.routes = {"a="}}), "topics.routes: a topic's name is empty");
    EXPECT_EQ(construction_error({.topic = "{prefix}/{table}"}),
              "topics.name: \"{prefix}/{table}\" has characters that Kafka does not allow; use letters, digits, \".\", "
              "\"_\" and \"-\"");
    const std::string longest(250, 'x');
    EXPECT_EQ(construction_error({.topic = longest}),
              "topics.name: \"" + longest + "\" is longer than Kafka's limit of 249 characters");
}

TEST(Shaping, RefusesPlaceholdersThatDoNotExist) {
    EXPECT_NE(construction_error({.topic = "{prefix}.$1"}).find("no pattern with groups"), std::string::npos);
    EXPECT_NE(construction_error({.routes = {"(a)(b)=$3"}}).find("the pattern has 2 groups"), std::string::npos);
    EXPECT_NE(construction_error({.routes = {"(a)={tabel}"}}).find("unknown placeholder {tabel}"), std::string::npos);
}

} // namespace

} // namespace waybill
