"""The private keys wrapped by a transit engine of HashiCorp Vault's kind, reached over HTTP.

Each private key is wrapped by a key of its own in the engine (`hotline-2026-11`), which never
leaves it; the wrapped text lies in a file `2026-11.wrapped` and is of no use without the engine, on
a backup neither. Opening asks the engine, destroying deletes the engine's key: of the two providers
the one whose shredding reaches every copy of a disk.

What always holds: inside is the same text as in the keyring file (ring.py), with the key's own word
on its destruction; TLS is verified; an answer has at most 64 KiB and five seconds; neither token
nor key stands in a message. Opened keys are kept in memory as long as their files are there.

Source: Vault's HTTP API, "Transit secrets engine" (create, encrypt, decrypt, config, delete).
"""

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recordings import keys
from recordings import ring as rings
from recordings.disk import Disk, whole
from recordings.errors import KeyDestroyed, KeyInvalid, KeyMissing, KeyringLocked
from recordings.keys import Identity
from recordings.ring import Kept, Ring

TIMEOUT_S = 5.0
MOST = 64 * 1024

_NOT_THERE = (400, 404)  # of a key: decrypt and config say 400, read says 404


class TransitKeyring:
    """Provider `transit`: see the module. `url` ends with the engine's mount, `…/v1/transit`."""

    provider = "transit"

    def __init__(
        self, url: str, token: Callable[[], str], directory: Path, *, disk: Disk | None = None
    ) -> None:
        self._url, self._token, self._directory = urlsplit(url), token, directory
        self._disk = disk or Disk()
        self._opened: dict[str, Kept] = {}

    def key_ids(self) -> list[str]:
        """The names of all keys, oldest first."""
        return keys.listed(self._directory.glob("*.wrapped"))

    def of(self, key_id: str) -> Identity:
        """The private key; raises KeyMissing, KeyDestroyed, KeyInvalid or KeyringLocked."""
        return self._kept(key_id).identity

    def not_before(self, key_id: str) -> int:
        """The moment (µs UTC) before which this key must not be destroyed, by its own word."""
        return self._kept(key_id).not_before

    def add(self, made: Sequence[Identity], now: int) -> None:
        """Wrap new keys and keep them; raises KeyInvalid where a name is taken, and keeps none."""
        for one in made:
            if self._file(one.key_id).exists() or self._marker(one.key_id).exists():
                raise keys.stands(self._file(one.key_id))
        self._disk.make_directories(self._directory, 0o700)
        wrapped = [(one.key_id, self._wrap(one, now)) for one in made]
        for key_id, text in wrapped:
            with whole(self._file(key_id), disk=self._disk) as file:
                self._disk.write(file, text.encode("ascii"))

    def destroy(self, key_id: str) -> None:
        """Have the engine delete its key, then forget the wrapped one; done again, it finishes."""
        file, marker = self._file(key_id), self._marker(key_id)
        if not file.exists():
            if marker.exists():
                return
            raise _missing(key_id)
        name = _name(key_id)
        self._ask("POST", f"keys/{name}/config", {"deletion_allowed": True}, _NOT_THERE)
        self._ask("DELETE", f"keys/{name}", None, _NOT_THERE)
        if self._there(key_id):
            raise KeyringLocked(
                f"密钥服务没有删除 {key_id}，请检查令牌的权限。 "
                f"The key service did not delete {key_id}: check what its token may do."
            )
        if not marker.exists():
            with whole(marker, disk=self._disk):
                pass
        self._disk.remove(file)
        self._disk.sync_directory(self._directory)

    def _kept(self, key_id: str) -> Kept:
        file = self._file(key_id)
        if self._marker(key_id).exists():
            self._opened.pop(key_id, None)
            raise _destroyed(key_id)
        if not file.exists():
            raise _missing(key_id)
        if key_id not in self._opened:
            self._opened[key_id] = self._unwrap(key_id, file.read_text("ascii"))
        return self._opened[key_id]

    def _wrap(self, one: Identity, now: int) -> str:
        text = rings.render(Ring().adding([one], now))
        name = _name(one.key_id)
        self._ask("POST", f"keys/{name}", {"type": "aes256-gcm96"})
        plain = base64.b64encode(text.encode()).decode()
        data = self._ask("POST", f"encrypt/{name}", {"plaintext": plain})
        wrapped = _said(data, "ciphertext")
        if rings.render(Ring({one.key_id: self._unwrap(one.key_id, wrapped)})) != text:
            raise KeyInvalid(
                "密钥服务读回不一致，未保存。 The key service gives back something else: not kept."
            )
        return wrapped

    def _unwrap(self, key_id: str, wrapped: str) -> Kept:
        data = self._ask(
            "POST", f"decrypt/{_name(key_id)}", {"ciphertext": wrapped.strip()}, _NOT_THERE
        )
        if data is None:
            if not self._there(key_id):
                raise _destroyed(key_id)
            raise KeyInvalid(
                f"{key_id} 的包裹文件已损坏，请从备份恢复。 "
                f"The wrapped file of {key_id} is damaged: restore it from its backup."
            )
        text = base64.b64decode(_said(data, "plaintext"), validate=True).decode()
        return rings.parse(text).of(key_id)

    def _there(self, key_id: str) -> bool:
        return self._ask("GET", f"keys/{_name(key_id)}", None, _NOT_THERE) is not None

    def _ask(
        self, method: str, path: str, body: object, absent: Sequence[int] = ()
    ) -> dict[str, Any] | None:
        """The `data` of an answer, {} of an empty one, None for a status of `absent`."""
        headers = {"X-Vault-Token": self._token(), "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body)
        connection = self._connection()
        try:
            connection.request(method, f"{self._url.path.rstrip('/')}/{path}", sent, headers)
            with connection.getresponse() as answer:
                status, text = answer.status, answer.read(MOST + 1)
        except (OSError, http.client.HTTPException) as error:
            raise _away(type(error).__name__) from error
        finally:
            connection.close()
        if status in absent:
            return None
        if status == 403:
            raise KeyringLocked(
                "密钥服务拒绝了令牌：请检查 HOTLINE_TRANSIT_TOKEN 及其权限。 "
                "The key service refuses the token: check HOTLINE_TRANSIT_TOKEN and its policy."
            )
        if status == 503:
            raise KeyringLocked(
                "密钥服务处于封闭状态，请先解封。 The key service is sealed: unseal it first."
            )
        if status not in (200, 204) or len(text) > MOST:
            raise _away(f"HTTP {status}")
        return _data(text)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _file(self, key_id: str) -> Path:
        return self._directory / f"{keys.checked(key_id)}.wrapped"

    def _marker(self, key_id: str) -> Path:
        return self._directory / f"{keys.checked(key_id)}.destroyed"


def _name(key_id: str) -> str:
    return f"hotline-{key_id}"


def _data(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text or b"{}")
        data = said.get("data") or {}
    except (ValueError, AttributeError) as error:
        raise _away("JSON") from error
    return data if isinstance(data, dict) else {}


def _said(data: dict[str, Any] | None, name: str) -> str:
    value = (data or {}).get(name)
    if not isinstance(value, str) or not value.isascii():
        raise _away(f"no {name}")
    return value


def _away(why: str) -> KeyringLocked:
    return KeyringLocked(
        f"密钥服务没有正常应答（{why}）：请检查 HOTLINE_TRANSIT_URL 与该服务。 "
        f"The key service does not answer as it should ({why}): check HOTLINE_TRANSIT_URL and it."
    )


def _missing(key_id: str) -> KeyMissing:
    return KeyMissing(f"没有 {key_id} 的私钥。 No private key for {key_id}.")


def _destroyed(key_id: str) -> KeyDestroyed:
    return KeyDestroyed(
        f"{key_id} 的私钥已销毁，该月录音不可恢复。 "
        f"The key of {key_id} was destroyed; its recordings cannot be opened any more."
    )
