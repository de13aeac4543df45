"""A C2SP witness of its own: strict about `add-checkpoint`, and written without any code of ours.

It knows one log by its verifier key, remembers the last size and root it cosigned, and answers as
c2sp.org/tlog-witness asks: 200 with a cosignature, 400, 403, 404, 409 with the size, 422. `down`
makes it drop connections.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME = "witness.example/w1"
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(100, 132)))
PUBLIC = SECRET.public_key().public_bytes_raw()
KEY_ID = hashlib.sha256(NAME.encode() + b"\n\x04" + PUBLIC).digest()[:4]
VERIFIER_KEY = f"{NAME}+{KEY_ID.hex()}+" + base64.b64encode(b"\x04" + PUBLIC).decode()


@dataclass
class Witness:
    """What it knows; `url` is its submission prefix."""

    url: str
    log_key: str = ""
    size: int = 0
    root: bytes = b""
    down: bool = False
    answers: list[int] = field(default_factory=list)

    @property
    def place(self) -> str:
        """As HOTLINE_CHECKPOINTS names it."""
        return f"{self.url}#{VERIFIER_KEY}"

    def answer(self, body: bytes) -> tuple[int, str]:
        """Status and text, as the specification says."""
        head, separator, note = body.decode().partition("\n\n")
        old_line, *proof = head.split("\n")
        old = re.fullmatch(r"old (0|[1-9]\d*)", old_line)
        if not separator or old is None or len(proof) > 63:
            return 400, ""
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        origin, size_line, root_line = text.split("\n")[:3]
        name, _, key = self.log_key.split("+", 2)
        if origin != name:
            return 404, ""
        if not self._signed(text, signatures, name, base64.b64decode(key)[1:]):
            return 403, ""
        size, root = int(size_line), base64.b64decode(root_line)
        if int(old[1]) > size:
            return 400, ""
        if int(old[1]) != self.size or (self.size == size and self.root != root):
            return 409, f"{self.size}\n"
        hashes = [base64.b64decode(line, validate=True) for line in proof]
        if self.size == 0:
            if hashes:
                return 422, ""
        elif not grew(self.size, size, hashes, self.root, root):
            return 422, ""
        self.size, self.root = size, root
        time = 1_795_400_000
        said = f"cosignature/v1\ntime {time}\n{text}".encode()
        signature = KEY_ID + time.to_bytes(8, "big") + SECRET.sign(said)
        return 200, f"\N{EM DASH} {NAME} {base64.b64encode(signature).decode()}\n"

    def _signed(self, text: str, signatures: str, name: str, public: bytes) -> bool:
        for line in signatures.strip().split("\n"):
            _, who, encoded = line.split(" ")
            if who == name:
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(
                        base64.b64decode(encoded)[4:], text.encode()
                    )
                except InvalidSignature:
                    return False
                return True
        return False


def grew(first: int, second: int, proof: list[bytes], old: bytes, new: bytes) -> bool:
    """RFC 6962 2.1.2 read backwards, by its recursion: the roots the proof leads to are these."""
    rest = list(proof)

    def join(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    def roots(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            found = old if whole else rest.pop(0)
            return found, found
        k = 1
        while k * 2 < n:
            k *= 2
        if m <= k:
            left_old, left_new = roots(m, k, whole)
            return left_old, join(left_new, rest.pop(0))
        right_old, right_new = roots(m - k, n - k, False)
        left = rest.pop(0)
        return join(left, right_old), join(left, right_new)

    try:
        return roots(first, second, True) == (old, new) and not rest
    except IndexError:
        return False


@contextmanager
def witness() -> Iterator[Witness]:
    """A witness on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if made.down:
                self.close_connection = True
                return
            status, text = (404, "") if self.path != "/w/add-checkpoint" else made.answer(body)
            made.answers.append(status)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            if status == 409:
                self.send_header("Content-Type", "text/x.tlog.size")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Witness(f"http://127.0.0.1:{server.server_port}/w")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
