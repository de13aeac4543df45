"""The figures of queueing for whoever watches the house: what waits, since when, what became of it.

Read from the tables, so any process that serves pages gives those of all. Departments are named by
their codes; no person, number or matter is in any of them. A department with nothing waiting stands
with zeros, so that a rule sees it come back.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.flow.exposition import Family, Sample
from gateway.tables import DepartmentRow
from queueing import depth, telling, topology
from queueing.errors import CODES
from queueing.tables import EmbeddedRow, QueueDepthRow, TallyRow
from queueing.telling import GONE_US

VERDICTS = ("confirmed", "unroutable", "refused", "unknown")
RECEIPTS = ("applied", "duplicate", *(f"parked-{code}" for code in CODES))


def families(session: Session, now: int, *, broker: bool) -> list[Family]:
    """Every metric; `broker`: whether there is one, or the database carries. `now` is µs."""
    return [
        *_departments(session, now),
        *_whole(session, now),
        _tally(session, "publish", "verdict", VERDICTS, "What the broker said to a publish."),
        _tally(session, "reply", "receipt", RECEIPTS, "What became of a department's reply."),
        *_carriers(session, now),
        _ready(session, now, broker=broker),
    ]


def _departments(session: Session, now: int) -> list[Family]:
    found = {one.department: one for one in depth.by_department(session)}
    codes = sorted({*session.scalars(select(DepartmentRow.code)), *found})
    labels = {code: (("department", code),) for code in codes}
    ages = {code: _age_s(one.oldest_at, now) for code, one in found.items()}
    return [
        Family("hotline_outbox_waiting", "gauge", "Messages that the broker does not have yet.",
               [Sample(found[c].waiting if c in found else 0, labels[c]) for c in codes]),
        Family("hotline_outbox_oldest_seconds", "gauge", "Age of the oldest of them; 0: none.",
               [Sample(ages.get(c, 0), labels[c]) for c in codes]),
        Family("hotline_parked_open", "gauge", "Parked messages that wait for a person.",
               [Sample(found[c].parked if c in found else 0, labels[c]) for c in codes]),
    ]  # fmt: skip


def _whole(session: Session, now: int) -> list[Family]:
    waiting, oldest_at = depth.waiting(session)
    age = Sample(_age_s(oldest_at, now) if waiting else 0)
    return [
        Family("hotline_outbox_oldest_age_seconds", "gauge",
               "Age of the oldest message of all departments; 0: none waits.", [age]),
    ]  # fmt: skip


def _tally(session: Session, name: str, label: str, known: tuple[str, ...], told: str) -> Family:
    rows = session.scalars(select(TallyRow).where(TallyRow.name == name))
    found = dict.fromkeys(known, 0) | {row.label: row.value for row in rows}
    samples = [Sample(value, ((label, one),)) for one, value in found.items()]
    return Family(f"hotline_{name}_total", "counter", told, samples)


def _carriers(session: Session, now: int) -> list[Family]:
    rows = telling.carriers(session, now)
    labels = {row.name: (("relay", row.name),) for row in rows}
    up = any(row.up for row in rows)
    return [
        Family("hotline_broker_up", "gauge", "Whether a relay reaches the broker.", [Sample(up)]),
        Family("hotline_relay_window", "gauge", "How many publishes a relay may have in flight.",
               [Sample(row.window, labels[row.name]) for row in rows]),
        Family("hotline_relay_flying", "gauge", "How many it had in flight when it last told.",
               [Sample(row.flying, labels[row.name]) for row in rows]),
    ]  # fmt: skip


def _ready(session: Session, now: int, *, broker: bool) -> Family:
    asked = (
        select(QueueDepthRow.queue, QueueDepthRow.ready).where(
            QueueDepthRow.asked_at >= now - GONE_US
        )
        if broker
        else select(EmbeddedRow.queue, func.count()).group_by(EmbeddedRow.queue)
    )
    found = {queue: count for queue, count in session.execute(asked)}  # noqa: C416 - rows unpack
    if not broker:
        codes = session.scalars(select(DepartmentRow.code))
        found = {topology.department_queue(code): 0 for code in codes} | found
    samples = [Sample(count, (("queue", queue),)) for queue, count in sorted(found.items())]
    return Family("hotline_queue_ready", "gauge", "Messages that lie in a queue.", samples)


def _age_s(since_at: int | None, now: int) -> float:
    return 0 if since_at is None else max(0, now - since_at) / 1e6
