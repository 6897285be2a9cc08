#include "kafka_admin.hpp"

#include "errors.hpp"

#include <vector>

namespace waybill::kafka {

Producer make_producer(KafkaConf conf) {
    ErrorText reason{};
    // To fetch a token may take as long as its server likes: that is for a thread of librdkafka's, not for ours.
    const bool fetches_tokens = property(*conf, "sasl.mechanisms") == "OAUTHBEARER";
    if (fetches_tokens) rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
    Producer producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
    if (!producer)
        throw ConfigError("librdkafka does not take the properties of [kafka]: " + std::string(reason.data()));
    static_cast<void>(conf.release()); // rd_kafka_new() owns it once it succeeded
    if (fetches_tokens)
        if (const Error error(rd_kafka_sasl_background_callbacks_enable(producer.get())); error)
            throw ConfigError("librdkafka cannot fetch tokens: " + std::string(rd_kafka_error_string(error.get())));
    return producer;
}

bool is_mock_cluster(rd_kafka_t *producer) {
    // Known since the first metadata; a new producer has to wait for them.
    const Text id(rd_kafka_clusterid(producer, static_cast<int>(std::chrono::milliseconds(admin_timeout).count())));
    return id && std::string_view(id.get()).starts_with("mockCluster");
}

AdminOptions admin_options(rd_kafka_t *producer, rd_kafka_admin_op_t operation) {
    AdminOptions options(rd_kafka_AdminOptions_new(producer, operation));
    const int timeout_ms = static_cast<int>(std::chrono::milliseconds(admin_timeout).count());
    ErrorText reason{};
    rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, reason.data(), reason.size());
    return options;
}

Event wait_for_answer(rd_kafka_queue_t *answers, Waiter &waiter) {
    Event answer;
    while (!answer) {
        answer.reset(rd_kafka_queue_poll(answers, static_cast<int>(slice.count())));
        waiter.wait_or_stop({}, waiter.now());
    }
    return answer;
}

std::map<std::string, Outcome> create_topics(rd_kafka_t *producer, const KafkaOptions &options,
                                             std::span<const std::string> topics, bool trial, Waiter &waiter) {
    std::map<std::string, Outcome> outcomes;
    if (topics.empty()) return outcomes;
    ErrorText reason{};
    std::vector<NewTopic> owned;
    std::vector<rd_kafka_NewTopic_t *> wanted;
    for (const std::string &topic : topics) {
        owned.emplace_back(rd_kafka_NewTopic_new(topic.c_str(), options.partitions, options.replication, reason.data(),
                                                 reason.size()));
        if (!owned.back()) throw ConfigError("topics cannot be created like this: " + std::string(reason.data()));
        for (const auto &[name, value] : options.topic_config)
            rd_kafka_NewTopic_set_config(owned.back().get(), name.c_str(), value.c_str());
        wanted.push_back(owned.back().get());
    }
    const AdminOptions admin = admin_options(producer, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(
        admin.get(), static_cast<int>(std::chrono::milliseconds(admin_timeout).count()), reason.data(), reason.size());
    if (trial) rd_kafka_AdminOptions_set_validate_only(admin.get(), 1, reason.data(), reason.size());
    const Queue answers(rd_kafka_queue_new(producer));
    rd_kafka_CreateTopics(producer, wanted.data(), wanted.size(), admin.get(), answers.get());
    const Event answer = wait_for_answer(answers.get(), waiter);

    if (const rd_kafka_resp_err_t code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (const std::string &topic : topics) outcomes[topic] = {code, rd_kafka_event_error_string(answer.get())};
        return outcomes;
    }
    std::size_t count = 0;
    const rd_kafka_topic_result_t *const *const results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
    for (const rd_kafka_topic_result_t *const result : std::span(results, count)) {
        const char *const said = rd_kafka_topic_result_error_string(result);
        const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(result);
        outcomes[rd_kafka_topic_result_name(result)] = {code, said != nullptr ? said : rd_kafka_err2str(code)};
    }
    return outcomes;
}

} // namespace waybill::kafka
