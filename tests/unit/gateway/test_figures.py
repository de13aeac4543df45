"""Figures of a span: each with its numerator and denominator, and what it may lack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.flow import figures
from gateway.flow.figures import Average, Figures, Share
from gateway.parts import Parts
from telephony.tables import LinkGapRow
from tests.unit.gateway.house import S, house
from tests.unit.gateway.test_wallboard import HOUR, MIDNIGHT, MINUTE, NOON, call, put


@pytest.fixture
def parts(tmp_path: Path, database_url: str) -> Iterator[Parts]:
    with house(tmp_path, HOTLINE_DATABASE_URL=database_url) as made:
        yield made


def of(parts: Parts, since: int = MIDNIGHT, until: int = NOON) -> dict[str, Figures]:
    with parts.database.reading() as session:
        return figures.of_span(session, since, until)


def test_every_figure_has_its_two_numbers(parts: Parts) -> None:
    """DOMAIN.md's formulas on one morning: answered of who asked and of all, within 15 s of the
    answered, who gave up, waits and talks; calls that we placed are in none of them."""
    at = NOON - HOUR
    put(
        parts,
        call(at, 10 * S, talk_ms=60_000),
        call(at, 20 * S, talk_ms=90_000),
        call(at, 3 * S, talk_ms=None, state="talking", ended_at=None),
        call(at, None),
        call(at, None, state="queued", outcome=None, ended_at=None),
        call(at, None, queued_at=None, queue=None, outcome="left"),
        call(at, 5 * S, direction="outbound", talk_ms=1),
        call(NOON, 1 * S, talk_ms=1),
        call(MIDNIGHT - 1, 1 * S, talk_ms=1),
    )
    made = of(parts)[""]
    assert made.counts() == {"calls": 6, "asked": 5, "answered": 3, "abandoned": 1, "waiting": 1}
    assert made.shares == {
        "answered_rate": Share(3, 5, 95), "answered_of_all_rate": Share(3, 6),
        "within_15s_rate": Share(2, 3, 80), "abandoned_rate": Share(1, 5),
    }  # fmt: skip
    assert made.averages == {
        "average_wait": Average(33_000, 3), "average_talk": Average(150_000, 2),
    }  # fmt: skip


def test_a_floor_is_not_reached_by_rounding() -> None:
    """949 of 1000 are not 95 %; of nothing there is no rate, and no floor is missed."""
    assert (Share(949, 1000, 95).percent, Share(949, 1000, 95).met) == (94, False)
    assert Share(19, 20, 95).met is True
    assert (Share(0, 0, 95).percent, Share(0, 0, 95).met, Average(0, 0).ms) == (None, None, None)


def test_several_pbxs_are_counted_together_and_apart(parts: Parts) -> None:
    """The house's figure is of all callers, not the mean of two rates."""
    at = NOON - MINUTE
    put(parts, call(at, S), call(at, S), call(at, None, pbx="pbx2"))
    found = of(parts)
    assert found[""].shares["answered_rate"] == Share(2, 3, 95)
    assert found["pbx2"].shares["answered_rate"] == Share(0, 1, 95)


def test_what_touches_an_open_interval_says_so(parts: Parts) -> None:
    """Lasting, or over and not back-filled: both are open; one made good or outside is not."""
    put(
        parts,
        LinkGapRow(pbx="pbx1", began_at=NOON - HOUR, ended_at=NOON - MINUTE, reason="closed"),
        LinkGapRow(pbx="pbx2", began_at=NOON - MINUTE, reason="silent"),
        LinkGapRow(pbx="pbx1", began_at=NOON - HOUR, ended_at=NOON, backfilled_at=NOON,
                   reason="closed"),
        LinkGapRow(pbx="pbx1", began_at=MIDNIGHT - HOUR, ended_at=MIDNIGHT - MINUTE,
                   reason="closed"),
    )  # fmt: skip
    found = of(parts)
    assert [gap.pbx for gap in found[""].incomplete] == ["pbx1", "pbx2"]
    assert [gap.began_at for gap in found["pbx2"].incomplete] == [NOON - MINUTE]
    assert of(parts, MIDNIGHT - 9 * HOUR, MIDNIGHT - 2 * HOUR)[""].incomplete == []
