"""A Kafka that asks who is there: TLS and SASL listeners besides the plain one, and access control for their users."""

import socket
import struct
import subprocess

from . import processes
from .kafka import Broker

PASSWORD = "rig-secret"

# Numbers of Kafka's protocol.
CREATE_ACLS = 30
TOPIC, CLUSTER = 2, 4
LITERAL, PREFIXED = 3, 4
WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = 4, 5, 8, 10
ALLOW = 3


def make_certificates(directory) -> None:
    """A CA's ca.pem, and server.p12, signed by it for localhost and 127.0.0.1."""
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True)

    (directory / "san.cnf").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "30", "-keyout", "ca.key",
            "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "san.cnf", "-out", "server.pem")
    openssl("pkcs12", "-export", "-name", "server", "-in", "server.pem", "-inkey", "server.key", "-certfile", "ca.pem",
            "-out", "server.p12", "-passout", f"pass:{PASSWORD}")


class SecureBroker(Broker):
    """Whoever comes by the plain listener may do all; `users`, by SASL's PLAIN, what they are allowed."""

    def __init__(self, users: tuple[str, ...] = ("shipper",)):
        self.certificates = processes.make_directory("certificates")
        make_certificates(self.certificates)
        self._port_of = {name: processes.reserve_port() for name in ("SSL", "SASL_PLAINTEXT", "SASL_SSL")}
        passwords = " ".join(f'user_{user}="{PASSWORD}"' for user in users)
        plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {passwords};"
        plain_port, controller_port = processes.reserve_port(), processes.reserve_port()
        listeners = [f"PLAINTEXT://127.0.0.1:{plain_port}"] + [
            f"{name}://127.0.0.1:{port}" for name, port in self._port_of.items()]
        super().__init__({
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{controller_port}"]),
            "advertised.listeners": ",".join(listeners),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,"
                                              "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": plain,
            "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self.certificates / "server.p12"),
            "ssl.keystore.password": PASSWORD,
            "ssl.key.password": PASSWORD,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        })
        self.port, self.controller_port = plain_port, controller_port

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
