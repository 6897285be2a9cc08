#include "kafka_remedy.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

namespace waybill {

Remedy remedy(int code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return {true, "; raise kafka.\"message.max.bytes\" of the shipper and max.message.bytes of the topic "
                      "(message.max.bytes of "
                      "the broker), then start the shipper again: it goes on with this change"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return {true, "; allow the shipper's Kafka user WRITE and DESCRIBE (to create topics also CREATE) on it"};
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return {true,
                "; allow the shipper's Kafka user IDEMPOTENT_WRITE (to create topics also CREATE) on the cluster"};
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return {true, "; choose another stream.prefix: the topic's name is not possible"};
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        return {true, "; change topics.partitions, topics.replication or topics.config, or create the topic yourself"};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        return {true,
                "; a compacted topic takes no records without a key, as a TRUNCATE's and those of a table without "
                "one: leave truncates out (stream.skip_operations = [\"t\"]), name key columns (tables.key), or give "
                "the topic another cleanup.policy"};
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE: return {true, "; the broker is too old"};
    default: return {false, ""};
    }
}

KafkaError kafka_error(int code, const std::string &text) {
    const Remedy what_to_do = remedy(code);
    return {code, what_to_do.fatal,
            text + ": " + rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code)) + std::string(what_to_do.text)};
}

// librdkafka tells what happened by the text alone; the texts are those of its versions 1.9 to 2.15. Later ones say
// less: that the broker closed the connection, and what was going on then.
std::string_view connection_remedy(std::string_view reason) {
    struct Sign {
        std::string_view text;
        std::string_view remedy;
    };
    constexpr std::string_view no_tls =
        "; the port seems not to speak TLS: name a TLS listener's in kafka.\"bootstrap.servers\", or set "
        "kafka.\"security.protocol\" to \"PLAINTEXT\" or \"SASL_PLAINTEXT\"";
    constexpr std::string_view no_certificate =
        "; the port asks for a certificate of the client: set kafka.\"ssl.certificate.location\" and "
        "kafka.\"ssl.key.location\" to one that the brokers trust";
    constexpr std::string_view tls =
        "; the port seems to speak TLS: set kafka.\"security.protocol\" to \"SSL\" or \"SASL_SSL\", or name a "
        "plaintext listener's in kafka.\"bootstrap.servers\"";
    constexpr std::string_view perhaps_sasl =
        "; if the broker does that each time, the port seems to ask for SASL: set kafka.\"security.protocol\" to "
        "\"SASL_SSL\" or \"SASL_PLAINTEXT\"";
    static constexpr std::array signs{
        Sign{"connecting to a SSL listener?", tls},
        Sign{"might require SASL authentication",
             "; the port seems to ask for SASL: set kafka.\"security.protocol\" to \"SASL_SSL\" or \"SASL_PLAINTEXT\""},
        Sign{"verify failed", "; set kafka.\"ssl.ca.location\" to the CA that signed the brokers' certificates, and in "
                              "kafka.\"bootstrap.servers\" name the brokers as these do"},
        Sign{"connecting to a PLAINTEXT broker listener?", no_tls},
        Sign{"wrong version number", no_tls},
        Sign{"unexpected eof while reading", no_tls},
        Sign{"certificate required", no_certificate},
        Sign{"alert bad certificate", no_certificate}, // Java's word for none, and for one of another CA
        Sign{"in state APIVERSION_QUERY", tls},
        Sign{"closed by peer", perhaps_sasl},
        Sign{"Send failed: Broken pipe", perhaps_sasl},
        Sign{"OAUTHBEARER token",
             "; check kafka.\"sasl.oauthbearer.token.endpoint.url\", kafka.\"https.ca.location\" and "
             "that tokens are given out there"},
    };
    const auto found = std::find_if(signs.begin(), signs.end(),
                                    [&](const Sign &sign) { return reason.find(sign.text) != std::string_view::npos; });
    return found != signs.end() ? found->remedy
                                : "; check bootstrap.servers in [kafka] and that a broker listens there";
}

bool is_token_missing(std::string_view reason) {
    // What the server of tokens answers to those it refuses (RFC 6749); whatever else keeps it from answering may pass.
    constexpr std::array refusals{"\"invalid_", "\"unauthorized_client", "\"unsupported_grant_type"};
    return reason.find("OAUTHBEARER token") != std::string_view::npos &&
           std::ranges::none_of(refusals, [&](const char *one) { return reason.find(one) != std::string_view::npos; });
}

// Of a broker that does not know the request with which SASL begins, librdkafka reads an empty list.
std::string_view authentication_remedy(std::string_view reason) {
    if (reason.find("supported mechanisms:  ") != std::string_view::npos)
        return "; the port seems not to ask for SASL: set kafka.\"security.protocol\" to \"SSL\" or \"PLAINTEXT\", or "
               "name "
               "a SASL listener's in kafka.\"bootstrap.servers\"";
    if (reason.find("OAUTHBEARER token") != std::string_view::npos)
        return "; check sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret and sasl.oauthbearer.scope in "
               "[kafka]";
    if (reason.find("invalid_token") != std::string_view::npos)
        return "; the brokers do not accept the token: compare its issuer, audience, scope and key with what they want "
               "(their sasl.oauthbearer.… settings)";
    return "; check sasl.mechanisms, sasl.username and sasl.password in [kafka]";
}

} // namespace waybill
