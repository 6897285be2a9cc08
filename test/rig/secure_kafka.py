"""A Kafka that asks who is there: TLS and SASL listeners besides the plain one, and access control for their users."""

import pathlib
import socket
import struct
import subprocess

from . import processes
from .kafka import FOR_TESTS, POM, Broker
from .oauth import Issuer

PASSWORD = "rig-secret"

# Numbers of Kafka's protocol.
CREATE_ACLS = 30
TOPIC, CLUSTER = 2, 4
LITERAL, PREFIXED = 3, 4
WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = 4, 5, 8, 10
ALLOW = 3


def make_certificates(directory) -> None:
    """A CA's ca.pem, and signed by it for localhost and 127.0.0.1 server.pem with its key, also as server.p12; client.pem
    for CN=client."""
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True)

    (directory / "san.cnf").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "30", "-keyout", "ca.key",
            "-out", "ca.pem")
    for name, subject, more in (("server", "localhost", ("-extfile", "san.cnf")), ("client", "client", ())):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-out", f"{name}.pem", *more)
    openssl("pkcs12", "-export", "-name", "server", "-in", "server.pem", "-inkey", "server.key", "-certfile", "ca.pem",
            "-out", "server.p12", "-passout", f"pass:{PASSWORD}")


class SecureBroker(Broker):
    """Whoever comes by the plain listener may do all; `users`, by PLAIN or SCRAM, what they are allowed, as may the owner of
    client.pem by the listener MTLS, and by the listener OAUTH whoever has a token of the `issuer`."""

    def __init__(self, users: tuple[str, ...] = ("shipper",), properties: dict[str, str] | None = None, pom: pathlib.Path = POM,
                 issuer: Issuer | None = None):
        self.certificates = processes.make_directory("certificates")
        make_certificates(self.certificates)
        self._users = users
        protocols = {"SSL": "SSL", "SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL", "MTLS": "SSL"}
        jvm = FOR_TESTS
        if issuer is not None:
            protocols["OAUTH"] = "SASL_SSL"
            jvm += (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.jwks_url}",)
        self._port_of = {name: processes.reserve_port() for name in protocols}
        plain_port, controller_port = processes.reserve_port(), processes.reserve_port()
        listeners = [f"PLAINTEXT://127.0.0.1:{plain_port}"] + [
            f"{name}://127.0.0.1:{port}" for name, port in self._port_of.items()]
        super().__init__({
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{controller_port}"]),
            "advertised.listeners": ",".join(listeners),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT," + ",".join(
                f"{name}:{protocol}" for name, protocol in protocols.items()),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self.certificates / "server.p12"),
            "ssl.keystore.password": PASSWORD,
            "ssl.key.password": PASSWORD,
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.truststore.type": "PEM",
            "listener.name.mtls.ssl.truststore.location": str(self.certificates / "ca.pem"),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        } | self._passwords() | (self._tokens(issuer) if issuer else {}) | (properties or {}), jvm=jvm, pom=pom)
        self.port, self.controller_port = plain_port, controller_port

    def _passwords(self) -> dict[str, str]:
        modules = "org.apache.kafka.common.security"
        users = " ".join(f'user_{user}="{PASSWORD}"' for user in self._users)
        settings = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"}
        for listener in ("sasl_plaintext", "sasl_ssl"):
            prefix = f"listener.name.{listener}"
            settings[f"{prefix}.plain.sasl.jaas.config"] = f"{modules}.plain.PlainLoginModule required {users};"
            for size in ("256", "512"):
                settings[f"{prefix}.scram-sha-{size}.sasl.jaas.config"] = f"{modules}.scram.ScramLoginModule required;"
        return settings

    @staticmethod
    def _tokens(issuer: Issuer) -> dict[str, str]:
        module = "org.apache.kafka.common.security.oauthbearer"
        return {f"listener.name.oauth.{name}": value for name, value in {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": f"{module}.OAuthBearerLoginModule required;",
            "oauthbearer.sasl.server.callback.handler.class": f"{module}.OAuthBearerValidatorCallbackHandler",
            "sasl.oauthbearer.jwks.endpoint.url": issuer.jwks_url,
            "sasl.oauthbearer.expected.issuer": issuer.NAME,
            "sasl.oauthbearer.expected.audience": issuer.AUDIENCE,
        }.items()}

    def _format(self, *options: str) -> None:
        scram = (f"--add-scram=SCRAM-SHA-{size}=[name={user},password={PASSWORD}]"
                 for user in self._users for size in ("256", "512"))
        super()._format(*options, *scram)

    def close(self) -> None:
        super().close()
        processes.remove_directory(self.certificates)

    def client(self, protocol: str, listener: str | None = None, user: str = "shipper", **more: str) -> dict[str, str]:
        """Properties of a client that speaks `protocol`, to its own listener unless another one is named."""
        listener = listener or protocol
        port = self.port if listener == "PLAINTEXT" else self._port_of[listener]
        properties = {"bootstrap.servers": f"127.0.0.1:{port}", "security.protocol": protocol}
        if "SSL" in protocol:
            properties["ssl.ca.location"] = str(self.certificates / "ca.pem")
        if "SASL" in protocol:
            properties |= {"sasl.mechanisms": "PLAIN", "sasl.username": user, "sasl.password": PASSWORD}
        if listener == "MTLS":
            properties |= {"ssl.certificate.location": str(self.certificates / "client.pem"),
                           "ssl.key.location": str(self.certificates / "client.key")}
        return properties | more

    def allow(self, user: str, kind: int, name: str, *operations: int) -> None:
        """Lets `user` do the operations with what has the name, or a name that begins with it when it ends in a star.
        (Debian's confluent_kafka has no CreateAcls, so here is version 1 of the request, by hand.)"""
        def text(value: str) -> bytes:
            return struct.pack(">h", len(value)) + value.encode()

        pattern = PREFIXED if name.endswith("*") else LITERAL
        body = struct.pack(">hhi", CREATE_ACLS, 1, 1) + text("rig") + struct.pack(">i", len(operations))
        for operation in operations:
            body += (struct.pack(">b", kind) + text(name.rstrip("*")) + struct.pack(">b", pattern) + text(f"User:{user}")
                     + text("*") + struct.pack(">bb", operation, ALLOW))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection, connection.makefile("rb") as answers:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = answers.read(struct.unpack(">i", answers.read(4))[0])
        _, _, count = struct.unpack_from(">iii", answer)
        at = 12
        for _ in range(count):
            code, length = struct.unpack_from(">hh", answer, at)
            assert code == 0, f"Kafka refused an ACL: {code} {answer[at + 4:]}"
            at += 4 + max(length, 0)
