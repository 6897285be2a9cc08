"""An OAuth token endpoint on loopback, by HTTPS: client credentials in, a signed JWT out that Kafka can validate."""

import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.parse

from . import processes


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Known by its name and its key; serve() opens the endpoint, which can be closed and opened again."""

    NAME = "https://issuer.test"
    AUDIENCE = "kafka"

    def __init__(self, lifetime_s: int, clients: dict[str, str]):
        self.lifetime_s = lifetime_s
        self.clients = clients  # and their secrets
        self.tokens = 0
        self.directory = processes.make_directory("issuer")
        self.port = processes.reserve_port()
        self._key = self.directory / "jwt.key"
        self._server: http.server.ThreadingHTTPServer | None = None
        self._openssl("genrsa", "-out", str(self._key), "2048")
        modulus = self._openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().partition("=")[2]
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rig", "n": _base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        jwks = self.directory / "jwks.json"
        jwks.write_text(json.dumps({"keys": [key]}))
        self.jwks_url = jwks.as_uri()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/token"

    @staticmethod
    def _openssl(*arguments: str, text: bytes | None = None) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, input=text, capture_output=True).stdout

    def token(self, client: str) -> str:
        now = int(time.time())
        claims = {"iss": self.NAME, "aud": self.AUDIENCE, "sub": client, "iat": now, "exp": now + self.lifetime_s}
        head, body = (_base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "rig"}, claims))
        signature = self._openssl("dgst", "-sha256", "-sign", str(self._key), text=f"{head}.{body}".encode())
        self.tokens += 1
        return f"{head}.{body}.{_base64url(signature)}"

    def _answer(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict]:
        kind, _, encoded = authorization.partition(" ")
        client, _, secret = base64.b64decode(encoded).decode().partition(":")
        if kind != "Basic" or self.clients.get(client) != secret:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        return 200, {"access_token": self.token(client), "token_type": "Bearer", "expires_in": self.lifetime_s}

    def serve(self, certificates: pathlib.Path):
        """With server.pem there."""
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                code, body = issuer._answer(self.headers.get("Authorization", ""), urllib.parse.parse_qs(form))
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def close(self) -> None:
        """Nobody answers any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
