"""Every trace of a real Asterisk 22, told as a person would: who rang, talked, held, passed on."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from telephony import facts as fa
from telephony.batch import Connected
from telephony.tables import CallLegRow, CallRow, ConferenceSeatRow, LinkStateRow
from tests.unit.telephony.house import PBX, Store, Taker, messages, trace


def told(facts: Sequence[fa.Fact]) -> list[str]:
    """Each fact and whom it is about, but for how every call begins."""
    lines = []
    for fact in facts:
        names = ("queue", "interface", "outcome", "cause")
        words = [str(getattr(fact, name)) for name in names if hasattr(fact, name)]
        words += ["lost"] if isinstance(fact, fa.Ended) and fact.lost else []
        lines.append(" ".join([type(fact).__name__, *words]).replace("PJSIP/", ""))
    return [line for line in lines if line not in _EACH]


def rows(store: Store) -> list[tuple[object, ...]]:
    """All that is written of calls and legs."""
    with store.begin() as session:
        return [
            tuple(row)
            for table in (CallRow.__table__, CallLegRow.__table__)
            for row in session.execute(select(table))
        ]


_EACH = {"Arrived", "RecordingStarted", "Queued hotline"}
STORIES: dict[str, list[str]] = {
    "answered": ["Offered 8003", "Answered 8003", "Ended answered caller"],
    "abandoned": ["Offered 8003", "Withdrawn 8003", "Ended abandoned caller"],
    "ring-no-answer": ["Offered 8003", "Withdrawn 8003", "Offered 8003", "Withdrawn 8003",
                       "Ended abandoned caller"],
    "not-answered": ["Offered 8003", "Withdrawn 8003", "Offered 8003", "Answered 8003",
                     "Ended answered caller"],
    "refused": ["Offered 8003", "Withdrawn 8003", "Offered 8002", "Answered 8002",
                "Ended answered caller"],
    "agent-first": ["Offered 8002", "Answered 8002", "Ended answered agent"],
    "queue-timeout": ["Offered 8003", "Withdrawn 8003", "Queued policy", "Offered 8004",
                      "Withdrawn 8004", "Ended abandoned timeout"],
    "overflow": ["Offered 8003", "Withdrawn 8003", "Queued policy", "Offered 8004",
                 "Answered 8004", "Ended answered caller"],
    "informed": ["Ended left hangup"],
    "held": ["Offered 8001", "Answered 8001", "Held 8001", "Resumed 8001", "Held 8001",
             "Resumed 8001", "Ended answered caller"],
    "blind-to-agent": ["Offered 8004", "Answered 8004", "PassedOn 8004", "Offered 8002",
                       "Answered 8002", "Ended answered caller"],
    "blind-not-answered": ["Offered 8003", "Answered 8003", "PassedOn 8003", "Offered 8002",
                           "Withdrawn 8002", "Ended answered transfer lost"],
    "blind-to-queue": ["Offered 8001", "Answered 8001", "PassedOn 8001", "Queued policy",
                       "Offered 8004", "Answered 8004", "Ended answered caller"],
    "blind-outside": ["Offered 8004", "Answered 8004", "PassedOn 8004", "Offered trunk",
                      "Answered trunk", "Ended answered agent"],
    "attended": ["Offered 8002", "Answered 8002", "Held 8002", "Resumed 8002", "PassedOn 8002",
                 "Answered 8001", "Ended answered caller"],
    "attended-abandoned": ["Offered 8003", "Answered 8003", "Held 8003", "Resumed 8003",
                           "Ended answered caller"],
    "attended-while-ringing": ["Offered 8001", "Answered 8001", "Held 8001", "Resumed 8001",
                               "PassedOn 8001", "Answered 8002", "Ended answered caller"],
    "two-callers-joined": ["Offered 8004", "Answered 8004", "Held 8004", "Offered 8002",
                           "Answered 8002", "Resumed 8004", "PassedOn 8004", "PassedOn 8002",
                           "Ended answered caller", "Ended answered hangup"],
    "conference": ["Offered 8003", "Answered 8003", "PassedOn 8003", "Answered 8003",
                   "Answered 8002", "Ended answered caller"],
    "conference-attended": ["Offered 8002", "Answered 8002", "Held 8002", "Resumed 8002",
                            "Answered 8001", "PassedOn 8002", "Answered 8002",
                            "Ended answered caller"],
    "both-at-once": ["Offered 8002", "Answered 8002", "Ended answered agent"],
    "blind-given-up": ["Offered 8001", "Answered 8001", "PassedOn 8001", "Offered 8002",
                       "Withdrawn 8002", "Ended answered caller lost"],
    "blind-to-queue-given-up": ["Offered 8004", "Answered 8004", "PassedOn 8004", "Queued policy",
                                "Offered 8004", "Withdrawn 8004", "Ended answered caller lost"],
    "consult-queue": ["Offered 8003", "Answered 8003", "Held 8003", "Resumed 8003",
                      "PassedOn 8003", "Answered 8004", "Ended answered caller"],
    "consult-queue-abandoned": ["Offered 8002", "Answered 8002", "Held 8002", "Resumed 8002",
                                "Ended answered caller"],
    "consult-queue-while-waiting": ["Offered 8001", "Answered 8001", "Held 8001", "Resumed 8001",
                                    "PassedOn 8001", "Answered 8004", "Ended answered caller"],
    "local-member": ["Offered 8001", "Withdrawn 8001", "Offered 8001", "Answered 8001",
                     "Ended answered caller"],
    "no-number": ["Offered 8003", "Answered 8003", "Ended answered caller"],
    "forged-number": ["Offered 8002", "Answered 8002", "Ended answered caller"],
    "private": ["Offered 8001", "Answered 8001", "Ended answered caller"],
    "pickup": ["Offered 8001", "Withdrawn 8001", "Answered 8002", "Ended answered caller"],
    "out-answered": ["Placed 8001", "PickedUp 8001", "Reached 8001", "Ended answered caller"],
    "out-agent-first": ["Placed 8001", "PickedUp 8001", "Reached 8001", "Held 8001",
                        "Resumed 8001", "Ended answered agent"],
    "out-busy": ["Placed 8001", "PickedUp 8001", "Ended busy caller"],
    "out-no-answer": ["Placed 8001", "PickedUp 8001", "Ended no_answer agent"],
    "out-no-agent": ["Placed 8001", "Withdrawn 8001", "Ended no_agent agent"],
    "out-transferred": ["Placed 8001", "PickedUp 8001", "Reached 8001", "PassedOn 8001",
                        "Offered 8002", "Answered 8002", "Ended answered caller"],
    "parked": ["Offered 8002", "Answered 8002", "PassedOn 8002", "Answered 8001",
               "Ended answered caller"],
    "parking-timeout": ["Offered 8003", "Answered 8003", "PassedOn 8003", "Offered 8003",
                        "Answered 8003", "Ended answered caller"],
    "parking-not-taken": ["Offered 8001", "Answered 8001", "PassedOn 8001", "Offered 8001",
                          "Withdrawn 8001", "Offered 8004", "Answered 8004",
                          "Ended answered caller"],
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_real_call_tells_its_story(taker: Taker, store: Store, name: str) -> None:
    """What Asterisk 22 sent becomes the facts a person would tell, in order, and no others: one
    record a caller, every leg closed, and nothing in the stream that the table does not know."""
    stream = messages(trace(f"{name}.ami"))
    taker.take(taker.batch(change=Connected()))
    taker.take(taker.batch(stream))
    assert told(taker.facts) == STORIES[name]
    with store.begin() as session:
        calls = session.scalars(select(CallRow)).all()
        legs = session.scalars(select(CallLegRow)).all()
        assert len(calls) == sum(isinstance(fact, fa.Ended) for fact in taker.facts)
        assert {call.state for call in calls} == {"ended"}
        assert all(leg.ended_at is not None and leg.result for leg in legs)
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0


@pytest.mark.parametrize("name", STORIES)
def test_a_real_call_told_message_by_message_over_restarts(
    taker: Taker, store: Store, name: str
) -> None:
    """Nothing rests on what came in one batch, nor on memory that a restart would lose."""
    for message in messages(trace(f"{name}.ami")):
        taker.take(taker.batch([message]))
        taker.load()
    assert told(taker.facts) == STORIES[name]


@pytest.mark.parametrize("name", STORIES)
def test_a_real_call_told_twice_is_one_call(taker: Taker, store: Store, name: str) -> None:
    """The whole stream again, late: no new fact, no second record, the first unchanged."""
    stream = messages(trace(f"{name}.ami"))
    taker.take(taker.batch(stream))
    before = rows(store)
    assert taker.take(taker.batch(stream)) == []
    assert rows(store) == before


def test_how_long_the_caller_was_held_is_with_the_agent_who_held(
    taker: Taker, store: Store
) -> None:
    """Two holds of 0.71 s each, by the PBX's clock."""
    taker.take(taker.batch(messages(trace("held.ami"))))
    with store.begin() as session:
        leg = session.scalars(select(CallLegRow)).one()
        assert (leg.held_at, leg.held_us // 1000) == (None, 1420)


def test_each_agents_part_and_time_is_known(taker: Taker, store: Store) -> None:
    """Attended: the first agent's leg ends when the second's begins, and says whom it went to."""
    taker.take(taker.batch(messages(trace("attended.ami"))))
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        first, second = session.scalars(select(CallLegRow).order_by(CallLegRow.id))
        assert (call.first_agent, call.last_agent) == ("PJSIP/8002", "PJSIP/8001")
        assert (first.interface, first.passed_to) == ("PJSIP/8002", "PJSIP/8001")
        assert first.ended_at == second.answered_at
        assert second.ended_at is not None
        assert second.answered_at is not None
        assert second.ended_at - second.answered_at > 4_000_000


def test_an_outside_number_is_in_no_repr(taker: Taker) -> None:
    """Facts may be logged; the number a caller was sent to may not."""
    taker.take(taker.batch(messages(trace("blind-outside.ami"))))
    passed = next(fact for fact in taker.facts if isinstance(fact, fa.PassedOn))
    assert passed.to == "013900139000"
    assert "13900139000" not in repr(taker.facts)


def test_a_transfer_told_again_later_moves_nobody(taker: Taker, store: Store) -> None:
    """The packet comes a second time, when the next agent has the caller already."""
    stream = messages(trace("blind-to-agent.ami"))
    at = next(n for n, message in enumerate(stream) if message.name == "HangupRequest")
    again = [message for message in stream if message.name == "BlindTransfer"]
    taker.take(taker.batch(change=Connected()))
    taker.take(taker.batch(stream[:at]))
    assert taker.take(taker.batch(again)) == []
    with store.begin() as session:
        assert session.scalars(select(CallRow.state)).one() == "talking"
        assert session.get_one(LinkStateRow, PBX).unknown_events == 1


@pytest.mark.parametrize(
    ("number", "name", "kept"),
    [
        (b"", b"", ("", "")),
        (b"<unknown>", b"<unknown>", ("", "")),
        (b"anonymous", b"Anonymous", ("anonymous", "Anonymous")),
        (b"13800138000", "\U00020bb7野家\U0001f4de".encode(), ("13800138000", "𠮷野家📞")),
        (
            b"138\xff\xfe\x00",
            b"\xed\xa0\x80\x1b[2J",
            ("138\ufffd\ufffd\ufffd", "\ufffd\ufffd\ufffd\ufffd[2J"),
        ),
    ],
)
def test_whoever_calls_has_a_record(
    taker: Taker, store: Store, number: bytes, name: bytes, kept: tuple[str, str]
) -> None:
    """No number, a number withheld, 4-byte characters, bytes that are no text: all get to a row."""
    stream = trace("answered.ami")
    began = next(m for m in messages(stream) if m.name == "Newchannel")
    for header, value in (("CallerIDNum", number), ("CallerIDName", name)):
        old = f"{header}: {began.get(header)}\r\n".encode()
        stream = stream.replace(b"\n" + old, b"\n" + header.encode() + b": " + value + b"\r\n")
    taker.take(taker.batch(messages(stream)))
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert (call.caller_number, call.caller_name) == kept
        assert (call.outcome, call.first_agent) == ("answered", "PJSIP/8003")


@pytest.mark.parametrize("next_agent", ["8002", None])
def test_a_transfer_in_a_gap_is_found_in_the_snapshot(
    taker: Taker, store: Store, next_agent: str | None
) -> None:
    """The link was down while the agent passed the caller on: the first agent's leg ends, and
    whoever the snapshot shows with the caller has a leg."""
    stream = messages(trace("blind-to-agent.ami"))
    until = next(n for n, message in enumerate(stream) if message.name == "BlindTransfer")
    taker.take(taker.batch(stream[:until]))
    lead = stream[0].get("Uniqueid")
    seen = [("trunk", lead)] + ([(next_agent, "9.9")] if next_agent else [])
    snapshot = "".join(
        f"Event: CoreShowChannel\r\nChannel: PJSIP/{device}-1\r\nUniqueid: {uniqueid}\r\n"
        f"Linkedid: {lead}\r\nContext: from-pstn\r\nApplication: Dial\r\nBridgeId: b\r\n"
        "Duration: 00:00:09\r\n\r\n"
        for device, uniqueid in seen
    )
    taker.take(taker.batch(change=Connected()))
    done = f"{snapshot}Event: CoreShowChannelsComplete\r\n\r\n"
    taker.take(taker.batch(messages(done.encode())))
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        first, *later = session.scalars(select(CallLegRow).order_by(CallLegRow.id))
        assert first.ended_at is not None
        assert [leg.interface for leg in later] == (["PJSIP/8002"] if next_agent else [])
        assert call.last_agent == ("PJSIP/8002" if next_agent else "PJSIP/8004")
        assert call.ended_at is None


def legs_of(store: Store) -> list[tuple[str, int | None, int | None]]:
    """Device, since when and until when it had the caller: ms since the call came in."""
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        return [
            (
                leg.interface.removeprefix("PJSIP/"),
                None if leg.answered_at is None else (leg.answered_at - call.arrived_at) // 1000,
                None if leg.ended_at is None else (leg.ended_at - call.arrived_at) // 1000,
            )
            for leg in session.scalars(select(CallLegRow).order_by(CallLegRow.id))
        ]


def test_who_is_in_a_conference_and_how_long(taker: Taker, store: Store) -> None:
    """The caller first, then two agents; one leaves, the other stays: each leg has its own times,
    and the caller talks, and is not being transferred, while an agent is there."""
    stream = messages(trace("conference.ami"))
    joins = [n for n, message in enumerate(stream) if message.name == "ConfbridgeJoin"]
    states = []
    at = 0
    for until in (joins[0] + 1, joins[1] + 1, len(stream) - 1):
        taker.take(taker.batch(stream[at:until]))
        at = until
        with store.begin() as session:
            states.append(session.scalars(select(CallRow.state)).one())
    assert states == ["transferring", "talking", "ended"]
    assert legs_of(store) == [("8003", 23, 435), ("8003", 1339, 1845), ("8002", 1339, 7016)]


def test_an_agent_who_waited_in_the_conference_meets_the_caller_when_they_come(
    taker: Taker, store: Store
) -> None:
    """8001 was there first, and the asker's second channel left with the transfer: the caller's
    first moment there is the agent's, also when the gateway is restarted in between."""
    for message in messages(trace("conference-attended.ami")):
        taker.take(taker.batch([message]))
        taker.load()
    assert legs_of(store) == [("8002", 22, 1168), ("8001", 1167, 2578), ("8002", 2070, 2978)]
    with store.begin() as session:
        assert session.scalars(select(ConferenceSeatRow)).all() == []


def test_a_conference_found_after_a_gap(taker: Taker, store: Store) -> None:
    """Sent there while the link was down: whoever shares the caller's bridge has a leg, a private
    conference of others is none of ours, and who is gone at the next snapshot has let go."""
    stream = messages(trace("conference.ami"))
    until = next(n for n, message in enumerate(stream) if message.name == "BlindTransfer")
    lead = stream[0].get("Uniqueid")
    taker.take(taker.batch(stream[:until]))

    def snapshot(*agents: str) -> None:
        channels = [
            ("trunk", lead, "x"),
            *((a, f"9.{a}", "x") for a in agents),
            ("8009", "7.7", "y"),
        ]
        text = "".join(
            f"Event: CoreShowChannel\r\nChannel: PJSIP/{device}-1\r\nUniqueid: {uniqueid}\r\n"
            f"Linkedid: {uniqueid}\r\nContext: {'from-pstn' if uniqueid == lead else 'agents'}\r\n"
            f"Application: ConfBridge\r\nBridgeId: {bridge}\r\nDuration: 00:00:09\r\n\r\n"
            for device, uniqueid, bridge in channels
        )
        taker.take(taker.batch(change=Connected()))
        taker.take(taker.batch(messages(f"{text}Event: CoreShowChannelsComplete\r\n\r\n".encode())))

    snapshot("8002", "8004")
    taker.load()
    snapshot("8004")
    with store.begin() as session:
        legs = session.scalars(select(CallLegRow).order_by(CallLegRow.id)).all()
        assert [(leg.interface, leg.ended_at is None) for leg in legs] == [
            ("PJSIP/8003", False), ("PJSIP/8002", False), ("PJSIP/8004", True),
        ]  # fmt: skip
        assert session.scalars(select(CallRow.state)).one() == "talking"
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0
        seats = session.scalars(select(ConferenceSeatRow.uniqueid))
        assert set(seats) == {lead, "9.8004", "7.7"}


def test_a_local_channel_is_never_the_agent(taker: Taker, store: Store) -> None:
    """The leg is the phone's, from its ring to its end, though the Local halves hung up before."""
    taker.take(taker.batch(messages(trace("local-member.ami"))))
    rung, talked = legs_of(store)
    assert rung == ("8001", None, 24)
    assert talked == ("8001", 1043, 4514)
    assert not [fact for fact in taker.facts if "Local/" in repr(fact)]


def test_a_caller_sent_to_a_queue_in_a_gap_waits_again(taker: Taker, store: Store) -> None:
    """The link was down while the agent sent the caller to the second queue, where nobody has
    answered yet: the caller waits there, and is not taken for talking."""
    stream = messages(trace("blind-to-queue.ami"))
    until = next(n for n, message in enumerate(stream) if message.name == "BlindTransfer")
    taker.take(taker.batch(stream[:until]))
    lead = stream[0].get("Uniqueid")
    taker.take(taker.batch(change=Connected()))
    seen = (
        f"Event: CoreShowChannel\r\nChannel: PJSIP/trunk-1\r\nUniqueid: {lead}\r\n"
        f"Linkedid: {lead}\r\nContext: agents\r\nApplication: Queue\r\n"
        "ApplicationData: policy,,,,60\r\nBridgeId: \r\nDuration: 00:00:09\r\n\r\n"
        "Event: CoreShowChannelsComplete\r\n\r\n"
    )
    taker.take(taker.batch(messages(seen.encode())))
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert (call.state, call.queue, call.ended_at) == ("queued", "policy", None)
        assert session.scalars(select(CallLegRow)).one().ended_at is not None


def test_a_number_cannot_forge_an_event(taker: Taker, store: Store) -> None:
    """Recorded from Asterisk 22 as we ship it: a number with line breaks and a Hangup of its own in
    it leaves one call with its own id, whose number is what is harmless of it."""
    data = trace("forged-number.ami")
    taker.take(taker.batch(messages(data)))
    with store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert call.caller_number == "138Linkedid6.6EventHangupUniqueid7.7"
        assert (call.outcome, call.cause) == ("answered", "caller")
    assert b"\r\nUniqueid: 7.7" not in data
