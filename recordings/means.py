"""What carrying out a plan needs, and how one recording's failure is kept from the others.

Every place the objects lie in, the keys, the rules, the clock and the log: handed over by the
gateway.  What always holds: a recording that fails is written down with its reason and a count, is
tried again the next time, and stops no other.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from recordings.disk import Disk
from recordings.errors import RecordingsError
from recordings.keys import Keyring
from recordings.place import Store
from recordings.plan import Extensions
from recordings.tables import RecordingRow
from recordings.tables_retention import ItemRow

Begin = Callable[[], AbstractContextManager[Session]]
Note = Callable[[Session, str, str, str, dict[str, Any]], int]
"""`note(session, act, object, outcome, detail)`: write a line into the log; its number."""
OnRewrapped = Callable[[Session, RecordingRow], None]
"""Write into the log what a re-wrapped recording's row says now, and let the row name the line."""


@dataclass(frozen=True, slots=True)
class Means:
    """See the module; `public` is the directory of public halves, `entropy(n)` n random bytes."""

    begin: Begin
    stores: Sequence[Store]
    keyring: Keyring = field(repr=False)
    public: Path
    extensions: Extensions
    clock: Callable[[], int]
    note: Note
    on_rewrapped: OnRewrapped
    disk: Disk = field(default_factory=Disk)
    entropy: Callable[[int], bytes] = os.urandom


def attempt(means: Means, plan_id: int, recording_id: int, work: Callable[[int], None]) -> bool:
    """Do `work` with that recording, and say whether it was done; if not, write down why."""
    try:
        work(recording_id)
    except (RecordingsError, OSError) as error:
        why = str(error) if isinstance(error, RecordingsError) else _system(error)
        with means.begin() as session:
            item = session.get_one(ItemRow, (plan_id, recording_id), with_for_update=True)
            told = item.trouble == why
            item.tries, item.trouble = item.tries + 1, why
            if not told:
                means.note(session, "retention:recording:destroy", f"recording:{recording_id}",
                           "failed", {"plan": plan_id, "fate": item.fate})  # fmt: skip
        return False
    return True


def _system(error: OSError) -> str:
    return f"系统错误：{error.strerror}。 The system refused: {error.strerror}."
