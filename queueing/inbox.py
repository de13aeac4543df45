"""Dedupe → apply → commit → ack: what takes departments' replies to their tickets, once.

The row that remembers a reply and what the reply does are one transaction, and the broker hears
the ack only after its commit: a reply that comes twice, or comes again after a crash, finds the
row. Always holds: a reply is applied at most once for its (department, source, id), where the
department is the proven one: what another writes as its source and id changes nothing; a repetition
is one only if it says the same; a reply that cannot be read, that speaks for another department, or
that is rejected is parked with its code and reason, its department is told in the same transaction,
and then it is acked; replies are applied in the order they come. What has come by the time is
applied in one transaction; where one of them cannot be, each is tried in one of its own.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NoReturn, Protocol

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from queueing import messages, parked, rejections, topology
from queueing.errors import CODES, Code, Rejected, Unreadable
from queueing.messages import DepartmentReply, Envelope, Reply
from queueing.outbox import Begin, Clock
from queueing.persistence import until_done
from queueing.tables import InboxRow
from queueing.telling import Told
from queueing.transport import Delivery, Transport
from queueing.waiting import finish

logger = logging.getLogger(__name__)

Handler = Callable[[Session, Sequence[DepartmentReply]], None]
"""Applies replies, in their order, inside the session's transaction; raises `Rejected` when one of
them makes no sense."""


OnRefused = Callable[[Session, Rejected], None]
"""Told of a reply that was rejected, in the transaction that parks it."""


Speaker = Callable[[Session, str], str | None]
"""The account a department's replies must come under; empty where it has none of its own, None
where there is no such department."""


def anybody(_session: Session, _department: str) -> str | None:
    """No department has an account of its own."""
    return ""


class Said(Protocol):
    """A reply as it came, by whichever way: its body, the key its sender has proven, the account it
    was sent under (`transport.Delivery`)."""

    @property
    def body(self) -> bytes:
        """As it came."""

    @property
    def routing_key(self) -> str:
        """Names the department that speaks."""

    @property
    def user(self) -> str | None:
        """Where the way has accounts."""


class Receipt(StrEnum):
    """What became of one reply."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was done with a reply: its receipt, or why it was parked."""

    receipt: Receipt | None
    code: Code | None = None
    reason: str = ""


def apply(session: Session, envelope: Envelope, handler: Handler, now: int) -> Receipt:
    """Apply a reply unless it was applied before; `now` is µs since the epoch.

    Raises `Rejected` for what is no reply, and whatever the handler raises: the caller's
    transaction then has to be undone, and with it the row that would call the reply known.
    """
    (receipt,) = apply_all(session, [envelope], handler, now)
    return receipt


def apply_all(
    session: Session, envelopes: Sequence[Envelope], handler: Handler, now: int
) -> list[Receipt]:
    """As `apply`, in their order; one that cannot be applied raises for them all."""
    new: list[DepartmentReply] = []
    receipts: list[Receipt] = []
    unknown = _remember(session, envelopes, now)
    for envelope in envelopes:
        reply = _reply(envelope)
        if (key := _key(envelope)) in unknown:
            unknown.remove(key)
            new.append(reply)
            receipts.append(Receipt.APPLIED)
        else:
            _check_repetition(session, reply.department, envelope)
            receipts.append(Receipt.DUPLICATE)
    if new:
        handler(session, new)
    return receipts


def _remember(session: Session, envelopes: Sequence[Envelope], now: int) -> set[tuple[str, ...]]:
    """Write down what has come; the keys of those that had not come before."""
    insert = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert
    rows = {_key(one): _row(one, now) for one in reversed(envelopes)}  # the first of a key stands
    names = ["department", "source", "event_id"]
    added = session.execute(
        insert(InboxRow)
        .on_conflict_do_nothing(index_elements=names)
        .returning(*(getattr(InboxRow, name) for name in names)),
        list(reversed(rows.values())),
    )
    return {tuple(row) for row in added}


def _key(envelope: Envelope) -> tuple[str, ...]:
    return _reply(envelope).department, envelope.source, envelope.event_id


def _reply(envelope: Envelope) -> DepartmentReply:
    reply = envelope.message
    if not isinstance(reply, Reply):
        raise Rejected("不是部门回复。 This message is no reply of a department.", "unknown-type")
    return reply


def _row(envelope: Envelope, now: int) -> dict[str, object]:
    reply = _reply(envelope)
    return {
        "source": envelope.source,
        "event_id": envelope.event_id,
        "message_type": envelope.type,
        "department": reply.department,
        "work_order": reply.work_order,
        "sent_at": envelope.time_us,
        "applied_at": now,
        "content_sha256": envelope.digest,
    }


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
            async with aclosing(self._transport.gathered(topology.REPLIES)) as arriving:
                async for gathered in arriving:
                    deliveries = gathered.deliveries
                    if len(deliveries) > 1 and await self._together(deliveries):
                        await gathered.ack()
                        continue
                    for delivery in deliveries:
                        give_up = partial(self._give_up, delivery)
                        await until_done(partial(self._take, delivery), give_up)
                        await delivery.ack()

    async def _together(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether all could be applied in one transaction; otherwise nothing was done."""
        try:
            await finish(asyncio.to_thread(self._apply, deliveries))
        except Exception as problem:  # noqa: BLE001 - which one it is, and what to do, is found out singly
            logger.info(
                "%d replies are applied singly: %s", len(deliveries), type(problem).__name__
            )
            return False
        return True

    def _apply(self, deliveries: Sequence[Said]) -> list[Receipt]:
        envelopes = [_read(delivery.routing_key, delivery.body) for delivery in deliveries]
        with self._begin() as session:
            self._check_speakers(session, envelopes, deliveries)
            receipts = apply_all(session, envelopes, self._handler, self._clock())
        for envelope, receipt in zip(envelopes, receipts, strict=True):
            self.told["reply", receipt.value] += 1
            event_id, trace = ascii(envelope.event_id), envelope.trace or "-"
            logger.info("reply %s: %s, trace %s", event_id, receipt, trace)
        return receipts

    async def hear(self, said: Said) -> Verdict:
        """One reply that somebody hands in and waits for; what became of it is on record."""
        verdicts: list[Verdict] = []

        def give_up(problem: Exception) -> None:
            self._give_up(said, problem)
            verdicts.append(Verdict(None, "failed", " ".join(CODES["failed"])))

        await until_done(lambda: verdicts.append(self._take(said)), give_up)
        return verdicts[-1]

    def _take(self, delivery: Said) -> Verdict:
        try:
            (receipt,) = self._apply([delivery])
        except (Unreadable, Rejected) as refusal:
            self._park(delivery, str(refusal), refusal.code, refusal)
            return Verdict(None, refusal.code, str(refusal))
        return Verdict(receipt)

    def _check_speakers(
        self, session: Session, envelopes: Sequence[Envelope], deliveries: Sequence[Said]
    ) -> None:
        """Raises `Rejected` unless each account is its department's own, where it has one."""
        codes = {envelope.message.department for envelope in envelopes}
        speakers = {code: self._speaker(session, code) for code in codes}
        for envelope, delivery in zip(envelopes, deliveries, strict=True):
            needed, user = speakers[envelope.message.department], delivery.user
            if needed is None:
                raise Rejected("没有这个部门。 There is no such department.", "wrong-department")
            if needed and user is not None and user != needed:
                raise Rejected(
                    f"须以账号 {needed} 发送并带 user-id。 "
                    f"It must be sent under the account {needed}, with user-id.",
                    "user-mismatch",
                )

    def _give_up(self, delivery: Said, problem: Exception) -> None:
        name = type(problem).__name__
        self._park(delivery, f"处理时出错 the handler failed: {name}", "failed")

    def _park(
        self, delivery: Said, reason: str, code: Code, refusal: Exception | None = None
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
