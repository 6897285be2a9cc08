// Owners of librdkafka's handles, for kafka_*.cpp only.
#pragma once

#include "deleter.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <memory>

namespace waybill::kafka {

inline void free_text(char *text) {
    rd_kafka_mem_free(nullptr, text);
}

using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>>;
using Headers = std::unique_ptr<rd_kafka_headers_t, Deleter<rd_kafka_headers_destroy>>;
using Error = std::unique_ptr<rd_kafka_error_t, Deleter<rd_kafka_error_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;
using ConfigResource = std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>>;
using Text = std::unique_ptr<char, Deleter<free_text>>;
using ErrorText = std::array<char, 512>;

// A producer that forgets what it still has to send when it goes.
struct DestroyProducer {
    void operator()(rd_kafka_t *handle) const noexcept {
        rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(handle);
    }
};
using Producer = std::unique_ptr<rd_kafka_t, DestroyProducer>;

} // namespace waybill::kafka
