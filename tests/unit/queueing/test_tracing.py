"""`traceparent` as W3C Trace Context has it: what is right is read, all else is no trace."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from queueing import tracing
from queueing.tracing import Trace

CHANCE = st.binary(min_size=tracing.BYTES, max_size=tracing.BYTES)
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(CHANCE, st.binary(min_size=8, max_size=8), st.booleans())
def test_what_is_written_is_read_back(chance: bytes, more: bytes, sampled: bool) -> None:
    """Protects: any chance, zeros too, makes a trace others accept; its next step is the same."""
    first = tracing.begun(chance)
    assert tracing.parse(str(first)) == first
    theirs = Trace(first.trace_id, first.parent_id, sampled)
    step = tracing.child(theirs, more)
    assert tracing.parse(str(step)) == step
    assert (step.trace_id, step.sampled) == (first.trace_id, sampled)


@given(st.text() | st.from_regex(r"[0-9a-fA-F]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*"))
def test_anything_is_a_trace_or_none(text: str) -> None:
    """Protects: a header that anybody may send never fails, and never becomes a longer one."""
    found = tracing.parse(text)
    if found is not None:
        assert len(str(found)) == 55
        assert text[3:52] == str(found)[3:52]


@given(st.integers(0, 54), st.characters())
def test_one_wrong_sign_is_no_trace_or_another(at: int, sign: str) -> None:
    """Protects: no sign is passed over: what differs is refused, or read as it stands."""
    assume(GIVEN[at] != sign)
    found = tracing.parse(GIVEN[:at] + sign + GIVEN[at + 1 :])
    assert found is None or at < 2 or str(found) != GIVEN or at >= 53


@pytest.mark.parametrize(
    "text",
    [
        "",
        GIVEN.upper(),
        GIVEN + "-00",
        "ff" + GIVEN[2:],
        GIVEN[:3] + "0" * 32 + GIVEN[35:],
        GIVEN[:36] + "0" * 16 + GIVEN[52:],
        GIVEN + "\n",
        "01" + GIVEN[2:] + "00",
    ],
)
def test_what_is_no_trace(text: str) -> None:
    """Protects: §3.2.2 of the recommendation, case by case."""
    assert tracing.parse(text) is None


@pytest.mark.parametrize("text", [GIVEN, "cc" + GIVEN[2:], "cc" + GIVEN[2:] + "-what-comes"])
def test_a_later_version_is_read_as_far_as_it_is_known(text: str) -> None:
    """Protects: §4.3: a caller of a later version is not cut off."""
    assert str(tracing.parse(text)) == GIVEN
