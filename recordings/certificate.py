"""The certificate of destruction: what was destroyed, when, and by whose word, as one text.

Pure.  Canonical JSON (sorted keys, no spaces, UTF-8) of the facts below and nothing else: no
caller, no number, no agent.  `recordings_sha256` is over the lines `<id> <sealed SHA-256>`, by
ascending id, each ended by a line feed: who kept the catalogue can count it again.  Its own SHA-256
stands in the log; so it holds without us.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

KIND = "12333 recordings destroyed v1"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says.  Times in microseconds UTC; `kept` counts by reason."""

    plan: int
    key: str
    recipient: str
    digest: str
    proposed_at: int
    stood_us: int
    asked_by: str
    asked_at: int
    confirmed_by: str
    confirmed_at: int
    key_destroyed_at: int
    removed_at: int
    destroyed: int
    recordings_sha256: str
    kept: int
    kept_why: dict[str, int]
    tried_again: int


def text(facts: Facts) -> str:
    """The certificate."""
    said = {"kind": KIND, **asdict(facts)}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sha256(written: str) -> str:
    """The hash by which the log names a certificate."""
    return hashlib.sha256(written.encode()).hexdigest()


def listed(destroyed: Iterable[tuple[int, bytes]]) -> tuple[int, str]:
    """How many recordings, and the hash over their lines; by ascending id."""
    hashed, count = hashlib.sha256(), 0
    for recording_id, sealed_sha256 in destroyed:
        hashed.update(f"{recording_id} {sealed_sha256.hex()}\n".encode())
        count += 1
    return count, hashed.hexdigest()
