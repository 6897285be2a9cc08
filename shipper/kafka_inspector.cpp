#include "kafka_inspector.hpp"

#include "kafka_admin.hpp"
#include "kafka_remedy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <vector>

namespace waybill {

std::optional<std::int64_t> to_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

namespace {

// Kafka looks first whether one may write to the topic, then at the acknowledgements that are asked for. There are
// none, one, and all: a record that asks for two is refused, and with what says whether it had come so far.
constexpr const char *impossible_acks = "2";

constexpr std::chrono::seconds write_timeout{10};

TopicFacts to_facts(const rd_kafka_ConfigResource_t *topic) {
    TopicFacts facts;
    if (const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(topic); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        facts.unknown_because = rd_kafka_err2str(code);
        return facts;
    }
    std::size_t count = 0;
    const rd_kafka_ConfigEntry_t *const *const entries = rd_kafka_ConfigResource_configs(topic, &count);
    for (const rd_kafka_ConfigEntry_t *const entry : std::span(entries, count)) {
        const std::string_view name = rd_kafka_ConfigEntry_name(entry);
        const char *const set = rd_kafka_ConfigEntry_value(entry);
        const std::string_view value = set != nullptr ? set : "";
        if (name == "cleanup.policy") facts.compacted = value.find("compact") != std::string_view::npos;
        if (name == "max.message.bytes") facts.max_message_bytes = to_number(value);
        if (name == "min.insync.replicas") facts.min_insync_replicas = to_number(value);
    }
    return facts;
}

KafkaInspector::Writing what_is_allowed(rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS: return KafkaInspector::Writing::allowed;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return KafkaInspector::Writing::denied;
    default: return KafkaInspector::Writing::unknown;
    }
}

KafkaConf make_trial_conf(const Properties &properties) {
    KafkaConf conf = make_conf(properties);
    for (const auto &[name, value] :
         {std::pair{"enable.gapless.guarantee", "false"}, std::pair{"enable.idempotence", "false"},
          std::pair{"acks", impossible_acks}, std::pair{"retries", "0"}, std::pair{"message.timeout.ms", "9000"}})
        rd_kafka_conf_set(conf.get(), name, value, nullptr, 0);
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR);
    return conf;
}

} // namespace

struct KafkaInspector::Handles {
    kafka::Producer producer;
    kafka::Queue queue;
};

KafkaInspector::KafkaInspector(const KafkaOptions &options, Waiter &waiter)
    : options_(options), waiter_(waiter), handles_(std::make_unique<Handles>()) {
    handles_->producer = kafka::make_producer(make_trial_conf(options.properties));
    handles_->queue.reset(rd_kafka_queue_get_main(handles_->producer.get()));
}

KafkaInspector::~KafkaInspector() = default;

bool KafkaInspector::is_mock_cluster() const {
    return kafka::is_mock_cluster(handles_->producer.get());
}

std::map<std::string, TopicFacts> KafkaInspector::describe(std::span<const std::string> topics) {
    std::map<std::string, TopicFacts> facts;
    if (topics.empty()) return facts;
    std::vector<kafka::ConfigResource> owned;
    std::vector<rd_kafka_ConfigResource_t *> wanted;
    for (const std::string &topic : topics) {
        owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
        wanted.push_back(owned.back().get());
    }
    rd_kafka_t *const producer = handles_->producer.get();
    const kafka::AdminOptions admin = kafka::admin_options(producer, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    const kafka::Queue answers(rd_kafka_queue_new(producer));
    rd_kafka_DescribeConfigs(producer, wanted.data(), wanted.size(), admin.get(), answers.get());
    const kafka::Event answer = kafka::wait_for_answer(answers.get(), waiter_);
    if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (const std::string &topic : topics)
            facts[topic].unknown_because = rd_kafka_event_error_string(answer.get());
        return facts;
    }
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t *const *const found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
    for (const rd_kafka_ConfigResource_t *const topic : std::span(found, count))
        facts[rd_kafka_ConfigResource_name(topic)] = to_facts(topic);
    count_replicas(facts);
    return facts;
}

void KafkaInspector::count_replicas(std::map<std::string, TopicFacts> &facts) {
    const rd_kafka_metadata_t *list = nullptr;
    const TimePoint deadline = waiter_.now() + write_timeout;
    // An answer that comes after the wait is lost, and the next request asks anew: so each waits longer.
    for (std::chrono::milliseconds patience = kafka::slice; list == nullptr; patience *= 2) {
        if (waiter_.now() >= deadline) return;
        waiter_.wait_or_stop({}, waiter_.now());
        rd_kafka_metadata(handles_->producer.get(), 1, nullptr, &list, static_cast<int>(patience.count()));
    }
    const kafka::Metadata metadata(list);
    for (const rd_kafka_metadata_topic_t &topic :
         std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
        const auto found = facts.find(topic.topic);
        if (found == facts.end()) continue;
        for (const rd_kafka_metadata_partition_t &partition :
             std::span(topic.partitions, static_cast<std::size_t>(topic.partition_cnt)))
            found->second.replicas =
                std::min<std::int64_t>(found->second.replicas.value_or(partition.replica_cnt), partition.replica_cnt);
    }
}

std::map<std::string, std::string> KafkaInspector::try_creating(std::span<const std::string> topics) {
    std::map<std::string, std::string> reasons;
    for (const auto &[topic, outcome] :
         kafka::create_topics(handles_->producer.get(), options_, topics, true, waiter_)) {
        std::string &reason = reasons[topic];
        // Of topics that one may not see the brokers do not tell.
        if (outcome.code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            reason = "it exists, but is not shown to the shipper" +
                     std::string(remedy(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).text);
        else if (outcome.code != RD_KAFKA_RESP_ERR_NO_ERROR)
            reason = outcome.text + std::string(remedy(outcome.code).text);
    }
    return reasons;
}

std::map<std::string, KafkaInspector::Writing> KafkaInspector::try_writing(std::span<const std::string> topics) {
    std::map<std::string, Writing> found;
    for (const std::string &topic : topics) found[topic] = Writing::unknown;
    // One alone: a broker that takes it is none of those that we know, and gets no other.
    if (!topics.empty() && send_impossible(topics.first(1), found)) send_impossible(topics.subspan(1), found);
    return found;
}

// False when one was written, which no broker should.
bool KafkaInspector::send_impossible(std::span<const std::string> topics, std::map<std::string, Writing> &found) {
    std::size_t waiting = 0;
    for (const std::string &topic : topics) {
        std::array<rd_kafka_vu_t, 2> vus{};
        vus[0].vtype = RD_KAFKA_VTYPE_TOPIC;
        vus[0].u.cstr = topic.c_str();
        vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
        vus[1].u.i32 = 0;
        const kafka::Error failed(rd_kafka_produceva(handles_->producer.get(), vus.data(), vus.size()));
        if (!failed) ++waiting;
    }
    const TimePoint deadline = waiter_.now() + write_timeout;
    while (waiting > 0 && waiter_.now() < deadline) {
        const kafka::Event event(rd_kafka_queue_poll(handles_->queue.get(), static_cast<int>(kafka::slice.count())));
        waiter_.wait_or_stop({}, waiter_.now());
        while (const rd_kafka_message_t *const message = event ? rd_kafka_event_message_next(event.get()) : nullptr) {
            --waiting;
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return false;
            found[rd_kafka_topic_name(message->rkt)] = what_is_allowed(message->err);
        }
    }
    return true;
}

} // namespace waybill
