"""The daily share of recordings that is read again, and what is told of it.

Under the timers' lease one gateway compares, each hour, a 720th of all recordings in each place: in
a month everything once. What is found otherwise than before is a line of the log; what is not whole
stands on the state page, in `hotline doctor` and in `hotline recording scrub` until it is found
whole again. A place that is away is tried again in an hour, and stops neither the other place nor
anything else. Nothing is healed here (recordings.scrub says why).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.errors import NotFound
from gateway.flow import log
from gateway.parts import Parts
from recordings import scrub, second
from recordings.errors import RecordingsError
from recordings.scrub import Wrong
from recordings.tables import RecordingRow
from recordings.tables_store import COPY, OK

logger = logging.getLogger(__name__)

SCRUB = "scrub"
EVERY_S = 3600.0
DAYS = 30
SHARE = 1 / (DAYS * 24)
LISTED = 20
BEHIND_US = 3600 * 1_000_000
STALLED_US = 26 * 3600 * 1_000_000
_AT_ONCE = 8  # read on one thread, before a shutdown or a lost lease is seen

WHAT_TO_DO = (
    "请勿删除任何文件；用 hotline recording verify 编号 逐处核对，从完好处或备份放回，并报审计。 "
    "Remove nothing: compare each place with `hotline recording verify ID`, put the recording back "
    "from the place or the backup that is whole, and tell the auditor."
)

STALLED = (
    "已超过一天没有核对录音：请检查存储是否挂载、hotline serve 是否在运行（timers）。 Nothing was "
    "compared for over a day: see that the store is mounted, and that a gateway runs the timers."
)

BEHIND = (
    "第二份落后一小时以上：请检查 HOTLINE_STORE_COPY_URL 处是否可写、有空间。 "
    "The second copy is over an hour behind: see that its place can be written to and has room."
)
WAITING = "waiting"  # still to be copied there


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What one look at the places found; `away` says why a place was not compared."""

    checked: int
    wrong: list[tuple[int, str, str]]
    """Recording, place and outcome of what is not whole."""
    away: dict[str, str]


async def run(parts: Parts) -> None:
    """A share each hour, for as long as this gateway holds the timers."""
    while True:
        for place in parts.places:
            try:
                await _share(parts, place)
            except (RecordingsError, SQLAlchemyError, OSError) as error:
                why = error if isinstance(error, RecordingsError) else type(error).__name__
                logger.warning("scrub of %s: %s", place, why)
        await asyncio.sleep(EVERY_S)


async def _share(parts: Parts, place: str) -> None:
    ids = await asyncio.to_thread(_due, parts, place, SHARE)
    for at in range(0, len(ids), _AT_ONCE):
        await asyncio.to_thread(_check, parts, place, ids[at : at + _AT_ONCE], log.NOBODY, SCRUB)


def now(parts: Parts, share: float, actor: str, told: Callable[[int, int], None]) -> Scrubbed:
    """A share (1.0: all) of every place at once, for a person who asks."""
    checked, wrong, away = 0, list[tuple[int, str, str]](), dict[str, str]()
    for place in parts.places:
        ids = _due(parts, place, share)
        try:
            for done, recording_id in enumerate(ids, 1):
                found = _check(parts, place, [recording_id], actor, "cli")
                wrong += [(number, place, how) for number, how in found.items() if how != OK]
                checked += 1
                told(done, len(ids))
        except RecordingsError as error:
            away[place] = str(error)
    return Scrubbed(checked, wrong, away)


def verify(parts: Parts, recording_id: int, actor: str) -> dict[str, str]:
    """Compare one recording in every place now; how it was found in each.

    Raises:
        NotFound: there is no such recording.
        StoreError: a place is away.
    """
    with parts.database.reading() as session:
        if not session.get(RecordingRow, recording_id):
            raise NotFound(f"没有编号 {recording_id} 的录音。 No recording {recording_id}.")
    found: dict[str, str] = {}
    for place in parts.places:
        checked = _check(parts, place, [recording_id], actor, "cli")
        found[place] = checked.get(recording_id, WAITING)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """How the places stand: how many findings are not whole, the latest of them, and the places of
    which nothing was compared for over a day: away, or no gateway runs the timers. `waiting` for
    the second copy, `behind` where one waits for over an hour."""

    wrong: int
    latest: list[Wrong]
    stalled: list[str]
    waiting: int
    behind: bool

    @property
    def well(self) -> bool:
        """Nothing to do."""
        return not self.wrong and not self.stalled and not self.behind


def standing(session: Session, parts: Parts, at: int) -> Standing:
    """How the places stand at the moment `at`."""
    silent = [one for one in parts.places if scrub.silent_since(session, one, at) > STALLED_US]
    count, behind = 0, False
    if COPY in parts.places:
        waits = second.waiting(session)
        count, behind = waits.count, at - (waits.oldest_at or at) > BEHIND_US
    return Standing(scrub.count_wrong(session), scrub.wrong(session, LISTED), silent, count, behind)


def _due(parts: Parts, place: str, share: float) -> list[int]:
    with parts.database.reading() as session:
        return scrub.due(session, place, share)


def noted(parts: Parts, actor: str = log.NOBODY, origin: str = SCRUB) -> scrub.OnFound:
    """What writes a finding that is another than before into the log."""

    def note(session: Session, row: RecordingRow, where: str, outcome: str) -> None:
        log.note(
            session, "recordings:recording:compare", actor=actor, origin=origin,
            obj=f"recording:{row.id}", outcome="ok" if outcome == OK else "failed",
            now=parts.clock(), detail={"place": where, "found": outcome},
        )  # fmt: skip

    return note


def _check(parts: Parts, place: str, ids: Sequence[int], actor: str, origin: str) -> dict[int, str]:
    store, note = parts.places[place], noted(parts, actor, origin)
    return scrub.check(parts.database.begin, place, store, ids, parts.clock, note)
