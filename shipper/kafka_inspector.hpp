// What `check` asks Kafka about topics. Writes nothing.
#pragma once

#include "kafka_publisher.hpp"
#include "waiter.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace waybill {

// Of a topic that exists. What nobody told has no value.
struct TopicFacts {
    std::optional<bool> compacted;
    std::optional<std::int64_t> max_message_bytes;
    std::optional<std::int64_t> min_insync_replicas{};
    std::optional<std::int64_t> replicas{}; // of the partition that has fewest
    std::string unknown_because;            // why, if they have none
};

// The value of a topic's property; nothing when it is none.
[[nodiscard]] std::optional<std::int64_t> to_number(std::string_view text);

class KafkaInspector {
public:
    // Throws ConfigError. To be made when a broker has answered KafkaPublisher::open().
    KafkaInspector(const KafkaOptions &options, Waiter &waiter);
    ~KafkaInspector();

    KafkaInspector(const KafkaInspector &) = delete;
    KafkaInspector &operator=(const KafkaInspector &) = delete;

    // librdkafka's mock cluster: it answers nothing of what follows, and would take what try_writing() sends.
    [[nodiscard]] bool is_mock_cluster() const;

    // By topic.
    [[nodiscard]] std::map<std::string, TopicFacts> describe(std::span<const std::string> topics);

    // Whether these topics, which do not exist, could be created: by topic what is wrong, with the remedy, or nothing.
    [[nodiscard]] std::map<std::string, std::string> try_creating(std::span<const std::string> topics);

    enum class Writing : std::uint8_t { allowed, denied, unknown };

    // Whether these topics, which exist, could be written to.
    [[nodiscard]] std::map<std::string, Writing> try_writing(std::span<const std::string> topics);

private:
    struct Handles;

    void count_replicas(std::map<std::string, TopicFacts> &facts);
    bool send_impossible(std::span<const std::string> topics, std::map<std::string, Writing> &found);

    const KafkaOptions &options_;
    Waiter &waiter_;
    std::unique_ptr<Handles> handles_;
};

} // namespace waybill
