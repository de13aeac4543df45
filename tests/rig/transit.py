"""A key service as Vault's transit engine answers, small, with real AES-GCM: for tests alone."""

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MOUNT = "/v1/transit/"


@dataclass
class Transit:
    """What the service knows; turned by tests."""

    token: str = "s.correct"
    keys: dict[str, bytes] = field(default_factory=dict)
    deletable: set[str] = field(default_factory=set)
    sealed: bool = False
    keeps: bool = False  # a policy that deletes nothing
    url: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON of one request, as the documentation of the API has them."""
        kind, _, rest = path.removeprefix(MOUNT).partition("/")
        name, _, more = rest.partition("/")
        if kind == "keys" and method == "POST" and not more:
            self.keys.setdefault(name, secrets.token_bytes(32))
            return 204, {}
        if name not in self.keys:
            return (404 if method == "GET" else 400), {"errors": ["encryption key not found"]}
        if kind == "keys" and more == "config":
            self.deletable |= {name} if body.get("deletion_allowed") else set()
            return 204, {}
        if kind == "keys" and method == "DELETE":
            if self.keeps or name not in self.deletable:
                return 400, {"errors": ["deletion is not allowed for this key"]}
            del self.keys[name]
            return 204, {}
        if kind == "keys":
            return 200, {"data": {"name": name, "type": "aes256-gcm96"}}
        return self._crypt(kind, AESGCM(self.keys[name]), body)

    def _crypt(self, kind: str, aead: AESGCM, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if kind == "encrypt":
            nonce = secrets.token_bytes(12)
            made = nonce + aead.encrypt(nonce, base64.b64decode(body["plaintext"]), None)
            return 200, {"data": {"ciphertext": "vault:v1:" + base64.b64encode(made).decode()}}
        try:
            made = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
            plain = aead.decrypt(made[:12], made[12:], None)
        except (InvalidTag, ValueError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}


@contextmanager
def serving() -> Iterator[Transit]:
    """The service on a free port of loopback, for the block."""
    transit = Transit()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size) or b"{}")
            if transit.sealed:
                status, said = 503, {"errors": ["Vault is sealed"]}
            elif self.headers.get("X-Vault-Token") != transit.token:
                status, said = 403, {"errors": ["permission denied"]}
            else:
                status, said = transit.answer(self.command, self.path, body)
            self.send_response(status)
            self.end_headers()
            if status != 204:
                self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815  the names http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    transit.url = f"http://127.0.0.1:{server.server_port}{MOUNT.rstrip('/')}"
    try:
        yield transit
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
