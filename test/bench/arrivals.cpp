// Consumes a topic and notes when each message arrived.
//
//   arrivals BOOTSTRAP TOPIC COUNT FILE [property=value…]
//
// Reads all partitions from their ends, says "ready" when it stands there, and goes on until COUNT messages came or
// none came for half a minute. A message is known by the number behind "id": in its key, the last one if there are
// several: in {"id":N}, and in {"schema":…,"payload":{"id":N}}. Those without a value (tombstones) are left out.
#include "pace.hpp"

#include <librdkafka/rdkafka.h>

#include <cstdlib>
#include <exception>
#include <string_view>
#include <utility>

namespace {

struct Free {
    void operator()(rd_kafka_t *client) const { rd_kafka_destroy(client); }
    void operator()(rd_kafka_message_t *message) const { rd_kafka_message_destroy(message); }
};

std::int64_t find_id(std::string_view key) {
    constexpr std::string_view name = "\"id\":";
    const auto at = key.rfind(name);
    if (at == std::string_view::npos) throw std::runtime_error("a key without an id: " + std::string(key));
    return std::strtoll(std::string(key.substr(at + name.size())).c_str(), nullptr, 10);
}

void assign(rd_kafka_t *consumer, const char *topic) {
    const rd_kafka_metadata_t *metadata = nullptr;
    if (rd_kafka_metadata(consumer, 1, nullptr, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        throw std::runtime_error("Kafka does not answer");
    rd_kafka_topic_partition_list_t *const partitions = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < metadata->topic_cnt; ++i)
        for (int j = 0; std::string_view(metadata->topics[i].topic) == topic && j < metadata->topics[i].partition_cnt;
             ++j)
            rd_kafka_topic_partition_list_add(partitions, topic, metadata->topics[i].partitions[j].id)->offset =
                RD_KAFKA_OFFSET_END;
    const int found = partitions->cnt;
    rd_kafka_assign(consumer, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_metadata_destroy(metadata);
    if (found == 0) throw std::runtime_error(std::string("there is no topic ") + topic);
    // At its end each partition says so.
    for (int at_end = 0; at_end < found;) {
        const std::unique_ptr<rd_kafka_message_t, Free> message(rd_kafka_consumer_poll(consumer, 30'000));
        if (!message) throw std::runtime_error("a partition's end was not reached");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ++at_end;
    }
}

int run(int argc, char **argv) {
    if (argc < 5) throw std::runtime_error("usage: arrivals BOOTSTRAP TOPIC COUNT FILE [property=value…]");
    std::vector<std::pair<std::string, std::string>> properties{{"bootstrap.servers", argv[1]},
                                                                {"group.id", "arrivals"},
                                                                {"enable.auto.commit", "false"},
                                                                {"enable.partition.eof", "true"},
                                                                {"socket.nagle.disable", "true"}};
    for (int i = 5; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        properties.emplace_back(argument.substr(0, equals), argument.substr(equals + 1));
    }
    char reason[512];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    for (const auto &[name, value] : properties)
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK)
            throw std::runtime_error(reason);
    const std::unique_ptr<rd_kafka_t, Free> consumer(rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason));
    if (!consumer) throw std::runtime_error(reason);
    rd_kafka_poll_set_consumer(consumer.get());
    assign(consumer.get(), argv[2]);
    std::puts("ready");
    std::fflush(stdout);

    const std::int64_t wanted = std::stoll(argv[3]);
    Notes arrivals;
    while (arrivals.size() < wanted) {
        const std::unique_ptr<rd_kafka_message_t, Free> message(rd_kafka_consumer_poll(consumer.get(), 30'000));
        const std::int64_t at_ns = now_ns();
        if (!message) break;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            throw std::runtime_error(rd_kafka_message_errstr(message.get()));
        if (message->payload == nullptr) continue;
        arrivals.add(find_id({static_cast<const char *>(message->key), message->key_len}), at_ns);
    }
    rd_kafka_consumer_close(consumer.get());
    arrivals.write(argv[4]);
    return arrivals.size() == wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "arrivals: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
