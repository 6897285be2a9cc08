"""Every way in that Kafka has, with the librdkafka that `make RDKAFKA=bundled shipper` builds: nothing is lost by any of them."""

import contextlib
from concurrent import futures
from unittest import mock

import pytest

from pipeline import Pipeline
from rig import checker, kafka, secure_kafka
from rig.oauth import Issuer
from rig.processes import wait_until
from rig.secure_kafka import PASSWORD, SecureBroker
from rig.shipper import BUNDLED_PROGRAM
from rig.workload import TABLES, Workload

# What the streams and topics are called, and who comes in.
WAYS = {"plain": "plain", "scram256": "scram256", "scram512": "scram512", "oauth": "oauth", "mtls": "CN=client"}
TOKEN_LIFETIME_S = 5
# So often a connection has to say again who it is.
PROPERTIES = {"connections.max.reauth.ms": "3000"}
TRANSACTIONS = 2_000


@pytest.fixture(scope="module")
def issuer():
    made = Issuer(TOKEN_LIFETIME_S, {"oauth": PASSWORD})
    yield made
    made.close()


def with_kafka(*poms):
    return pytest.mark.parametrize("secure", poms, indirect=True, ids=[pom.stem.replace("-pom", "") for pom in poms])


@pytest.fixture(scope="module")
def secure(request, issuer):
    with SecureBroker(("plain", "scram256", "scram512"), PROPERTIES, request.param, issuer) as broker:
        issuer.serve(broker.certificates)
        yield broker
        issuer.close()


def properties(broker: SecureBroker, issuer: Issuer, way: str) -> dict[str, str]:
    if way == "mtls":
        return broker.client("SSL", "MTLS")
    if way == "oauth":
        return {"bootstrap.servers": broker.client("SASL_SSL", "OAUTH")["bootstrap.servers"], "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(broker.certificates / "ca.pem"), "https.ca.location": str(broker.certificates / "ca.pem"),
                "sasl.mechanisms": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": issuer.url, "sasl.oauthbearer.client.id": "oauth",
                "sasl.oauthbearer.client.secret": PASSWORD}
    mechanism = {"plain": "PLAIN", "scram256": "SCRAM-SHA-256", "scram512": "SCRAM-SHA-512"}[way]
    return broker.client("SASL_SSL", user=way, **{"sasl.mechanisms": mechanism})


class Ways:
    """A database with a stream for each way, whose shipper may write to its own topics and to no others."""

    def __init__(self, server, broker: SecureBroker, issuer: Issuer, name: str):
        self.broker, self.issuer = broker, issuer
        self.pipeline = Pipeline(server, broker, name)
        for way, principal in WAYS.items():
            self.pipeline.execute(f"SELECT waybill.create_stream('{way}')")
            broker.allow(principal, secure_kafka.TOPIC, f"{name}_{way}.*", secure_kafka.WRITE, secure_kafka.DESCRIBE,
                         secure_kafka.CREATE)

    def prefix(self, way: str) -> str:
        return f"{self.pipeline.name}_{way}"

    def shipper(self, way: str, prefix: str | None = None, **more: str):
        return self.pipeline.shipper(program=BUNDLED_PROGRAM, stream={"name": way, "prefix": prefix or self.prefix(way)},
                                     kafka=properties(self.broker, self.issuer, way) | more)

    def check(self, way: str, *tables: str, **options) -> None:
        print(way, checker.check(self.pipeline.server, self.pipeline.name, self.broker.bootstrap, self.prefix(way), tables,
                                 **options))


@pytest.fixture
def ways(server, secure, issuer, request):
    made = Ways(server, secure, issuer, request.node.name.translate(str.maketrans("[.-", "___", "]")))
    yield made
    made.pipeline.close()


@with_kafka(kafka.POM, kafka.POM_3_9)
def test_kills(ways, secure, issuer):
    """The broker is killed, then each shipper; connections have to renew who they are all the time."""
    pipeline = ways.pipeline
    with Workload(pipeline.server, pipeline.name) as workload, contextlib.ExitStack() as stack:
        workload.prepare()
        pipeline.capture(*TABLES)
        workload.populate()
        shippers = {way: stack.enter_context(ways.shipper(way)) for way in WAYS}
        for way in WAYS:
            pipeline.wait_until_shipped(stream=way)
        workload.start(TRANSACTIONS)
        wait_until(lambda: workload.committed() > TRANSACTIONS // 8, 120, "the workload runs")
        secure.kill()
        wait_until(lambda: workload.committed() > TRANSACTIONS // 4, 120, "writers go on without Kafka")
        secure.start()
        for number, shipper in enumerate(shippers.values(), 1):
            wait_until(lambda: not workload.running or workload.committed() > TRANSACTIONS // 4 + number * TRANSACTIONS // 8, 120,
                       "the workload goes on")
            shipper.kill()
            shipper.start()
        workload.wait()
        for way in WAYS:
            pipeline.wait_until_shipped(stream=way)
        # Shippers that have nothing to do renew tokens, too.
        tokens = issuer.tokens
        wait_until(lambda: issuer.tokens > tokens + 1, 4 * TOKEN_LIFETIME_S, "the token is renewed")
        workload.start(100).wait()
        for way in WAYS:
            pipeline.wait_until_shipped(stream=way)
            assert shippers[way].stop() == 0
    for way in WAYS:
        ways.check(way, *TABLES, ledger=True)


def refusal(ways: Ways, way: str, prefix: str | None = None, **more) -> str:
    """What `check` has against a configuration."""
    done = ways.shipper(way, prefix, **more).run("check")
    assert done.returncode != 0, done.stdout
    return "\n".join(line for line in done.stderr.splitlines() if line.startswith("error"))


@with_kafka(kafka.POM)
def test_refusals(ways):
    ways.pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    ways.pipeline.capture("t")
    for way in WAYS:
        assert "Authorization failed" in refusal(ways, way, prefix="other"), way
    for way in ("plain", "scram256", "scram512"):
        assert "refused the shipper" in (said := refusal(ways, way, **{"sasl.password": "wrong"})), way
        assert "sasl.password" in said
    said = refusal(ways, "oauth", **{"sasl.oauthbearer.client.secret": "wrong"})
    assert "refused the shipper" in said and "sasl.oauthbearer.client.secret" in said
    # The broker's own word about a token that was made for others.
    with mock.patch.object(Issuer, "AUDIENCE", "others"):
        assert "issuer, audience" in refusal(ways, "oauth")


@with_kafka(kafka.POM)
def test_a_listener_of_another_protocol(ways, secure):
    """As test_check.py has it, in the words of this librdkafka; side by side, since each tries for ten seconds."""
    cases = {("PLAINTEXT", "SSL"): "seems to speak TLS", ("PLAINTEXT", "SASL_PLAINTEXT"): "seems to ask for SASL",
             ("SSL", "PLAINTEXT"): "seems not to speak TLS", ("SASL_SSL", "SSL"): "seems not to ask for SASL",
             ("SSL", "MTLS"): "asks for a certificate of the client"}
    shippers = [ways.pipeline.shipper(program=BUNDLED_PROGRAM, kafka=secure.client(protocol, listener) | {
        "ssl.certificate.location": None, "ssl.key.location": None}) for protocol, listener in cases]
    with futures.ThreadPoolExecutor() as threads:
        for done, words in zip(threads.map(lambda shipper: shipper.run("check"), shippers), cases.values()):
            assert words in done.stderr, done.stderr


@with_kafka(kafka.POM)
def test_a_token_endpoint_that_is_away(ways, issuer, secure):
    """No reason to give up: shipping goes on when tokens are given out again."""
    ways.pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    ways.pipeline.capture("t")
    issuer.close()
    with ways.shipper("oauth") as shipper:
        ways.pipeline.execute("INSERT INTO t SELECT generate_series(1, 1000)")
        shipper.wait_for_line("token.endpoint.url", 60)
        issuer.serve(secure.certificates)
        ways.pipeline.wait_until_shipped(stream="oauth")
        # Those who were let in stay, until their time is over, and get in again.
        issuer.close()
        ways.pipeline.execute("INSERT INTO t SELECT generate_series(1001, 2000)")
        shipper.wait_for_line("shipping is interrupted", 60)
        issuer.serve(secure.certificates)
        ways.pipeline.wait_until_shipped(stream="oauth")
    ways.check("oauth", "public.t")
