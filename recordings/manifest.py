"""What a backup says of itself: its catalogue, a line a recording, and its manifest.  Pure.

A backup is objects as the store keeps them, below `objects/`, and one directory a run below
`runs/`, named by its moment in UTC:

    objects/2026/11/23/main/1795400000.1-9f1c2b3a.payload    and .header
    runs/20261123T060000.000000Z/catalogue.jsonl             every column of each recording's row
    runs/20261123T060000.000000Z/manifest.json               written last: makes the run exist

The manifest holds the catalogue's SHA-256, the catalogue the hashes of every recording: whoever
holds the manifest's own hash can check all of it.  No private key is ever part of a backup.
Where these lie, and whether they are true, is not asked here (backup.py, drill.py).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from recordings.errors import BackupInvalid
from recordings.tables import RecordingRow

FORMAT = "12333 backup v1"
OBJECTS = "objects/"
RUNS = "runs"
NAMED = 100


def run_at(now: int) -> str:
    """The name of the run begun at `now` (µs UTC); names ascend with time."""
    return datetime.fromtimestamp(now / 1_000_000, tz=UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def catalogue_key(run: str) -> str:
    """Where the run's catalogue lies."""
    return f"{RUNS}/{run}/catalogue.jsonl"


def manifest_key(run: str) -> str:
    """Where the run's manifest lies."""
    return f"{RUNS}/{run}/manifest.json"


def newest(keys: Iterable[str]) -> str:
    """The newest whole run among the keys below RUNS; raises BackupInvalid where there is none."""
    found = ""
    for key in keys:
        if key.endswith("/manifest.json"):
            found = max(found, key.split("/")[1])
    if not found:
        raise BackupInvalid(
            "这里没有完整的备份，请先运行 hotline recording backup。 "
            "No finished backup is here: run `hotline recording backup` first."
        )
    return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """One finished run.  `checkpoint` is a signed note of the log, empty where none was made;
    `last_id` the newest recording that was looked at, `failed` those that are not in it."""

    run: str
    made_at: int
    recordings: int
    sealed_bytes: int
    last_id: int
    failed: int
    catalogue_sha256: str
    checkpoint: str

    def encode(self) -> bytes:
        """As it is written."""
        return _json({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """What `encode` wrote; raises BackupInvalid for anything else."""
        told = _object(text)
        if told.pop("format", None) != FORMAT:
            raise _invalid()
        try:
            made = cls(**told)
        except TypeError as error:
            raise _invalid() from error
        if any(type(getattr(made, name)) is not kind for name, kind in cls.__annotations__.items()):
            raise _invalid()
        return made


@dataclass(frozen=True, slots=True)
class Kept:
    """What a line of the catalogue says that is needed to find, compare and open a recording."""

    id: int
    object_key: str
    key_id: str
    header: bytes
    header_sha256: bytes
    sealed_sha256: bytes
    sealed_size: int
    plain_sha256: bytes
    plain_size: int
    header_version: int
    peaks_sha256: bytes
    """Empty where no outline of its loudness was made."""

    @property
    def payload_size(self) -> int:
        """Bytes of the payload object."""
        return self.sealed_size - len(self.header)

    @classmethod
    def of(cls, row: RecordingRow) -> Self:
        """The same of a row of the catalogue."""
        values = {name: getattr(row, name) for name in cls.__annotations__}
        return cls(**values | {"peaks_sha256": row.peaks_sha256 or b""})


@dataclass(slots=True)
class Failures:
    """What went wrong with how many recordings; the first ones by id, and why."""

    count: int = 0
    named: dict[int, str] = field(default_factory=dict)

    def add(self, recording_id: int, why: str) -> None:
        """One more; memory does not grow with a store that is wholly lost."""
        self.count += 1
        if len(self.named) < NAMED:
            self.named[recording_id] = why


def line(row: RecordingRow) -> bytes:
    """Every column of the row as one line of JSON, bytes in hexadecimal."""
    values = {column.name: getattr(row, column.name) for column in RecordingRow.__table__.columns}
    return _json({name: _plain(value) for name, value in values.items()})


def parse_line(text: bytes) -> Kept:
    """What is needed of a line; raises BackupInvalid."""
    told = _object(text)
    try:
        values: dict[str, Any] = {
            name: bytes.fromhex(told[name] or "") if kind is bytes else kind(told[name])
            for name, kind in Kept.__annotations__.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid() from error
    return Kept(**values)


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _object(text: bytes) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise _invalid() from error
    if not isinstance(told, dict):
        raise _invalid()
    return told


def _invalid() -> BackupInvalid:
    return BackupInvalid(
        "备份的清单或目录已损坏，请用另一份备份。 "
        "The backup's manifest or catalogue is damaged: use another backup."
    )
