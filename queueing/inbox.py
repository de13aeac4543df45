"""Dedupe → apply → commit → ack: what takes a department's reply to its ticket, once.

The row that remembers a reply and what the reply does are one transaction, and the broker hears
the ack only after its commit: a reply that comes twice, or comes again after a crash, finds the
row. Always holds: a reply is applied at most once for its (department, source, id), where the
department is the proven one: what another writes as its source and id changes nothing; a repetition
is one only if it says the same; a reply that cannot be read, that speaks for another department, or
that is rejected is parked with its code and reason, its department is told in the same transaction,
and then it is acked; replies are applied in the order they come.
"""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from enum import StrEnum
from functools import partial
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from queueing import messages, parked, rejections, topology
from queueing.errors import Code, Rejected, Unreadable
from queueing.messages import DepartmentReply, Envelope, Reply
from queueing.outbox import Begin, Clock
from queueing.persistence import until_done
from queueing.tables import InboxRow
from queueing.telling import Told
from queueing.transport import Delivery, Transport

logger = logging.getLogger(__name__)

Handler = Callable[[Session, DepartmentReply, Envelope], None]
"""Applies a reply inside the session's transaction; raises `Rejected` when it makes no sense."""


OnRefused = Callable[[Session, Rejected], None]
"""Told of a reply that was rejected, in the transaction that parks it."""


Speaker = Callable[[Session, str], str | None]
"""The account a department's replies must come under; empty where it has none of its own, None
where there is no such department."""


def anybody(_session: Session, _department: str) -> str | None:
    """No department has an account of its own."""
    return ""


class Receipt(StrEnum):
    """What became of one reply."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"


def apply(session: Session, envelope: Envelope, handler: Handler, now: int) -> Receipt:
    """Apply a reply unless it was applied before; `now` is µs since the epoch.

    Raises `Rejected` for what is no reply, and whatever the handler raises: the caller's
    transaction then has to be undone, and with it the row that would call the reply known.
    """
    reply = envelope.message
    if not isinstance(reply, Reply):
        raise Rejected("不是部门回复。 This message is no reply of a department.", "unknown-type")
    insert = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert
    new = session.scalar(
        insert(InboxRow)
        .values(
            source=envelope.source,
            event_id=envelope.event_id,
            message_type=envelope.type,
            department=reply.department,
            work_order=reply.work_order,
            sent_at=envelope.time_us,
            applied_at=now,
            content_sha256=envelope.digest,
        )
        .on_conflict_do_nothing(index_elements=["department", "source", "event_id"])
        .returning(InboxRow.id)
    )
    if new is None:
        _check_repetition(session, reply.department, envelope)
        return Receipt.DUPLICATE
    handler(session, reply, envelope)
    return Receipt.APPLIED


def _check_repetition(session: Session, department: str, envelope: Envelope) -> None:
    """Raises `Rejected` where this id was used for something else."""
    before = session.scalar(
        select(InboxRow.content_sha256).where(
            InboxRow.department == department,
            InboxRow.source == envelope.source,
            InboxRow.event_id == envelope.event_id,
        )
    )
    if before and before != envelope.digest:
        raise Rejected(
            "此编号已用于另一条回复，请换新编号重发。 "
            "This id was used for another reply: send it again under a new one.",
            "conflicting-repeat",
        )


def replay(session: Session, parked_id: int, handler: Handler, now: int) -> Receipt:
    """Apply a parked reply after all; raises `NotParked`, `Unreadable`, or what `apply` raises.

    When it raises, undo the transaction: the row stays parked.
    """
    row = parked.take(session, parked_id, now)
    if row.direction != "in":
        raise Rejected("这不是部门回复，请用重发。 This is no reply; send it again instead.")
    if row.code == "user-mismatch":
        raise Rejected(
            "无法证明是谁发的，请部门以自己的账号重发。 "
            "Who sent it cannot be proven: the department has to send it under its own account.",
            "user-mismatch",
        )
    return apply(session, _read(row.routing_key, row.body), handler, now)


def _read(routing_key: str, body: bytes) -> Envelope:
    """The reply in a body, if who speaks may speak for the department it names."""
    envelope = messages.decode(body)
    if routing_key != topology.reply_key(envelope.message.department):
        raise Rejected(
            "回复的部门与发送通道不符。 The reply speaks for another department than its sender.",
            "wrong-department",
        )
    return envelope


class ReplyConsumer:
    """Takes replies from the transport to the handler; `run` until it is cancelled."""

    def __init__(
        self,
        begin: Begin,
        transport: Transport,
        handler: Handler,
        clock: Clock,
        on_refused: OnRefused = lambda _session, _refusal: None,
        speaker: Speaker = anybody,
    ) -> None:
        self._begin = begin
        self._transport = transport
        self._handler = handler
        self._clock = clock
        self._on_refused = on_refused
        self._speaker = speaker
        self.told: Told = Counter()
        """How often what became of a reply, for the figures."""

    async def run(self) -> NoReturn:
        """Reply after reply, in their order."""
        while True:
            async with aclosing(self._transport.deliveries(topology.REPLIES)) as arriving:
                async for delivery in arriving:
                    give_up = partial(self._give_up, delivery)
                    await until_done(partial(self._take, delivery), give_up)
                    await delivery.ack()

    def _take(self, delivery: Delivery) -> None:
        try:
            envelope = _read(delivery.routing_key, delivery.body)
            with self._begin() as session:
                self._check_speaker(session, envelope.message.department, delivery.user)
                receipt = apply(session, envelope, self._handler, self._clock())
        except (Unreadable, Rejected) as refusal:
            self._park(delivery, str(refusal), refusal.code, refusal)
        else:
            self.told["reply", receipt.value] += 1
            logger.info("reply %s: %s", ascii(envelope.event_id), receipt)

    def _check_speaker(self, session: Session, department: str, user: str | None) -> None:
        """Raises `Rejected` unless the account is the department's own, where it has one."""
        needed = self._speaker(session, department)
        if needed is None:
            raise Rejected("没有这个部门。 There is no such department.", "wrong-department")
        if needed and user is not None and user != needed:
            raise Rejected(
                f"须以账号 {needed} 发送并带 user-id。 "
                f"It must be sent under the account {needed}, with user-id.",
                "user-mismatch",
            )

    def _give_up(self, delivery: Delivery, problem: Exception) -> None:
        name = type(problem).__name__
        self._park(delivery, f"处理时出错 the handler failed: {name}", "failed")

    def _park(
        self, delivery: Delivery, reason: str, code: Code, refusal: Exception | None = None
    ) -> None:
        self.told["reply", f"parked-{code}"] += 1
        logger.warning("reply parked: %s: %s", code, reason)
        with self._begin() as session:
            if isinstance(refusal, Rejected):
                self._on_refused(session, refusal)
            row = parked.park_reply(
                session,
                routing_key=delivery.routing_key,
                body=delivery.body,
                reason=reason,
                now=self._clock(),
                code=code,
                work_order=rejections.glimpse(delivery.body).work_order,
            )
            if self._speaker(session, row.department) is not None:
                rejections.answer(
                    session, row, delivery.body, code=code, reason=reason, now=self._clock()
                )
