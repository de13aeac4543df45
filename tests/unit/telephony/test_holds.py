"""Who is on hold, asked after a gap: whom one asks of, and what an answer may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import events as ev
from telephony.holds import asked, question
from telephony.message import Message
from telephony.readers import understand


def listed(uniqueid: str, linkedid: str, channel: str) -> Message:
    """A line of CoreShowChannels."""
    text = f"Event: CoreShowChannel\r\nChannel: {channel}\r\nUniqueid: {uniqueid}"
    return Message(f"{text}\r\nLinkedid: {linkedid}".encode())


def answer(action_id: str, value: str) -> Message:
    """Getvar's answer, as Asterisk 22 gives it."""
    text = f"Response: Success\r\nActionID: {action_id}\r\nVariable: CHANNEL(rtp,hold)"
    return Message(f"{text}\r\nValue: {value}".encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("uniqueid", "channel", "wanted"),
    [
        ("9.2", "PJSIP/8003-00000001", "hold 9.1 9.2 PJSIP/8003-00000001"),
        ("9.1", "PJSIP/trunk-00000000", None),
        ("9.3", "Local/8003@agents-00000000;1", None),
        ("", "PJSIP/8003-00000001", None),
    ],
)
def test_agents_phones_are_asked_about(uniqueid: str, channel: str, wanted: str | None) -> None:
    """Neither the caller's own hold nor a channel that cannot tell costs the PBX a question."""
    assert question(listed(uniqueid, "9.1", channel)) == wanted


@pytest.mark.parametrize(("value", "kind"), [("1", ev.Held), ("0", ev.Resumed)])
def test_an_answer_is_understood_without_its_question(value: str, kind: type[ev.Event]) -> None:
    """As it lies in the journal: whose channel it is, is in it."""
    said = answer("hold 9.1 9.2 PJSIP/8003-00000001", value)
    assert asked(said)
    assert understand(said, 7) == kind(7, ev.Party("9.2", "9.1", "PJSIP/8003-00000001"))


@pytest.mark.parametrize(
    "said",
    [
        Message(b"Response: Error\r\nActionID: hold 9.1 9.2 PJSIP/1-1\r\nMessage: No such channel"),
        answer("hold 9.1 9.2 PJSIP/8003-00000001", ""),
        answer("hold 9.1 9.2", "1"),
        answer("hold   ", "1"),
        answer("7", "1"),
    ],
)
def test_no_answer_says_nothing(said: Message) -> None:
    """A channel that was gone by then, one that cannot tell, another question's answer."""
    assert understand(said, 7) is None


@given(st.text(), st.text())
def test_whatever_an_answer_holds_is_storable_or_nothing(names: str, value: str) -> None:
    """The PBX's answer comes from the same socket as all else."""
    text = f"Response: Success\r\nActionID: hold {names}\r\nValue: {value}"
    event = understand(Message(text.encode("utf-8", "replace")), 7)
    if event is not None:
        party = event.party
        assert all(ev.storable(text, 150) == text
                   for text in (party.uniqueid, party.linkedid, party.channel))  # fmt: skip
