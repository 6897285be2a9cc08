#include "check_configuration.hpp"

#include "kafka_properties.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <string_view>

namespace waybill {

namespace {

using Kind = Finding::Kind;

bool is_local(std::string_view host) {
    return host.empty() || host.starts_with('/') || host.starts_with('@') || host.starts_with("127.") ||
           host == "::1" || host == "localhost";
}

std::string_view host_of(std::string_view url) {
    url.remove_prefix(url.find("://") + 3);
    if (url.starts_with('[')) return url.substr(1, url.find(']') - 1);
    return url.substr(0, url.find_first_of(":/"));
}

class Checks {
public:
    explicit Checks(const Options &options) : options_(options), conf_(make_conf(options.kafka.properties)) {}

    std::vector<Finding> all() && {
        file();
        verification();
        plaintext();
        tokens();
        unused_credentials();
        queues();
        if (const std::string warning = library_warning(options_.kafka.properties); !warning.empty())
            find(Kind::warning, warning);
        return std::move(findings_);
    }

private:
    // Its group may: that is how a service's file is often made readable to the service alone.
    void file() {
        struct stat status {};
        if (!options_.file_holds_secret || stat(options_.file.c_str(), &status) != 0) return;
        if (S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0)
            find(Kind::advice, options_.file +
                                   " holds a secret and can be read by everybody on this machine; run: chmod o-rwx " +
                                   options_.file);
    }

    void verification() {
        if (!uses_tls(kafka("security.protocol"))) return;
        if (kafka("enable.ssl.certificate.verification") == "false")
            find(Kind::warning, "kafka.\"enable.ssl.certificate.verification\" is false, so anybody can pretend to be "
                                "Kafka; leave it out, and name the CA in kafka.\"ssl.ca.location\"");
        else if (kafka("ssl.endpoint.identification.algorithm") == "none")
            find(Kind::warning,
                 "kafka.\"ssl.endpoint.identification.algorithm\" is none, so whoever has any certificate "
                 "of the CA can pretend to be Kafka; leave it out");
    }

    void plaintext() {
        if (kafka("security.protocol") != "sasl_plaintext") return;
        const std::string mechanism = kafka("sasl.mechanisms");
        if (mechanism == "PLAIN" || mechanism == "OAUTHBEARER")
            find(Kind::warning, "kafka.\"security.protocol\" = \"SASL_PLAINTEXT\" sends the " +
                                    std::string(mechanism == "PLAIN" ? "password" : "token") +
                                    " to Kafka as it is, for everybody on the way to read; use \"SASL_SSL\"");
        else
            find(Kind::advice, "kafka.\"security.protocol\" = \"SASL_PLAINTEXT\" sends all changes unencrypted; use "
                               "\"SASL_SSL\"");
    }

    void tokens() {
        if (!uses_sasl(kafka("security.protocol")) || kafka("sasl.mechanisms") != "OAUTHBEARER") return;
        if (kafka("enable.sasl.oauthbearer.unsecure.jwt") == "true")
            find(Kind::warning, "kafka.\"enable.sasl.oauthbearer.unsecure.jwt\" is true, and such a token anybody can "
                                "make; set kafka.\"sasl.oauthbearer.method\" = \"oidc\"");
        // The address is that of a cloud's own machine, which answers without any secret.
        const std::string url = kafka("sasl.oauthbearer.token.endpoint.url");
        if (url.starts_with("http://") && !is_local(host_of(url)) && host_of(url) != "169.254.169.254")
            find(Kind::warning,
                 "kafka.\"sasl.oauthbearer.token.endpoint.url\" is http, which sends the client's secret "
                 "and the token as they are, for everybody on the way to read; use https");
    }

    void unused_credentials() {
        if (uses_sasl(kafka("security.protocol"))) return;
        for (const auto &[name, value] : options_.kafka.properties)
            if (name.starts_with("sasl.mechanism") || name == "sasl.username" || name == "sasl.password" ||
                name.starts_with("sasl.oauthbearer."))
                return find(Kind::warning,
                            "kafka.\"" + name +
                                "\" has no effect, for kafka.\"security.protocol\" does not ask for SASL; "
                                "set that to \"SASL_SSL\"");
    }

    // What does not fit is never sent, however long one waits for room.
    void queues() {
        const std::int64_t message = number("message.max.bytes");
        if (number("queue.buffering.max.kbytes") * 1024 < message)
            find(Kind::warning,
                 "kafka.\"queue.buffering.max.kbytes\" = " + kafka("queue.buffering.max.kbytes") +
                     " is less than a message may have (kafka.\"message.max.bytes\" = " + kafka("message.max.bytes") +
                     "), so the shipper would stop at one; raise the former or lower the latter");
    }

    [[nodiscard]] std::string kafka(const char *name) const { return property(*conf_, name); }
    [[nodiscard]] std::int64_t number(const char *name) const { return number_property(*conf_, name); }
    void find(Kind kind, std::string text) { findings_.push_back({.kind = kind, .text = std::move(text)}); }

    const Options &options_;
    const KafkaConf conf_;
    std::vector<Finding> findings_;
};

} // namespace

std::vector<Finding> check_configuration(const Options &options) {
    return Checks(options).all();
}

std::vector<Finding> check_connection(const PgSecurity &security) {
    if (is_local(security.host)) return {};
    if (!security.encrypted)
        return {{security.password ? Kind::warning : Kind::advice,
                 "the connection to PostgreSQL at " + security.host + " is not encrypted, so " +
                     (security.password ? "a server that asks for it gets the password as it is, and " : "") +
                     "everybody on the way can read all changes; use sslmode=verify-full and sslrootcert=… in "
                     "database.conninfo"}};
    if (security.sslmode == "verify-full") return {};
    return {{Kind::advice, "sslmode=" + security.sslmode + " does not make sure that " + security.host +
                               " is who it says it is" + (security.password ? ", and gives it the password" : "") +
                               "; use sslmode=verify-full and sslrootcert=… in database.conninfo"}};
}

} // namespace waybill
