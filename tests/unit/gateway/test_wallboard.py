"""The wallboard's figures: formula and windows, and that they say when they may be wrong."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway import notices
from gateway.errors import Forbidden
from gateway.flow import wallboard
from gateway.flow.rates import Rate
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import PERMISSIONS, Permission, Role
from gateway.tables import AccountRow
from telephony.batch import Connected
from telephony.roster import Moved
from telephony.tables import AgentStateRow, CallRow, LinkGapRow, LinkStateRow, QueueStateRow
from tests.unit.gateway.house import NOW, S, house, person

MINUTE, HOUR = 60 * S, 3600 * S
MIDNIGHT = NOW // (24 * HOUR) * 24 * HOUR - 8 * HOUR  # in China
NOON = MIDNIGHT + 12 * HOUR
LEADER = Person(1, "he", "何", Role.LEADER)
_numbers = itertools.count()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house(tmp_path) as made:
        yield made


def call(at: int, waited_us: int | None, queue: str | None = "hotline", **more: Any) -> CallRow:
    """A call that entered a queue at `at`; `waited_us` None: nobody answered."""
    values = {
        "pbx": "pbx1",
        "direction": "inbound",
        "arrived_at": at,
        "queued_at": at,
        "answered_at": None if waited_us is None else at + waited_us,
        "outcome": "abandoned" if waited_us is None else "answered",
        "state": "ended",
        "ended_at": at + MINUTE,
    }
    linkedid = f"x.{next(_numbers)}"
    return CallRow(linkedid=linkedid, caller_number="", caller_name="", dialled="12333",
                   queue=queue, **(values | more))  # fmt: skip


def queue(
    name: str = "hotline", pbx: str = "pbx1", waiting: int = 0, since: int | None = None
) -> QueueStateRow:
    return QueueStateRow(pbx=pbx, queue=name, waiting=waiting, oldest_at=since)


def agent(interface: str, state: str = "idle", since: int = NOON - MINUTE) -> AgentStateRow:
    return AgentStateRow(pbx="pbx1", interface=interface, member=f"m {interface}", state=state,
                         reason="", since_at=since)  # fmt: skip


def link(pbx: str = "pbx1", *, connected: bool = True) -> LinkStateRow:
    return LinkStateRow(pbx=pbx, connected=connected, since_at=NOON - HOUR, unknown_events=0,
                        last_packet_at=NOON - S, link_session="s")  # fmt: skip


def put(parts: Parts, *rows: object) -> None:
    with parts.database.begin() as session:
        session.add_all(rows)


def seen(parts: Parts, now: int = NOON) -> wallboard.Board:
    with parts.database.reading() as session:
        return wallboard.board(session, LEADER, now)


def test_the_rate_is_of_the_answered(parts: Parts) -> None:
    """DOMAIN.md: within 15 s of entering the queue / answered; who gave up is in neither."""
    at = NOON - 10 * MINUTE
    put(
        parts,
        queue(),
        call(at, 0),
        call(at, 15 * S),
        call(at, 15 * S + 1),
        call(at, None),
        call(at, None, queued_at=None, queue=None, outcome="left"),
        call(at, None, state="queued", outcome=None, ended_at=None),
        call(at, 5 * S, direction="outbound"),
    )
    board = seen(parts)
    assert board.queues[0].today == Rate(2, 3, 1) == board.today == board.lately
    assert board.today.percent == 66


def test_nothing_answered_is_no_rate() -> None:
    """A morning without a call is neither 0 % nor 100 %, and 799 of 1000 do not reach the floor."""
    assert Rate().percent is None
    assert Rate(799, 1000).percent == 79


def test_the_day_is_chinas_and_the_half_hour_slides(parts: Parts) -> None:
    """The day begins at midnight in China, whatever the server's zone."""
    put(
        parts,
        queue(),
        call(MIDNIGHT - 1, S),
        call(MIDNIGHT, S),
        call(NOON - 30 * MINUTE - 1, S),
        call(NOON - 30 * MINUTE, S),
    )
    assert (seen(parts).today.answered, seen(parts).lately.answered) == (3, 1)


def test_each_queue_has_its_own_rate_and_the_total_all(parts: Parts) -> None:
    """Queues of one name on two PBXs are two; a queue that is gone still counts in the total."""
    at = NOON - MINUTE
    put(parts, queue(), queue("policy"), queue(pbx="pbx2"), call(at, S), call(at, 20 * S, "policy"),
        call(at, S, pbx="pbx2"), call(at, S, "gone"))  # fmt: skip
    board = seen(parts)
    assert [(q.pbx, q.queue, q.today.within, q.today.answered) for q in board.queues] == [
        ("pbx1", "hotline", 1, 1),
        ("pbx1", "policy", 0, 1),
        ("pbx2", "hotline", 1, 1),
    ]
    assert board.today == Rate(3, 4)


def test_the_longest_wait_is_of_all_queues(parts: Parts) -> None:
    """The figure a supervisor acts on."""
    put(parts, queue(waiting=2, since=NOON - 5 * S), queue("policy", waiting=1, since=NOON - 9 * S),
        queue("empty"))  # fmt: skip
    assert (seen(parts).waiting, seen(parts).oldest_at) == (3, NOON - 9 * S)


@pytest.mark.parametrize(
    ("ended", "backfilled", "complete"),
    [
        (None, None, False),
        (NOON - HOUR, None, False),
        (NOON - HOUR, NOON, True),
        (MIDNIGHT - HOUR, None, True),  # yesterday's is no figure's here
    ],
)
def test_a_figure_that_touches_an_open_interval_says_so(
    parts: Parts, ended: int | None, backfilled: int | None, *, complete: bool
) -> None:
    """What was not heard may be missing in the rate until the PBX's own log made it good."""
    put(parts, link(), LinkGapRow(pbx="pbx1", began_at=MIDNIGHT - 2 * HOUR, ended_at=ended,
                                  backfilled_at=backfilled, reason="closed"))  # fmt: skip
    assert seen(parts).complete is complete


def test_a_link_that_is_down_makes_all_of_it_doubtful(parts: Parts) -> None:
    """Two PBXs, one not heard: the board as a whole is not complete."""
    put(parts, link(), link("pbx2", connected=False))
    board = seen(parts)
    assert (board.complete, board.several) == (False, True)
    with parts.database.reading() as session:
        assert not wallboard.linked(session)


def test_agents_bear_their_accounts_names(parts: Parts) -> None:
    """The person at that extension; a phone nobody has an account for keeps the queue's name, and
    leaves the board a day after it went offline. A closed account is nobody's name."""
    old = NOON - 25 * HOUR
    with parts.database.begin() as session:
        person(session, "wang", Role.AGENT, extension="PJSIP/1")
        person(session, "gone", Role.AGENT, extension="PJSIP/2")
        session.execute(update(AccountRow).where(AccountRow.login == "gone").values(active=False))
        session.add_all([agent("PJSIP/1", "offline", old), agent("PJSIP/2"), agent("PJSIP/3")])
        session.add_all([agent("PJSIP/4", "offline", old), agent("PJSIP/5", "offline")])
    shown = [(one.interface, one.name, one.login) for one in seen(parts).agents]
    assert shown == [
        ("PJSIP/1", "wang", "wang"),
        ("PJSIP/2", "m PJSIP/2", None),
        ("PJSIP/3", "m PJSIP/3", None),
        ("PJSIP/5", "m PJSIP/5", None),
    ]
    assert seen(parts).count("idle", "offline") == 4


@pytest.mark.parametrize("role", Role)
def test_who_may_look(parts: Parts, role: Role) -> None:
    """The board itself refuses, whatever a route's table says."""
    who = Person(1, "x", "x", role, extension="PJSIP/1")
    put(parts, agent("PJSIP/1"))
    with parts.database.reading() as session:
        if Permission.WALLBOARD_READ in PERMISSIONS[role]:
            assert wallboard.board(session, who, NOON).agents
        else:
            with pytest.raises(Forbidden):
                wallboard.board(session, who, NOON)
        if role is Role.AGENT:
            found = wallboard.own(session, who)
            assert found is not None
            assert found.state == "idle"
            assert wallboard.own(session, Person(2, "y", "y", role)) is None
        else:
            with pytest.raises(Forbidden):
                wallboard.own(session, who)


def test_only_those_concerned_are_told(parts: Parts) -> None:
    """An agent hears of the own state alone; a batch that moved nobody wakes nobody."""
    with parts.database.begin() as session:
        wallboard.told(session, "pbx1", Moved(), None)
        assert notices.take(session) == []
        wallboard.told(session, "pbx1", Moved(["PJSIP/1"]), None)
        assert [note.topic for note in notices.take(session)] == [
            *("wallboard", "presence:pbx1:PJSIP/1"),
        ]
        wallboard.told(session, "pbx1", Moved(), Connected())
        assert [note.topic for note in notices.take(session)] == ["wallboard", "desks"]
