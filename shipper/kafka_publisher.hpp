// The Publisher on librdkafka; only kafka_publisher.cpp includes its header.
//
// All that librdkafka has to say (delivery reports, errors, log lines) comes as events of its main queue, read in our
// thread: none of our code runs in a thread of librdkafka, and a delivery costs no callback and no lock of ours.
#pragma once

#include "log.hpp"
#include "publisher.hpp"
#include "waiter.hpp"

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waybill {

using Properties = std::vector<std::pair<std::string, std::string>>;

struct KafkaOptions {
    Properties properties = {}; // librdkafka's, as the user gave them
    bool create_topics = true;
    int partitions = -1;  // of topics to be created; -1: the broker's default
    int replication = -1; // likewise
    Properties topic_config = {};
    std::chrono::milliseconds connect_timeout{10'000};
};

// Throws ConfigError when librdkafka does not take a property, or when one would break what the shipper promises.
void check_properties(const Properties &properties);

class KafkaPublisher final : public Publisher {
public:
    KafkaPublisher(KafkaOptions options, Waiter &waiter, Log &log);
    ~KafkaPublisher() override;

    KafkaPublisher(const KafkaPublisher &) = delete;
    KafkaPublisher &operator=(const KafkaPublisher &) = delete;

    void open() override;
    void publish(const Message &message, Ticket ticket) override;
    [[nodiscard]] std::span<const Ticket> take_delivered() override;
    void discard() noexcept override;
    [[nodiscard]] pollfd wakeup() const override;

    // For `check`, after open().
    [[nodiscard]] bool topic_exists(std::string_view topic) const;
    [[nodiscard]] std::string describe_brokers() const;
    // What the linked librdkafka cannot do of what is configured; empty: nothing.
    [[nodiscard]] std::string library_warning() const;

private:
    struct Handles; // librdkafka's types

    void start();
    void refresh_topics();
    void make_topic(const std::string &topic);
    [[nodiscard]] bool is_mock_cluster() const;
    void auto_create_topic(const std::string &topic, TimePoint deadline);
    void *topic_handle(std::string_view topic);
    void serve(std::chrono::milliseconds wait);
    void note_failure(int code, std::string text);
    void throw_failure();
    void clear_wakeup() const noexcept;
    [[nodiscard]] std::string bootstrap_servers() const;

    KafkaOptions options_;
    Waiter &waiter_;
    Log &log_;
    int event_fd_ = -1;
    std::unique_ptr<Handles> handles_;

    std::set<std::string, std::less<>> existing_topics_;
    std::unordered_map<std::string_view, void *> topic_handles_; // keys live as long as the format
    std::string_view last_topic_;
    void *last_handle_ = nullptr;

    std::vector<Ticket> delivered_; // not taken yet
    std::vector<Ticket> taken_;
    std::string last_error_; // the last thing librdkafka said about its connections
    bool authentication_failed_ = false;
    int failure_code_ = 0; // of the first message that failed, 0: none
    std::string failure_;
};

} // namespace waybill
