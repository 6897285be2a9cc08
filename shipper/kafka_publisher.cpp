#include "kafka_publisher.hpp"

#include "errors.hpp"
#include "kafka_admin.hpp"
#include "kafka_handles.hpp"
#include "kafka_remedy.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

namespace waybill {

namespace {

using kafka::ErrorText;
using kafka::Event;
using kafka::slice;

// Well below the broker's producer.id.expiration.ms, a day: it forgets producers that it has not heard of for so long.
constexpr std::chrono::hours known_for{1};

// The error of a message that only says that the producer gave up, for another message's sake.
bool is_consequence(int code) {
    return code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE ||
           code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

std::string position_of(const Message &message) {
    for (const Header &one : message.headers)
        if (one.name == "waybill.position") return std::string(one.value);
    return "unknown";
}

std::string refused(std::string_view position, std::string_view topic) {
    return fmt::format("could not publish the change at position {} to topic \"{}\"", position, topic);
}

std::string header(const rd_kafka_message_t *message, const char *name) {
    rd_kafka_headers_t *headers = nullptr;
    const void *value = nullptr;
    std::size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return "unknown";
    return {static_cast<const char *>(value), size};
}

} // namespace

struct KafkaPublisher::Handles {
    kafka::Producer producer;
    kafka::Queue queue;
};

// A broker takes any first batch from a producer that it does not know in a partition. If it refused the very first one
// and another was on its way behind it, it would take that one, and leave a gap. So the first message of a partition
// travels alone; once the broker has it, the numbers of batches keep others from overtaking.
struct KafkaPublisher::PartitionState {
    bool accepted = true; // nothing is on its way alone
    std::optional<TimePoint> last_used;
};

struct KafkaPublisher::TopicState {
    kafka::Topic handle; // must be gone before the producer
    std::vector<PartitionState> partitions;
};

KafkaPublisher::KafkaPublisher(KafkaOptions options, Waiter &waiter, Log &log)
    : options_(std::move(options)), partitioner_(find_partitioner(options_.properties)), waiter_(waiter), log_(log),
      event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "could not make an eventfd");
}

KafkaPublisher::~KafkaPublisher() {
    discard();
    close(event_fd_);
}

void KafkaPublisher::discard() noexcept {
    topics_.clear();
    last_topic_ = {};
    last_state_ = nullptr;
    unaccepted_partitions_ = 0;
    handles_.reset();
    delivered_.clear();
    taken_.clear();
    existing_topics_.clear();
    last_error_.clear();
    authentication_failed_ = false;
    failure_code_ = 0;
    failure_.clear();
    clear_wakeup();
}

pollfd KafkaPublisher::wakeup() const {
    return {.fd = event_fd_, .events = POLLIN, .revents = 0};
}

void KafkaPublisher::clear_wakeup() const noexcept {
    std::uint64_t count = 0;
    // Reads nothing, with EAGAIN, when nobody woke us; that is fine too.
    static_cast<void>(read(event_fd_, &count, sizeof count) == sizeof count);
}

std::string KafkaPublisher::bootstrap_servers() const {
    for (const auto &[name, value] : options_.properties)
        if (name == "bootstrap.servers" || name == "metadata.broker.list") return value;
    return "";
}

void KafkaPublisher::open() {
    discard();
    start();
    refresh_topics();
}

void KafkaPublisher::start() {
    ++starts_;
    KafkaConf conf = make_conf(options_.properties);
    std::array<char, 16> max_bytes{};
    std::size_t length = max_bytes.size();
    if (rd_kafka_conf_get(conf.get(), "message.max.bytes", max_bytes.data(), &length) == RD_KAFKA_CONF_OK)
        std::from_chars(max_bytes.data(), max_bytes.data() + length, max_message_size_);
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    handles_ = std::make_unique<Handles>();
    handles_->producer = kafka::make_producer(std::move(conf));
    rd_kafka_t *const producer = handles_->producer.get();
    rd_kafka_set_log_queue(producer, nullptr);
    handles_->queue.reset(rd_kafka_queue_get_main(producer));
    constexpr std::uint64_t one = 1;
    rd_kafka_queue_io_event_enable(handles_->queue.get(), event_fd_, &one, sizeof one);
}

// Asks for all topics: asking for one by name would make the broker create it, in the broker's way.
void KafkaPublisher::refresh_topics() {
    const TimePoint deadline = waiter_.now() + options_.connect_timeout;
    authentication_failed_ = false; // what one broker said some time ago is not the answer to this
    last_error_.clear();
    // An answer that comes after the wait is lost, and the next request asks anew: so each waits longer.
    for (std::chrono::milliseconds patience = slice;; patience *= 2) {
        const rd_kafka_metadata_t *list = nullptr;
        const rd_kafka_resp_err_t code =
            rd_kafka_metadata(handles_->producer.get(), 1, nullptr, &list, static_cast<int>(patience.count()));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            const kafka::Metadata metadata(list);
            for (int i = 0; i < metadata->topic_cnt; ++i)
                if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[i].partition_cnt > 0)
                    existing_topics_.insert_or_assign(metadata->topics[i].topic, metadata->topics[i].partition_cnt);
            return;
        }
        serve(std::chrono::milliseconds(0));
        throw_failure();
        const std::string reason = last_error_.empty() ? rd_kafka_err2str(code) : last_error_;
        const std::string warning = library_warning(options_.properties);
        if (authentication_failed_)
            throw KafkaError(RD_KAFKA_RESP_ERR__AUTHENTICATION, true,
                             "Kafka at " + bootstrap_servers() + " refused the shipper: " + reason +
                                 std::string(authentication_remedy(reason)) + (warning.empty() ? "" : "; " + warning));
        if (waiter_.now() >= deadline)
            throw KafkaError(code, false,
                             "no Kafka broker answered at " + bootstrap_servers() + ": " + reason +
                                 std::string(connection_remedy(reason)));
        waiter_.wait_or_stop({}, waiter_.now());
    }
}

bool KafkaPublisher::topic_exists(std::string_view topic) const {
    return existing_topics_.contains(topic);
}

std::string KafkaPublisher::describe_brokers() const {
    return bootstrap_servers();
}

KafkaPublisher::TopicState &KafkaPublisher::topic_state(std::string_view topic) {
    const auto found = topics_.find(topic);
    if (found != topics_.end()) return *found->second;
    const std::string name(topic);
    if (!existing_topics_.contains(topic)) make_topic(name);
    auto state = std::make_unique<TopicState>();
    state->partitions.resize(static_cast<std::size_t>(existing_topics_.find(topic)->second));
    // Properties of topics were given to the producer, which hands them down.
    state->handle.reset(rd_kafka_topic_new(handles_->producer.get(), name.c_str(), nullptr));
    if (!state->handle) throw kafka_error(rd_kafka_last_error(), "could not use topic \"" + name + "\"");
    return *topics_.emplace(topic, std::move(state)).first->second;
}

void KafkaPublisher::make_topic(const std::string &topic) {
    refresh_topics(); // somebody may have made it since
    if (existing_topics_.contains(topic)) return;
    if (!options_.create_topics)
        throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, true,
                         "topic \"" + topic +
                             "\" does not exist and topics.create is false; create it, or set topics.create = true");

    const TimePoint deadline = waiter_.now() + kafka::admin_timeout;
    if (kafka::is_mock_cluster(handles_->producer.get())) return auto_create_topic(topic, deadline);
    const auto [code, text] =
        kafka::create_topics(handles_->producer.get(), options_, {&topic, 1}, false, waiter_).at(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        const Remedy what_to_do = remedy(code);
        throw KafkaError(code, what_to_do.fatal,
                         "could not create topic \"" + topic + "\": " + text + std::string(what_to_do.text));
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) log_.info("created topic", {{"topic", topic}});
    // The brokers hear of it from the controller, a little later.
    for (refresh_topics(); !existing_topics_.contains(topic); refresh_topics()) {
        if (waiter_.now() >= deadline)
            throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, false,
                             "no broker knows the new topic \"" + topic + '"');
        waiter_.wait_or_stop({}, waiter_.now() + std::chrono::milliseconds(20));
    }
}

// librdkafka's mock cluster makes the topics that it is asked about.
void KafkaPublisher::auto_create_topic(const std::string &topic, TimePoint deadline) {
    const kafka::Topic handle(rd_kafka_topic_new(handles_->producer.get(), topic.c_str(), nullptr));
    for (std::chrono::milliseconds patience = slice; handle && waiter_.now() < deadline; patience *= 2) {
        const rd_kafka_metadata_t *list = nullptr;
        const rd_kafka_resp_err_t code =
            rd_kafka_metadata(handles_->producer.get(), 0, handle.get(), &list, static_cast<int>(patience.count()));
        const kafka::Metadata metadata(list);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
            metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            existing_topics_.insert_or_assign(topic, metadata->topics[0].partition_cnt);
            return;
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 && remedy(metadata->topics[0].err).fatal)
            throw kafka_error(metadata->topics[0].err, "could not use topic \"" + topic + "\"");
        waiter_.wait_or_stop({}, waiter_.now() + std::chrono::milliseconds(20));
    }
    throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, true,
                     "the broker does not let topics be created, and topic \"" + topic +
                         "\" does not exist; create it");
}

void KafkaPublisher::publish(const Message &message, Ticket ticket) {
    if (message.topic.data() != last_topic_.data() || message.topic.size() != last_topic_.size()) {
        last_state_ = &topic_state(message.topic);
        last_topic_ = message.topic;
    }
    rd_kafka_topic_t *const topic = last_state_->handle.get();
    const auto partitions = static_cast<std::int32_t>(last_state_->partitions.size());
    std::int32_t number = message.partition;
    if (number == Message::by_key)
        number = message.key && !message.key->empty()
                     ? partitioner_(topic, message.key->data(), message.key->size(), partitions, nullptr, nullptr)
                     : 0;
    PartitionState &partition = last_state_->partitions.at(static_cast<std::size_t>(number));
    if (!partition.accepted) wait_until_accepted(partition, message.topic);

    // librdkafka tells null from empty by the pointer.
    const auto bytes = [](rd_kafka_vtype_t type, const std::optional<std::string_view> &from) {
        rd_kafka_vu_t vu{};
        vu.vtype = type;
        if (from) {
            vu.u.mem.ptr = const_cast<char *>(from->data() != nullptr ? from->data() : "");
            vu.u.mem.size = from->size();
        }
        return vu;
    };
    std::array<rd_kafka_vu_t, 7> vus{};
    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = topic;
    vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[1].u.i32 = number;
    vus[2] = bytes(RD_KAFKA_VTYPE_KEY, message.key);
    vus[3] = bytes(RD_KAFKA_VTYPE_VALUE, message.value);
    vus[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[4].u.i = RD_KAFKA_MSG_F_COPY;
    vus[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
    // A number in a pointer's place: librdkafka gives it back as it is. NOLINTNEXTLINE(performance-no-int-to-ptr)
    vus[5].u.ptr = reinterpret_cast<void *>(static_cast<std::uintptr_t>(ticket));

    kafka::Headers headers(rd_kafka_headers_new(message.headers.size()));
    for (const Header &one : message.headers)
        rd_kafka_header_add(headers.get(), one.name.data(), static_cast<ssize_t>(one.name.size()), one.value.data(),
                            static_cast<ssize_t>(one.value.size()));
    vus[6].vtype = RD_KAFKA_VTYPE_HEADERS;
    vus[6].u.headers = headers.get();

    const TimePoint full_until = now_ + options_.delivery_timeout;
    for (;;) {
        const kafka::Error failed(rd_kafka_produceva(handles_->producer.get(), vus.data(), vus.size()));
        if (!failed) {
            static_cast<void>(headers.release()); // the message owns them now
            partition.accepted = partition.last_used && now_ - *partition.last_used < known_for;
            if (!partition.accepted) ++unaccepted_partitions_;
            partition.last_used = now_;
            return;
        }
        const rd_kafka_resp_err_t code =
            rd_kafka_error_is_fatal(failed.get()) != 0 ? RD_KAFKA_RESP_ERR__FATAL : rd_kafka_error_code(failed.get());
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            std::string text = refused(position_of(message), message.topic);
            if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
                text += fmt::format(", a message of {} bytes,", (message.key ? message.key->size() : 0) +
                                                                    (message.value ? message.value->size() : 0));
            // The producer may have given up for the sake of a message before this one: that is the error to tell.
            // Else it goes on, and what is on its way still arrives.
            serve(std::chrono::milliseconds(0));
            if (failure_code_ == 0 && is_consequence(code)) note_failure(code, text);
            throw_failure();
            throw kafka_error(code, text);
        }
        if (rd_kafka_outq_len(handles_->producer.get()) == 0)
            throw KafkaError(code, true,
                             "the change at position " + position_of(message) + " to topic \"" +
                                 std::string(message.topic) +
                                 "\" is larger than librdkafka's whole queue: raise "
                                 "kafka.\"queue.buffering.max.kbytes\", then start the shipper again");
        if (waiter_.now() >= full_until)
            throw KafkaError(code, false, "Kafka takes no messages: librdkafka's queue stays full; check the brokers");
        pollfd fd = wakeup();
        waiter_.wait_or_stop({&fd, 1}, waiter_.now() + slice);
        serve(std::chrono::milliseconds(0));
        throw_failure();
        meanwhile();
    }
}

KafkaError KafkaPublisher::too_large(const std::string &topic, const std::string &position) const {
    return kafka_error(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, refused(position, topic));
}

void KafkaPublisher::wait_until_accepted(PartitionState &partition, std::string_view topic) {
    const TimePoint deadline = waiter_.now() + options_.delivery_timeout;
    for (;;) {
        serve(std::chrono::milliseconds(0));
        throw_failure();
        if (partition.accepted) return;
        if (waiter_.now() >= deadline)
            throw KafkaError(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false,
                             "Kafka did not acknowledge the first message to a partition of topic \"" +
                                 std::string(topic) + "\"; check the brokers");
        pollfd fd = wakeup();
        waiter_.wait_or_stop({&fd, 1}, waiter_.now() + slice);
        meanwhile();
    }
}

std::span<const Ticket> KafkaPublisher::take_delivered() {
    serve(std::chrono::milliseconds(0));
    if (delivered_.empty()) throw_failure();
    taken_.swap(delivered_);
    delivered_.clear();
    return taken_;
}

// Reads all events there are; waits for the first one only.
void KafkaPublisher::serve(std::chrono::milliseconds wait) {
    // Before the queue is read: whatever comes after that writes again.
    clear_wakeup();
    now_ = waiter_.now();
    int timeout_ms = static_cast<int>(wait.count());
    for (;; timeout_ms = 0) {
        const Event event(rd_kafka_queue_poll(handles_->queue.get(), timeout_ms));
        if (!event) return;
        switch (rd_kafka_event_type(event.get())) {
        case RD_KAFKA_EVENT_DR:
            while (const rd_kafka_message_t *const message = rd_kafka_event_message_next(event.get())) {
                if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                    if (failure_code_ == 0 || is_consequence(failure_code_))
                        note_failure(message->err, "could not deliver the change at position " +
                                                       header(message, "waybill.position") + " to topic \"" +
                                                       rd_kafka_topic_name(message->rkt) + '"');
                    continue;
                }
                last_error_.clear();
                delivered_.push_back(reinterpret_cast<std::uintptr_t>(message->_private));
                if (unaccepted_partitions_ == 0) continue;
                // Not by an opaque of the topic: librdkafka keeps that of the first handle to a name, perhaps another.
                TopicState &state = *topics_.at(rd_kafka_topic_name(message->rkt));
                PartitionState &partition = state.partitions.at(static_cast<std::size_t>(message->partition));
                if (!partition.accepted) --unaccepted_partitions_;
                partition.accepted = true;
            }
            break;
        case RD_KAFKA_EVENT_LOG: {
            const char *facility = nullptr;
            const char *text = nullptr;
            int level = 0; // syslog's
            if (rd_kafka_event_log(event.get(), &facility, &text, &level) == 0) write_log(facility, text);
            break;
        }
        case RD_KAFKA_EVENT_ERROR: {
            const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
            if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION &&
                !is_token_missing(rd_kafka_event_error_string(event.get())))
                authentication_failed_ = true;
            if (code == RD_KAFKA_RESP_ERR__FATAL) {
                if (failure_code_ == 0) note_failure(code, "the producer gave up");
            } else if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || last_error_.empty()) {
                last_error_ = rd_kafka_event_error_string(event.get());
            }
            break;
        }
        default: break;
        }
    }
}

// librdkafka talks about every attempt to connect. What of it matters comes as an error or a failed message too, and is
// told once by whoever knows what waits for it; but what it has to say about properties is for whoever wrote them.
void KafkaPublisher::write_log(std::string_view facility, std::string_view text) {
    const bool of_properties = facility == "CONFWARN";
    // A connection that the broker closes is no error to librdkafka since 2.3, but it says why we have none.
    if (facility == "FAIL") last_error_ = text.substr(text.starts_with('[') ? text.find("]: ") + 3 : 0);
    // A warning about each start's required property would teach people not to read warnings.
    if (of_properties && text.find("enable.gapless.guarantee is experimental") != std::string_view::npos) return;
    log_.write(of_properties && starts_ == 1 ? LogLevel::warning : LogLevel::debug,
               fmt::format("librdkafka: {}: {}", facility, text));
}

void KafkaPublisher::note_failure(int code, std::string text) {
    failure_code_ = code;
    failure_ = std::move(text);
}

void KafkaPublisher::throw_failure() {
    if (failure_code_ == 0) return;
    // The message that made the producer give up says why; its report may be behind the others.
    for (int i = 0; i < 5 && is_consequence(failure_code_); ++i) serve(std::chrono::milliseconds(100));
    const auto code = static_cast<rd_kafka_resp_err_t>(failure_code_);
    if (!is_consequence(code)) throw kafka_error(code, failure_);
    ErrorText reason{};
    const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handles_->producer.get(), reason.data(), reason.size());
    throw KafkaError(cause, remedy(cause).fatal,
                     failure_ + ": " + (reason[0] != '\0' ? reason.data() : rd_kafka_err2str(code)) +
                         std::string(remedy(cause).text));
}

} // namespace waybill
