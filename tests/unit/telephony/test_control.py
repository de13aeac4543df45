"""What may be sent to the PBX, whoever asks for it; and the names that we give our calls."""

import secrets
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.address import Address
from telephony.control import Control
from telephony.errors import NotAsked, UnfitToSend
from telephony.outgoing import TOKEN_BYTES, is_outgoing, uniqueid_of

NOWHERE = Control(Address("127.0.0.1", 1, "u", "s"))
FIT = uniqueid_of(b"\0" * TOKEN_BYTES)


@given(st.text(max_size=30))
@example("13800138000\r\nAction: Command")
@example("13800138000&PJSIP/8001")
@example("١٢٣٤٥")
@example("12345\n")
def test_only_digits_are_dialled(number: str) -> None:
    """Whatever a form held, what reaches the PBX as a number is one: anything else is refused
    before a connection is made."""
    digits = number.removeprefix("+")
    fit = digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 20
    with pytest.raises(NotAsked if fit else UnfitToSend):
        NOWHERE.originate(uniqueid=FIT, interface="PJSIP/8001", number=number)


@given(st.text(max_size=30))
@example("PJSIP/8001\r\nSecret: x")
@example("Local/1@agents")
@example("PJSIP/8001&PJSIP/8002")
def test_only_a_device_is_rung_or_paused(interface: str) -> None:
    """One device and nothing beside it: no list, no Local channel into the dialplan, no header."""
    plain = all(c.isascii() and (c.isalnum() or c in "/_.-") for c in interface)
    acts: tuple[Callable[[], None], ...] = (
        lambda: NOWHERE.originate(uniqueid=FIT, interface=interface, number="12345"),
        lambda: NOWHERE.pause(interface, "meal"),
        lambda: NOWHERE.unpause(interface),
    )
    for act in acts:
        with pytest.raises((NotAsked, UnfitToSend)) as refused:
            act()
        assert plain or refused.type is UnfitToSend


@pytest.mark.parametrize("channel", ["", "a b", "x\r\nAction: Hangup", "PJSIP/8001-1", "*"])
def test_only_a_channels_id_is_muted(channel: str) -> None:
    """An id as the PBX or we gave it."""
    with pytest.raises(UnfitToSend):
        NOWHERE.mute(channel, muted=True)


def test_only_a_known_reason_is_given() -> None:
    """Free text would stand in the PBX's database and on its console."""
    with pytest.raises(UnfitToSend):
        NOWHERE.pause("PJSIP/8001", "meal\r\nQueue: other")


@given(st.from_regex(r"[A-Za-z0-9-]{0,40}[0-9]{9,11}\.[0-9]{1,6}", fullmatch=True))
@example("hotline-1795412119.1")
def test_no_id_of_the_pbx_is_taken_for_ours(uniqueid: str) -> None:
    """Not even where the PBX's system name is ours."""
    assert not is_outgoing(uniqueid)
    assert is_outgoing(uniqueid_of(secrets.token_bytes(TOKEN_BYTES)))
