// What somebody has to do about an error of Kafka's or librdkafka's.
#pragma once

#include "publisher.hpp"

#include <string>
#include <string_view>

namespace waybill {

// `code` is librdkafka's. The text begins with "; ", or is empty.
struct Remedy {
    bool fatal; // trying again makes no sense before it was done
    std::string_view text;
};
[[nodiscard]] Remedy remedy(int code);

// `text`, what the code means, and the remedy.
[[nodiscard]] KafkaError kafka_error(int code, const std::string &text);

// What to look at when no broker can be reached, by what librdkafka says of that.
[[nodiscard]] std::string_view connection_remedy(std::string_view reason);

// Whether it is no broker that refused us, but a token that could not be had for now.
[[nodiscard]] bool is_token_missing(std::string_view reason);

// The same as connection_remedy() when a broker refused who we say we are.
[[nodiscard]] std::string_view authentication_remedy(std::string_view reason);

} // namespace waybill
