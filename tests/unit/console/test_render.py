"""What templates read values through: times, spans, numbers, the two languages."""

import pytest

from gateway.console import render, words
from gateway.flow import listening
from gateway.tickets import acts, lifecycle
from recordings.tables import PURPOSES


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "—"),
        (0, "0:00"),
        (999, "0:00"),
        (185_000, "3:05"),
        (3_609_000, "1:00:09"),
        (-5, "0:00"),
    ],
)
def test_spans(ms: int | None, shown: str) -> None:
    """A clerk reads 3:05, not 185000; a clock that runs a little ahead shows no minus."""
    assert render.span(ms) == shown


def test_times_are_those_of_china() -> None:
    """Half past four in the afternoon UTC is the next day there."""
    assert render.at_format("%Y-%m-%d %H:%M", 1_798_734_600_000_000) == "2027-01-01 00:30"
    assert render.at_format("%Y", None) == ""


@pytest.mark.parametrize(
    ("phone", "masked", "grouped"),
    [
        ("13800138000", "138****8000", "138 0013 8000"),
        ("02188886666", "021****6666", "02188886666"),
        ("8886666", "88****6666", "8886666"),
        ("110", "1**", "110"),
        ("", "—", "未显号码"),
        (None, "—", "未显号码"),
    ],
)
def test_telephone_numbers(phone: str | None, masked: str, grouped: str) -> None:
    """Masked over a shoulder, grouped to be read out; odd ones are not broken."""
    assert (render.masked(phone), render.grouped(phone)) == (masked, grouped)


def test_a_message_is_taken_apart() -> None:
    """Chinese first, English small beside it; a name with a space in it is no English."""
    assert render.two_tongues("已登记。 Registered.") == ("已登记。", "Registered.")
    assert render.two_tongues("第一。第二。 First; second.") == ("第一。第二。", "First; second.")
    assert render.two_tongues("只有中文。") == ("只有中文。", "")


def test_what_is_typed_is_never_markup() -> None:
    """A caller may be called anything: in every page it is text."""
    shown = render.html("pages/error.html", status=1, message=("<script>x</script>", '"><b>'))
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in render.flash("<i>。 <i>.", "bad")


def test_everything_said_has_both_languages() -> None:
    """English beside Chinese in all that a person sees."""
    for _, message in words.TOLD.values():
        assert all(render.two_tongues(message)), message
    for names in (words.FIELD_NAMES, words.ACTS):
        assert all(zh and en for zh, en in names.values())


def test_no_state_step_or_field_is_without_its_looks_and_name() -> None:
    """A new state or field must not reach a page nameless."""
    assert set(words.STATE_TONES) == set(lifecycle.STATE_NAMES) == set(lifecycle.TicketState)
    assert set(words.ORDER_STATE_TONES) == set(lifecycle.ORDER_STATE_NAMES)
    assert set(words.STEP_TONES) <= set(lifecycle.ACTION_NAMES)
    assert set(words.FIELD_NAMES) >= acts.FILLABLE
    assert [code for code, _, _ in words.PURPOSES] == list(PURPOSES)
    assert all(60 <= int(code) <= listening.GRANT_S_MAX for code, _, _ in words.LASTS)
