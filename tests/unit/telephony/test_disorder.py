"""The PBX's words doubled, shuffled, late or half lost: no finished call moves, nothing breaks."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from telephony import facts as fa
from telephony.batch import Connected
from telephony.message import Message
from telephony.tables import CallLegRow, CallRow, JournalRow, LinkStateRow
from tests.unit.telephony.house import PBX, Store, Taker, messages, trace
from tests.unit.telephony.test_stories import STORIES

STREAMS = {name: messages(trace(f"{name}.ami")) for name in STORIES}


def finished(store: Store) -> dict[int, list[tuple[object, ...]]]:
    """All rows of the calls that have ended."""
    with store.begin() as session:
        calls = select(CallRow.__table__).where(CallRow.ended_at.is_not(None))
        found = {row.id: [tuple(row)] for row in session.execute(calls)}
        for leg in session.execute(select(CallLegRow.__table__).order_by(CallLegRow.id)):
            found.get(leg.call_id, []).append(tuple(leg))
        return found


def deliver(store: Store, taker: Taker, batches: Sequence[Sequence[Message]]) -> None:
    """Each batch; whatever had ended before it stands as it stood."""
    for batch in batches:
        before = finished(store)
        taker.take(taker.batch(batch))
        after = finished(store)
        assert {call: after[call] for call in before} == before


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[Message]], int]:
    """One or two real streams, whole or not, in some order, some of it twice; cut into batches."""
    names = draw(st.lists(st.sampled_from(sorted(STREAMS)), min_size=1, max_size=2, unique=True))
    stream = [message for name in names for message in STREAMS[name]]
    match draw(st.sampled_from(["in order", "near", "anyhow"])):
        case "near":  # each a few places off
            off = draw(st.lists(st.integers(-4, 4), min_size=len(stream), max_size=len(stream)))
            order = sorted(range(len(stream)), key=lambda n: n + off[n])
            stream = [stream[n] for n in order]
        case "anyhow":
            stream = draw(st.permutations(stream))
        case _:
            pass
    again = draw(st.lists(st.sampled_from(stream), max_size=12))
    stream = [*draw(st.sampled_from([stream, stream[: len(stream) // 2], stream * 2])), *again]
    size = draw(st.integers(1, 40))
    return [stream[at : at + size] for at in range(0, len(stream), size)], len(stream)


@settings(max_examples=80, deadline=None)
@given(deliveries())
def test_no_delivery_changes_a_finished_call(case: tuple[list[list[Message]], int]) -> None:
    """Whatever order, however often: each call ends once, and every message is in the journal."""
    batches, count = case
    store = Store("sqlite://")
    taker = Taker(store)
    try:
        deliver(store, taker, batches)
        ended = [fact.linkedid for fact in taker.facts if isinstance(fact, fa.Ended)]
        arrived = [
            fact.linkedid for fact in taker.facts if isinstance(fact, fa.Arrived | fa.Placed)
        ]
        assert len(ended) == len(set(ended))
        assert len(arrived) == len(set(arrived))
        with store.begin() as session:
            assert session.scalar(select(func.count()).select_from(CallRow)) == len(arrived)
            assert session.scalar(select(func.sum(JournalRow.messages))) == count
    finally:
        store.engine.dispose()


@pytest.mark.parametrize("name", STORIES)
def test_a_stream_told_again_is_counted_and_changes_nothing(
    taker: Taker, store: Store, name: str
) -> None:
    """A whole call's events after its end, out of order: counted where `pbx status` shows it."""
    taker.take(taker.batch(change=Connected()))
    deliver(store, taker, [STREAMS[name], STREAMS[name][::-1]])
    with store.begin() as session:
        assert session.get_one(LinkStateRow, PBX).unknown_events > 0
