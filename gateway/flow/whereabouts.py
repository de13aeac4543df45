"""Where work orders are: what outbox, inbox and the parked messages say of them, as timelines.

Three statements, however many orders are asked for: what was sent of an order is found by the keys
that `outgoing` gives its versions, what was heard and what is parked by its number. Nothing here
writes, and nothing decides: what it means, `tickets.timeline` says.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Row, func, or_, select
from sqlalchemy.orm import Session, defer

from gateway.errors import NotFound
from gateway.flow import outgoing
from gateway.people.accounts import Person
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import timeline, views
from gateway.tickets.timeline import Said, Stuck, Timeline
from queueing.ledger import SAID
from queueing.tables import InboxRow, OutboxDueRow, OutboxRow, ParkedRow

VERSIONS: Final = 50
"""Of one order: its offer, and the newest of what was said later."""


def of_order(session: Session, who: Person, number: str, now: int) -> Timeline:
    """The timeline of one work order.

    Raises:
        NotFound: there is none, or not for this person's eyes.
        Forbidden: the role reads no tickets.
    """
    order = session.scalar(
        select(WorkOrderRow)
        .join(TicketRow, TicketRow.id == WorkOrderRow.ticket_id)
        .where(WorkOrderRow.number == number, views.readable(who))
    )
    if order is None:
        raise NotFound
    return of_orders(session, [order], now)[number]


def of_orders(session: Session, orders: Sequence[WorkOrderRow], now: int) -> dict[str, Timeline]:
    """The timelines of these work orders, by number; who may read them was asked before."""
    if not orders:
        return {}
    sent = _sent(session, orders)
    numbers = [order.number for order in orders]
    parked = _parked(session, numbers, [row.id for _, (row, _) in sent])
    given_up = {row.outbox_id: row for row in parked if row.discarded_at is not None}
    departments = {order.number: order.department for order in orders}
    heard = dict(_heard(session, numbers))
    told: dict[str, list[Said]] = {number: [] for number in numbers}
    of_row: dict[int | None, tuple[str, str]] = {}
    for number, (row, attempts) in sent:
        told[number].append(_said(row, attempts, given_up.get(row.id)))
        of_row[row.id] = number, told[number][-1].event
    stuck: dict[str, list[Stuck]] = {number: [] for number in numbers}
    for one in parked:
        # What a department says of another's order is no news of that order.
        if one.discarded_at is None and departments.get(one.work_order) == one.department:
            stuck[one.work_order].append(Stuck("reply-parked", one.parked_at, one.reason))
        elif one.discarded_at is None and one.direction == "dead":
            number, event = of_row[one.outbox_id]
            stuck[number].append(Stuck("given-up", one.parked_at, one.reason, event))
    return {
        order.number: timeline.of(
            order, told[order.number], heard.get(order.number), stuck[order.number], now
        )
        for order in orders
    }


def _sent(
    session: Session, orders: Iterable[WorkOrderRow]
) -> list[tuple[str, Row[OutboxRow, int]]]:
    """Everything that was sent about these orders, oldest first: number, row, attempts."""
    keys = {
        outgoing.key(order.number, version): order.number
        for order in orders
        for version in {1, *range(max(1, order.version - VERSIONS), order.version + 1)}
    }
    found = session.execute(
        select(OutboxRow, func.coalesce(OutboxDueRow.attempts, OutboxRow.attempts))
        .outerjoin(OutboxDueRow, OutboxDueRow.id == OutboxRow.id)
        .where(OutboxRow.dedupe_key.in_(keys))
        .options(defer(OutboxRow.body))
        .order_by(OutboxRow.id)
    )
    return [(keys[row[0].dedupe_key], row) for row in found]


def _said(row: OutboxRow, attempts: int, given_up: ParkedRow | None) -> Said:
    trouble = row.trouble or ""
    return Said(
        event=outgoing.event(row.message_type),
        state="discarded" if given_up else row.state,
        committed_at=row.committed_at,
        published_at=row.published_at,
        confirmed_at=row.confirmed_at,
        attempts=attempts,
        trouble=given_up.discard_reason if given_up else trouble,
        refused=trouble.startswith(SAID["refused"]),
    )


def _heard(session: Session, numbers: Sequence[str]) -> list[tuple[str, int]]:
    """When the first reply about each was applied."""
    found = session.execute(
        select(InboxRow.work_order, func.min(InboxRow.applied_at))
        .where(InboxRow.work_order.in_(numbers))
        .group_by(InboxRow.work_order)
    )
    return [(number, at) for number, at in found]


def _parked(session: Session, numbers: Sequence[str], sent: Sequence[int]) -> list[ParkedRow]:
    """What is parked of these orders and messages, and not replayed: open, or discarded."""
    return list(
        session.scalars(
            select(ParkedRow)
            .where(
                ParkedRow.replayed_at.is_(None),
                or_(ParkedRow.work_order.in_(numbers), ParkedRow.outbox_id.in_(sent)),
            )
            .order_by(ParkedRow.id)
        )
    )
