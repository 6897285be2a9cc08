// librdkafka's properties: our defaults below the user's, what the promises rest on above them, and what is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct rd_kafka_conf_s;
struct rd_kafka_topic_s;

namespace waybill {

using Properties = std::vector<std::pair<std::string, std::string>>;

struct DestroyConf {
    void operator()(rd_kafka_conf_s *conf) const noexcept;
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_s, DestroyConf>;

// Throws ConfigError when librdkafka does not take a property, or when one would break what the shipper promises.
[[nodiscard]] KafkaConf make_conf(const Properties &properties);

// The same, for its errors only.
void check_properties(const Properties &properties);

// The value that holds in `conf`, whoever gave it; empty when there is none.
[[nodiscard]] std::string property(const rd_kafka_conf_s &conf, const char *name);

// The same for a number; 0 when there is none.
[[nodiscard]] std::int64_t number_property(const rd_kafka_conf_s &conf, const char *name);

// The linked librdkafka: "librdkafka 2.0.2 (system)", or "(bundled)".
[[nodiscard]] std::string library();

// What it cannot do of what is configured, though it takes the properties; empty: nothing.
[[nodiscard]] std::string library_warning(const Properties &properties);

// Of a value of security.protocol, as property() gives it.
[[nodiscard]] bool uses_tls(std::string_view protocol);
[[nodiscard]] bool uses_sasl(std::string_view protocol);

// Like rd_kafka_msg_partitioner_murmur2() and its kin.
using Partitioner = std::int32_t (*)(const rd_kafka_topic_s *topic, const void *key, std::size_t key_size,
                                     std::int32_t partitions, void *topic_opaque, void *message_opaque);

// The function behind a name of the property `partitioner`. We call it ourselves, because we have to know the
// partition; messages without a key, which the *_random ones would scatter, never get here.
[[nodiscard]] Partitioner find_partitioner(const Properties &properties);

} // namespace waybill
