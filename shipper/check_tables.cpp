#include "check_tables.hpp"

#include "errors.hpp"
#include "nearest.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace waybill {

namespace {

using Kind = Finding::Kind;

// Looks at records instead of sending them.
class KeyWatcher final : public MessageSink {
public:
    void message(const Message &message) override { saw_keyless = saw_keyless || !message.key; }

    bool saw_keyless = false;
};

// Whether one of these operations makes a record without a key.
bool makes_keyless(Format &format, const Shape &table, std::span<const Operation> operations) {
    const std::vector<Value> row(table.columns.size());
    const Transaction transaction;
    KeyWatcher watcher;
    for (const Operation op : operations) {
        const bool has_before = op == Operation::update || op == Operation::remove;
        const bool has_after = op == Operation::update || op == Operation::insert;
        const Change change{.op = op,
                            .shape = &table,
                            .position = {},
                            .transaction = &transaction,
                            .before = has_before ? std::span(row) : std::span<const Value>{},
                            .after = has_after ? std::span(row) : std::span<const Value>{}};
        format.encode(change, 0, watcher);
    }
    format.end_transaction(watcher);
    return watcher.saw_keyless;
}

// "a, b, c and 7 more"
std::string list(std::span<const std::string> names) {
    constexpr std::size_t most = 3;
    std::string text;
    for (const std::string &name : names.first(std::min(names.size(), most))) text += (text.empty() ? "" : ", ") + name;
    return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

const TopicFacts *facts_of(const std::map<std::string, TopicFacts> &topics, const std::string &topic) {
    const auto found = topics.find(topic);
    return found == topics.end() ? nullptr : &found->second;
}

bool is_compacted(const std::map<std::string, TopicFacts> &topics, const std::string &topic) {
    const TopicFacts *const facts = facts_of(topics, topic);
    return facts != nullptr && facts->compacted.value_or(false);
}

} // namespace

std::vector<Publication> try_publishing(Format &format, std::span<const Shape> tables, std::vector<Finding> &findings) {
    constexpr std::array row_operations{Operation::insert, Operation::update, Operation::remove};
    constexpr std::array truncate{Operation::truncate};
    std::vector<Publication> publications;
    for (const Shape &table : tables) {
        try {
            publications.push_back({.table = &table,
                                    .topic = std::string(format.topic(table)),
                                    .has_keyless_rows = makes_keyless(format, table, row_operations),
                                    .has_keyless_truncate = makes_keyless(format, table, truncate)});
        } catch (const ConfigError &error) {
            findings.push_back({.kind = Kind::wrong, .text = error.what()});
        }
    }
    return publications;
}

std::vector<Finding> check_capture(std::span<const Capture> captures, std::span<const Publication> publications) {
    std::vector<Finding> findings;
    const auto is_published = [](const Publication &one) { return !one.topic.empty(); };
    if (captures.empty())
        findings.push_back({Kind::warning, "no table of the stream is captured, so there is nothing to ship; run: "
                                           "SELECT waybill.enable_capture('schema.table')"});
    else if (!publications.empty() && std::ranges::none_of(publications, is_published))
        findings.push_back({Kind::warning, "none of the captured tables is published; change tables.include and "
                                           "tables.exclude"});
    std::set<std::uint32_t> keyed; // by tables.key, perhaps
    for (const Publication &one : publications)
        if (!one.has_keyless_rows) keyed.insert(one.table->relation);
    for (const Capture &capture : captures) {
        const bool is_keyless = capture.problem.find("without a key") != std::string::npos;
        if (!capture.problem.empty() && !(is_keyless && keyed.contains(capture.relation)))
            findings.push_back({Kind::warning, "captured table " + capture.table + ": " + capture.problem});
    }
    return findings;
}

std::vector<Finding> check_definitions(std::int64_t last_shape) {
    constexpr std::int64_t many = 100'000;
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (last_shape < many) return {};
    return {{last_shape > most / 2 ? Kind::warning : Kind::advice,
             "definitions of tables have numbers up to " + std::to_string(last_shape) + " of " + std::to_string(most) +
                 ", and none is ever removed: capture ends when they are used up; each ALTER of a captured table, and "
                 "each new one, takes one: find out what alters so often, and to begin anew drop and create the "
                 "extension when all is shipped"}};
}

std::vector<Finding> check_publications(const std::string &of_all_tables) {
    if (of_all_tables.empty()) return {};
    return {
        {Kind::warning, "the extension's tables are in publications FOR ALL TABLES (" + of_all_tables +
                            "): nothing of them is sent, but subscriptions can be created and refreshed only where the "
                            "extension is, too; run CREATE EXTENSION waybill there, or publish FOR TABLES IN SCHEMA"}};
}

std::vector<Finding> check_rules(const Format &format, std::span<const Shape> tables) {
    std::vector<Finding> findings;
    if (tables.empty()) return findings;
    for (const IdleRule &rule : format.idle_rules(tables)) findings.push_back({Kind::warning, rule.text});
    return findings;
}

std::vector<Finding> check_types(std::span<const Pattern> as_text, std::span<const std::string> type_names) {
    std::vector<Finding> findings;
    if (type_names.empty()) return findings;
    for (const Pattern &pattern : as_text)
        if (std::ranges::none_of(type_names, [&](const std::string &name) { return pattern.matches(name); }))
            findings.push_back({Kind::warning, "types.as_text: \"" + pattern.text() +
                                                   "\" matches the type of no captured column; types are named as psql "
                                                   "shows them, with their schema if that is not pg_catalog, the "
                                                   "nearest being " +
                                                   nearest(pattern.text(), type_names)});
    return findings;
}

std::vector<Finding> check_sharing(std::span<const Publication> publications,
                                   std::span<const std::string_view> other_topics,
                                   const std::map<std::string, TopicFacts> &topics) {
    std::map<std::string, std::vector<std::string>> tables;
    for (const Publication &one : publications)
        if (!one.topic.empty()) tables[one.topic].push_back(one.name());
    std::vector<Finding> findings;
    for (const auto &[topic, names] : tables) {
        if (std::ranges::find(other_topics, topic) != other_topics.end())
            findings.push_back(
                {Kind::wrong, "topic " + topic + " of table " + list(names) +
                                  " is also that of transactions or heartbeats; give the table another one "
                                  "(topics.routes)"});
        if (names.size() > 1)
            findings.push_back({Kind::warning, "topic " + topic + " is shared by the tables " + list(names) +
                                                   (is_compacted(topics, topic)
                                                        ? ", and is compacted: rows with equal keys replace each other"
                                                        : "") +
                                                   "; if that is not meant, change topics.name or topics.routes"});
    }
    return findings;
}

std::vector<Finding> check_topics(std::span<const Publication> publications,
                                  const std::map<std::string, TopicFacts> &topics, std::int64_t message_bytes) {
    std::vector<Finding> findings;
    for (const Publication &one : publications) {
        if (one.topic.empty() || !is_compacted(topics, one.topic)) continue;
        if (one.has_keyless_rows)
            findings.push_back({Kind::wrong, "topic " + one.topic +
                                                 " is compacted and takes no records without a key, but table " +
                                                 one.name() +
                                                 " has none; name key columns (tables.key), or give the topic "
                                                 "another cleanup.policy"});
        else if (one.has_keyless_truncate)
            findings.push_back(
                {Kind::warning, "topic " + one.topic +
                                    " is compacted and takes no records without a key, so a TRUNCATE of " + one.name() +
                                    " would stop the shipper; set stream.skip_operations = "
                                    "[\"t\"], or give the topic another cleanup.policy"});
    }
    for (const auto &[topic, facts] : topics)
        if (facts.max_message_bytes && *facts.max_message_bytes < message_bytes)
            findings.push_back(
                {Kind::warning, "topic " + topic + " takes " + std::to_string(*facts.max_message_bytes) +
                                    " bytes at a time (max.message.bytes), but the shipper may send " +
                                    std::to_string(message_bytes) +
                                    ", and would stop; raise that, or lower kafka.\"message.max.bytes\""});
    return findings;
}

std::vector<Finding> check_replicas(const std::map<std::string, TopicFacts> &topics) {
    std::vector<Finding> findings;
    std::vector<std::string> trusting;
    for (const auto &[topic, facts] : topics) {
        if (!facts.min_insync_replicas || !facts.replicas) continue;
        if (*facts.min_insync_replicas > *facts.replicas)
            findings.push_back(
                {Kind::failure, "topic " + topic + " takes nothing: its partitions have " +
                                    std::to_string(*facts.replicas) + " replicas, and min.insync.replicas is " +
                                    std::to_string(*facts.min_insync_replicas) +
                                    "; give it more replicas (topics.replication for new ones), or lower that"});
        else if (*facts.min_insync_replicas == 1 && *facts.replicas > 1)
            trusting.push_back(topic);
    }
    if (!trusting.empty())
        findings.push_back(
            {Kind::advice, "min.insync.replicas is 1 for " + list(trusting) +
                               ", so what a single broker has counts as safe, and is lost with it; set it "
                               "to 2 (topics.config for new ones)"});
    return findings;
}

} // namespace waybill
