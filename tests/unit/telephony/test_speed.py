"""The bench's floors in short, for every `make test`; `make bench` is what judges."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from gateway.tables import TicketRow
from telephony.wire import Wire
from tests.bench import facts, memory
from tests.bench.house import House
from tests.bench.load import everything, filtered, stream
from tests.bench.measure import Result, compare, document, table

pytestmark = pytest.mark.alone


def test_facts_come_at_half_the_speed_of_splitting() -> None:
    """A PBX that leaves nothing out is followed with one core to spare."""
    found = facts.run("everything", everything(), calls=150, rounds=5, floor=0.5)
    assert found.held, table([found])


def test_a_batch_costs_no_statement_for_each_call(tmp_path: Path) -> None:
    """Forty calls in one transaction ask the database as often as two do: a kind of change is a
    statement, however many rows it is of."""
    asked = []
    for calls in (2, 40):
        with closing(House(tmp_path / str(calls), f"sqlite:///{tmp_path}/{calls}.sqlite")) as house:
            said: list[Any] = []
            event.listen(house.parts.database.engine, "before_cursor_execute",
                         lambda *what, said=said: said.append(what[2]))  # fmt: skip
            house.take(b"".join(stream(everything(), calls, talk_s=0)))
            with house.parts.database.reading() as session:
                assert session.scalar(select(func.count()).select_from(TicketRow)) == calls
        asked.append(len(said))
    few, many = asked
    assert many <= few + 2
    assert many < 30


def test_memory_does_not_follow_the_calls() -> None:
    """What is over is in the database alone: twice the calls, no twentieth more memory."""
    found = memory.run(calls=1_200, warm=600)
    assert found.held, table([found])


def test_the_load_is_what_a_pbx_says() -> None:
    """The bench measures calls that are whole, each with ids of its own, and mixed with others."""
    heard = Wire(greeted=True).feed(b"".join(stream(filtered(), 50, rate=50)))
    began = [m for m in heard if m.name == "Newchannel" and m.get("Uniqueid") == m.get("Linkedid")]
    ended = {m.get("Uniqueid") for m in heard if m.name == "Hangup"}
    ids = [m.get("Uniqueid") for m in began]
    assert len(set(ids)) == len(ids) >= 50
    assert set(ids) <= ended
    assert sorted(heard, key=lambda m: m.get("Timestamp")) == heard
    first, second = (heard.index(m) for m in began[:2])
    assert any(m.get("Linkedid") == ids[0] for m in heard[second:])
    assert first < second


def test_a_missed_floor_is_said() -> None:
    """The bench judges by the median round, and its exit by what it printed."""
    took = iter([1.0, 2.0, 1.0, 9.0, 1.0, 4.0])
    found = compare("x", lambda: next(took), lambda: next(took), events=8, calls=4, rounds=3,
                    floor=0.5)  # fmt: skip
    assert (found.ratio, found.ours, found.held) == (0.25, 2.0, False)
    assert "MISSED" in table([found])
    assert '"held": false' in document([found])
    assert Result("m", ratio=1.02, ceiling=1.05).held
