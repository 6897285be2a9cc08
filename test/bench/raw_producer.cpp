// The yardstick for draining: a plain librdkafka producer with the shipper's settings and allocator.
//
//   raw_producer BOOTSTRAP SOURCE-TOPIC TARGET-TOPIC [property=value…]
//
// Reads the source into memory, then sends it to the target, each message to the partition that it was read from and
// all partitions in turn, and prints what that took as JSON. The time runs from the first message handed over to the
// last delivery report.
#include <librdkafka/rdkafka.h>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

template <auto Fn>
struct Deleter {
    template <typename T>
    void operator()(T *handle) const {
        Fn(handle);
    }
};

using Client = std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>>;
using Properties = std::vector<std::pair<std::string, std::string>>;

struct Message {
    std::string key;
    std::string value;
    bool has_key = false;
    bool has_value = false;
    std::int32_t partition = 0;
    rd_kafka_headers_t *headers = nullptr; // copied for each message that is sent
};

struct Deliveries {
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
};

extern "C" void on_delivery(rd_kafka_t *, const rd_kafka_message_t *message, void *opaque) noexcept {
    auto *deliveries = static_cast<Deliveries *>(opaque);
    ++deliveries->done;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++deliveries->failed;
}

Client make_client(rd_kafka_type_t type, const Properties &properties, Deliveries *deliveries) {
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (const auto &[name, value] : properties) {
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK)
            throw std::runtime_error(reason);
    }
    if (deliveries != nullptr) {
        rd_kafka_conf_set_opaque(conf, deliveries);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    }
    Client client(rd_kafka_new(type, conf, reason, sizeof reason));
    if (!client) throw std::runtime_error(reason);
    return client;
}

std::size_t partition_count(rd_kafka_t *client, const std::string &topic_name) {
    const std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>> topic(
        rd_kafka_topic_new(client, topic_name.c_str(), nullptr));
    const rd_kafka_metadata_t *found = nullptr;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic.get(), &found, 10'000);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
    const std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>> metadata(found);
    return static_cast<std::size_t>(metadata->topics[0].partition_cnt);
}

// All messages, by partition.
std::vector<std::vector<Message>> read_partitions(const std::string &bootstrap, const std::string &topic) {
    const Client consumer = make_client(RD_KAFKA_CONSUMER,
                                        {{"bootstrap.servers", bootstrap},
                                         {"group.id", "raw_producer"},
                                         {"enable.auto.commit", "false"},
                                         {"enable.partition.eof", "true"}},
                                        nullptr);
    rd_kafka_poll_set_consumer(consumer.get());
    std::vector<std::vector<Message>> messages(partition_count(consumer.get(), topic));
    const auto count = static_cast<std::int32_t>(messages.size());
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(count);
    for (std::int32_t number = 0; number < count; ++number)
        rd_kafka_topic_partition_list_add(partitions, topic.c_str(), number)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer.get(), partitions);
    rd_kafka_topic_partition_list_destroy(partitions);

    for (std::int32_t ended = 0; ended < count;) {
        const std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>> received(
            rd_kafka_consumer_poll(consumer.get(), 10'000));
        if (!received) throw std::runtime_error("no messages for 10 s");
        if (received->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ++ended; // nobody writes any more
            continue;
        }
        if (received->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            throw std::runtime_error(rd_kafka_message_errstr(received.get()));
        Message &message = messages[static_cast<std::size_t>(received->partition)].emplace_back();
        message.partition = received->partition;
        if (received->key != nullptr) {
            message.key.assign(static_cast<const char *>(received->key), received->key_len);
            message.has_key = true;
        }
        if (received->payload != nullptr) {
            message.value.assign(static_cast<const char *>(received->payload), received->len);
            message.has_value = true;
        }
        if (rd_kafka_message_detach_headers(received.get(), &message.headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
            message.headers = nullptr;
    }
    rd_kafka_consumer_close(consumer.get());
    return messages;
}

// Partition after partition as they were read would let the producer fill one batch at a time; who wrote them had keys
// that went to all of them.
std::vector<Message> in_turn(std::vector<std::vector<Message>> partitions) {
    std::vector<Message> messages;
    std::size_t longest = 0;
    std::size_t total = 0;
    for (const std::vector<Message> &partition : partitions) {
        longest = std::max(longest, partition.size());
        total += partition.size();
    }
    messages.reserve(total);
    for (std::size_t i = 0; i < longest; ++i) {
        for (std::vector<Message> &partition : partitions) {
            if (i < partition.size()) messages.push_back(std::move(partition[i]));
        }
    }
    return messages;
}

double cpu_s() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval &time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void send_all(rd_kafka_t *producer, rd_kafka_topic_t *topic, const std::vector<Message> &messages,
              const Deliveries &deliveries) {
    for (const Message &message : messages) {
        rd_kafka_vu_t arguments[6];
        std::size_t count = 0;
        arguments[count].vtype = RD_KAFKA_VTYPE_RKT;
        arguments[count++].u.rkt = topic;
        arguments[count].vtype = RD_KAFKA_VTYPE_PARTITION;
        arguments[count++].u.i32 = message.partition;
        arguments[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
        arguments[count++].u.i = RD_KAFKA_MSG_F_COPY;
        arguments[count].vtype = RD_KAFKA_VTYPE_KEY;
        arguments[count].u.mem.ptr = message.has_key ? const_cast<char *>(message.key.data()) : nullptr;
        arguments[count++].u.mem.size = message.key.size();
        arguments[count].vtype = RD_KAFKA_VTYPE_VALUE;
        arguments[count].u.mem.ptr = message.has_value ? const_cast<char *>(message.value.data()) : nullptr;
        arguments[count++].u.mem.size = message.value.size();
        if (message.headers != nullptr) {
            arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS;
            arguments[count++].u.headers = rd_kafka_headers_copy(message.headers);
        }
        for (;;) {
            const std::unique_ptr<rd_kafka_error_t, Deleter<rd_kafka_error_destroy>> error(
                rd_kafka_produceva(producer, arguments, count));
            if (!error) break;
            if (rd_kafka_error_code(error.get()) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                throw std::runtime_error(rd_kafka_error_string(error.get()));
            rd_kafka_poll(producer, 10); // the headers are still ours
        }
        rd_kafka_poll(producer, 0);
    }
    while (deliveries.done < messages.size()) rd_kafka_poll(producer, 100);
}

int run(int argc, char **argv) {
    if (argc < 4) throw std::runtime_error("usage: raw_producer BOOTSTRAP SOURCE-TOPIC TARGET-TOPIC [property=value…]");
    const std::vector<Message> messages = in_turn(read_partitions(argv[1], argv[2]));
    Properties properties{{"bootstrap.servers", argv[1]},
                          {"enable.idempotence", "true"},
                          {"acks", "all"},
                          {"compression.type", "lz4"},
                          {"linger.ms", "1"},
                          {"queue.buffering.max.messages", "1000000"},
                          {"socket.nagle.disable", "true"}};
    for (int i = 4; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        properties.emplace_back(argument.substr(0, equals), argument.substr(equals + 1));
    }
    Deliveries deliveries;
    const Client producer = make_client(RD_KAFKA_PRODUCER, properties, &deliveries);
    const std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>> topic(
        rd_kafka_topic_new(producer.get(), argv[3], nullptr));

    const double cpu_before_s = cpu_s();
    const auto begin = std::chrono::steady_clock::now();
    send_all(producer.get(), topic.get(), messages, deliveries);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    std::printf("{\"messages\": %zu, \"failed\": %ju, \"seconds\": %.3f, \"cpu_s\": %.3f}\n", messages.size(),
                static_cast<std::uintmax_t>(deliveries.failed), elapsed.count(), cpu_s() - cpu_before_s);
    return deliveries.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "raw_producer: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
