"""The trace a message belongs to, as W3C Trace Context writes it (`traceparent`). Pure.

    00-<trace id, 32 hex>-<parent id, 16 hex>-<flags, 2 hex>

One id goes from the request that caused a work order to the reply that answers it. Always holds:
what is not exactly right is no trace (§3.2.2: a reader that cannot parse it begins anew) and never
an error; what is written is of version 00; of the flags only `sampled` is passed on. An id says
nothing of anybody: it is chance.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

_TEXT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
SAMPLED: Final = 1
BYTES: Final = 24
"""How much chance a trace begins with: 16 bytes of its id, 8 of the first parent's."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One step of a trace; `str` of it is its `traceparent`."""

    trace_id: str
    parent_id: str
    sampled: bool = False

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{SAMPLED if self.sampled else 0:02x}"


def parse(text: str) -> Trace | None:
    """The trace that `text` names, or None (Trace Context, level 1, §3.2 and §4.1)."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more):
        return None
    if not (int(trace_id, 16) and int(parent_id, 16)):
        return None
    return Trace(trace_id, parent_id, bool(int(flags, 16) & SAMPLED))


def begun(entropy: bytes) -> Trace:
    """A trace that begins here, of `BYTES` bytes of chance."""
    return Trace(_id(entropy[:16]), _id(entropy[16:BYTES]))


def child(of: Trace, entropy: bytes) -> Trace:
    """The next step of a trace, of 8 bytes of chance."""
    return replace(of, parent_id=_id(entropy[:8]))


def _id(entropy: bytes) -> str:
    """All zeros is no id (§3.2.2.3, §3.2.2.4)."""
    return entropy.hex() if any(entropy) else f"{1:0{2 * len(entropy)}x}"
