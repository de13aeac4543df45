"""A plan of faults: what is written is what happens, and the same again with the same seed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import faults
from telephony.errors import FaultUnreadable
from telephony.faults import Cut, Deed, Fault, Flood, Say, Spoiler, Wait

SAID = [f"Event: E\r\nN: {number}\r\n\r\n".encode() for number in range(1, 21)]
PLANS = st.builds(
    lambda seed, count: tuple(faults.draw(random.Random(seed), len(SAID), count)),
    st.integers(0, 10_000), st.integers(0, 6),
)  # fmt: skip


def spoilt(plan: tuple[Fault, ...], seed: int = 1) -> list[Deed]:
    spoiler = Spoiler(plan, random.Random(seed))
    deeds = [deed for data in SAID for deed in spoiler.feed(data)]
    return [*deeds, *spoiler.flush()]


def plan(*words: str) -> tuple[Fault, ...]:
    return faults.read(words, len(SAID), random.Random(1))


def said(deeds: list[Deed]) -> list[bytes]:
    return [deed.data for deed in deeds if isinstance(deed, Say)]


def test_each_fault_happens_where_it_is_written() -> None:
    """A person who writes a plan gets that plan, or no test with it means anything."""
    assert spoilt(()) == [Say(data) for data in SAID]
    assert spoilt(plan("cut@3"))[2:5] == [Say(SAID[2]), Cut(), Say(SAID[3])]
    assert spoilt(plan("tear@3"))[2:4] == [Cut(b"Event: E"), Say(SAID[3])]
    assert spoilt(plan("stall@3:1.5"))[2:4] == [Wait(1.5), Say(SAID[2])]
    assert spoilt(plan("flood@1:2000:5"))[:2] == [Flood(2000, 5.0), Say(SAID[0])]
    assert said(spoilt(plan("twice@2:2")))[:5] == [SAID[0], SAID[1], SAID[1], SAID[2], SAID[2]]
    assert spoilt(plan("drip@2:1"))[:3] == [Say(SAID[0]), Say(SAID[1], slowly=True), Say(SAID[2])]
    mixed = said(spoilt(plan("mix@2:10")))
    assert mixed[0] == SAID[0]
    assert mixed[11:] == SAID[11:]
    assert mixed[1:11] != SAID[1:11]
    assert sorted(mixed[1:11]) == sorted(SAID[1:11])


@given(PLANS, st.integers(0, 100))
def test_nothing_is_lost_but_what_is_torn_and_a_run_repeats(
    drawn: tuple[Fault, ...], seed: int
) -> None:
    """A fault of the link must not be a fault of the PBX; and a failure must come back."""
    deeds = spoilt(drawn, seed)
    assert deeds == spoilt(drawn, seed)
    torn = {SAID[fault.at - 1] for fault in drawn if fault.kind == "tear"}
    assert set(said(deeds)) == set(SAID) - torn
    twice = {n for n in range(1, 21) for f in drawn if f.kind == "twice" and f.covers(n)}
    doubled = [data for number, data in enumerate(SAID, 1) if number in twice and data not in torn]
    assert len(said(deeds)) == len(SAID) - len(torn) + len(doubled)
    cuts = {f.at for f in drawn if f.kind in ("cut", "tear")}
    assert sum(isinstance(deed, Cut) for deed in deeds) == len(cuts)


@given(PLANS)
def test_a_plan_reads_back_as_it_is_written(drawn: tuple[Fault, ...]) -> None:
    """What the command prints can be given to it again."""
    again = faults.read([str(fault) for fault in drawn], 1, random.Random(2))
    assert again == tuple(sorted(drawn, key=lambda fault: fault.at))
    assert len(plan("any:7")) == 7


@pytest.mark.parametrize(
    "word",
    ["", "cut", "cut@", "cut@0", "cut@-1", "cut@3:1", "stall@3", "flood@3:10", "flood@3:1.5:2",
     "twice@3:0", "mix@1:100001", "stall@1:3601", "burn@3", "any:", "any:x", "cut@٣", "cut@1\n"],
)  # fmt: skip
def test_what_is_no_fault_is_said_to_be_none(word: str) -> None:
    """A mistyped plan would otherwise run as a quiet day."""
    with pytest.raises(FaultUnreadable, match="Not a fault"):
        plan(word)
