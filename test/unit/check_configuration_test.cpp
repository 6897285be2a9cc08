#include "check_configuration.hpp"

#include "kafka_properties.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace waybill {
namespace {

using Kind = Finding::Kind;

Options with(Properties properties) {
    Options options;
    options.kafka.properties = std::move(properties);
    return options;
}

// The one thing that is found.
void expect_one(const std::vector<Finding> &findings, Kind kind, const std::string &part) {
    ASSERT_EQ(findings.size(), 1U) << part;
    EXPECT_EQ(findings.front().kind, kind) << findings.front().text;
    EXPECT_NE(findings.front().text.find(part), std::string::npos) << findings.front().text;
    EXPECT_EQ(findings.front().text.find('\n'), std::string::npos);
}

TEST(CheckConfiguration, FindsNothingInADefault) {
    EXPECT_TRUE(check_configuration(with({})).empty());
    EXPECT_TRUE(check_configuration(with({{"security.protocol", "SSL"}})).empty());
    EXPECT_TRUE(check_configuration(
                    with({{"security.protocol", "SASL_SSL"}, {"sasl.mechanisms", "PLAIN"}, {"sasl.password", "x"}}))
                    .empty());
}

TEST(CheckConfiguration, FindsVerificationThatIsSwitchedOff) {
    expect_one(
        check_configuration(with({{"security.protocol", "ssl"}, {"enable.ssl.certificate.verification", "false"}})),
        Kind::warning, "anybody can pretend to be Kafka");
    expect_one(
        check_configuration(with({{"security.protocol", "ssl"}, {"ssl.endpoint.identification.algorithm", "none"}})),
        Kind::warning, "any certificate of the CA");
    EXPECT_TRUE(check_configuration(with({{"enable.ssl.certificate.verification", "false"}})).empty()) << "without TLS";
}

TEST(CheckConfiguration, FindsPasswordsInPlaintext) {
    const auto sasl = [](const char *mechanism) {
        return check_configuration(with({{"security.protocol", "SASL_PLAINTEXT"}, {"sasl.mechanisms", mechanism}}));
    };
    expect_one(sasl("PLAIN"), Kind::warning, "sends the password");
    expect_one(sasl("GSSAPI"), Kind::advice, "sends all changes unencrypted");
}

TEST(CheckConfiguration, FindsTokensThatAnybodyCanMakeOrRead) {
    Properties properties{{"security.protocol", "SASL_SSL"},
                          {"sasl.mechanisms", "OAUTHBEARER"},
                          {"enable.sasl.oauthbearer.unsecure.jwt", "true"}};
    expect_one(check_configuration(with(properties)), Kind::warning, "anybody can make");
    properties.front().second = "SASL_PLAINTEXT";
    const std::vector<Finding> findings = check_configuration(with(properties));
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_NE(findings.front().text.find("sends the token"), std::string::npos) << findings.front().text;
}

TEST(CheckConfiguration, FindsATokenEndpointWithoutTls) {
    if (property(*make_conf({}), "builtin.features").find("oidc") == std::string::npos) GTEST_SKIP() << library();
    const auto endpoint = [](const char *url) {
        return check_configuration(with({{"security.protocol", "SASL_SSL"},
                                         {"sasl.mechanisms", "OAUTHBEARER"},
                                         {"sasl.oauthbearer.method", "oidc"},
                                         {"sasl.oauthbearer.token.endpoint.url", url}}));
    };
    expect_one(endpoint("http://idp.example:8080/token"), Kind::warning, "use https");
    for (const char *const url : {"https://idp.example/token", "http://127.0.0.1:8080/token", "http://[::1]/token",
                                  "http://169.254.169.254/metadata/identity/oauth2/token"})
        EXPECT_TRUE(endpoint(url).empty()) << url;
}

TEST(CheckConfiguration, FindsCredentialsThatAreNotUsed) {
    expect_one(check_configuration(with({{"sasl.mechanisms", "PLAIN"}, {"sasl.username", "x"}})), Kind::warning,
               "has no effect");
    expect_one(check_configuration(with({{"sasl.oauthbearer.config", "x"}})), Kind::warning, "has no effect");
}

TEST(CheckConfiguration, FindsAQueueThatIsSmallerThanAMessage) {
    expect_one(check_configuration(with({{"queue.buffering.max.kbytes", "100"}})), Kind::warning,
               "queue.buffering.max.kbytes\" = 100");
    expect_one(check_configuration(with({{"queue.buffering.max.kbytes", "2000"}, {"message.max.bytes", "3000000"}})),
               Kind::warning, "message.max.bytes\" = 3000000");
    EXPECT_TRUE(
        check_configuration(with({{"queue.buffering.max.kbytes", "3000"}, {"message.max.bytes", "3000000"}})).empty());
}

TEST(CheckConfiguration, FindsAFileWithASecretThatEverybodyCanRead) {
    std::string name = testing::TempDir() + "waybill_check_XXXXXX";
    close(mkstemp(name.data()));
    Options options;
    options.file = name;
    chmod(name.c_str(), 0644);
    EXPECT_TRUE(check_configuration(options).empty()) << "there is no secret in it";
    options.file_holds_secret = true;
    expect_one(check_configuration(options), Kind::advice, "chmod o-rwx " + name);
    chmod(name.c_str(), 0640);
    EXPECT_TRUE(check_configuration(options).empty());
    std::remove(name.c_str());
}

TEST(CheckConnection, AdvisesWhatIsMissing) {
    const auto connection = [](const char *host, const char *sslmode, bool encrypted, bool password) {
        return check_connection({.host = host, .sslmode = sslmode, .encrypted = encrypted, .password = password});
    };
    expect_one(connection("db.example", "disable", false, true), Kind::warning, "gets the password as it is");
    expect_one(connection("db.example", "disable", false, false), Kind::advice, "is not encrypted");
    expect_one(connection("db.example", "require", true, true), Kind::advice, "sslmode=require does not make sure");
    EXPECT_TRUE(connection("db.example", "verify-full", true, true).empty());
    for (const char *const host : {"", "/var/run/postgresql", "@socket", "127.0.0.1", "::1", "localhost"})
        EXPECT_TRUE(connection(host, "prefer", false, true).empty()) << host;
}

} // namespace
} // namespace waybill
