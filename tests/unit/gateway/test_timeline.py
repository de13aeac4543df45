"""The way of a work order: what each fact of it makes the timeline say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tables import WorkOrderRow
from gateway.tickets import timeline
from gateway.tickets.lifecycle import OrderState
from gateway.tickets.timeline import Said, Stuck

NOW = 1_795_400_000_000_000
S = 1_000_000


def order(**given: Any) -> WorkOrderRow:
    return WorkOrderRow(**{"number": "WO-1", "state": "offered", "offered_at": NOW} | given)


def said(event: str = "offered", state: str = "confirmed", **given: Any) -> Said:
    done = {"published_at": NOW + 1, "confirmed_at": NOW + 2} if state == "confirmed" else {}
    return Said(event, state, NOW, **done | given)


OFFER = said()
SIGNED: dict[str, Any] = {"state": "signed", "signed_at": NOW + 9, "signed_by": "sun"}
REPLIED: dict[str, Any] = SIGNED | {"state": "replied", "replied_at": NOW + 20}
BACK: dict[str, Any] = {"state": "returned"}

WAYS: dict[str, tuple[WorkOrderRow, list[Said], int | None, str, str | None]] = {
    "just put": (order(), [said(state="waiting")], None, "C......", "published"),
    "in the queue": (order(), [OFFER], None, "CPQ", "delivered"),
    "taken by the desk": (order(delivered_at=NOW + 5), [OFFER], None, "CPQD", "signed"),
    "its system spoke": (order(), [OFFER], NOW + 7, "CPQD", "signed"),
    "signed": (order(**SIGNED), [OFFER], None, "CPQDS", "replied"),
    "signed, no confirm": (order(**SIGNED), [said(state="waiting")], None, "C..DS", "replied"),
    "replied": (order(**REPLIED), [OFFER], None, "CPQDSR", None),
    "returned unsigned": (order(**BACK, returned_at=NOW + 9), [OFFER], None, "CPQDB", None),
    "withdrawn on its way": (
        order(**BACK), [said(state="waiting"), said("withdrawn", "waiting")], None, "CW", None,
    ),
    "made before outboxes kept it": (order(), [], None, "C", "published"),
}  # fmt: skip
LETTERS = dict(zip(timeline.STAGES, "CPQDSRBW", strict=True))


@pytest.mark.parametrize(("row", "told", "heard", "times", "current"), WAYS.values(), ids=WAYS)
def test_each_fact_has_its_step(
    row: WorkOrderRow, told: list[Said], heard: int | None, times: str, current: str | None
) -> None:
    """Protects: the steps that have a time, and where the order is now."""
    found = timeline.of(row, told, heard, [], NOW)
    assert [LETTERS[one.stage] for one in found.steps if one.at] == list(times.replace(".", ""))
    assert found.current == current


def test_an_order_that_came_back_leaves_out_what_will_not_come() -> None:
    """Protects: a clerk does not wait for a signature that cannot come any more."""
    found = timeline.of(order(state="returned", returned_at=NOW + 9), [OFFER], None, [], NOW)
    assert [one.stage for one in found.steps] == [
        "committed", "published", "confirmed", "delivered", "returned",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "later_us", "kind"),
    [
        (OFFER, 60 * S, None),
        (said(state="waiting"), 9 * S, None),
        (said(state="waiting", attempts=3), 10 * S, "backlog"),
        (said(state="waiting", refused=True, trouble="队列拒收"), 0, "refused"),
        (said("urged", "parked", trouble="没有接收队列"), 0, "parked"),
        (said("urged", "discarded", trouble="重复"), 0, "discarded"),
    ],
)
def test_what_keeps_a_message_is_named(one: Said, later_us: int, kind: str | None) -> None:
    """Protects: a message that is not on its way is a gap with its reason, and no other is."""
    gaps = timeline.of(order(), [one], None, [], NOW + later_us).gaps
    assert [gap.kind for gap in gaps] == ([kind] if kind else [])
    if kind:
        assert (gaps[0].event, gaps[0].since_at) == (one.event, NOW)
        assert (gaps[0].reason, gaps[0].attempts) == (one.trouble, one.attempts)


def test_gaps_stand_in_their_order() -> None:
    """Protects: a reply that was not taken is told with what else keeps the order, oldest first."""
    stuck = [Stuck("reply-parked", NOW + 5, "步骤不符"), Stuck("given-up", NOW - 5, "rejected")]
    found = timeline.of(order(), [said("urged", "parked")], None, stuck, NOW)
    assert [gap.kind for gap in found.gaps] == ["given-up", "parked", "reply-parked"]


moments = st.none() | st.integers(NOW, NOW + 100)
messages = st.builds(
    Said,
    st.sampled_from(sorted(timeline.EVENTS)),
    st.sampled_from(["waiting", "confirmed", "parked", "discarded"]),
    st.integers(NOW, NOW + 100),
    moments,
    moments,
)


@given(
    st.sampled_from(OrderState),
    st.fixed_dictionaries(
        dict.fromkeys(("delivered_at", "signed_at", "replied_at", "returned_at"), moments)
    ),
    st.lists(messages, max_size=4),
    moments,
)
def test_whatever_is_known_it_reads_from_left_to_right(
    state: OrderState, times: dict[str, int | None], told: list[Said], heard: int | None
) -> None:
    """Protects: reached steps come first, one step at most is the present one, every step that has
    a time is reached, and each parked or discarded message is named."""
    found = timeline.of(order(state=state, **times), told, heard, [], NOW)
    reached = [one.reached for one in found.steps]
    assert reached == sorted(reached, reverse=True)
    assert all(one.reached for one in found.steps if one.at is not None)
    assert (found.current is None) == all(reached)
    named = [gap.kind for gap in found.gaps if gap.kind in ("parked", "discarded")]
    assert sorted(named) == sorted(
        one.state for one in told if one.state in ("parked", "discarded")
    )
    assert set(timeline.GAPS) >= {gap.kind for gap in found.gaps}
