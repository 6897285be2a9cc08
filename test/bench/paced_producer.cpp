// The yardstick for latency: messages straight to Kafka at a fixed rate, with notes of when each was handed over.
//
//   paced_producer BOOTSTRAP TOPIC FIRST-ID RATE SECONDS VALUE-FILE FILE [property=value…]
//
// Every message has the key {"id":N} and the same value. The settings and the allocator are the shipper's.
#include "pace.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <utility>

namespace {

struct Free {
    void operator()(rd_kafka_t *client) const { rd_kafka_destroy(client); }
    void operator()(rd_kafka_topic_t *topic) const { rd_kafka_topic_destroy(topic); }
};

extern "C" void on_delivery(rd_kafka_t *, const rd_kafka_message_t *message, void *failed) noexcept {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++*static_cast<std::int64_t *>(failed);
}

int run(int argc, char **argv) {
    if (argc < 8)
        throw std::runtime_error(
            "usage: paced_producer BOOTSTRAP TOPIC FIRST-ID RATE SECONDS VALUE-FILE FILE [property=value…]");
    std::ifstream from(argv[6]);
    std::string value{std::istreambuf_iterator<char>(from), {}};

    std::vector<std::pair<std::string, std::string>> properties{
        {"bootstrap.servers", argv[1]}, {"enable.idempotence", "true"},   {"acks", "all"},
        {"compression.type", "lz4"},    {"socket.nagle.disable", "true"}, {"linger.ms", "1"}};
    for (int i = 8; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        properties.emplace_back(argument.substr(0, equals), argument.substr(equals + 1));
    }
    char reason[512];
    std::int64_t failed = 0;
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    for (const auto &[name, setting] : properties)
        if (rd_kafka_conf_set(conf, name.c_str(), setting.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK)
            throw std::runtime_error(reason);
    rd_kafka_conf_set_opaque(conf, &failed);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    const std::unique_ptr<rd_kafka_t, Free> producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason));
    if (!producer) throw std::runtime_error(reason);
    const std::unique_ptr<rd_kafka_topic_t, Free> topic(rd_kafka_topic_new(producer.get(), argv[2], nullptr));
    const rd_kafka_metadata_t *metadata = nullptr;
    if (rd_kafka_metadata(producer.get(), 0, topic.get(), &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        throw std::runtime_error("Kafka does not answer");
    rd_kafka_metadata_destroy(metadata);

    const std::int64_t first_id = std::stoll(argv[3]);
    const Schedule schedule(std::stoll(argv[4]), std::stoll(argv[5]));
    Notes handed_over;
    std::int64_t latest_ns = 0;
    for (std::int64_t number = 0; number < schedule.total(); ++number) {
        for (std::int64_t left_ns = schedule.due_ns(number) - now_ns(); left_ns > 0;
             left_ns = schedule.due_ns(number) - now_ns()) {
            rd_kafka_poll(producer.get(), 0);
            const timespec pause{.tv_sec = 0, .tv_nsec = left_ns};
            nanosleep(&pause, nullptr);
        }
        const std::int64_t id = first_id + number;
        const std::string key = "{\"id\":" + std::to_string(id) + '}';
        const std::int64_t at_ns = now_ns();
        latest_ns = std::max(latest_ns, at_ns - schedule.due_ns(number));
        handed_over.add(id, at_ns);
        while (rd_kafka_produce(topic.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value.data(), value.size(),
                                key.data(), key.size(), nullptr) != 0)
            rd_kafka_poll(producer.get(), 1);
    }
    while (rd_kafka_outq_len(producer.get()) > 0) rd_kafka_poll(producer.get(), 10);
    handed_over.write(argv[7]);
    std::printf("{\"messages\": %jd, \"failed\": %jd, \"latest_ms\": %.3f}\n",
                static_cast<std::intmax_t>(handed_over.size()), static_cast<std::intmax_t>(failed),
                static_cast<double>(latest_ns) / 1e6);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "paced_producer: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
