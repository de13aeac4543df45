"""The board: one batch, one transaction; every call one row; nothing twice, whatever fails."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from telephony import journal
from telephony.batch import Connected
from telephony.facts import Answered, Arrived, Ended, Fact, Queued
from telephony.message import Message
from telephony.tables import Base, CallLegRow, CallRow, JournalRow, LinkStateRow
from tests.unit.telephony.house import NOW, PBX, Store, Taker, messages, trace

ANSWERED = messages(trace("answered.ami"))
ABANDONED = messages(trace("abandoned.ami"))


def at_event(stream: Sequence[Message], name: str) -> int:
    """How many messages there are up to and with the first of that name."""
    return next(n for n, message in enumerate(stream, 1) if message.name == name)


def dump(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of calls and legs; legs by name, as their ids follow the batching."""
    with store.begin() as session:
        calls = session.execute(select(CallRow.__table__).order_by(CallRow.id)).mappings()
        legs = session.execute(select(CallLegRow.__table__).order_by(CallLegRow.leg)).mappings()
        return {
            "call": [dict(row) for row in calls],
            "call_leg": [{k: v for k, v in row.items() if k != "id"} for row in legs],
        }


def kinds(facts: Sequence[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def only_call(store: Store) -> CallRow:
    with store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        session.expunge(row)
        return row


def test_an_answered_call_is_one_row_with_all_of_it(store: Store, taker: Taker) -> None:
    """The record the figures and the ticket rest on, from a real stream."""
    taker.take(taker.batch(ANSWERED))
    row = only_call(store)
    assert (row.pbx, row.direction, row.dialled, row.queue) == (PBX, "inbound", "12333", "hotline")
    assert (row.state, row.outcome, row.cause, row.hangup_cause) == (
        "ended",
        "answered",
        "caller",
        16,
    )
    assert (row.first_agent, row.last_agent) == ("PJSIP/8003", "PJSIP/8003")
    assert row.recording_expected
    assert row.wait_ms is not None
    assert 0 <= row.wait_ms < 1_000
    assert row.talk_ms is not None
    assert 2_000 < row.talk_ms < 4_000
    assert {fact.call_id for fact in taker.facts} == {row.id}
    with store.begin() as session:
        leg = session.scalars(select(CallLegRow)).one()
        assert (leg.call_id, leg.interface, leg.result) == (row.id, "PJSIP/8003", "answered")


def test_an_abandoned_call_owes_no_recording(store: Store, taker: Taker) -> None:
    """Nobody talked: a missing recording is no fault, and the caller has to be rung back."""
    taker.take(taker.batch(ABANDONED))
    row = only_call(store)
    assert (row.outcome, row.first_agent, row.talk_ms) == ("abandoned", None, None)
    assert not row.recording_expected
    assert row.recording_started_at is not None
    assert row.wait_ms is not None
    assert row.wait_ms > 2_000


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_cut_into_batches_with_restarts_gives_the_same_rows_and_facts(
    data: st.DataObject,
) -> None:
    """However the stream is batched, and whenever the gateway restarts between: the same record."""
    stream = [m for pair in zip(ANSWERED, [*ABANDONED, *ANSWERED], strict=False) for m in pair]
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    edges = sorted({0, len(stream), *cuts})
    one, many = Store("sqlite://"), Store("sqlite://")
    whole, cut = Taker(one), Taker(many)
    whole.take(whole.batch(stream))
    for start, end in pairwise(edges):
        cut.take(cut.batch(stream[start:end]))
        if data.draw(st.booleans()):
            cut.load()
    assert dump(many) == dump(one)
    assert cut.facts == whole.facts
    one.engine.dispose()
    many.engine.dispose()


def test_a_batch_whose_transaction_fails_is_taken_again_whole(store: Store, taker: Taker) -> None:
    """The database fills up at the worst moment: nothing half-written, lost or doubled."""
    first, second = taker.batch(ANSWERED[:8]), taker.batch(ANSWERED[8:])
    taker.take(first)

    def fail(_: Session) -> None:
        raise OSError("disk full")

    before = dump(store)
    with pytest.raises(OSError, match="disk full"):
        taker.take(second, after=fail)
    assert dump(store) == before
    taker.take(second)
    assert kinds(taker.facts).count("Answered") == 1
    assert kinds(taker.facts)[-1] == "Ended"
    with store.begin() as session:
        assert session.scalar(select(func.sum(JournalRow.messages))) == len(ANSWERED)


def test_a_commit_nobody_heard_of_is_not_done_twice(store: Store, taker: Taker) -> None:
    """The connection to the database broke after the commit: the same batch brings no new facts."""
    batch = taker.batch(ANSWERED[:8])
    with store.begin() as session:
        first = taker.board.take(session, batch)
    assert taker.take(batch) == []  # never confirmed, offered again
    rest = taker.take(taker.batch(ANSWERED[8:]))
    assert kinds(first)[0] == "Arrived"
    assert kinds(rest)[-2:] == ["Answered", "Ended"]
    assert only_call(store).outcome == "answered"


def test_late_events_of_a_finished_call_change_nothing_and_are_counted(
    store: Store, taker: Taker
) -> None:
    """The link brings old events after a reconnect: the closed record stands."""
    taker.take(taker.batch(change=Connected()))
    taker.take(taker.batch(ANSWERED))
    before = dump(store)
    with store.begin() as session:
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0
    late = [m for m in ANSWERED if m.name in {"QueueCallerJoin", "AgentConnect", "Hangup"}]
    assert taker.take(taker.batch(late)) == []
    assert dump(store) == before
    with store.begin() as session:  # the agent's own hang-up is no event of the call
        assert session.get_one(LinkStateRow, PBX).unknown_events == 3


def test_a_call_whose_beginning_was_missed_still_gets_its_record(
    store: Store, taker: Taker
) -> None:
    """We connected between the call's arrival and its queue: it must not be invisible."""
    start = at_event(ANSWERED, "QueueCallerJoin") - 1
    facts = taker.take(taker.batch(ANSWERED[start:]))
    assert isinstance(facts[0], Arrived)
    assert isinstance(facts[1], Queued)
    assert only_call(store).outcome == "answered"


def test_calls_that_are_not_from_outside_are_none_of_ours(store: Store, taker: Taker) -> None:
    """An agent's own call has no ticket, no record, and is not even counted as strange."""
    private = [Message(m.raw.replace(b"from-pstn", b"office")) for m in ANSWERED]
    taker.take(taker.batch(change=Connected()))
    assert taker.take(taker.batch(private)) == []
    assert dump(store)["call"] == []


def test_the_journal_keeps_every_byte_and_gives_the_messages_back(
    store: Store, taker: Taker
) -> None:
    """What was understood wrongly today can be understood anew tomorrow."""
    for n in range(0, len(ANSWERED), 5):
        taker.take(taker.batch(ANSWERED[n : n + 5]))
    with store.begin() as session:
        assert list(journal.replay(session, PBX)) == ANSWERED
        assert list(journal.replay(session, "another")) == []
        third = session.scalars(select(JournalRow.id).order_by(JournalRow.id).offset(2)).first()
        assert list(journal.replay(session, PBX, third or 0)) == ANSWERED[10:]


def test_two_pbxs_with_the_same_ids_are_two_calls(store: Store, taker: Taker) -> None:
    """A linkedid is only unique within its PBX."""
    other = Taker(store)
    with store.begin() as session:
        other.board = type(other.board).load(session, "pbx-2")
    taker.take(taker.batch(ANSWERED))
    other.take(other.batch(ANSWERED))
    with store.begin() as session:
        assert sorted(session.scalars(select(CallRow.pbx))) == ["pbx-1", "pbx-2"]


def test_memory_does_not_grow_with_finished_calls(tmp_path: Path) -> None:
    """A board runs for months: what is over is in the database only."""
    taker = Taker(Store(f"sqlite:///{tmp_path / 'm.sqlite'}"))
    for n in range(50):
        ids = [Message(m.raw.replace(b"17954019", b"%08d" % n)) for m in ANSWERED]
        taker.take(taker.batch(ids))
    assert len([f for f in taker.facts if isinstance(f, Ended)]) == 50
    assert taker.board.live == {}


def test_a_hostile_name_is_stored_as_text(store: Store, taker: Taker) -> None:
    """A name with line separators and 4-byte characters lands in the row, harmless and readable."""
    taker.take(taker.batch(messages(trace("hostile-name.ami"))))
    row = only_call(store)
    assert row.caller_number == "13800138000"
    assert "张三" in row.caller_name
    assert "𠮷" in row.caller_name
    assert not set(row.caller_name) & set("\u2028\u0085\x0b\x1c")


def test_facts_wait_for_their_rows(store: Store, taker: Taker) -> None:
    """Whoever gets a fact can load its call in the same transaction."""
    seen: list[str] = []

    def look(session: Session) -> None:
        seen.extend(session.scalars(select(CallRow.state)))

    facts = taker.take(taker.batch(ANSWERED[: at_event(ANSWERED, "AgentConnect")]), after=look)
    assert isinstance(facts[-1], Answered)
    assert seen == ["talking"]
    assert NOW > 0
    assert "call" in Base.metadata.tables
