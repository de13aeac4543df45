"""Events: real messages are understood, strange ones are none, and texts can be stored."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import events as ev
from telephony import queue_events as qe
from telephony.message import Message
from telephony.readers import READERS, understand
from tests.unit.telephony.house import messages, trace


def read(data: bytes) -> ev.Event | None:
    (message,) = messages(data)
    return understand(message, 5)


def test_a_callers_name_forges_nothing_in_a_real_stream() -> None:
    """Recorded from Asterisk 22: a name with U+2028, U+0085, \\x0b and \\x1c changes no id."""
    events = [e for m in messages(trace("hostile-name.ami")) if (e := understand(m))]
    ids = {event.party.linkedid for event in events if not isinstance(event, qe.OfQueues)}
    began = next(event for event in events if isinstance(event, ev.ChannelBegan))
    assert len(ids) == 1
    assert ids.isdisjoint({"1.1", "2.2"})
    assert began.party.name.startswith("张三\ufffdUniqueid: 1.1\ufffdLinkedid: 2.2")
    assert began.party.number == "13800138000"


def test_time_is_the_pbxs_to_the_microsecond() -> None:
    """Waiting times are counted between PBX times; a float would lose the last digits."""
    event = read(
        b"Event: Newchannel\r\nTimestamp: 1795396457.40867\r\nUniqueid: 1\r\nLinkedid: 1\r\n\r\n"
    )
    assert event is not None
    assert event.at == 1_795_396_457_408_670


@pytest.mark.parametrize("timestamp", ["", "soon", "1e9", "-5.0", "1795396457", "９.1"])
def test_without_a_pbx_time_the_time_of_receipt_stands_in(timestamp: str) -> None:
    """A PBX without timestampevents, or a strange value, still gives usable events."""
    text = f"Event: Newchannel\r\nTimestamp: {timestamp}\r\nUniqueid: 1\r\nLinkedid: 1\r\n\r\n"
    event = read(text.encode())
    assert event is not None
    assert event.at == 5


ENDS = {"CoreShowChannelsComplete", "QueueStatusComplete"}
OF_QUEUES = {name for name in READERS if name.startswith("Queue") and "Caller" not in name} - ENDS


@pytest.mark.parametrize("name", sorted(OF_QUEUES))
def test_a_word_on_no_queue_is_none(name: str) -> None:
    """What names neither queue nor agent can change neither."""
    of_none = f"Event: {name}\r\nInterface: I\r\nLocation: I\r\nUniqueid: 1\r\n\r\n"
    assert read(of_none.encode()) is None
    if "Member" in name:
        assert read(f"Event: {name}\r\nQueue: hotline\r\nUniqueid: 1\r\n\r\n".encode()) is None


@pytest.mark.parametrize("name", sorted(set(READERS) - OF_QUEUES - ENDS))
def test_an_event_without_its_ids_is_none(name: str) -> None:
    """An incomplete event can belong to no call, so it must not reach one."""
    assert read(f"Event: {name}\r\nQueue: hotline\r\nInterface: PJSIP/1\r\n\r\n".encode()) is None


def test_unknown_numbers_are_empty() -> None:
    """A caller who hides the number is not called `<unknown>` on a ticket."""
    event = read(
        b"Event: Newchannel\r\nUniqueid: 1\r\nLinkedid: 1\r\nCallerIDNum: <unknown>\r\n\r\n"
    )
    assert event is not None
    assert event.party.number == ""


PARTS = (
    *(b"", b"Dest", b"Transferer", b"Transferee", b"OrigTransferer", b"SecondTransferer"),
    *(b"TransferTarget", b"Parkee", b"Retriever"),
)
"""The channels an event may name, by what stands before their headers."""


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=400))
def test_any_bytes_give_an_event_that_can_be_stored(name: str, body: bytes) -> None:
    """No input crashes the reader or yields text a database or a log line would choke on."""
    ours = f"Uniqueid: hotline-{'0' * 24}\r\nResponse: Failure\r\n"
    head = ours if name == "OriginateResponse" else ""
    head = f"Event: {name}\r\n{head}Queue: q\r\nInterface: I\r\nLocation: I\r\nResult: Success\r\n"
    head += "BridgeUniqueid: b\r\n"
    raw = head.encode() + b"\r\n".join(
        b"%sUniqueid: 1\r\n%sLinkedid: 1\r\n%sCallerIDName: %s\r\n%sChannel: %s"
        % (part, part, part, body, part, body)
        for part in PARTS
    )
    event = understand(Message(raw))
    assert event is not None
    for field in fields(event.party):
        text = getattr(event.party, field.name)
        text.encode("utf-8")
        assert len(text) <= ev.NAME_WIDTH
        assert text.isprintable() or not set(text) & set("\0\r\n\x0b\x1c\x85\u2028\u2029")


def test_a_device_is_the_channel_without_its_number() -> None:
    """Agents are known by device; a dash inside its name belongs to it."""
    assert ev.interface_of("PJSIP/a-8003-0000000a") == "PJSIP/a-8003"
    assert ev.interface_of("odd") == "odd"


def test_no_event_shows_the_caller() -> None:
    """Events may be logged; numbers and names may not."""
    event = read(
        b"Event: Newchannel\r\nUniqueid: 1\r\nLinkedid: 1\r\nCallerIDNum: 13800138000\r\n"
        b"CallerIDName: Zhang\r\n\r\n"
    )
    assert "138" not in repr(event)
    assert "Zhang" not in repr(event)
