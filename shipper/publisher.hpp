// Where messages go: the interface between the pump and Kafka.
#pragma once

#include "ack_tracker.hpp"
#include "format/format.hpp"

#include <poll.h>

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace waybill {

// Kafka did not do what it was asked to. `code` is librdkafka's. `fatal`: trying again would not help before somebody
// does what the text says.
struct KafkaError : std::runtime_error {
    KafkaError(int error_code, bool is_fatal, const std::string &text)
        : std::runtime_error(text), code(error_code), fatal(is_fatal) {}

    int code;
    bool fatal;
};

// Sends messages in order and tells which ones the broker has. After a KafkaError nothing more may be published before
// the next open().
class Publisher {
public:
    virtual ~Publisher() = default;

    // Connects anew; tickets start over. Throws KafkaError when no broker answers, ConfigError when a property is
    // wrong, Stopped.
    virtual void open() = 0;

    // Hands `message` over, copied; the report of its delivery comes later, as `ticket`. The topic is made first if it
    // has to be. May wait for room, and calls what is to be done meanwhile now and then. Throws KafkaError, Stopped.
    virtual void publish(const Message &message, Ticket ticket) = 0;

    // How many bytes a message may have, and what publish() throws for a larger one.
    [[nodiscard]] virtual std::size_t max_message_size() const = 0;
    [[nodiscard]] virtual KafkaError too_large(const std::string &topic, const std::string &position) const = 0;

    // The messages that the broker acknowledged since the last call, in any order; valid until the next one. Throws
    // KafkaError when one message failed and all that were acknowledged have been taken.
    [[nodiscard]] virtual std::span<const Ticket> take_delivered() = 0;

    // The last that was heard of what keeps messages from arriving; empty: nothing.
    [[nodiscard]] virtual std::string trouble() const = 0;

    // Forgets all that was not sent and the connection.
    virtual void discard() noexcept = 0;

    // Readable when take_delivered() has something to say.
    [[nodiscard]] virtual pollfd wakeup() const = 0;

    void set_meanwhile(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

protected:
    void meanwhile() const {
        if (meanwhile_) meanwhile_();
    }

private:
    std::function<void()> meanwhile_;
};

} // namespace waybill
