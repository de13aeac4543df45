"""The torture's own verdict: whatever does not hold is said, and nothing else is."""

import random
from collections import Counter
from typing import Any

import pytest

from tests.torture.faults import Fault, planned
from tests.torture.report import Report
from tests.torture.watch import Gap

GOOD: dict[str, Any] = {
    "cel_calls": 60, "call_records": 60, "tickets": 59, "never_queued": 1, "doubled": 0,
    "never_logged": 0, "agrees": True, "recordings": {"missing": 0},
}  # fmt: skip


USUAL = {"kills": 20, "turns": 8, "restarts": 5, "stops": 5}


def report(**count: Any) -> Report:
    faults = [Fault("gateway killed", 3, snapshot_s=1.9), Fault("PBX stopped", 9)]
    gaps = [Gap(1, 2, 3, "killed")]
    return Report(1, "SQLite", 1.0, {"calls": 60}, {**GOOD, **count}, faults=faults, gaps=gaps)


def test_what_holds_is_no_failure() -> None:
    """A call that never queued owes no ticket; a link that was held needs no snapshot; a call that
    a dying PBX did not live to write is counted apart."""
    assert report().failures == []
    assert report(cel_calls=59, never_logged=1).failures == [
        "only 59 calls came about",
    ]
    assert "成立" in report().text()


@pytest.mark.parametrize(
    ("name", "value"),
    [("agrees", False), ("call_records", 59), ("tickets", 58), ("doubled", 1),
     ("recordings", {"missing": 1}), ("cel_calls", 59)],
)  # fmt: skip
def test_each_figure_that_does_not_fit_is_a_failure(name: str, value: Any) -> None:
    """The exit status rests on it."""
    found = report(**{name: value})
    assert found.failures
    assert "FAILED" in found.text()


def test_what_is_late_and_an_open_gap_are_failures() -> None:
    """Live calls within two seconds of login, a take-over within five; every interval filled."""
    late = report()
    late.faults[0].snapshot_s = 2.1
    late.faults.append(Fault("gateway taken over", 12, snapshot_s=1.0, taken_over_s=5.1))
    late.gaps.append(Gap(1, 2, None, "closed"))
    assert len(late.failures) == 3


def test_the_plan_has_every_fault_and_is_the_seeds() -> None:
    """What was asked for is done, in one order for one seed, before the last tenth of the calls."""
    faults = planned(random.Random(7), 1000, **USUAL)
    kinds = Counter(fault.kind for fault in faults)
    assert (kinds["gateway killed"], kinds["gateway taken over"]) == (12, 8)
    order = [fault.kind for fault in faults if fault.kind.startswith("gateway")]
    assert order == ["gateway killed"] * 12 + ["gateway taken over"] * 8
    assert kinds["PBX killed"] + kinds["PBX restarted"] == 5
    assert kinds["PBX stopped"] == 5
    assert max(fault.due_at_call for fault in faults) <= 900
    assert faults == planned(random.Random(7), 1000, **USUAL)
    assert faults != planned(random.Random(8), 1000, **USUAL)
