"""Back-filling: what the link missed is taken from the PBX's own log, once, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from telephony import backfill, cel
from telephony.backfill import CLOCKS_APART_US, END_LATE_US
from telephony.batch import Batch, Connected, Lost
from telephony.cel import CelCall
from telephony.facts import Fact
from telephony.tables import CallLegRow, CallRow, LinkGapRow
from tests.rig import cel_file
from tests.unit.telephony.house import NOW, TRACES, Store, Taker, fill
from tests.unit.telephony.test_board import ANSWERED, at_event, dump, kinds
from tests.unit.telephony.test_gaps import EMPTY, link

LINES = list(cel_file.read(TRACES / "two-calls.cel.csv"))
FIRST, SECOND = cel.calls(LINES)
UP = cel.calls([line for line in LINES if line.type not in {"HANGUP", "CHAN_END"}])[0]
BEFORE = FIRST.started_at - 1_000_000
AFTER = FIRST.started_at + 60_000_000


def gap(taker: Taker) -> None:
    """The link is down while both calls of the file come and go."""
    link(taker, "s1", BEFORE, Connected())
    link(taker, "s1", BEFORE, Lost("closed", BEFORE))
    link(taker, "s2", AFTER, Connected())


def run(
    store: Store, calls: Sequence[CelCall], read_until_at: int = AFTER, now: int = NOW
) -> list[Fact]:
    with store.begin() as session:
        return fill(session, calls, read_until_at=read_until_at, now=now)


def test_calls_wholly_inside_a_gap_get_their_records(store: Store, taker: Taker) -> None:
    """Nobody heard them: still each has one record, its agent and the facts that open a ticket."""
    gap(taker)
    facts = run(store, [FIRST, SECOND])
    told = ["Arrived", "RecordingStarted", "Queued", "Answered", "Ended"]
    assert kinds(facts) == told * 2
    with store.begin() as session:
        rows = session.scalars(select(CallRow).order_by(CallRow.arrived_at)).all()
        assert [row.linkedid for row in rows] == [FIRST.linkedid, SECOND.linkedid]
        assert [row.first_agent for row in rows] == ["PJSIP/8003", "PJSIP/8002"]
        assert all(row.outcome == "answered" and row.recording_expected for row in rows)
        assert {fact.call_id for fact in facts} == {row.id for row in rows}
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [NOW]


def test_filling_again_changes_nothing(store: Store, taker: Taker) -> None:
    """Reading the log from its first line over a database that knows every call is harmless."""
    gap(taker)
    run(store, [FIRST, SECOND])
    before = dump(store)
    with store.begin() as session:
        session.scalars(select(LinkGapRow)).one().backfilled_at = None
    assert run(store, [FIRST, SECOND]) == []
    assert dump(store) == before


def test_a_gap_is_filled_only_when_the_log_was_read_past_it(store: Store, taker: Taker) -> None:
    """The PBX writes late: an interval closed too early would hide calls for ever."""
    gap(taker)
    assert run(store, [FIRST], read_until_at=AFTER - 1) == []
    with store.begin() as session:
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [None]


def test_calls_outside_every_gap_are_left_alone(store: Store, taker: Taker) -> None:
    """What AMI saw, or what was before our time, is not told again."""
    gap(taker)
    later = AFTER + CLOCKS_APART_US
    far = replace(FIRST, started_at=later + 1, ended_at=later + 9)
    assert run(store, [far]) == []
    assert dump(store)["call"] == []


@pytest.mark.parametrize("apart", [-60_000_000, 60_000_000])
def test_a_pbx_whose_clock_differs_loses_no_call(store: Store, taker: Taker, apart: int) -> None:
    """The interval is in our clock, the log in the PBX's: a minute apart, and still filled."""
    gap(taker)
    moved = cel.calls([replace(line, at=line.at + apart) for line in LINES])[0]
    assert "Ended" in kinds(run(store, [moved]))


def test_a_gap_stays_open_while_a_call_of_it_has_no_end_yet(store: Store, taker: Taker) -> None:
    """A log that arrives late: the call's end is not written yet, and AMI never told of it."""
    gap(taker)
    assert run(store, [UP], now=AFTER) == []
    with store.begin() as session:
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [None]
    assert "Ended" in kinds(run(store, [FIRST]))
    with store.begin() as session:
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [NOW]


def test_an_unsettled_call_of_any_portion_keeps_the_gap_open(
    store: Store, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The portions after it are made good, and it is waited for all the same."""
    monkeypatch.setattr(backfill, "PORTION", 1)
    gap(taker)
    assert "Ended" in kinds(run(store, [UP, SECOND], now=AFTER))
    with store.begin() as session:
        assert session.scalars(select(CallRow.linkedid)).all() == [SECOND.linkedid]
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [None]
    assert "Ended" in kinds(run(store, [FIRST, SECOND]))
    with store.begin() as session:
        assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [NOW]


def test_a_call_the_pbx_died_under_holds_no_gap_open_for_ever(store: Store, taker: Taker) -> None:
    """No end will ever be written: after a while the call ends where the log fell silent."""
    gap(taker)
    facts = run(store, [UP], now=UP.started_at + END_LATE_US + 1)
    assert kinds(facts) == ["Arrived", "RecordingStarted", "Queued", "Answered", "Ended"]
    with store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert (row.outcome, row.cause, row.ended_at) == ("answered", "gap", UP.last_at)
        assert None not in session.scalars(select(LinkGapRow.backfilled_at)).all()


def as_cel(leg: str | None) -> CelCall:
    """The log's entry for the call of ANSWERED; no agent took it when `leg` is None."""
    names = {FIRST.linkedid: ANSWERED[0].get("Linkedid"), FIRST.agent_leg: leg}
    lines = [
        replace(
            line,
            uniqueid=names.get(line.uniqueid) or line.uniqueid,
            linkedid=names.get(line.linkedid) or line.linkedid,
        )
        for line in LINES
        if line.linkedid == FIRST.linkedid and (leg or not line.type.startswith("BRIDGE"))
    ]
    return cel.calls(lines)[0]


def test_a_call_that_ended_unseen_gets_its_true_end(store: Store, taker: Taker) -> None:
    """Answered and ended while we were away: it is no abandoned call, and its agent is known."""
    leg = next(m.get("DestUniqueid") for m in ANSWERED if m.name == "AgentCalled")
    link(taker, "s1", BEFORE, Connected())
    taker.take(Batch("s1", 1, BEFORE, tuple(ANSWERED[: at_event(ANSWERED, "AgentCalled")])))
    link(taker, "s1", BEFORE, Lost("closed", BEFORE))
    link(taker, "s2", AFTER, Connected())
    ended = taker.take(Batch("s2", 1, AFTER, tuple(EMPTY)))
    assert kinds(ended) == ["Withdrawn", "Ended"]
    facts = run(store, [as_cel(leg)])
    assert kinds(facts) == ["Answered", "Ended"]
    with store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert (row.outcome, row.cause, row.ended_at) == ("answered", "caller", FIRST.ended_at)
        assert row.first_agent == "PJSIP/8003"
        assert row.recording_expected
        assert session.scalars(select(CallLegRow.result)).all() == ["answered"]


def test_a_call_still_up_is_left_to_the_link(store: Store, taker: Taker) -> None:
    """A call without its end in the log is live: AMI tells the rest."""
    gap(taker)
    assert run(store, [UP], now=AFTER) == []


def test_a_finished_call_seen_live_is_never_amended(store: Store, taker: Taker) -> None:
    """The log of another witness does not change what was seen from beginning to end."""
    gap(taker)
    taker.take(Batch("s2", 1, AFTER, tuple(ANSWERED)))
    before = dump(store)
    assert run(store, [as_cel(None)]) == []
    assert dump(store) == before
