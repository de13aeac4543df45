"""The same call from two witnesses: what AMI told live, and what the PBX's own log holds of it.

Each pair in tests/traces/both is one play of a scenario on a real Asterisk 22. Whoever was away and
has the log alone must come to the call that AMI told: outcome, agents, legs, transfers, times.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from telephony import cel
from telephony.amends import NEAR_US
from telephony.batch import Batch, Connected, Lost
from telephony.call import Call, Leg
from telephony.cel import CelCall, CelEvent
from telephony.facts import Fact
from telephony.message import Message
from telephony.records import Entry, find
from telephony.tables import LinkGapRow
from tests.rig import cel_file
from tests.unit.telephony.house import PBX, TRACES, Store, Taker, fill, messages
from tests.unit.telephony.test_backfill import run
from tests.unit.telephony.test_board import dump, kinds
from tests.unit.telephony.test_gaps import EMPTY, link

BOTH = TRACES / "both"
STORIES = sorted(path.stem for path in BOTH.glob("*.ami"))
CLOSE_US = 200_000
LATE = {"conference-attended": 1_000_000}
"""Where the log can tell an agent's part only by the next line that names them."""
OTHER_QUEUE = {"consult-queue-while-waiting"}
"""AMI never tells that the caller who is handed over there is in the second queue; the log does."""
MINUTE = 60_000_000


def logged(name: str) -> list[CelCall]:
    return cel.calls(cel_file.read(BOTH / f"{name}.cel.csv"))


def lines(name: str) -> list[CelEvent]:
    return list(cel_file.read(BOTH / f"{name}.cel.csv"))


def told(store: Store, linkedid: str) -> Call:
    with store.begin() as session:
        entry: Entry | None = find(session, PBX, linkedid)
    assert entry is not None
    return entry.call


def away(taker: Taker, known: Sequence[CelCall]) -> int:
    """The link was down before, while and after those calls were; answers when it came back."""
    since = min(call.started_at for call in known) - MINUTE
    until = max(call.last_at for call in known) + MINUTE
    link(taker, "a1", since, Connected())
    link(taker, "a1", since, Lost("closed", since))
    link(taker, "a2", until, Connected())
    return until


def agents(call: Call) -> list[str]:
    """Whose phones were picked up, in order."""
    taken = [leg for leg in call.legs if leg.answered_at is not None]
    return [leg.interface for leg in sorted(taken, key=lambda leg: leg.answered_at or 0)]


def close(one: int | None, other: int | None, within_us: int = CLOSE_US) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < within_us


def alike(one: Leg, other: Leg, within_us: int) -> bool:
    """The same agent's part; a ring that ended untaken has one of two names."""
    return (
        (one.interface, one.passed_to) == (other.interface, other.passed_to)
        and (one.result == "answered") == (other.result == "answered")
        and close(one.answered_at, other.answered_at, within_us)
        and (one.answered_at is None or close(one.ended_at, other.ended_at, within_us))
    )


@pytest.mark.parametrize("name", STORIES)
def test_the_log_alone_and_ami_alone_tell_one_call(name: str, taker: Taker, store: Store) -> None:
    """Whatever a call did unheard: outcome, agents, every leg, who gave it to whom, and when."""
    other = Store("sqlite://")
    live = Taker(other)
    live.take(live.batch(messages((BOTH / f"{name}.ami").read_bytes())))
    known = logged(name)
    run(store, known, read_until_at=away(taker, known))
    for call in known:
        heard, found = told(other, call.linkedid), told(store, call.linkedid)
        assert (found.outcome, found.cause) == (heard.outcome, heard.cause)
        assert agents(found)[: len(agents(heard))] == agents(heard)
        assert {leg.leg for leg in found.legs} == {leg.leg for leg in heard.legs}
        for leg in heard.legs:
            theirs = found.leg(leg.leg)
            assert theirs is not None
            assert alike(leg, theirs, LATE.get(name, CLOSE_US)), (leg, theirs)
        assert found.queue == heard.queue or name in OTHER_QUEUE
        assert close(found.arrived_at, heard.arrived_at)
        assert close(found.queued_at, heard.queued_at)
        assert close(found.answered_at, heard.answered_at)
        assert close(found.ended_at, heard.ended_at)
        assert (found.recording_started_at is None) == (heard.recording_started_at is None)
    other.engine.dispose()


@pytest.mark.parametrize("name", STORIES)
def test_reading_the_log_over_what_is_known_changes_nothing(
    name: str, taker: Taker, store: Store
) -> None:
    """From its first line, over a database that knows every call: not a fact, not a column."""
    known = logged(name)
    until = away(taker, known)
    taker.take(Batch("a2", 1, until, tuple(messages((BOTH / f"{name}.ami").read_bytes()))))
    before = dump(store)
    assert run(store, known, read_until_at=until) == []
    assert {**dump(store), "link_gap": None} == {**before, "link_gap": None}


@pytest.mark.parametrize("name", STORIES)
def test_a_link_lost_anywhere_in_a_call_is_made_good(name: str, store: Store) -> None:
    """Cut at three places: the call that ended unseen comes out with AMI's outcome and agents,
    its ticket's facts told once over both witnesses."""
    stream = messages((BOTH / f"{name}.ami").read_bytes())
    other = Store("sqlite://")
    whole = Taker(other)
    whole.take(whole.batch(stream))
    known = logged(name)
    since, until = known[0].started_at - MINUTE, known[-1].last_at + MINUTE
    for at in range(1, len(stream), len(stream) // 3 + 1):
        part = Store("sqlite://")
        taker = Taker(part)
        link(taker, "a1", since, Connected())
        taker.take(Batch("a1", 1, since, tuple(stream[:at])))
        link(taker, "a1", since, Lost("closed", since))
        link(taker, "a2", until, Connected())
        taker.take(Batch("a2", 1, until, tuple(EMPTY)))
        facts = [*taker.facts, *filled(part, known, until)]
        for call in known:
            heard, found = told(other, call.linkedid), told(part, call.linkedid)
            assert found.outcome == heard.outcome, at
            assert agents(found)[: len(agents(heard))] == agents(heard), at
            assert all(leg.ended_at is not None and leg.result for leg in found.legs), at
            own = [fact for fact in facts if fact.linkedid == call.linkedid]
            answers = [fact for fact in own if type(fact).__name__ == "Answered"]
            assert len(answers) == len(agents(found)), at
            assert ("Queued" in kinds(own)) == (heard.queued_at is not None), at
        assert filled(part, known, until) == []
        part.engine.dispose()
    other.engine.dispose()


def filled(store: Store, known: Sequence[CelCall], until: int) -> list[Fact]:
    with store.begin() as session:
        for gap in session.scalars(select(LinkGapRow)):
            gap.backfilled_at = None
        session.flush()
        return fill(session, known, read_until_at=until, now=until)


def test_a_restarted_pbx_counts_anew_and_cuts_what_was_up() -> None:
    """-9 leaves calls without an end; the first channel after it shows that none will come."""
    before = [event for event in lines("held") if event.type not in {"HANGUP", "CHAN_END"}]
    dead = before[0].linkedid
    later = replace(
        before[0], at=before[-1].at + 5_000_000, uniqueid="1795419999.0", linkedid="1795419999.0"
    )
    first, second = cel.calls([*before, later])
    assert (first.linkedid, first.ended_at, first.cut_at) == (dead, None, before[-1].at)
    assert first.over_at == before[-1].at
    assert (second.cut_at, second.over_at) == (None, None)
    assert cel.calls(before)[0].cut_at is None


def test_a_call_that_began_in_the_gap_and_died_with_the_pbx_is_a_call(
    taker: Taker, store: Store
) -> None:
    """No witness saw its end, the log has no line of it: one record and one ticket all the same."""
    before = [event for event in lines("held") if event.type not in {"HANGUP", "CHAN_END"}]
    later = replace(before[0], at=before[-1].at + 1, uniqueid="1795419999.0", linkedid="9.0")
    known = cel.calls([*before, later])
    until = away(taker, known)
    facts = run(store, known, read_until_at=until, now=until)
    assert kinds(facts)[:3] == ["Arrived", "RecordingStarted", "Queued"]
    found = told(store, known[0].linkedid)
    assert (found.outcome, found.cause, found.ended_at) == ("answered", "gap", before[-1].at)
    assert run(store, known, read_until_at=until, now=until) == []


@given(st.data())
def test_no_line_of_the_log_breaks_the_reading(data: st.DataObject) -> None:
    """Lost, doubled, out of order, with any extra: calls come out, or none; nothing raises."""
    name = data.draw(st.sampled_from(STORIES))
    some = data.draw(st.lists(st.sampled_from(lines(name)), max_size=30))
    extra = st.sampled_from(["", "{", "[1]", "null", '{"hangupcause":1e99}', "[" * 5000,
                             '{"hangupsource":1,"transferee_channel_uniqueid":[2]}'])  # fmt: skip
    spoilt = [replace(event, extra=data.draw(extra)) for event in some[:5]]
    for call in cel.calls([*spoilt, *some]):
        assert call.events[0].at == call.started_at
        if call.ended_at is not None:
            assert call.events[-1].at == call.ended_at


def listed(stream: Sequence[Message]) -> list[Message]:
    """CoreShowChannels after those messages: the channels that are up, where they are bridged, and
    the caller's application."""
    up: dict[str, dict[str, str]] = {}
    application = ""
    for message in stream:
        name, channel = message.name, message.get("Uniqueid")
        if name == "Newchannel":
            up[channel] = {key: message.get(key) for key in ("Channel", "Context", "Linkedid")}
        elif name == "Hangup":
            up.pop(channel, None)
        elif name in {"BridgeEnter", "BridgeLeave"} and channel in up:
            up[channel]["BridgeId"] = message.get("BridgeUniqueid") if "Enter" in name else ""
        application = {"QueueCallerJoin": "Queue", "BlindTransfer": "Dial"}.get(name, application)
    text = "".join(
        f"Event: CoreShowChannel\r\nUniqueid: {uniqueid}\r\nDuration: 00:00:00\r\n"
        f"Application: {application if uniqueid == seen['Linkedid'] else 'AppQueue'}\r\n"
        + "".join(f"{key}: {value}\r\n" for key, value in seen.items())
        + "ApplicationData: hotline,,,,60\r\n\r\n"
        for uniqueid, seen in up.items()
    )
    return [*messages(text.encode()), *EMPTY]


@pytest.mark.parametrize("name", ["held", "blind-to-agent", "refused", "attended"])
def test_a_call_that_went_on_gets_what_the_gap_hid(name: str) -> None:
    """Any part of it unheard, a snapshot after it: at its end the call has AMI's agents and times
    to the second; until then its interval stays open."""
    stream = messages((BOTH / f"{name}.ami").read_bytes())
    other = Store("sqlite://")
    whole = Taker(other)
    whole.take(whole.batch(stream))
    known = logged(name)
    heard = told(other, known[0].linkedid)
    since, end = known[0].started_at - MINUTE, known[0].ended_at or 0
    for lost, back in [(0, 9), (3, 12), (9, len(stream) * 3 // 4)]:
        at = int(float(stream[back - 1].get("Timestamp")) * 1_000_000)
        part = Store("sqlite://")
        taker = Taker(part)
        link(taker, "a1", since, Connected())
        taker.take(Batch("a1", 1, since, tuple(stream[:lost])))
        gone = int(float(stream[lost].get("Timestamp")) * 1_000_000)
        link(taker, "a1", gone, Lost("closed", gone))
        link(taker, "a2", at, Connected())
        taker.take(Batch("a2", 1, at, tuple(listed(stream[:back]))))
        up = [replace(known[0], ended_at=None, events=known[0].events[:3])]
        assert run(part, up, read_until_at=end, now=at) == []
        with part.begin() as session:
            assert session.scalars(select(LinkGapRow.backfilled_at)).all() == [None]
        taker.take(Batch("a2", 2, end, tuple(stream[back:])))
        run(part, known, read_until_at=end + MINUTE, now=end + MINUTE)
        found = told(part, heard.linkedid)
        assert (found.outcome, agents(found)) == (heard.outcome, agents(heard)), (lost, back)
        assert not far(found.arrived_at, heard.arrived_at), (lost, back)
        assert not far(found.queued_at, heard.queued_at), (lost, back)
        assert not far(found.answered_at, heard.answered_at), (lost, back)
        assert filled(part, known, end + MINUTE) == []
        part.engine.dispose()
    other.engine.dispose()


def far(one: int | None, other: int | None) -> bool:
    return one is None or other is None or abs(one - other) > NEAR_US
