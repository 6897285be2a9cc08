// What the brokers are asked and told about topics, for kafka_*.cpp only.
#pragma once

#include "kafka_handles.hpp"
#include "kafka_publisher.hpp"
#include "waiter.hpp"

#include <chrono>
#include <map>
#include <span>
#include <string>

namespace waybill::kafka {

inline constexpr std::chrono::milliseconds slice{200}; // the longest wait inside librdkafka: then we look for signals
inline constexpr std::chrono::seconds admin_timeout{15};

// A new producer. Throws ConfigError when librdkafka does not take the properties together.
[[nodiscard]] Producer make_producer(KafkaConf conf);

// librdkafka's mock cluster has no controller and answers no questions of an administrator.
[[nodiscard]] bool is_mock_cluster(rd_kafka_t *producer);

[[nodiscard]] AdminOptions admin_options(rd_kafka_t *producer, rd_kafka_admin_op_t operation);

// The answer to a question asked before. Throws Stopped.
[[nodiscard]] Event wait_for_answer(rd_kafka_queue_t *answers, Waiter &waiter);

// What became of one of the topics.
struct Outcome {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string text = {}; // of the error
};

// Makes the topics as the options say; on trial, only asks whether that would be done. Throws ConfigError, Stopped.
[[nodiscard]] std::map<std::string, Outcome> create_topics(rd_kafka_t *producer, const KafkaOptions &options,
                                                           std::span<const std::string> topics, bool trial,
                                                           Waiter &waiter);

} // namespace waybill::kafka
