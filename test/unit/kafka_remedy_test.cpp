#include "kafka_remedy.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace waybill {
namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// The texts are what librdkafka 2.0.2 said to listeners of Kafka 4.3.1.

TEST(KafkaRemedy, TellsAPlaintextPortFromATlsPort) {
    EXPECT_TRUE(contains(connection_remedy("Disconnected while requesting ApiVersion: might be caused by incorrect "
                                           "security.protocol configuration (connecting to a SSL listener?) or broker "
                                           "version is < 0.10 (see api.version.request)"),
                         "the port seems to speak TLS"));
    for (const std::string_view reason :
         {"SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading",
          "SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
          "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?"})
        EXPECT_TRUE(contains(connection_remedy(reason), "the port seems not to speak TLS")) << reason;
}

TEST(KafkaRemedy, TellsAPortThatAsksForSaslFromOneThatDoesNot) {
    EXPECT_TRUE(
        contains(connection_remedy("Disconnected: verify that security.protocol is correctly configured, broker "
                                   "might require SASL authentication (after 0ms in state UP)"),
                 "the port seems to ask for SASL"));
    EXPECT_TRUE(
        contains(authentication_remedy("SASL PLAIN mechanism handshake failed: Broker: Request not valid in "
                                       "current SASL state: broker's supported mechanisms:  (after 0ms in state "
                                       "AUTH_HANDSHAKE)"),
                 "the port seems not to ask for SASL"));
    EXPECT_TRUE(
        contains(authentication_remedy("SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL "
                                       "mechanism: broker's supported mechanisms: PLAIN (after 302ms in state "
                                       "AUTH_HANDSHAKE)"),
                 "check sasl.mechanisms"));
}

TEST(KafkaRemedy, KnowsTheWordsOfLaterLibraries) {
    const std::string closed =
        "127.0.0.1:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN ";
    EXPECT_TRUE(
        contains(connection_remedy(closed + "(after 3ms in state APIVERSION_QUERY)"), "the port seems to speak TLS"));
    EXPECT_TRUE(contains(connection_remedy(closed + "(after 0ms in state UP)"), "seems to ask for SASL"));
}

TEST(KafkaRemedy, TellsACertificateThatIsNotTrusted) {
    EXPECT_TRUE(
        contains(connection_remedy("SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: "
                                   "broker certificate could not be verified"),
                 "ssl.ca.location"));
}

TEST(KafkaRemedy, TellsACertificateThatTheClientLacks) {
    EXPECT_TRUE(
        contains(connection_remedy("Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL "
                                   "alert number 42 (after 1ms in state APIVERSION_QUERY)"),
                 "ssl.certificate.location"));
}

TEST(KafkaRemedy, TellsAServerOfTokensThatRefusesFromOneThatIsAway) {
    const std::string failed = "Failed to acquire SASL OAUTHBEARER token: ";
    for (const char *const answer : {"{\"error\": \"invalid_client\"}", "{\"error\":\"unauthorized_client\"}"}) {
        EXPECT_FALSE(is_token_missing(failed + answer)) << answer;
        EXPECT_TRUE(contains(authentication_remedy(failed + answer), "sasl.oauthbearer.client.secret")) << answer;
    }
    for (const char *const reason : {"Failed to connect to localhost port 29524 after 0 ms: Couldn't connect to server",
                                     "Could not resolve host: idp.example", "upstream is not available"}) {
        EXPECT_TRUE(is_token_missing(failed + reason)) << reason;
        EXPECT_TRUE(contains(connection_remedy(failed + reason), "token.endpoint.url")) << reason;
    }
    const std::string refused =
        "SASL authentication error: {\"status\":\"invalid_token\"} (after 329ms in state AUTH_REQ)";
    EXPECT_FALSE(is_token_missing(refused));
    EXPECT_TRUE(contains(authentication_remedy(refused), "issuer, audience"));
}

TEST(KafkaRemedy, PointsToTheBrokersOtherwise) {
    EXPECT_TRUE(
        contains(connection_remedy("Connect to ipv4#127.0.0.2:1 failed: Connection refused"), "bootstrap.servers"));
}

} // namespace
} // namespace waybill
