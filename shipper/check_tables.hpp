// What is doubtful about the captured tables, the settings and the topics that they make together. Pure.
#pragma once

#include "change_log.hpp"
#include "finding.hpp"
#include "format/format.hpp"
#include "kafka_inspector.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace waybill {

// How a table is published.
struct Publication {
    const Shape *table = nullptr;
    std::string topic;             // empty: not at all
    bool has_keyless_rows = false; // changes of rows make records without a key
    bool has_keyless_truncate = false;

    [[nodiscard]] std::string name() const { return table->schema + '.' + table->table; }
};

// Tries the settings out on the tables, which have to outlive what is returned; those that they do not fit are left
// out, and found. Changes that were never made are encoded: `format` must not be used for others.
[[nodiscard]] std::vector<Publication> try_publishing(Format &format, std::span<const Shape> tables,
                                                      std::vector<Finding> &findings);

// Whether anything is captured and published, and what is wrong with capture.
[[nodiscard]] std::vector<Finding> check_capture(std::span<const Capture> captures,
                                                 std::span<const Publication> publications);

// How much of the numbers for definitions of tables is used up.
[[nodiscard]] std::vector<Finding> check_definitions(std::int64_t last_shape);

// Publications FOR ALL TABLES, which contain the extension's tables, too.
[[nodiscard]] std::vector<Finding> check_publications(const std::string &of_all_tables);

// Rules that do nothing.
[[nodiscard]] std::vector<Finding> check_rules(const Format &format, std::span<const Shape> tables);

// Patterns of types.as_text that match none of the names, which are those of the types of captured columns.
[[nodiscard]] std::vector<Finding> check_types(std::span<const Pattern> as_text,
                                               std::span<const std::string> type_names);

// Topics of several tables, and tables in the topics of the shipper's other records.
[[nodiscard]] std::vector<Finding> check_sharing(std::span<const Publication> publications,
                                                 std::span<const std::string_view> other_topics,
                                                 const std::map<std::string, TopicFacts> &topics);

// What the topics will not take. `message_bytes` is what the shipper may send at a time.
[[nodiscard]] std::vector<Finding> check_topics(std::span<const Publication> publications,
                                                const std::map<std::string, TopicFacts> &topics,
                                                std::int64_t message_bytes);

// Topics that take nothing, or whose brokers may lose what they have acknowledged.
[[nodiscard]] std::vector<Finding> check_replicas(const std::map<std::string, TopicFacts> &topics);

} // namespace waybill
