"""The department's side: what a department's program needs to take work orders and answer them.

    async for order in Department("sb", RabbitMQ(url)).orders():
        await order.sign("张三")

Orders come one by one, in order; each message carries its order whole, and the newest counts. A
version that is not higher than the one settled before is a repetition: it is acked unseen and
counted. A type that is not known here is a newer hotline's: it is acked and counted too, so that an
upgrade there parks nothing here. What cannot be read goes to the parked queue, where the hotline
sees it.
Always holds: an order is settled only after its answer is confirmed; an answer has the id of what
it says (work order, version, event, content), so the hotline applies it once even where this
program died between its answer and its ack and says the same again; an order that is not settled
when the next is asked for, comes again.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID, uuid5

from queueing import messages, topology, tracing
from queueing.errors import NotSent, Unreadable
from queueing.messages import (
    ConnectionTested,
    DepartmentReply,
    ExtensionAsked,
    Progress,
    Remarked,
    Replied,
    ReplyRejected,
    Returned,
    Signed,
    WorkOrder,
    WorkOrderWithdrawn,
)
from queueing.transport import Delivery, Transport

logger = logging.getLogger(__name__)

AGAIN_S: Final = (0.2, 0.5, 1.0, 2.0)
REFUSALS: Final = 8
ANSWERS: Final = UUID("5b0c6f8e-3c0f-5e0b-9d55-0f7c1d6a1233")
"""The namespace of answers' ids (RFC 9562 §5.5)."""


class Seen(Protocol):
    """The highest version settled, by work order: a dict, or `Remembered` across restarts."""

    def get(self, work_order: str, default: int, /) -> int:
        """The version settled, or `default`."""

    def __setitem__(self, work_order: str, version: int, /) -> None:
        """Remember that this version was settled."""


class Department:
    """One department's link; `seen` outlives the program when the caller keeps it; `on_rejected`
    is told of an answer that the hotline did not take, and why; `on_tested` of a test message."""

    def __init__(
        self,
        code: str,
        transport: Transport,
        clock: Callable[[], int],
        seen: Seen | None = None,
        on_rejected: Callable[[ReplyRejected], None] = lambda _: None,
        on_tested: Callable[[ConnectionTested], None] = lambda _: None,
    ) -> None:
        self.code = code
        self.repeated = 0
        self.unknown = 0
        self._transport = transport
        self._clock = clock
        self._on_rejected = on_rejected
        self._on_tested = on_tested
        self._seen: Seen = {} if seen is None else seen

    async def orders(self) -> AsyncGenerator["Order", None]:
        """New work orders and withdrawals, for ever. Close it with `aclosing`."""
        queue = topology.department_queue(self.code)
        async with aclosing(self._transport.deliveries(queue)) as arriving:
            async for delivery in arriving:
                message = await self._read(delivery)
                if message is None:
                    continue
                order = Order(self, delivery, *message)
                try:
                    yield order
                finally:
                    await order.requeue_unless_settled()

    async def _read(self, delivery: Delivery) -> tuple[WorkOrder | WorkOrderWithdrawn, str] | None:
        """The next to work, and its trace."""
        try:
            envelope = messages.decode(delivery.body)
        except Unreadable as problem:
            if problem.code in ("unknown-type", "wrong-version"):
                await self._pass_over(delivery, problem.reason)
                return None
            logger.warning("an unreadable work order goes to the parked queue: %s", problem.reason)
            await delivery.reject()
            return None
        message = envelope.message
        if isinstance(message, ReplyRejected):
            logger.warning("a reply was not taken: %s: %s", message.code, message.reply_id)
            self._on_rejected(message)
            await delivery.ack()
            return None
        if isinstance(message, ConnectionTested):
            self._on_tested(message)
            await delivery.ack()
            return None
        if not isinstance(message, WorkOrder | WorkOrderWithdrawn):
            await self._pass_over(delivery, "no work order")
            return None
        if message.version <= self._seen.get(message.work_order, 0):
            self.repeated += 1
            await delivery.ack()
            return None
        return message, envelope.trace

    async def _pass_over(self, delivery: Delivery, what: str) -> None:
        logger.info("passed over: %s", what)
        self.unknown += 1
        await delivery.ack()

    def settled(self, message: WorkOrder | WorkOrderWithdrawn) -> None:
        """Remember that this version was taken in."""
        self._seen[message.work_order] = message.version

    async def send(self, reply: DepartmentReply, trace: str = "") -> None:
        """Say it, whether or not the order is in hand: published under one id until it is
        confirmed; `trace` is the `traceparent` of what is answered. Raises `NotSent` when refused
        for some ten seconds: a queue of the hotline's that was deleted or has no leader is there
        again by then, and a program that gave its order back at once would have it parked after
        twenty times."""
        event_id = answer_id(reply)
        source = f"urn:12333:department:{self.code}"
        of = tracing.parse(trace)
        step = str(tracing.child(of, os.urandom(8))) if of else ""
        body = messages.encode(
            reply, event_id=event_id, source=source, time_us=self._clock(), trace=step
        )
        key = topology.reply_key(self.code)
        tried = refused = 0
        while True:
            outcome = await self._transport.publish(topology.REPLIES, key, body, event_id)
            if outcome.verdict == "confirmed":
                return
            refused += outcome.verdict != "unknown"
            if refused == REFUSALS:
                raise NotSent(f"{outcome.verdict} {outcome.detail}")
            await asyncio.sleep(AGAIN_S[min(tried, len(AGAIN_S) - 1)])
            tried += 1


def answer_id(reply: DepartmentReply) -> str:
    """The id of an answer: the same for the same words about the same state of a work order."""
    content = messages.digest(reply.model_dump(mode="json"))  # its event is part of it
    return uuid5(ANSWERS, f"{reply.work_order}/{reply.version}/{content}").hex


class Order:
    """One work order, or its withdrawal, in a department's hands."""

    def __init__(
        self,
        department: Department,
        delivery: Delivery,
        message: WorkOrder | WorkOrderWithdrawn,
        trace: str = "",
    ) -> None:
        self.message = message
        self.body = delivery.body  # as it came, with what this program does not know
        self._trace = trace
        self._department = department
        self._delivery = delivery
        self._settled = False

    @property
    def withdrawn(self) -> bool:
        """The hotline has taken this work order back: nothing more is to be done."""
        return isinstance(self.message, WorkOrderWithdrawn)

    async def sign(self, by: str) -> None:
        """签收: we have it. `by` is the officer's name."""
        await self._answer(Signed(**self._about(), by=by))

    async def give_back(self, by: str, reason: str) -> None:
        """退单: it is not ours, and why."""
        await self._answer(Returned(**self._about(), by=by, reason=reason))

    async def reply(self, by: str, result: str, measures: str = "") -> None:
        """反馈: what was found and what was done."""
        answer = Replied(**self._about(), by=by, result=result, measures=measures)
        await self._answer(answer)

    async def ask_extension(self, by: str, until: datetime, reason: str) -> None:
        """申请延期: more time is needed, until when and why; the order stays in hand."""
        await self._say(ExtensionAsked(**self._about(), by=by, until=until, reason=reason))

    async def progress(self, by: str, text: str) -> None:
        """办理进展: how it goes; the order stays in hand."""
        await self._say(Progress(**self._about(), by=by, text=text))

    async def remark(self, by: str, text: str) -> None:
        """会办意见: a remark for the hotline and the others; the order stays in hand."""
        await self._say(Remarked(**self._about(), by=by, text=text))

    async def ack(self) -> None:
        """Taken in, with nothing to say (yet). Remembered first: killed before the ack it comes
        again, and is recognised."""
        if not self._settled:
            self._department.settled(self.message)
            self._settled = True
            await self._delivery.ack()

    async def reject(self) -> None:
        """Never again: it goes to the parked queue, where the hotline sees it."""
        if not self._settled:
            self._settled = True
            await self._delivery.reject()

    async def requeue_unless_settled(self) -> None:
        """Let it come again; nothing to do when it was settled."""
        if not self._settled:
            self._settled = True
            await self._delivery.requeue()

    async def _say(self, reply: DepartmentReply) -> None:
        await self._department.send(reply, self._trace)

    async def _answer(self, reply: DepartmentReply) -> None:
        await self._say(reply)
        await self.ack()

    def _about(self) -> dict[str, Any]:
        """What every reply says first."""
        return self.message.model_dump(include={"work_order", "version", "department"})
