// waybill-mock-broker: an embedded Kafka for demos and tests, librdkafka's mock cluster. Keeps all in memory, knows no
// security, makes each topic that somebody asks about. Prints its address and lives until its standard input ends or a
// signal asks it to end.
#include "deleter.hpp"
#include "signals.hpp"

// The mock cluster's header needs this one first.
#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using waybill::Deleter;

void serve(int brokers, int partitions, const std::vector<std::string> &topics) {
    waybill::SignalWaiter waiter;
    std::array<char, 512> reason{};
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    // It has no broker to talk to, only the cluster to own: what it says about that is of no interest.
    rd_kafka_conf_set(conf, "log_level", "3", reason.data(), reason.size());
    const std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>> owner(
        rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    if (!owner) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error(reason.data());
    }
    const std::unique_ptr<rd_kafka_mock_cluster_t, Deleter<rd_kafka_mock_cluster_destroy>> cluster(
        rd_kafka_mock_cluster_new(owner.get(), brokers));
    if (!cluster) throw std::runtime_error("could not start the mock cluster");
    for (const std::string &topic : topics)
        if (rd_kafka_mock_topic_create(cluster.get(), topic.c_str(), partitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
            throw std::runtime_error("could not create topic " + topic);

    std::printf("bootstrap.servers=%s\n", rd_kafka_mock_cluster_bootstraps(cluster.get()));
    std::fflush(stdout);

    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (!waiter.stop_requested()) {
        waiter.wait({&input, 1}, waiter.now() + std::chrono::hours(1));
        std::array<char, 256> ignored{};
        if (input.revents != 0 && read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) return;
    }
}

} // namespace

int main(int argc, char **argv) {
    CLI::App app{"An embedded Kafka broker in memory, for demos and tests", "waybill-mock-broker"};
    int brokers = 1;
    int partitions = 4;
    std::vector<std::string> topics;
    app.add_option("--brokers", brokers, "how many")->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--topic", topics, "a topic to create at once; others have 4 partitions")->allow_extra_args(false);
    app.add_option("--partitions", partitions, "of topics created by --topic")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    try {
        serve(brokers, partitions, topics);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "waybill-mock-broker: %s\n", error.what());
        return 1;
    }
    return 0;
}
