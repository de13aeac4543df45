"""Gaps: each interval without the link is a row, and live calls are put right after it."""

from sqlalchemy import select

from telephony import links
from telephony.batch import Batch, Connected, Lost
from telephony.facts import Answered, Arrived, Ended, Queued
from telephony.message import Message
from telephony.tables import CallRow, LinkGapRow, LinkStateRow
from tests.unit.telephony.house import NOW, PBX, Store, Taker, messages, trace
from tests.unit.telephony.test_board import ANSWERED, at_event

SECOND = 1_000_000
SNAPSHOT = messages(trace("snapshot-while-talking.ami"))
LISTED = [m for m in SNAPSHOT if m.name.startswith("CoreShowChannel")]
EMPTY = messages(b"Event: CoreShowChannelsComplete\r\nListItems: 0\r\n\r\n")


def link(taker: Taker, session: str, at: int, change: Connected | Lost | None = None) -> None:
    taker.take(Batch(session, 0, at, change=change))


def gaps(store: Store) -> list[tuple[int, int | None, str]]:
    with store.begin() as session:
        rows = session.scalars(select(LinkGapRow).order_by(LinkGapRow.id))
        return [
            (row.began_at - NOW, row.ended_at and row.ended_at - NOW, row.reason) for row in rows
        ]


def test_the_first_connection_of_all_is_no_gap(store: Store, taker: Taker) -> None:
    """A new installation does not begin with an interval nobody can fill."""
    link(taker, "s1", NOW, Connected())
    assert gaps(store) == []


def test_a_lost_link_is_an_interval_from_the_last_packet(store: Store, taker: Taker) -> None:
    """The gap begins when the PBX was last heard, not when we noticed; tries add none."""
    link(taker, "s1", NOW, Connected())
    link(taker, "s1", NOW + 9 * SECOND, Lost("silent", NOW + 2 * SECOND))
    link(taker, "s2", NOW + 11 * SECOND, Lost("closed", NOW + 2 * SECOND))
    assert gaps(store) == [(2 * SECOND, None, "silent")]
    link(taker, "s3", NOW + 12 * SECOND, Connected())
    assert gaps(store) == [(2 * SECOND, 12 * SECOND, "silent")]
    with store.begin() as session:
        (gap,) = links.gaps(session, PBX)
        assert gap.backfilled_at is None


def test_a_killed_gateway_leaves_its_gap_to_the_next(store: Store, taker: Taker) -> None:
    """-9 writes nothing: the interval is found by the state that says the link is up."""
    link(taker, "s1", NOW, Connected())
    link(taker, "s1", NOW + 5 * SECOND)  # heard, nothing said
    taker.load()
    link(taker, "s2", NOW + 60 * SECOND, Connected())
    assert gaps(store) == [(5 * SECOND, 60 * SECOND, "killed")]


def test_a_killed_gateway_whose_successor_cannot_connect(store: Store, taker: Taker) -> None:
    """The PBX died with us: the interval still begins where anything was last heard."""
    link(taker, "s1", NOW, Connected())
    link(taker, "s1", NOW + 5 * SECOND)
    taker.load()
    link(taker, "s2", NOW + 60 * SECOND, Lost("closed", None))
    assert gaps(store) == [(5 * SECOND, None, "closed")]


def test_the_same_word_told_twice_makes_one_gap(store: Store, taker: Taker) -> None:
    """A change whose commit was not heard of is offered again."""
    link(taker, "s1", NOW, Connected())
    link(taker, "s1", NOW, Connected())
    link(taker, "s1", NOW + 9, Lost("closed", NOW + 1))
    link(taker, "s1", NOW + 9, Lost("closed", NOW + 1))
    assert gaps(store) == [(1, None, "closed")]


def test_a_call_gone_in_the_gap_is_ended(store: Store, taker: Taker) -> None:
    """No call stays open for ever: it ends with what is known, and says that nobody saw it end."""
    link(taker, "s1", NOW, Connected())
    taker.take(taker.batch(ANSWERED[: at_event(ANSWERED, "AgentConnect")]))
    link(taker, "s1", NOW + 2, Lost("closed", NOW + 1))
    taker.load()
    link(taker, "s2", NOW + 9, Connected())
    facts = taker.take(Batch("s2", 1, NOW + 10, tuple(EMPTY)))
    assert [(type(f), f.at) for f in facts] == [(Ended, NOW + 10)]
    with store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert (row.state, row.outcome, row.cause) == ("ended", "answered", "gap")
        assert row.recording_expected


def test_a_call_that_lives_on_goes_on(store: Store, taker: Taker) -> None:
    """A live call is neither ended nor told anew when the link returns."""
    live = SNAPSHOT[: SNAPSHOT.index(LISTED[0])]
    rest = SNAPSHOT[SNAPSHOT.index(LISTED[-1]) + 1 :]
    link(taker, "s1", NOW, Connected())
    taker.take(taker.batch(live))
    taker.load()
    link(taker, "s2", NOW + 9, Connected())
    assert taker.take(Batch("s2", 1, NOW + 10, tuple(LISTED[:1]))) == []
    assert taker.take(Batch("s2", 2, NOW + 10, tuple(LISTED[1:]))) == []
    facts = taker.take(Batch("s2", 3, NOW + 11, tuple(rest)))
    assert [type(fact) for fact in facts] == [Ended]
    with store.begin() as session:
        assert session.scalars(select(CallRow.cause)).one() == "caller"


def test_a_call_begun_in_the_gap_is_found_in_the_snapshot(store: Store, taker: Taker) -> None:
    """The caller rang while we were away and is talking now: record, agent and end are there."""
    rest = SNAPSHOT[SNAPSHOT.index(LISTED[-1]) + 1 :]
    link(taker, "s1", NOW, Connected())
    facts = taker.take(Batch("s1", 1, NOW, tuple(LISTED)))
    assert [type(fact) for fact in facts] == [Arrived, Queued, Answered]
    assert isinstance(facts[1], Queued)
    assert facts[1].queue == "hotline"
    facts = taker.take(Batch("s1", 2, NOW + 9, tuple(rest)))
    assert [type(fact) for fact in facts] == [Ended]
    with store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert (row.outcome, row.cause, row.first_agent) == ("answered", "caller", "PJSIP/8004")


def test_listed_and_hung_up_before_the_list_was_whole(store: Store, taker: Taker) -> None:
    """A channel that dies inside the snapshot must not become a call that never ends."""
    hangups = [m for m in SNAPSHOT if m.name == "Hangup"]
    link(taker, "s1", NOW, Connected())
    taker.take(Batch("s1", 1, NOW, (*LISTED[:-1], *hangups, LISTED[-1])))
    with store.begin() as session:
        assert session.scalars(select(CallRow)).all() == []


def test_a_call_heard_of_since_the_return_is_not_ended_by_the_list(
    store: Store, taker: Taker
) -> None:
    """The list is older than the events beside it: a call that just spoke is alive."""
    cut = at_event(ANSWERED, "AgentCalled")
    link(taker, "s1", NOW, Connected())
    taker.take(taker.batch(ANSWERED[:cut]))
    link(taker, "s2", NOW + 9, Connected())
    more: list[Message] = [*ANSWERED[cut : at_event(ANSWERED, "AgentConnect")], *EMPTY]
    facts = taker.take(Batch("s2", 1, NOW + 10, tuple(more)))
    assert Ended not in {type(fact) for fact in facts}


def test_the_link_says_how_it_stands(store: Store, taker: Taker) -> None:
    """The administrator's page and `pbx status` read this row, which is a second old at most."""
    heard = []
    link(taker, "s1", NOW, Connected())
    for seq, late in enumerate((7, links.FRESH_US - 1, links.FRESH_US, links.FRESH_US + 5), 1):
        taker.take(Batch("s1", seq, NOW + late))
        with store.begin() as session:
            row = session.get_one(LinkStateRow, PBX)
            assert (row.connected, row.since_at) == (True, NOW)
            heard.append(row.last_packet_at - NOW)
    assert heard == [0, 0, links.FRESH_US, links.FRESH_US]
    over = NOW + links.FRESH_US + 9
    link(taker, "s1", over, Lost("stopped", over - 2))
    with store.begin() as session:
        row = session.get_one(LinkStateRow, PBX)
        assert (row.connected, row.since_at, row.last_packet_at) == (False, over, over - 2)
