"""A reply that makes no sense: parked with its code and reason, and its department is told."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import messages, parked, rejections, topology
from queueing.department import Department
from queueing.embedded import Embedded
from queueing.errors import CODES, Rejected
from queueing.inbox import ReplyConsumer
from queueing.messages import DepartmentReply, ReplyRejected, Signed
from queueing.relay import Relay
from queueing.tables import OutboxRow
from tests.integration.queueing.conftest import MakeTransport
from tests.rig.store import Clock, Store
from tests.rig.waiting import running, until

NOISE = b"x" * (messages.MAX_BYTES + 1)


def signed(work_order: str = "WO-1", **changes: Any) -> bytes:
    message = Signed(work_order=work_order, version=1, department="sb", by="张三")
    body = messages.encode(message, event_id=f"e-{work_order}", source="urn:d:sb", time_us=7)
    event: dict[str, Any] = json.loads(body)
    data = event["data"] | changes.pop("data", {})
    return json.dumps(event | changes | {"data": data}).encode()


SENSELESS: dict[str, bytes] = {
    "unreadable": b"{ no JSON",
    "wrong-version": signed("WO-2", type="cn.12333.reply.v9"),
    "unknown-type": signed("WO-3", type="cn.12333.nonesuch.v1"),
    "too-large": NOISE,
    "bad-content": signed("WO-4", data={"version": "soon"}),
    "wrong-department": signed("WO-5", data={"department": "jy"}),
    "unknown-work-order": signed("WO-unknown"),
    "illegal-step": signed("WO-illegal"),
    "conflicting-repeat": signed("WO-6", id="e-WO-1"),
    "failed": signed("WO-stumble"),
}
"""Of each code a reply that meets it; `user-mismatch` needs accounts: test_rights."""


def handler(_session: Session, replies: Sequence[DepartmentReply]) -> None:
    for reply in replies:
        if reply.work_order == "WO-unknown":
            raise Rejected("没有这张派单。 No such work order.", "unknown-work-order")
        if reply.work_order == "WO-illegal":
            raise Rejected("尚未签收。 Not signed yet.")
        if reply.work_order == "WO-stumble":
            raise KeyError(reply.work_order)


def test_every_code_is_met(store: Store) -> None:
    """Protects: the closed list is the list that is tried."""
    assert set(SENSELESS) | {"user-mismatch"} == set(CODES)
    assert all(not zh.isascii() and en.isascii() for zh, en in CODES.values())


def test_the_department_is_told_of_each_and_why(
    store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: whatever a department's program sends wrongly it hears of, by code, by its own id
    where that can be read, and by the hash of what it sent; each is parked, and good ones pass."""
    told: list[ReplyRejected] = []
    bodies = [signed(), *SENSELESS.values()]

    async def listen(department: Department) -> None:
        async with aclosing(department.orders()) as orders:
            async for order in orders:
                await order.ack()

    async def scenario() -> None:
        async with transports() as ours, transports() as theirs:
            await ours.declare(["sb"])
            for body in bodies:
                await theirs.publish(topology.REPLIES, "reply.sb.v1", body, "k")
            department = Department("sb", theirs, clock, on_rejected=told.append)
            consumer = ReplyConsumer(store.begin, ours, handler, clock)
            relay = Relay(store.begin, ours, clock)
            async with running(consumer.run(), relay.run(), listen(department)):
                await until(lambda: len(told) == len(SENSELESS), seconds=40)

    asyncio.run(scenario())
    assert [one.code for one in told] == list(SENSELESS)
    rows = {row.code: row for row in store.read(parked.unresolved)}
    assert set(rows) == set(SENSELESS)
    for one in told:
        assert (one.digest, one.size) == (rows[one.code].body_sha256, rows[one.code].size)
        assert not one.reason.isascii()
    by_code = {one.code: one for one in told}
    assert (by_code["illegal-step"].reply_id, by_code["illegal-step"].work_order) == (
        "e-WO-illegal", "WO-illegal",
    )  # fmt: skip
    assert (by_code["too-large"].reply_id, by_code["too-large"].size) == ("", len(NOISE))
    assert by_code["conflicting-repeat"].reply_source == "urn:d:sb"


def refused(store: Store, number: int, now: int, department: str = "sb", body: bytes = b"") -> bool:
    body = body or b"noise %d" % number
    with store.begin() as session:
        row = parked.park_reply(
            session, routing_key=f"reply.{department}.v1", body=body, reason="r", now=now
        )
        return rejections.answer(session, row, body, code="unreadable", reason="r", now=now)


def test_a_program_gone_wrong_is_told_sixty_times_a_minute(store: Store) -> None:
    """Protects: a loop of senseless replies fills neither the department's queue nor our outbox;
    another department's answers are not held back by it, and everything is parked."""
    minute = 60_000_000
    answers = [refused(store, number, now=1_000 + number) for number in range(70)]
    assert answers == [True] * 60 + [False] * 10
    assert refused(store, 70, now=2_000, department="jy")
    assert refused(store, 71, now=1_000 + minute + 1)
    assert len(store.read(lambda s: parked.unresolved(s, 200))) == 72


def test_a_rejection_is_never_rejected(store: Store) -> None:
    """Protects: a department that sends everything back is not answered for ever."""
    assert refused(store, 1, now=5)
    (body,) = store.read(lambda s: s.scalars(select(OutboxRow.body)).all())
    assert messages.decode(body).type == messages.REJECTED
    assert not refused(store, 2, now=6, body=body)


def test_an_unknown_department_is_not_answered(store: Store, clock: Clock) -> None:
    """Protects: who shares an account cannot make us write to queues that nobody has."""

    async def scenario() -> None:
        transport = Embedded(store.begin, clock)
        await transport.declare([])
        await transport.publish(topology.REPLIES, "reply.nobody.v1", b"x", "k")
        consumer = ReplyConsumer(
            store.begin, transport, handler, clock, speaker=lambda _session, _code: None
        )
        async with running(consumer.run()):
            await until(lambda: store.read(parked.unresolved))

    asyncio.run(scenario())
    assert store.read(lambda s: s.scalars(select(OutboxRow)).all()) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[" * 100_000, b'{"id": 7, "data": []}', b'{"id": "\\u0000"}', NOISE]
)
def test_a_glimpse_of_anything(body: bytes) -> None:
    """Protects: naming what was refused never fails, and takes over short plain text alone."""
    assert rejections.glimpse(body) == rejections.Glimpse()
