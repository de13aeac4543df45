"""The outbox on SQLite and PostgreSQL: what is claimed, by whom, and in which order."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from queueing import depth, outbox
from queueing.errors import NoTransaction, Rejected
from queueing.outbox import Claimed
from queueing.tables import OutboxRow
from tests.rig.store import Store
from tests.rig.workorders import offered

LEASE = 1_000


def put(store: Store, number: int, version: int = 1, *, ordering: str | None = None) -> int:
    with store.begin() as session:
        message = offered(number, version=version)
        return outbox.put(
            session,
            message,
            department="sb",
            ordering_key=ordering or message.work_order,
            dedupe_key=f"{message.work_order}:{version}",
            now=10,
        ).id


def claim(store: Store, now: int, limit: int = 10) -> list[Claimed]:
    return store.read(lambda s: outbox.claim(s, now=now, lease_us=LEASE, limit=limit))


def confirm(store: Store, claimed: list[Claimed]) -> None:
    store.read(lambda s: outbox.confirm(s, claimed, 99))


def state(store: Store, row_id: int) -> str:
    return store.read(lambda s: s.get_one(OutboxRow, row_id).state)


def test_put_needs_the_callers_transaction(store: Store) -> None:
    """Protects: no message leaves apart from what it tells of (promise 2)."""
    with Session(store.engine) as session, pytest.raises(NoTransaction):
        outbox.put(session, offered(), department="sb", ordering_key="t", dedupe_key="k", now=1)


def test_put_goes_with_the_callers_transaction(store: Store) -> None:
    """Protects: what the caller undoes is never sent."""
    with pytest.raises(ZeroDivisionError), store.begin() as session:
        outbox.put(session, offered(), department="sb", ordering_key="t", dedupe_key="k", now=1)
        raise ZeroDivisionError
    assert claim(store, now=20) == []


def test_put_refuses_another_departments_message(store: Store) -> None:
    """Protects: a work order never lands in a queue its text does not name."""
    with store.begin() as session, pytest.raises(Rejected):
        outbox.put(session, offered(), department="jy", ordering_key="t", dedupe_key="k", now=1)


def test_a_dedupe_key_is_used_once(store: Store) -> None:
    """Protects: one version of one work order is one message."""
    put(store, 1)
    with pytest.raises(IntegrityError):
        put(store, 1)


def test_one_ordering_key_leaves_one_at_a_time(store: Store) -> None:
    """Protects: a ticket's messages arrive in the order they were committed."""
    first, second = put(store, 1, 1), put(store, 1, 2)
    other = put(store, 2)
    claimed = claim(store, now=20)
    assert [row.id for row in claimed] == [first, other]
    assert claim(store, now=20) == []
    confirm(store, claimed)
    assert [row.id for row in claim(store, now=20)] == [second]


def test_a_row_that_fails_holds_its_successors(store: Store) -> None:
    """Protects: back-off does not let version 2 overtake version 1."""
    first = put(store, 1, 1)
    put(store, 1, 2)
    (row,) = claim(store, now=20)
    store.read(lambda s: outbox.retry(s, row, claimable_at=500, trouble="no answer"))
    assert claim(store, now=499) == []
    again = claim(store, now=500)
    assert [(row.id, row.attempts) for row in again] == [(first, 2)]


def test_a_lease_that_ran_out_is_taken_over_and_its_loser_marks_nothing(store: Store) -> None:
    """Protects: a relay that was frozen cannot confirm what another now carries (fencing)."""
    row_id = put(store, 1)
    slow = claim(store, now=20)
    assert claim(store, now=20 + LEASE - 1) == []
    quick = claim(store, now=20 + LEASE)
    assert [row.id for row in quick] == [row_id]
    confirm(store, slow)
    assert state(store, row_id) == "waiting"
    store.read(lambda s: outbox.retry(s, slow[0], claimable_at=0, trouble="late"))
    assert claim(store, now=20 + LEASE) == []
    confirm(store, quick)
    assert state(store, row_id) == "confirmed"


def test_a_claim_takes_no_more_than_its_limit(store: Store) -> None:
    """Protects: a relay holds only what it can publish within its lease; the oldest first."""
    ids = [put(store, n) for n in range(1, 6)]
    assert [row.id for row in claim(store, now=20, limit=3)] == ids[:3]
    assert [row.id for row in claim(store, now=20, limit=3)] == ids[3:]


def test_times_and_depth_tell_where_a_message_is(store: Store) -> None:
    """Protects: committed, published, confirmed and what waits are there for the pages."""
    put(store, 1)
    put(store, 2)
    (first, _second) = claim(store, now=20)
    confirm(store, [first])
    row = store.read(lambda s: s.scalars(select(OutboxRow).where(OutboxRow.id == first.id)).one())
    assert (row.committed_at, row.published_at, row.confirmed_at) == (10, 20, 99)
    (sb,) = store.read(depth.by_department)
    assert (sb.department, sb.waiting, sb.oldest_at, sb.parked) == ("sb", 1, 10, 0)
    figures = store.read(lambda s: depth.figures(s, 10, 11))
    assert (figures.committed, figures.confirmed, figures.parked) == (2, 1, 0)
    assert store.read(lambda s: depth.figures(s, 11, 99)).committed == 0


def test_the_claim_reads_the_partial_indexes(sqlite_store: Store) -> None:
    """Protects: ten million confirmed rows do not slow a claim down."""
    put(sqlite_store, 1)
    seen: list[str] = []
    sqlite_store.engine.dispose()
    with sqlite_store.begin() as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        connection.set_trace_callback(seen.append)
        outbox.claim(session, now=20, lease_us=LEASE, limit=3)
        connection.set_trace_callback(None)
        (statement,) = [line for line in seen if line.startswith("WITH")]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    steps = " ".join(step[3] for step in plan)
    assert "ix_outbox_waiting" in steps
    assert "ix_outbox_unsent" in steps
