"""The private keys in one file: an age file under a passphrase, written whole or not at all.

The age program opens it: `age -d keyring.age`.  What is inside is said in ring.py.

What always holds:
- a change is written beside the file, synced, opened again with the same passphrase and compared;
  only then does it take the old one's name: whatever dies meanwhile, one whole keyring is there;
- writers follow one another under a lock file: two processes that make keys lose none;
- no older copy is kept, which would outlive a key that was destroyed; what a killed writer left is
  removed by the next;
- the passphrase is asked for when the file has to be opened and is not kept; a wrong one changes
  nothing.  The keys of the last opening are kept in memory until the file changes.
"""

import fcntl
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from recordings import header as headers
from recordings import passphrase as words
from recordings import ring as rings
from recordings import sealed
from recordings.disk import Disk
from recordings.errors import KeyInvalid, KeyMissing, NoMatch, PassphraseWrong, SealedError
from recordings.keys import Identity
from recordings.ring import Ring

SHORTEST = 12
"""Characters of a new keyring's passphrase: who has the file may guess as long as he likes."""

_Mark = tuple[int, int, int]


class FileKeyring:
    """Provider `file`: see the module.  Safe for several threads and several processes."""

    provider = "file"

    def __init__(
        self,
        file: Path,
        passphrase: Callable[[], str],
        *,
        log_n: int = words.WORK,
        disk: Disk | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._file, self._passphrase, self._log_n = file, passphrase, log_n
        self._disk, self._entropy = disk or Disk(), entropy
        self._guard = threading.Lock()
        self._seen: tuple[_Mark, Ring] | None = None

    def key_ids(self) -> list[str]:
        """The names of all keys, oldest first; raises PassphraseWrong, KeyringLocked, KeyInvalid
        as everything here that has to open the file."""
        return sorted(self._ring().kept)

    def of(self, key_id: str) -> Identity:
        """The private key of that name; raises KeyMissing, KeyDestroyed or KeyInvalid."""
        return self._ring().of(key_id).identity

    def not_before(self, key_id: str) -> int:
        """The moment (µs UTC) before which this key must not be destroyed, by its own word."""
        return self._ring().of(key_id).not_before

    def add(self, made: Sequence[Identity], now: int) -> None:
        """Keep new keys; raises KeyInvalid where a name is taken, and then keeps none of them."""
        with self._changing() as (ring, passphrase):
            self._write(ring.adding(made, now), passphrase)

    def destroy(self, key_id: str) -> None:
        """Forget a key for good and remember its name; done again, it changes nothing."""
        with self._changing() as (ring, passphrase):
            left = ring.without(key_id)
            if left != ring:
                self._write(left, passphrase)

    def change_passphrase(self, new: str) -> None:
        """Write the same keys under another passphrase, of at least SHORTEST characters; raises
        KeyMissing where there is no keyring yet."""
        if self._mark() is None:
            raise KeyMissing("还没有钥匙环：hotline init。 There is no keyring yet: hotline init.")
        with self._changing() as (ring, _):
            self._write(ring, new)

    def _ring(self) -> Ring:
        with self._guard:
            mark = self._mark()
            if mark is None:
                return Ring()
            if self._seen is None or self._seen[0] != mark:
                self._seen = mark, self._open(self._file, self._passphrase())
            return self._seen[1]

    def _mark(self) -> _Mark | None:
        """What tells one writing of the file from the next; None where there is no file."""
        try:
            there = self._file.stat()
        except FileNotFoundError:
            return None
        if there.st_mode & 0o077:
            raise KeyInvalid(
                f"钥匙环 {self._file.name} 可被他人读取，请改为 0600。 "
                f"Others may read {self._file.name}: chmod it to 0600."
            )
        return there.st_ino, there.st_mtime_ns, there.st_size

    def _open(self, file: Path, passphrase: str) -> Ring:
        try:
            data = file.read_bytes()
            header, length = headers.parse(data)
            file_key = words.unwrap(header, passphrase)
            body = io.BytesIO(data[length:])
            return rings.parse(b"".join(sealed.decrypt_all(body.read, file_key)).decode())
        except NoMatch as error:
            raise PassphraseWrong(
                "钥匙环口令不对，未作任何改动；两人分持时请按顺序输入两半。 The keyring's "
                "passphrase is wrong; nothing was changed. Two halves are given in their order."
            ) from error
        except (SealedError, UnicodeDecodeError) as error:
            raise KeyInvalid(
                f"钥匙环 {file.name} 已损坏，请从备份恢复。 "
                f"The keyring {file.name} is damaged: restore it from its backup."
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[tuple[Ring, str]]:
        """The ring as the file has it now and the passphrase it opens with, nobody else writing."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(
            self._file.with_name(self._file.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._guard:
                passphrase = self._passphrase()
                if self._mark() is not None:
                    yield self._open(self._file, passphrase), passphrase
                    return
                if len(passphrase) < SHORTEST:
                    raise KeyInvalid(
                        f"钥匙环口令至少 {SHORTEST} 个字符，未建钥匙环。 "
                        f"A keyring's passphrase has at least {SHORTEST} characters."
                    )
                yield Ring(), passphrase
        finally:
            os.close(lock)

    def _write(self, ring: Ring, passphrase: str) -> None:
        temporary = self._file.with_name(self._file.name + ".new")
        with suppress(FileNotFoundError):
            self._disk.remove(temporary)
        file = self._disk.create(temporary)
        try:
            temporary.chmod(0o600)
            self._disk.write(file, self._closed(rings.render(ring).encode(), passphrase))
            self._disk.sync(file)
        finally:
            file.close()
        if self._open(temporary, passphrase) != ring:
            raise KeyInvalid(
                "新写的钥匙环读回不一致，已放弃，原文件未动；请检查磁盘。 What was written does "
                "not read back the same; the keyring was left as it was: check the disk."
            )
        self._disk.replace(temporary, self._file)
        self._disk.sync_directory(self._file.parent)
        self._seen = None

    def _closed(self, text: bytes, passphrase: str) -> bytes:
        file_key, nonce = self._entropy(sealed.FILE_KEY), self._entropy(sealed.NONCE)
        stanzas = (words.wrap(file_key, passphrase, self._entropy(words.SALT), self._log_n),)
        header = headers.Header(stanzas, headers.mac(stanzas, file_key)).encode()
        return header + sealed.encrypt_all(text, file_key, nonce)
