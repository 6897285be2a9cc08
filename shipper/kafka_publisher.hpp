// The Publisher on librdkafka, whose header only kafka_*.cpp include.
//
// All that librdkafka has to say (delivery reports, errors, log lines) comes as events of its main queue, read in our
// thread: none of our code runs in a thread of librdkafka, and a delivery costs no callback and no lock of ours.
#pragma once

#include "kafka_properties.hpp"
#include "log.hpp"
#include "publisher.hpp"
#include "waiter.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace waybill {

struct KafkaOptions {
    Properties properties = {}; // librdkafka's, as the user gave them
    bool create_topics = true;
    int partitions = -1;  // of topics to be created; -1: the broker's default
    int replication = -1; // likewise
    Properties topic_config = {};
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds delivery_timeout{120'000}; // of the first message of a partition
};

class KafkaPublisher final : public Publisher {
public:
    KafkaPublisher(KafkaOptions options, Waiter &waiter, Log &log);
    ~KafkaPublisher() override;

    KafkaPublisher(const KafkaPublisher &) = delete;
    KafkaPublisher &operator=(const KafkaPublisher &) = delete;

    void open() override;
    void publish(const Message &message, Ticket ticket) override;
    [[nodiscard]] std::size_t max_message_size() const override { return max_message_size_; }
    [[nodiscard]] KafkaError too_large(const std::string &topic, const std::string &position) const override;
    [[nodiscard]] std::span<const Ticket> take_delivered() override;
    [[nodiscard]] std::string trouble() const override { return last_error_; }
    void discard() noexcept override;
    [[nodiscard]] pollfd wakeup() const override;

    // For `check`, after open().
    [[nodiscard]] bool topic_exists(std::string_view topic) const;
    [[nodiscard]] std::string describe_brokers() const;

private:
    struct Handles; // librdkafka's types
    struct TopicState;
    struct PartitionState;

    void start();
    void refresh_topics();
    void make_topic(const std::string &topic);
    void auto_create_topic(const std::string &topic, TimePoint deadline);
    TopicState &topic_state(std::string_view topic);
    void wait_until_accepted(PartitionState &partition, std::string_view topic);
    void serve(std::chrono::milliseconds wait);
    void write_log(std::string_view facility, std::string_view text);
    void note_failure(int code, std::string text);
    void throw_failure();
    void clear_wakeup() const noexcept;
    [[nodiscard]] std::string bootstrap_servers() const;

    KafkaOptions options_;
    Partitioner partitioner_;
    Waiter &waiter_;
    Log &log_;
    int event_fd_ = -1;
    std::unique_ptr<Handles> handles_;
    std::size_t max_message_size_ = 0;

    std::map<std::string, std::int32_t, std::less<>> existing_topics_;         // and how many partitions they have
    std::unordered_map<std::string_view, std::unique_ptr<TopicState>> topics_; // keys live as long as the format
    std::string_view last_topic_;
    TopicState *last_state_ = nullptr;
    int unaccepted_partitions_ = 0;
    TimePoint now_{}; // of the last serve()

    std::vector<Ticket> delivered_; // not taken yet
    std::vector<Ticket> taken_;
    std::string last_error_; // the last thing librdkafka said about its connections
    bool authentication_failed_ = false;
    int starts_ = 0;
    int failure_code_ = 0; // of the first message that failed, 0: none
    std::string failure_;
};

} // namespace waybill
