"""The chores of the clock: all are there, and none keeps another from being done."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gateway import timers
from gateway.errors import Forbidden
from gateway.parts import Parts
from recordings.errors import KeyMissing
from tests.unit.gateway import house

FAILURES = (
    KeyMissing("没有。 None."), Forbidden("不可。 No."), OSError(28, "No space left on device"),
    OperationalError("SELECT '13800138000'", None, Exception("disk I/O error")),
)  # fmt: skip


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path / "state") as made:
        yield made


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_one_that_fails_keeps_no_other(
    parts: Parts, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A key service that is away must not keep months from being destroyed in time, nor the log
    unsigned; and no statement with somebody's number gets into the program's log."""
    done = list[str]()

    def fail(_: Parts) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        timers.each(parts, {"first": fail, "second": lambda _: done.append("second")})
    assert done == ["second"]
    assert "first" in caplog.text
    assert "13800138000" not in caplog.text


def test_every_chore_runs_in_a_house(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """On a house just set up every chore is done without a word of failure."""
    with caplog.at_level(logging.WARNING):
        timers.each(parts, timers.chores())
    assert [one.message for one in caplog.records if one.message.startswith("timers")] == []
