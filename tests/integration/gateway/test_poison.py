"""A batch whose work always fails is set aside, and everything else goes on.

time   the PBX tells                       the gateway
----   ---------------------------------   ------------------------------------------------
0      a call                              record, ticket
1      a call that cannot be worked        tried three times, journalled, counted; an interval
2      a call                              record, ticket
3                                          the fault is mended: the interval is filled from CEL
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from gateway import cli, compose, poison, reconcile, settings, switchboard
from gateway.flow import intake
from gateway.parts import Parts
from gateway.poison import Suspect
from gateway.tables import TicketCallRow
from telephony.batch import Batch, Connected
from telephony.facts import Arrived, Fact
from telephony.message import Message
from telephony.simulator import Simulator
from telephony.tables import CallRow, LinkGapRow, LinkStateRow, PoisonRow
from telephony.wire import Wire
from tests.unit.gateway.house import cel_file

CURSED = "13800138666"


class Curse:
    """The real handler of facts, but for one caller's call: there it fails, as a bug would."""

    def __init__(self) -> None:
        self.lifted = False
        self._calls: set[str] = set()

    def take(self, session: Session, facts: Iterable[Fact]) -> None:
        facts = list(facts)
        self._calls |= {
            fact.linkedid
            for fact in facts
            if isinstance(fact, Arrived) and fact.caller_number == CURSED
        }
        if not self.lifted and any(fact.linkedid in self._calls for fact in facts):
            raise KeyError(CURSED)
        TAKE(session, facts)


TAKE = intake.take


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def count(parts: Parts, table: type, *where: object) -> int:
    with parts.database.reading() as session:
        asked = select(func.count()).select_from(table).where(*where)  # type: ignore[arg-type]
        return session.scalar(asked) or 0


def linked(parts: Parts) -> bool:
    with parts.database.reading() as session:
        state = session.get(LinkStateRow, "pbx1")
        return state is not None and state.connected


def test_a_poison_batch_is_set_aside_and_its_call_made_good(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One call's fault costs no other call, is counted and told without the caller; and once it is
    mended, CEL makes that call good as well: record, ticket, nothing doubled."""
    curse = Curse()
    monkeypatch.setattr(intake, "take", curse.take)
    monkeypatch.setattr(switchboard, "CEL_AGAIN_S", 1.0)
    monkeypatch.setattr(switchboard, "CEL_SETTLES_US", 1_000_000)
    monkeypatch.setattr(switchboard, "SNAPSHOT_AGAIN_US", 1_000_000)
    environ = {"HOTLINE_STATE": str(tmp_path)}
    read = settings.read(environ)
    cel_file(read).parent.mkdir(parents=True)

    async def play() -> None:
        pbx = Simulator(
            read.pbxs[0].spool, cel_file(read), secret="s", clock=compose.clock,
            rng=random.Random(1),
        )  # fmt: skip
        async with pbx:
            environ["HOTLINE_PBX_URL"] = f"ami://hotline:s@127.0.0.1:{pbx.port}"
            with compose.opened(settings.read(environ)) as parts:
                compose.prepare(parts)
                working = asyncio.create_task(compose.pbx(parts, parts.settings.pbxs[0]))
                try:
                    await until(lambda: linked(parts))
                    began = compose.clock() - 1_000_000
                    await pbx.begin_call("13800138001", "", talk_s=0.2)
                    await pbx.begin_call(CURSED, "", talk_s=0.2)
                    await until(lambda: count(parts, PoisonRow) > 0)
                    await pbx.begin_call("13800138002", "", talk_s=0.2)
                    await until(
                        lambda: (
                            count(parts, CallRow, CallRow.state == "ended") == 2
                            and count(parts, LinkGapRow, LinkGapRow.reason == "poison") > 0
                        )
                    )
                    with parts.database.reading() as session:
                        numbers = set(session.scalars(select(CallRow.caller_number)))
                    assert numbers == {"13800138001", "13800138002"}
                    assert count(parts, TicketCallRow) == 2
                    assert status(monkeypatch, capsys, environ)["incomplete"]
                    curse.lifted = True
                    await until(
                        lambda: (
                            count(parts, LinkGapRow, LinkGapRow.backfilled_at.is_(None)) == 0
                            and count(parts, TicketCallRow) == 3
                        )
                    )
                    counted = reconcile.reconcile(parts, "pbx1", began, compose.clock())
                    assert (counted.cel_calls, counted.tickets, counted.doubled) == (3, 3, 0)
                    assert set(counted.faults) <= {"recording_missing", "plaintext_left"}
                    said = status(monkeypatch, capsys, environ)
                    assert isinstance(said["poison"], int)
                    assert said["poison"] > 0
                    assert not said["incomplete"]
                finally:
                    working.cancel()
                    await asyncio.wait([working])

    asyncio.run(play())
    told = [record.getMessage() for record in caplog.records]
    assert any("cannot be worked (KeyError in" in line for line in told)
    assert CURSED not in "".join(told)


def status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> dict[str, object]:
    """What `hotline pbx status --json` says of the one PBX."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    cli.main(["pbx", "status", "--json"])
    (said,) = json.loads(capsys.readouterr().out)
    assert isinstance(said, dict)
    return said


def messages() -> tuple[Message, ...]:
    return tuple(Wire(greeted=True).feed(b"Event: Newchannel\r\nUniqueid: 1.1\r\n\r\n"))


def test_only_its_own_failures_count_and_only_in_a_row() -> None:
    """A database that is away for an hour condemns no batch; three faults of its own do; a value no
    database takes is its own; word of the link is never given up."""
    suspect, batch = Suspect(), Batch("s", 1, 1, messages())
    away = OperationalError("", None, Exception())
    refused = DataError("", None, Exception())
    for _ in range(99):
        assert not suspect.proven(batch, away)
    assert [suspect.proven(batch, error) for error in (KeyError(), refused, KeyError())] == [
        *(False, False, True),
    ]
    other = Batch("s", 2, 1, messages())
    assert not suspect.proven(other, KeyError())
    word = Batch("s", 3, 1, (), Connected())
    assert not any(suspect.proven(word, KeyError()) for _ in range(9))


def test_what_is_told_of_an_error_is_where_it_was_raised() -> None:
    """The text of an error may hold a caller's number; its kind and place do not."""
    try:
        raise KeyError(CURSED)
    except KeyError as error:
        said = poison.described(error)
    assert said.startswith(f"KeyError in {__name__}:")
    assert CURSED not in said
