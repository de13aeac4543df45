"""Presence in the database: in the batch's transaction, once, and as good after a restart."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from telephony.batch import Connected
from telephony.message import Message
from telephony.tables import AgentSpellRow, AgentStateRow, QueueStateRow
from tests.unit.telephony.house import NOW, Store, Taker, messages, trace

S = 1_000_000
HELD = messages(trace("held.ami"))


def member(
    status: int = 1, *, pause: str | None = None, queue: str = "hotline", at_s: int = 0,
    event: str = "QueueMemberStatus",
) -> Message:  # fmt: skip
    """A queue's word on the one agent, `at_s` after NOW."""
    at = NOW // S + at_s
    return messages(
        f"Event: {event}\r\nTimestamp: {at}.000000\r\nQueue: {queue}\r\nInterface: PJSIP/1\r\n"
        f"MemberName: one\r\nStatus: {status}\r\nPaused: {int(pause is not None)}\r\n"
        f"PausedReason: {pause or ''}\r\nLastPause: 0\r\n\r\n".encode()
    )[0]


def caller(uniqueid: str, event: str = "Join", at_s: int = 0) -> Message:
    at = NOW // S + at_s
    return messages(
        f"Event: QueueCaller{event}\r\nTimestamp: {at}.000000\r\nQueue: hotline\r\n"
        f"Uniqueid: {uniqueid}\r\nLinkedid: {uniqueid}\r\nContext: from-pstn\r\n\r\n".encode()
    )[0]


def listed(*lines: str) -> list[Message]:
    """A whole answer to QueueStatus."""
    text = "".join(f"Event: {line}\r\n\r\n" for line in (*lines, "QueueStatusComplete"))
    return messages(text.encode())


def agents(store: Store) -> list[tuple[str, str, str, int]]:
    with store.begin() as session:
        rows = session.scalars(select(AgentStateRow).order_by(AgentStateRow.interface))
        return [(row.interface, row.state, row.reason, row.since_at - NOW) for row in rows]


def queues(store: Store) -> list[tuple[str, int, int | None]]:
    with store.begin() as session:
        rows = session.scalars(select(QueueStateRow).order_by(QueueStateRow.queue))
        return [(row.queue, row.waiting, row.oldest_at and row.oldest_at - NOW) for row in rows]


def spells(store: Store) -> list[tuple[str, str, int]]:
    with store.begin() as session:
        rows = session.scalars(select(AgentSpellRow).order_by(AgentSpellRow.id))
        return [(row.state, row.reason, row.ended_at - row.began_at) for row in rows]


def test_a_real_call_message_by_message(store: Store, taker: Taker) -> None:
    """Each step of a held call is on the wall when its batch is committed, and no batch moves the
    tile that does not change the state."""
    seen: list[str] = []
    for message in HELD:
        taker.take(taker.batch([message]))
        now = agents(store)
        assert bool(taker.board.moved.agents) == ([row[1] for row in now] != seen[-1:])
        seen += [row[1] for row in now if [row[1]] != seen[-1:]]
    assert seen == ["ringing", "talking", "holding", "talking", "holding", "talking", "idle"]
    assert queues(store) == [("hotline", 0, None)]


def test_pauses_become_history(store: Store, taker: Taker) -> None:
    """小休 and 话后整理 with their length, one row each; a break for another reason is another."""
    taker.take(taker.batch([member(), member(pause="wrapup", at_s=10)]))
    taker.take(taker.batch([member(pause="meal", at_s=40)]))
    taker.take(taker.batch([member(pause="meal", at_s=50)]))
    taker.take(taker.batch([member(pause="break", at_s=100)]))
    taker.take(taker.batch([member(2, pause="break", at_s=107)]))
    assert agents(store) == [("PJSIP/1", "talking", "", 107 * S)]
    assert spells(store) == [("after_call", "", 30 * S), ("break", "meal", 60 * S),
                             ("break", "break", 7 * S)]  # fmt: skip


def test_a_batch_that_failed_is_taken_again(store: Store, taker: Taker) -> None:
    """Nothing of it stays behind in memory: the second time it is written like the first."""
    taker.take(taker.batch([member(), caller("1.1")]))
    batch = taker.batch([member(2, at_s=5), caller("1.1", "Leave"), caller("1.2", at_s=6)])

    def fails(session: Session) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        taker.take(batch, fails)
    assert agents(store) == [("PJSIP/1", "idle", "", 0)]
    taker.take(batch)
    assert agents(store) == [("PJSIP/1", "talking", "", 5 * S)]
    assert queues(store) == [("hotline", 1, 6 * S)]


def test_a_batch_committed_unheard_is_known(store: Store, taker: Taker) -> None:
    """The commit whose answer was lost: the rows are there, and the memory catches up."""
    batch = taker.batch([member(), caller("1.1"), caller("1.2", at_s=3)])
    with store.begin() as session:
        taker.board.take(session, batch)  # committed, never confirmed
    assert taker.take(batch) == []
    taker.take(taker.batch([member(6, at_s=7), caller("1.1", "Leave")]))
    assert agents(store) == [("PJSIP/1", "ringing", "", 7 * S)]
    assert queues(store) == [("hotline", 1, 3 * S)]


def test_a_restart_keeps_since_when(store: Store, taker: Taker) -> None:
    """The gateway was away: who still does the same has done so since then, others are found; the
    callers it knew of are gone, the one who waits has waited since before."""
    taker.take(taker.batch([member(pause="meal"), caller("1.1"), caller("1.2")]))
    taker.load()
    taker.session = "s2"
    taker.take(taker.batch(change=Connected()))
    found = listed(
        "QueueParams\r\nQueue: hotline",
        "QueueMember\r\nQueue: hotline\r\nLocation: PJSIP/1\r\nName: one\r\nStatus: 1\r\n"
        "Paused: 1\r\nPausedReason: meal\r\nLastPause: 5",
        "QueueMember\r\nQueue: hotline\r\nLocation: PJSIP/2\r\nName: two\r\nStatus: 2\r\nPaused: 0",
        "QueueEntry\r\nQueue: hotline\r\nUniqueid: 1.9\r\nWait: 30",
    )
    taker.take(taker.batch(found[:2]))
    assert agents(store) == [("PJSIP/1", "break", "meal", 0)]
    assert queues(store) == [("hotline", 2, 0)]
    taker.take(taker.batch(found[2:]))
    assert agents(store) == [("PJSIP/1", "break", "meal", 0), ("PJSIP/2", "talking", "", 0)]
    assert queues(store) == [("hotline", 1, -30 * S)]


def test_a_hold_outlives_a_restart(store: Store, taker: Taker) -> None:
    """No list says who is on hold: the call's own leg does."""
    names = [message.name for message in HELD]
    taker.take(taker.batch(HELD[: names.index("Hold") + 1]))
    before = agents(store)
    taker.load()
    status = HELD[names.index("Hold") - 1]
    interface = before[0][0]
    taker.take(taker.batch(listed(
        f"QueueMember\r\nQueue: hotline\r\nLocation: {interface}\r\nName: x\r\nStatus: 2\r\n"
        "Paused: 0")))  # fmt: skip
    assert status.name == "BridgeEnter"
    assert agents(store) == before
    assert before[0][1] == "holding"


def test_what_is_gone_from_the_pbx_is_gone(store: Store, taker: Taker) -> None:
    """A queue that was removed leaves the wall; its agents are offline and stay on it."""
    taker.take(taker.batch([member(), caller("1.1")]))
    taker.take(taker.batch(listed("QueueParams\r\nQueue: policy")))
    assert [row[:2] for row in agents(store)] == [("PJSIP/1", "offline")]
    assert queues(store) == [("policy", 0, None)]


def test_two_pbxs_do_not_meet(store: Store, taker: Taker) -> None:
    """The same extension and the same queue on another PBX are others."""
    other = Taker(store)
    other.board = type(taker.board)("other", {"from-pstn"})
    taker.take(taker.batch([member(), caller("1.1")]))
    other.session = "o"
    other.take(other.batch([member(2), caller("1.1"), caller("1.2")]))
    assert [row[1] for row in agents(store)] == ["talking", "idle"] or [
        row[1] for row in agents(store)
    ] == ["idle", "talking"]
    assert sorted(row[1] for row in queues(store)) == [1, 2]
