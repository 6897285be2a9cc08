#include "check_tables.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace waybill {
namespace {

using Kind = Finding::Kind;

Shape make_table(std::uint32_t number, const std::string &name, bool has_key = true) {
    Shape table{.id = static_cast<std::int32_t>(number),
                .relation = number,
                .schema = "public",
                .table = name,
                .columns = {},
                .key = {}};
    table.columns.emplace_back().name = "id";
    table.columns.emplace_back().name = "note";
    if (has_key) table.key.push_back(0);
    return table;
}

FormatOptions with(ShapingOptions shaping) {
    FormatOptions options;
    options.shaping = std::move(shaping);
    return options;
}

class CheckTablesTest : public testing::Test {
protected:
    // Tries the tables in a format with these options.
    void try_out(const std::string &format = "debezium", FormatOptions options = {}) {
        options.prefix = "shop";
        format_ = make_format(format, {.id = "source", .database = "db"}, options);
        publications_ = try_publishing(*format_, tables_, misfits_);
    }

    static void expect(const std::vector<Finding> &findings, const std::vector<std::pair<Kind, std::string>> &parts) {
        ASSERT_EQ(findings.size(), parts.size()) << (findings.empty() ? "" : findings.front().text);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            EXPECT_EQ(findings[i].kind, parts[i].first) << findings[i].text;
            EXPECT_NE(findings[i].text.find(parts[i].second), std::string::npos) << findings[i].text;
        }
    }

    std::vector<Shape> tables_{make_table(1, "orders"), make_table(2, "visits", false)};
    std::unique_ptr<Format> format_;
    std::vector<Publication> publications_;
    std::vector<Finding> misfits_;
};

TEST_F(CheckTablesTest, KnowsWhichRecordsHaveNoKey) {
    const auto keyless = [&](const std::string &format, const FormatOptions &options = {}) {
        try_out(format, options);
        std::string text;
        for (const Publication &one : publications_)
            text += std::string(one.has_keyless_rows ? "r" : "-") + (one.has_keyless_truncate ? "t" : "-") + " ";
        return text;
    };
    FormatOptions no_truncates;
    no_truncates.skip_operations = "t";
    FormatOptions with_transactions;
    with_transactions.transaction_metadata = true;
    EXPECT_EQ(keyless("debezium"), "-t rt ");
    EXPECT_EQ(keyless("debezium", no_truncates), "-- r- ");
    EXPECT_EQ(keyless("debezium", with({.keys = {".*=note"}})), "-t -t ");
    EXPECT_EQ(keyless("debezium", with_transactions), "-t rt ");
    EXPECT_EQ(keyless("flattened"), "-- r- ");
    EXPECT_EQ(keyless("maxwell"), "-- r- ");
    EXPECT_EQ(keyless("cloudevents"), "-t rt ");
    EXPECT_EQ(keyless("debezium", with({.exclude_tables = {".*"}})), "-- -- ");
}

TEST_F(CheckTablesTest, FindsSettingsThatDoNotFit) {
    try_out("debezium", with({.keys = {".*visits=nr"}}));
    expect(misfits_, {{Kind::wrong, "names column \"nr\""}});
    EXPECT_EQ(publications_.size(), 1U);
}

TEST_F(CheckTablesTest, TellsProblemsOfCapture) {
    try_out();
    std::vector<Capture> captures{{.relation = 1,
                                   .table = "public.orders",
                                   .key = std::vector<std::string>{"id"},
                                   .problem = "capture is disabled"},
                                  {.relation = 2,
                                   .table = "public.visits",
                                   .key = std::vector<std::string>{},
                                   .problem = "published without a key"}};
    expect(check_capture(captures, publications_), {{Kind::warning, "table public.orders: capture is disabled"},
                                                    {Kind::warning, "table public.visits: published without a key"}});
    try_out("debezium", with({.keys = {".*visits=note"}}));
    expect(check_capture(captures, publications_), {{Kind::warning, "public.orders"}});
    expect(check_capture({}, {}), {{Kind::warning, "nothing to ship"}});
    captures = {{.relation = 1, .table = "public.orders", .key = {}, .problem = {}}};
    try_out("debezium", with({.exclude_tables = {".*"}}));
    expect(check_capture(captures, publications_), {{Kind::warning, "none of the captured tables is published"}});
}

TEST_F(CheckTablesTest, TellsWhenDefinitionsAreMany) {
    expect(check_definitions(99'999), {});
    expect(check_definitions(100'000), {{Kind::advice, "numbers up to 100000 of 2147483647"}});
    expect(check_definitions(1'500'000'000), {{Kind::warning, "numbers up to 1500000000 of 2147483647"}});
}

TEST_F(CheckTablesTest, TellsPatternsOfTypesThatMatchNone) {
    const std::vector<std::string> types{"integer", "numeric(10,2)"};
    const std::vector<Pattern> patterns{Pattern("numeric.*", "types.as_text"), Pattern("int4", "types.as_text")};
    expect(check_types(patterns, types),
           {{Kind::warning, "\"int4\" matches the type of no captured column; types are named as psql shows them"}});
    expect(check_types(patterns, {}), {});
}

TEST_F(CheckTablesTest, ComparesReplicasWithThoseThatMustBeInSync) {
    std::map<std::string, TopicFacts> topics;
    const auto add = [&](const char *topic, std::int64_t min_insync_replicas, std::optional<std::int64_t> replicas) {
        topics[topic].min_insync_replicas = min_insync_replicas;
        topics[topic].replicas = replicas;
    };
    add("a", 2, 1);
    add("b", 2, 3);
    add("c", 1, 3);
    add("d", 1, 1); // somebody tries it out
    add("e", 1, std::nullopt);
    expect(check_replicas(topics), {{Kind::failure, "topic a takes nothing: its partitions have 1 replicas"},
                                    {Kind::advice, "min.insync.replicas is 1 for c, so"}});
}

TEST_F(CheckTablesTest, FindsTablesThatShareATopic) {
    tables_ = {make_table(1, "order item"), make_table(2, "order_item"), make_table(3, "visits")};
    try_out();
    const std::array<std::string_view, 1> other{"shop.public.visits"};
    expect(
        check_sharing(publications_, other, {}),
        {{Kind::warning, "topic shop.public.order_item is shared by the tables public.order item, public.order_item;"},
         {Kind::wrong, "topic shop.public.visits of table public.visits is also that of transactions"}});
    std::map<std::string, TopicFacts> facts;
    facts["shop.public.order_item"].compacted = true;
    expect(check_sharing(publications_, {}, facts), {{Kind::warning, "rows with equal keys replace each other"}});
    tables_ = {make_table(1, "a"), make_table(2, "b"), make_table(3, "c"), make_table(4, "d"), make_table(5, "e")};
    try_out("debezium", with({.topic = "all"}));
    expect(check_sharing(publications_, {}, {}), {{Kind::warning, "public.a, public.b, public.c and 2 more"}});
}

TEST_F(CheckTablesTest, FindsWhatATopicWillNotTake) {
    try_out();
    std::map<std::string, TopicFacts> facts;
    facts["shop.public.orders"] = {.compacted = true, .max_message_bytes = 1'048'588, .unknown_because = {}};
    facts["shop.public.visits"] = {.compacted = true, .max_message_bytes = 1000, .unknown_because = {}};
    expect(check_topics(publications_, facts, 1'000'000),
           {{Kind::warning, "so a TRUNCATE of public.orders would stop the shipper"},
            {Kind::wrong, "table public.visits has none"},
            {Kind::warning, "topic shop.public.visits takes 1000 bytes at a time"}});
    facts["shop.public.orders"].compacted = false;
    facts["shop.public.visits"] = {};
    expect(check_topics(publications_, facts, 1'000'000), {});
}

TEST_F(CheckTablesTest, FindsRulesThatMatchNothing) {
    try_out("debezium", with({.mask = {".*\\.nota=*"}}));
    expect(check_rules(*format_, tables_), {{Kind::warning, "columns.mask"}});
    expect(check_rules(*format_, {}), {});
}

} // namespace
} // namespace waybill
