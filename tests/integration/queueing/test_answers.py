"""A department's answer that the hotline's queue does not take at once."""

import asyncio

import pytest

from queueing import department
from queueing.department import Department
from queueing.embedded import Embedded
from queueing.errors import NotSent
from queueing.messages import Signed
from queueing.transport import Outcome, Verdict
from tests.rig.store import Clock, Store

ANSWER = Signed(work_order="WO-2026-000001-1", version=1, department="sb", by="张三")


class Answering(Embedded):
    """The embedded transport, with the broker's words given before."""

    says: list[Verdict]

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        return Outcome(self.says.pop(0))


@pytest.fixture
def answering(sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Answering:
    monkeypatch.setattr(department, "AGAIN_S", (0.0,))
    return Answering(sqlite_store.begin, clock)


def test_an_answer_waits_for_a_queue_that_is_not_there_for_a_moment(
    answering: Answering, clock: Clock
) -> None:
    """Protects: given back at once, the order would come again at once, and be parked after twenty
    times while nothing is wrong with it; an unknown outcome is no refusal."""
    unknown: list[Verdict] = ["unknown"] * 30
    refused: list[Verdict] = ["refused"] * 6
    answering.says = ["unroutable", *unknown, *refused, "confirmed"]
    asyncio.run(Department("sb", answering, clock).send(ANSWER))
    assert answering.says == []


def test_an_answer_that_is_refused_for_good_is_told(answering: Answering, clock: Clock) -> None:
    """Protects: a program learns that its answer did not go."""
    answering.says = ["refused"] * 20
    with pytest.raises(NotSent):
        asyncio.run(Department("sb", answering, clock).send(ANSWER))
    assert len(answering.says) == 20 - department.REFUSALS
