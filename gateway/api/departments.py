"""What a department's program does over HTTPS: fetch its messages, settle them, reply.

The table in `routes` takes the endpoints in; `machine` runs them, and lets nobody in but programs
with a key. A reply is judged as one that came by the broker would be, and its sender is told at
once: an answer of 200 means that the hotline has it, and says what became of it; anything else
means that it has to be sent again.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.api.endpoint import Endpoint
from gateway.api.machine import Turned
from gateway.api.shapes import Model, RowId
from gateway.errors import TooBusy
from gateway.flow import pulling
from gateway.flow.pulling import Settlement, Wish
from gateway.tickets.clocks import china
from queueing import topology
from queueing.inbox import Receipt
from queueing.pulling import Ending

EVENT = "application/cloudevents+json"
Told = Literal["applied", "duplicate", "rejected"]
SAID: dict[Receipt | None, Told] = {
    Receipt.APPLIED: "applied", Receipt.DUPLICATE: "duplicate", None: "rejected",
}  # fmt: skip
JUDGED_S = 20.0
"""How long a reply may wait for a database that is away; then its sender has to come again."""


class MessagesIn(Model):
    """How many at most, how long to wait for the first (s), how long to hold them (s)."""

    max: Annotated[int, Field(ge=1, le=20)] = 10
    wait_s: Annotated[int, Field(ge=0, le=25)] = 0
    lease_s: Annotated[int, Field(ge=10, le=600)] = 60


class MessageOut(Model):
    """A message lent until `until`: settle it by `id` and `lease`. `times` counts deliveries."""

    id: int
    lease: int
    times: int
    until: datetime
    event: dict[str, Any]
    """The CloudEvent, as the contract has it (/asyncapi.json)."""


class SettlementIn(Model):
    """ack: done · fail: again, and counted · give_back: again, not counted · reject: never."""

    id: RowId
    lease: RowId
    outcome: Ending


class SettleIn(Model):
    """Several at once."""

    messages: Annotated[list[SettlementIn], Field(min_length=1, max_length=100)]


class SettledOut(Model):
    """Whether it was held under this lease; if not, it comes again, or is settled already."""

    id: int
    settled: bool
    reason: str


class ReceiptOut(Model):
    """What became of a reply: applied, duplicate (it was applied before), or rejected and why."""

    receipt: Told
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _HandedIn:
    """A reply in the hands of whoever showed the department's key."""

    body: bytes
    routing_key: str
    user: str | None = None


LOST = (
    "不在此租约下：租约已到期、已处理或不属本部门。 "
    "Not held under this lease: it ran out, was settled, or is not this department's."
)


async def messages(turned: Turned) -> list[MessageOut]:
    """领取消息."""
    asked = turned.body
    wish = Wish(asked.max, asked.wait_s, asked.lease_s)
    lent = await pulling.pull(turned.parts, turned.who, wish, turned.gone, turned.waiting)
    turned.count("lent", len(lent))
    return [
        MessageOut(id=one.id, lease=one.lease, times=one.times, until=china(one.until),
                   event=json.loads(one.body))
        for one in lent
    ]  # fmt: skip


async def settle(turned: Turned) -> list[SettledOut]:
    """了结消息."""
    ended = await asyncio.to_thread(_settle, turned)
    for one, held in zip(turned.body.messages, ended, strict=True):
        turned.count(one.outcome if held else "late")
    return [
        SettledOut(id=one.id, settled=held, reason="" if held else LOST)
        for one, held in zip(turned.body.messages, ended, strict=True)
    ]


def _settle(turned: Turned) -> list[bool]:
    wanted = [Settlement(one.id, one.lease, one.outcome) for one in turned.body.messages]
    with turned.parts.database.begin() as session:
        return pulling.settle(session, turned.who, wanted, turned.parts.clock())


async def reply(turned: Turned) -> ReceiptOut:
    """提交回复."""
    await asyncio.to_thread(_check_pulls, turned)
    said = _HandedIn(turned.raw, topology.reply_key(turned.who.department))
    try:
        async with asyncio.timeout(JUDGED_S):
            verdict = await turned.replies.hear(said)
    except TimeoutError:
        raise TooBusy("暂时无法受理，请稍后重发。 Not possible now: send it again later.") from None
    return ReceiptOut(
        receipt=SAID[verdict.receipt], code=verdict.code, reason=verdict.reason or None
    )


def _check_pulls(turned: Turned) -> None:
    with turned.parts.database.reading() as session:
        pulling.check(session, turned.who)


_D = "/api/v1/department"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", _D + "/messages", messages, (), MessageOut, "领取消息 · Fetch messages",
             MessagesIn, many=True, machine=True),
    Endpoint("POST", _D + "/messages/settle", settle, (), SettledOut,
             "了结消息 · Settle messages", SettleIn, many=True, machine=True),
    Endpoint("POST", _D + "/replies", reply, (), ReceiptOut, "提交回复 · Reply",
             takes=EVENT, machine=True),
)  # fmt: skip
