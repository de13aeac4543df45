"""Agents' phones that can do what real ones do: hold, transfer, consult, refuse, hang up first.

SIPp plays one fixed dialog; a transfer with consultation needs two dialogs of one phone at once.
So this is a small SIP user agent over UDP (RFC 3261, 3515 REFER, 3891 Replaces), one socket for all
extensions of the rig. It answers in its own thread, sends no audio (the recording has the
caller's), and never retransmits: loopback loses nothing.
Only for tests: no authentication, no routing, one answer to everything it does not know.
"""

import contextlib
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_SDP = (
    "v=0\r\no=p {n} {n} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na={way}\r\n"
)
WAIT_S = 10.0


def _headers(text: str) -> list[tuple[str, str]]:
    lines = text.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
    return [(name.strip().lower(), value.strip()) for name, _, value in
            (line.partition(":") for line in lines)]  # fmt: skip


def _first(text: str, name: str) -> str:
    return next((value for key, value in _headers(text) if key == name), "")


def _uri(address: str) -> str:
    found = re.search(r"<([^>]*)>", address)
    return found[1] if found else address.split(";", maxsplit=1)[0]


@dataclass(eq=False)
class Dialog:
    """One call of one phone, made or taken."""

    phones: "Phones"
    call_id: str
    ours: str
    """Our side as From has it, with the tag."""
    theirs: str
    target: str
    extension: str
    invite: str = ""
    sequence: int = 100
    version: int = 1
    state: str = "ringing"
    """ringing · up · over"""
    statuses: list[int] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)
    """What NOTIFY said of our REFER: 100 Trying, 200 OK, 503 …"""

    def answer(self) -> "Dialog":
        """Picked up."""
        self.phones.reply(self.invite, 200, "OK", self, body=self._sdp("sendrecv"))
        return self.up()

    def up(self) -> "Dialog":
        """Waits until both sides can talk."""
        return self._wait(lambda: self.state == "up")

    def over(self) -> "Dialog":
        """Waits until the PBX ends it, at most as long as a queue rings a phone."""
        return self._wait(lambda: self.state == "over", 20)

    def refuse(self, status: int = 486) -> None:
        """The button that refuses a call."""
        self.phones.reply(self.invite, status, "Refused", self)
        self.state = "over"

    def hang_up(self) -> None:
        """Hung up by this phone."""
        self._send("BYE")
        self.state = "over"

    def hold(self) -> "Dialog":
        """The other side hears music."""
        return self._invite_again("sendonly")

    def resume(self) -> "Dialog":
        """Back to the other side."""
        return self._invite_again("sendrecv")

    def transfer(self, extension: str) -> None:
        """A blind transfer: whoever is at the other end is sent to `extension`."""
        port = self.phones.pbx_port
        self._send("REFER", **{"Refer-To": f"<sip:{extension}@127.0.0.1:{port}>"})

    def transfer_to(self, other: "Dialog") -> None:
        """An attended transfer: the other ends of both calls are joined."""
        ours, theirs = (re.search(r"tag=([^;>]+)", side) for side in (other.ours, other.theirs))
        assert ours is not None and theirs is not None  # noqa: PT018
        replaces = f"{other.call_id}%3Bto-tag%3D{theirs[1]}%3Bfrom-tag%3D{ours[1]}"
        uri = f"<{_uri(other.theirs)}?Replaces={replaces}>"
        self._send("REFER", **{"Refer-To": uri})

    def _wait(self, true: Callable[[], bool], seconds: float = WAIT_S) -> "Dialog":
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, (self.extension, self.state, self.statuses)
            time.sleep(0.01)
        return self

    def _invite_again(self, way: str) -> "Dialog":
        self.version += 1
        before = len(self.statuses)
        self._send("INVITE", self._sdp(way))
        return self._wait(lambda: 200 in self.statuses[before:])

    def _sdp(self, way: str) -> str:
        return _SDP.format(n=self.version, port=self.phones.media_port, way=way)

    def _send(self, method: str, body: str = "", **more: str) -> None:
        self.sequence += 1
        self.phones.request(method, self, body, more)


class Phones:
    """All extensions behind one address. `ring`: what a phone does when it is called."""

    def __init__(self, address: tuple[str, int], pbx_port: int, *, answers: bool) -> None:
        self.pbx_port = pbx_port
        self.answers = answers
        self.dialogs: list[Dialog] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind(("127.0.0.1", 0))
        self.media_port = int(self._media.getsockname()[1])
        self._address = f"{address[0]}:{address[1]}"
        self._thread = threading.Thread(target=self._listen, name="phones", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """All phones off; the calls they had are the PBX's to end."""
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(timeout=5)
        self._socket.close()
        self._media.close()

    def rung(self, extension: str = "", nth: int = 1) -> Dialog:
        """The `nth` call that came to that extension, or to any; waits for it."""
        found: list[Dialog] = []

        def there() -> bool:
            taken = [d for d in self.dialogs if d.invite and extension in {"", d.extension}]
            found[:] = taken[nth - 1 : nth]
            return bool(found)

        deadline = time.monotonic() + WAIT_S
        while not there():
            assert time.monotonic() < deadline, f"{extension or 'no phone'} was not rung"
            time.sleep(0.01)
        return found[0]

    def dial(self, extension: str, number: str) -> Dialog:
        """That extension's phone calls `number`; returns at once."""
        tag, call_id = secrets.token_hex(6), secrets.token_hex(8)
        ours = f"<sip:{extension}@{self._address}>;tag={tag}"
        target = f"sip:{number}@127.0.0.1:{self.pbx_port}"
        dialog = Dialog(self, call_id, ours, f"<{target}>", target, extension)
        self.dialogs.append(dialog)
        dialog._send("INVITE", dialog._sdp("sendrecv"))
        return dialog

    def request(
        self, method: str, dialog: Dialog, body: str, more: dict[str, str], *, ack: int = 0
    ) -> None:
        """One request in a dialog."""
        head = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._address};branch=z9hG4bK{secrets.token_hex(6)}",
            f"From: {dialog.ours}",
            f"To: {dialog.theirs}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {ack or dialog.sequence} {method}",
            f"Contact: <sip:{dialog.extension}@{self._address}>",
            "Max-Forwards: 70",
            *(f"{name}: {value}" for name, value in more.items()),
        ]
        self._write(head, body, ("127.0.0.1", self.pbx_port))

    def reply(self, request: str, status: int, word: str, dialog: Dialog, body: str = "") -> None:
        """One answer to a request of the PBX."""
        to = _first(request, "to")
        head = [
            f"SIP/2.0 {status} {word}",
            *(f"Via: {value}" for name, value in _headers(request) if name == "via"),
            f"From: {_first(request, 'from')}",
            f"To: {to if 'tag=' in to else dialog.ours}",
            f"Call-ID: {_first(request, 'call-id')}",
            f"CSeq: {_first(request, 'cseq')}",
            f"Contact: <sip:{dialog.extension}@{self._address}>",
        ]
        self._write(head, body, ("127.0.0.1", self.pbx_port))

    def _write(self, head: list[str], body: str, to: tuple[str, int]) -> None:
        if body:
            head = [*head, "Content-Type: application/sdp"]
        text = "\r\n".join([*head, f"Content-Length: {len(body)}", "", body])
        self._socket.sendto(text.encode(), to)

    def _listen(self) -> None:
        while data := self._socket.recv(65536):
            text = data.decode(errors="replace")
            with contextlib.suppress(OSError):
                if text.startswith("SIP/2.0"):
                    self._answered(text)
                else:
                    self._asked(text)

    def _of(self, text: str) -> Dialog | None:
        call_id = _first(text, "call-id")
        return next((d for d in self.dialogs if d.call_id == call_id), None)

    def _answered(self, text: str) -> None:
        """The PBX answers a request of ours."""
        dialog = self._of(text)
        if dialog is None:
            return
        status = int(text.split()[1])
        if "tag=" in _first(text, "to"):
            dialog.theirs = _first(text, "to")
        sequence, _, method = _first(text, "cseq").partition(" ")
        if method == "INVITE" and status >= 200:
            if status < 300:
                dialog.target = _uri(_first(text, "contact")) or dialog.target
            self.request("ACK", dialog, "", {}, ack=int(sequence))
            dialog.state = "up" if status < 300 else "over"
        dialog.statuses.append(status)

    def _asked(self, text: str) -> None:
        """The PBX asks something of a phone."""
        method = text.split(" ", 1)[0]
        dialog = self._of(text)
        if method == "INVITE" and dialog is None:
            self._ring(text)
            return
        if dialog is None:
            dialog = Dialog(self, "", _first(text, "to"), _first(text, "from"), "", "x")
        match method:
            case "ACK":
                if dialog.state == "ringing":
                    dialog.state = "up"
                return
            case "INVITE":
                body = _SDP.format(n=dialog.version, port=self.media_port, way="sendrecv")
                self.reply(text, 200, "OK", dialog, body)
                return
            case "NOTIFY":
                dialog.notified.append(text.split("\r\n\r\n", 1)[-1].strip())
            case "CANCEL":
                self.reply(dialog.invite, 487, "Request Terminated", dialog)
                dialog.state = "over"
            case "BYE":
                dialog.state = "over"
        self.reply(text, 200, "OK", dialog)

    def _ring(self, text: str) -> None:
        request_uri = text.split()[1]
        extension = request_uri.removeprefix("sip:").partition("@")[0]
        dialog = Dialog(
            self,
            _first(text, "call-id"),
            f"{_first(text, 'to')};tag={secrets.token_hex(6)}",
            _first(text, "from"),
            _uri(_first(text, "contact")),
            extension,
            invite=text,
        )
        self.dialogs.append(dialog)
        self.reply(text, 180, "Ringing", dialog)
        if self.answers:
            body = _SDP.format(n=1, port=self.media_port, way="sendrecv")
            self.reply(text, 200, "OK", dialog, body)


@contextmanager
def phones(address: tuple[str, int], pbx_port: int, *, answers: bool = True) -> Iterator[Phones]:
    """The phones on; off afterwards."""
    on = Phones(address, pbx_port, answers=answers)
    try:
        yield on
    finally:
        on.close()
