#include "kafka_properties.hpp"

#include "errors.hpp"
#include "nearest.hpp"

#include <librdkafka/rdkafka.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace waybill {

namespace {

// May be overridden. linger.ms is what a lone message waits for company. Not less than a millisecond: that librdkafka
// spends in a busy loop, and without any wait small requests keep the broker so busy that all wait longer.
constexpr std::array<std::pair<const char *, const char *>, 8> defaults{{
    {"client.id", "waybill-shipper"},
    {"compression.type", "lz4"},
    {"linger.ms", "1"},
    {"partitioner", "murmur2_random"},
    {"queue.buffering.max.messages", "1000000"}, // the pump bounds what is in flight
    {"reconnect.backoff.max.ms", "1000"}, // 10 s by default, which would pass before a broker that is back is noticed
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
}};

// What the promises rest on. A message that times out or fails by itself leaves a gap that the next messages would
// fill, and a consumer that drops duplicates by position would drop its replay: so messages do not time out (the pump
// notices a standstill), and any other failure stops the whole producer ("gapless").
constexpr std::array<std::pair<const char *, const char *>, 5> required{{
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"enable.gapless.guarantee", "true"},
    {"message.timeout.ms", "0"},
    {"log.queue", "true"},
}};

struct Rule {
    std::string_view property;
    std::string_view allowed; // values, each in spaces; empty: none
    std::string_view reason;
};

constexpr std::array rules{
    Rule{"enable.idempotence", " true ", "without it a retry may duplicate or reorder messages; leave it out"},
    Rule{"acks", " all -1 ", "a broker that fails would take acknowledged changes with it; leave it out"},
    Rule{"request.required.acks", " all -1 ",
         "a broker that fails would take acknowledged changes with it; leave it out"},
    Rule{"enable.gapless.guarantee", " true ", "later changes would overtake one that failed; leave it out"},
    Rule{"message.timeout.ms", " 0 ",
         "later changes would overtake one that timed out; set limits.delivery_timeout_ms"},
    Rule{"delivery.timeout.ms", " 0 ",
         "later changes would overtake one that timed out; set limits.delivery_timeout_ms"},
    Rule{"delivery.report.only.error", " false ", "nothing could ever be acknowledged; leave it out"},
    Rule{"queuing.strategy", " fifo ", "it sends later changes first; leave it out"},
    Rule{"partitioner", " consistent consistent_random murmur2 murmur2_random fnv1a fnv1a_random ",
         "changes of one row would lose their order; use murmur2_random, which is the Java client's"},
    Rule{"transactional.id", "", "exactly-once delivery is not supported; leave it out"},
    Rule{"sasl.oauthbearer.metadata.authentication.type", " none azure_imds ",
         "librdkafka leaves it to the program to make the token; use SCRAM-SHA-512 or a client certificate"},
    Rule{"plugin.library.paths", "", "it loads other code into the shipper; leave it out"},
    Rule{"log.queue", " true ", "the shipper reads librdkafka's log from its queue; leave it out"},
};

constexpr bool is_bundled = std::string_view(WAYBILL_RDKAFKA) == "bundled";
constexpr const char *build_a_later_one = "build the shipper with a later librdkafka (make RDKAFKA=bundled shipper)";

void set(rd_kafka_conf_t *conf, const std::string &name, const std::string &value) {
    std::array<char, 512> reason{};
    switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size())) {
    case RD_KAFKA_CONF_OK: return;
    case RD_KAFKA_CONF_UNKNOWN: {
        std::vector<std::string> names{"acks", "partitioner", "compression.type", "bootstrap.servers", "linger.ms"};
        std::size_t count = 0;
        const char **const dump = rd_kafka_conf_dump(conf, &count); // has neither topics' properties nor aliases
        for (std::size_t i = 0; i < count; i += 2) names.emplace_back(dump[i]);
        rd_kafka_conf_dump_free(dump, count);
        throw ConfigError("kafka." + name + " is not a property of " + library() + "; did you mean \"" +
                          nearest(name, names) + "\"?" +
                          (is_bundled ? "" : " If a later librdkafka has it, " + std::string(build_a_later_one)));
    }
    default: {
        // Nothing is said of the value.
        if (std::string_view(reason.data()).find("not supported in this build") != std::string_view::npos)
            throw ConfigError("kafka." + name + " is not possible with " + library() + "; " + build_a_later_one);
        // The reason may quote the value; librdkafka's own list says which ones it keeps to itself.
        const bool secret = name.find("password") != std::string::npos || name.find("secret") != std::string::npos ||
                            name.find("pem") != std::string::npos || name.find("key") != std::string::npos;
        throw ConfigError("kafka." + name + " is not valid" + (secret ? "" : ": " + std::string(reason.data())));
    }
    }
}

// librdkafka takes GSSAPI when nobody names a mechanism, and then runs kinit, which says nothing about that.
void require_mechanism(rd_kafka_conf_t *conf, const Properties &properties) {
    const auto names_mechanism = [](const auto &one) {
        return one.first == "sasl.mechanisms" || one.first == "sasl.mechanism";
    };
    if (uses_sasl(property(*conf, "security.protocol")) && std::ranges::none_of(properties, names_mechanism))
        throw ConfigError("kafka.\"sasl.mechanisms\" is not set, but kafka.\"security.protocol\" asks for SASL; set it "
                          "to what the brokers offer: \"PLAIN\", \"SCRAM-SHA-512\", \"OAUTHBEARER\" or \"GSSAPI\"");
}

// Without any, librdkafka waits for one for ever.
void require_token(rd_kafka_conf_t *conf) {
    if (!uses_sasl(property(*conf, "security.protocol")) || property(*conf, "sasl.mechanisms") != "OAUTHBEARER" ||
        property(*conf, "sasl.oauthbearer.method") == "oidc" ||
        property(*conf, "enable.sasl.oauthbearer.unsecure.jwt") == "true")
        return;
    const bool has_oidc = property(*conf, "builtin.features").find("oidc") != std::string::npos;
    throw ConfigError("kafka.\"sasl.mechanisms\" is \"OAUTHBEARER\", but nothing says where tokens come from; set "
                      "kafka.\"sasl.oauthbearer.method\" = \"oidc\", with \"sasl.oauthbearer.token.endpoint.url\", "
                      "\"sasl.oauthbearer.client.id\" and \"sasl.oauthbearer.client.secret\"" +
                      (has_oidc ? "" : ", which " + library() + " does not have: " + build_a_later_one));
}

// What librdkafka and OpenSSL say of a file that is not there has no path, or comes late.
void require_files(rd_kafka_conf_t *conf) {
    if (!uses_tls(property(*conf, "security.protocol"))) return;
    for (const char *const name :
         {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.crl.location",
          "ssl.keystore.location", "https.ca.location", "sasl.oauthbearer.assertion.private.key.file",
          "sasl.oauthbearer.assertion.file", "sasl.oauthbearer.assertion.jwt.template.file"}) {
        const std::string path = property(*conf, name);
        if (path.empty() || (path == "probe" && std::string_view(name).ends_with("ca.location"))) continue;
        if (access(path.c_str(), R_OK) != 0)
            throw ConfigError("could not read " + path + ", which kafka.\"" + name +
                              "\" names: " + std::strerror(errno));
    }
}

} // namespace

void DestroyConf::operator()(rd_kafka_conf_s *conf) const noexcept {
    rd_kafka_conf_destroy(conf);
}

KafkaConf make_conf(const Properties &properties) {
    for (const auto &[name, value] : properties)
        for (const Rule &rule : rules)
            if (name == rule.property && rule.allowed.find(' ' + value + ' ') == std::string_view::npos)
                throw ConfigError("kafka." + name + " = \"" + value +
                                  "\" is not possible: " + std::string(rule.reason));
    KafkaConf conf(rd_kafka_conf_new());
    for (const auto &[name, value] : defaults) set(conf.get(), name, value);
    // Whoever sets the shortest pause may mean more than our longest: then librdkafka's own holds.
    if (std::ranges::any_of(properties, [](const auto &set) { return set.first == "reconnect.backoff.ms"; }))
        set(conf.get(), "reconnect.backoff.max.ms", "10000");
    for (const auto &[name, value] : properties) set(conf.get(), name, value);
    for (const auto &[name, value] : required) set(conf.get(), name, value);
    require_mechanism(conf.get(), properties);
    require_token(conf.get());
    require_files(conf.get());
    return conf;
}

void check_properties(const Properties &properties) {
    static_cast<void>(make_conf(properties));
}

std::string property(const rd_kafka_conf_s &conf, const char *name) {
    std::array<char, 4096> value{};
    std::size_t size = value.size();
    return rd_kafka_conf_get(&conf, name, value.data(), &size) == RD_KAFKA_CONF_OK ? value.data() : "";
}

std::int64_t number_property(const rd_kafka_conf_s &conf, const char *name) {
    const std::string text = property(conf, name);
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::string library() {
    return std::string("librdkafka ") + rd_kafka_version_str() + " (" + WAYBILL_RDKAFKA + ")";
}

std::string library_warning(const Properties &properties) {
    constexpr int fixed_in = 0x020601ff;
    const bool uses_scram = std::ranges::any_of(properties, [](const auto &one) {
        return (one.first == "sasl.mechanisms" || one.first == "sasl.mechanism") && one.second.starts_with("SCRAM");
    });
    if (!uses_scram || rd_kafka_version() >= fixed_in) return "";
    return library() + " cannot do SCRAM with Kafka 4 brokers, 2.6.1 can; " + build_a_later_one +
           ", or use PLAIN over TLS";
}

bool uses_tls(std::string_view protocol) {
    return protocol == "ssl" || protocol == "sasl_ssl";
}

bool uses_sasl(std::string_view protocol) {
    return protocol == "sasl_plaintext" || protocol == "sasl_ssl";
}

Partitioner find_partitioner(const Properties &properties) {
    std::string_view wanted = "murmur2_random";
    for (const auto &[name, value] : properties)
        if (name == "partitioner") wanted = value;
    if (wanted.starts_with("consistent")) return rd_kafka_msg_partitioner_consistent;
    if (wanted.starts_with("fnv1a")) return rd_kafka_msg_partitioner_fnv1a;
    return rd_kafka_msg_partitioner_murmur2;
}

} // namespace waybill
