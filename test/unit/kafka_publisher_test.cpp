// The publisher against librdkafka's mock cluster, which fails on demand: what is reported as delivered is in the
// broker, and what is in the broker has no gap.
#include "kafka_publisher.hpp"

#include "deleter.hpp"
#include "errors.hpp"

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace waybill {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kafka = std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>>;

constexpr std::int16_t produce_request = 0;
constexpr const char *topic = "shop.public.orders";

class RealWaiter final : public Waiter {
public:
    [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::int64_t wall_clock_us() const override { return 0; }
    void wait(std::span<pollfd> fds, TimePoint until) override {
        const auto left = std::chrono::duration_cast<milliseconds>(until - now()).count();
        ASSERT_GE(poll(fds.data(), fds.size(), static_cast<int>(std::max<long>(left, 0))), 0);
    }
    [[nodiscard]] bool stop_requested() const override { return stop; }

    bool stop = false;
};

Kafka make_kafka(rd_kafka_type_t type, const Properties &properties) {
    std::array<char, 512> reason{};
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    for (const auto &[name, value] : properties)
        EXPECT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()), RD_KAFKA_CONF_OK);
    Kafka kafka(rd_kafka_new(type, conf, reason.data(), reason.size()));
    if (!kafka) rd_kafka_conf_destroy(conf);
    EXPECT_TRUE(kafka) << reason.data();
    return kafka;
}

class KafkaPublisherTest : public testing::Test {
protected:
    KafkaPublisherTest() : owner_(make_kafka(RD_KAFKA_PRODUCER, {{"log_level", "0"}})) {
        cluster_.reset(rd_kafka_mock_cluster_new(owner_.get(), 1));
        rd_kafka_mock_topic_create(cluster_.get(), topic, 1, 1);
    }

    [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

    KafkaPublisher make_publisher(Properties more = {}, bool create_topics = true) {
        more.emplace_back("bootstrap.servers", bootstrap());
        more.emplace_back("retry.backoff.ms", "10");
        return {KafkaOptions{.properties = std::move(more), .create_topics = create_topics}, waiter_, log_};
    }

    template <typename... Codes>
    void fail_next_produce_requests(Codes... codes) {
        rd_kafka_mock_push_request_errors(cluster_.get(), produce_request, sizeof...(codes), codes...);
    }

    // Lets some requests through, then refuses one, and those that are on their way behind it as a real broker does:
    // the mock cluster does not look at sequence numbers.
    void refuse_later(rd_kafka_resp_err_t code) {
        constexpr auto fine = RD_KAFKA_RESP_ERR_NO_ERROR;
        constexpr auto out_of_order = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        fail_next_produce_requests(fine, fine, code, out_of_order, out_of_order, out_of_order, out_of_order);
    }

    static void publish(KafkaPublisher &publisher, Ticket ticket, std::string_view value = "v") {
        const std::string key = std::to_string(ticket);
        const std::string position = "source/1/" + key + "/0";
        const std::array headers{Header{"waybill.position", position}};
        publisher.publish({.topic = topic, .partition = 0, .key = key, .value = value, .headers = headers}, ticket);
    }

    // Publishes messages from `next` on and waits until all `count` are delivered. A failure is thrown; what was
    // delivered is in `delivered_`.
    void publish_all(KafkaPublisher &publisher, Ticket count, Ticket next = 0) {
        for (const TimePoint deadline = waiter_.now() + seconds(30); delivered_.size() < count;) {
            for (int burst = 0; burst < 10 && next < count; ++burst) publish(publisher, next++);
            const auto reports = publisher.take_delivered();
            delivered_.insert(delivered_.end(), reports.begin(), reports.end());
            ASSERT_LT(waiter_.now(), deadline) << "only " << delivered_.size() << " delivered";
            pollfd fd = publisher.wakeup();
            waiter_.wait({&fd, 1}, waiter_.now() + milliseconds(next < count ? 1 : 100));
        }
    }

    // Keys of all messages in the topic, in order.
    [[nodiscard]] std::vector<Ticket> held(std::int32_t partition = 0) const {
        const Kafka consumer = make_kafka(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap()},
                                                              {"group.id", "test"},
                                                              {"log_level", "0"},
                                                              {"enable.partition.eof", "true"},
                                                              {"auto.offset.reset", "earliest"}});
        const std::unique_ptr<rd_kafka_topic_partition_list_t, Deleter<rd_kafka_topic_partition_list_destroy>> list(
            rd_kafka_topic_partition_list_new(1));
        rd_kafka_topic_partition_list_add(list.get(), topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
        rd_kafka_assign(consumer.get(), list.get());
        std::vector<Ticket> keys;
        for (const TimePoint deadline = waiter_.now() + seconds(30); waiter_.now() < deadline;) {
            const std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>> message(
                rd_kafka_consumer_poll(consumer.get(), 1000));
            if (!message) continue;
            if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return keys;
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                keys.push_back(std::stoull(std::string(static_cast<const char *>(message->key), message->key_len)));
        }
        ADD_FAILURE() << "no end of the topic";
        return keys;
    }

    // All that was reported is held, and what is held has no gap.
    void expect_honest() const {
        const std::vector<Ticket> keys = held();
        for (const Ticket ticket : delivered_)
            EXPECT_NE(std::find(keys.begin(), keys.end(), ticket), keys.end())
                << ticket << " was reported delivered, but the broker does not hold it";
        for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(keys[i], i) << "a later message overtook a failed one";
    }

    std::string fatal_error(KafkaPublisher &publisher, Ticket count) {
        try {
            publish_all(publisher, count);
        } catch (const KafkaError &error) {
            EXPECT_TRUE(error.fatal) << error.what();
            return error.what();
        }
        return "no error";
    }

    RealWaiter waiter_;
    Log log_{LogLevel::off, LogFormat::text};
    Kafka owner_;
    std::unique_ptr<rd_kafka_mock_cluster_t, Deleter<rd_kafka_mock_cluster_destroy>> cluster_;
    std::vector<Ticket> delivered_;
};

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

TEST_F(KafkaPublisherTest, PublishesToATopicThatTheMockClusterMakes) {
    const std::string made = "shop.public.made";
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    constexpr Ticket count = 10;
    for (Ticket ticket = 0; ticket < count; ++ticket)
        publisher.publish({.topic = made, .partition = 0, .key = "k", .value = "v", .headers = {}}, ticket);
    std::size_t delivered = 0;
    for (const TimePoint deadline = waiter_.now() + seconds(30); delivered < count && waiter_.now() < deadline;) {
        delivered += publisher.take_delivered().size();
        pollfd fd = publisher.wakeup();
        waiter_.wait({&fd, 1}, waiter_.now() + milliseconds(100));
    }
    EXPECT_EQ(delivered, count);
}

TEST_F(KafkaPublisherTest, DeliversInOrderAndReportsEachMessageOnce) {
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    publish_all(publisher, 5000);
    expect_honest();
    EXPECT_EQ(held().size(), 5000U);
    std::sort(delivered_.begin(), delivered_.end());
    EXPECT_EQ(std::adjacent_find(delivered_.begin(), delivered_.end()), delivered_.end());
}

TEST_F(KafkaPublisherTest, GetsThroughErrorsThatPassExactlyOnceAndInOrder) {
    KafkaPublisher publisher = make_publisher({{"batch.num.messages", "20"}}); // many requests
    publisher.open();
    fail_next_produce_requests(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                               RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                               RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    publish_all(publisher, 500);
    EXPECT_EQ(held().size(), 500U);
    expect_honest();
}

TEST_F(KafkaPublisherTest, FailsWhenTheBrokerFindsAMessageTooLargeAndSendsNothingBehindIt) {
    KafkaPublisher publisher = make_publisher({{"batch.num.messages", "20"}}); // many requests
    publisher.open();
    refuse_later(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    const std::string text = fatal_error(publisher, 2000);
    EXPECT_TRUE(contains(text, "source/1/")) << text;
    EXPECT_TRUE(contains(text, topic)) << text;
    EXPECT_TRUE(contains(text, "max.message.bytes")) << text;
    EXPECT_LT(delivered_.size(), 2000U);
    expect_honest(); // while the producer still could send what is behind
}

TEST_F(KafkaPublisherTest, TellsWhatWasDeliveredBeforeItTellsThatOneFailed) {
    KafkaPublisher publisher = make_publisher({{"batch.num.messages", "20"}}); // many requests
    publisher.open();
    publish(publisher, 0);
    publish(publisher, 1); // waits until the broker has the first one: from now on many are on their way
    refuse_later(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    try {
        for (Ticket ticket = 2; ticket < 200; ++ticket) publish(publisher, ticket);
    } catch (const KafkaError &) { // it was fast
    }
    // What happened meanwhile is told at once.
    try {
        for (const TimePoint deadline = waiter_.now() + seconds(30); waiter_.now() < deadline;) {
            pollfd nothing{.fd = -1, .events = 0, .revents = 0};
            waiter_.wait({&nothing, 1}, waiter_.now() + milliseconds(200));
            const auto reports = publisher.take_delivered();
            delivered_.insert(delivered_.end(), reports.begin(), reports.end());
        }
        ADD_FAILURE() << "no message failed";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(error.fatal);
    }
    EXPECT_FALSE(delivered_.empty());
    EXPECT_EQ(delivered_.size(), held().size());
}

TEST_F(KafkaPublisherTest, FailsWithTheRemedyWhenItMayNotWrite) {
    KafkaPublisher publisher = make_publisher({{"batch.num.messages", "20"}}); // many requests
    publisher.open();
    refuse_later(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    const std::string text = fatal_error(publisher, 2000);
    EXPECT_TRUE(contains(text, "WRITE")) << text;
    expect_honest(); // while the producer still could send what is behind
}

TEST_F(KafkaPublisherTest, CallsWhatIsToBeDoneWhileItWaits) {
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    int calls = 0;
    publisher.set_meanwhile([&] { ++calls; });
    fail_next_produce_requests(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    publish(publisher, 0);
    EXPECT_EQ(calls, 0);
    publish(publisher, 1); // once the broker has the first one
    EXPECT_GT(calls, 0);
}

TEST_F(KafkaPublisherTest, LetsNothingOvertakeTheFirstMessageOfAPartition) {
    // The messages gather for a while, then make many requests at once.
    KafkaPublisher publisher = make_publisher({{"batch.num.messages", "20"}, {"linger.ms", "100"}});
    publisher.open();
    // Just this one: a broker accepts whatever batch comes first from a producer that it does not know.
    fail_next_produce_requests(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    try {
        for (Ticket ticket = 0; ticket < 2000; ++ticket) publish(publisher, ticket);
        ADD_FAILURE() << "it went on before the broker had taken the first message";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(contains(error.what(), "source/1/0/0")) << error.what();
    }
    EXPECT_TRUE(held().empty());
}

TEST_F(KafkaPublisherTest, RefusesAMessageThatIsLargerThanItsOwnLimitAndDeliversThoseBeforeIt) {
    KafkaPublisher publisher = make_publisher({{"message.max.bytes", "10000"}, {"linger.ms", "100"}});
    publisher.open();
    for (Ticket ticket = 0; ticket < 42; ++ticket) publish(publisher, ticket);
    try {
        publish(publisher, 42, std::string(20'000, 'x'));
        FAIL() << "it took the message";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(error.fatal);
        EXPECT_TRUE(contains(error.what(), "source/1/42/0")) << error.what();
    }
    publish_all(publisher, 42, 42); // none is left to publish
    EXPECT_EQ(held().size(), 42U);
}

TEST_F(KafkaPublisherTest, StartsOverAfterAFailure) {
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    fail_next_produce_requests(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    static_cast<void>(fatal_error(publisher, 100));
    publisher.discard();
    EXPECT_TRUE(held().empty());
    publisher.open();
    delivered_.clear();
    publish_all(publisher, 100);
    expect_honest();
    EXPECT_EQ(held().size(), 100U);
}

TEST_F(KafkaPublisherTest, WaitsForRoomWhenTheQueueIsFull) {
    KafkaPublisher publisher = make_publisher({{"queue.buffering.max.messages", "5"}});
    publisher.open();
    publish_all(publisher, 200);
    expect_honest();
}

TEST_F(KafkaPublisherTest, NamesATopicThatDoesNotExistAndMayNotBeCreated) {
    KafkaPublisher publisher = make_publisher({}, false);
    publisher.open();
    try {
        publisher.publish({.topic = "no.such.topic", .key = {}, .value = {}, .headers = {}}, 0);
        FAIL() << "it took the message";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(error.fatal);
        EXPECT_TRUE(contains(error.what(), "no.such.topic")) << error.what();
        EXPECT_TRUE(contains(error.what(), "topics.create")) << error.what();
    }
    publisher.discard();
    publisher.open();
    EXPECT_FALSE(publisher.topic_exists("no.such.topic")) << "asking for the topic created it";
}

TEST_F(KafkaPublisherTest, MakesATopicThatDoesNotExist) {
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    EXPECT_FALSE(publisher.topic_exists("new.topic"));
    publisher.publish({.topic = "new.topic", .partition = 0, .key = {}, .value = "v", .headers = {}}, 0);
    EXPECT_TRUE(publisher.topic_exists("new.topic"));
}

TEST_F(KafkaPublisherTest, TellsWhichBrokersItCannotReach) {
    KafkaPublisher publisher(
        KafkaOptions{.properties = {{"bootstrap.servers", "127.0.0.1:1"}}, .connect_timeout = milliseconds(300)},
        waiter_, log_);
    try {
        publisher.open();
        FAIL() << "somebody listens at port 1";
    } catch (const KafkaError &error) {
        EXPECT_FALSE(error.fatal) << "it may come up";
        EXPECT_TRUE(contains(error.what(), "127.0.0.1:1")) << error.what();
    }
}

// Waiting for room would not help, and the brokers have nothing to do with it.
TEST_F(KafkaPublisherTest, FailsAtAMessageThatIsLargerThanItsQueue) {
    KafkaPublisher publisher = make_publisher({{"queue.buffering.max.kbytes", "4"}});
    publisher.open();
    publish_all(publisher, 1);
    const std::string value(5000, 'v');
    try {
        publish(publisher, 1, value);
        FAIL() << "it was taken";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(error.fatal);
        EXPECT_TRUE(contains(error.what(), "queue.buffering.max.kbytes")) << error.what();
        EXPECT_TRUE(contains(error.what(), "source/1/1/0")) << error.what();
    }
}

TEST_F(KafkaPublisherTest, TellsTheSizeOfAMessageThatItMayNotSend) {
    KafkaPublisher publisher = make_publisher({{"message.max.bytes", "2000"}});
    publisher.open();
    try {
        publish(publisher, 7, std::string(3000, 'v'));
        FAIL() << "it was taken";
    } catch (const KafkaError &error) {
        EXPECT_TRUE(error.fatal);
        EXPECT_TRUE(contains(error.what(), "3001 bytes")) << error.what();
        EXPECT_TRUE(contains(error.what(), "kafka.\"message.max.bytes\"")) << error.what();
    }
}

TEST_F(KafkaPublisherTest, EndsItsWaitForABrokerWhenAskedTo) {
    KafkaPublisher publisher(KafkaOptions{.properties = {{"bootstrap.servers", "127.0.0.1:1"}}}, waiter_, log_);
    waiter_.stop = true;
    EXPECT_THROW(publisher.open(), Stopped);
}

TEST_F(KafkaPublisherTest, RefusesPropertiesThatDoNotGoTogether) {
    KafkaPublisher publisher = make_publisher({{"max.in.flight.requests.per.connection", "100"}});
    EXPECT_THROW(publisher.open(), ConfigError);
}

TEST_F(KafkaPublisherTest, TellsNullFromEmpty) {
    KafkaPublisher publisher = make_publisher();
    publisher.open();
    publisher.publish({.topic = topic, .partition = 0, .key = "1", .value = std::nullopt, .headers = {}}, 0);
    publisher.publish({.topic = topic, .partition = 0, .key = "2", .value = std::string_view(), .headers = {}}, 1);
    for (const TimePoint deadline = waiter_.now() + seconds(30); delivered_.size() < 2 && waiter_.now() < deadline;) {
        const auto reports = publisher.take_delivered();
        delivered_.insert(delivered_.end(), reports.begin(), reports.end());
        pollfd fd = publisher.wakeup();
        waiter_.wait({&fd, 1}, waiter_.now() + milliseconds(100));
    }
    EXPECT_EQ(held(), (std::vector<Ticket>{1, 2}));
}

} // namespace
} // namespace waybill
