"""The outbox on SQLite and PostgreSQL: what is claimed, by whom, and in which order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from queueing import depth, due, outbox
from queueing.due import Claimed, Failed
from queueing.errors import NoTransaction, Rejected
from queueing.tables import OutboxDueRow, OutboxRow
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
    return store.read(lambda s: due.claim(s, now=now, lease_us=LEASE, limit=limit))


def confirm(store: Store, claimed: list[Claimed]) -> None:
    store.read(lambda s: due.confirm(s, [(row, 20) for row in claimed], 99))


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
    store.read(lambda s: due.put_back(s, [Failed(row, 500, "no answer")]))
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
    store.read(lambda s: due.put_back(s, [Failed(slow[0], 0, "late")]))
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


def test_replayed_it_goes_on_from_its_last_fence(store: Store) -> None:
    """Protects: who claimed a row in its first life cannot mark it in its second."""
    row_id = put(store, 1)
    (frozen,) = claim(store, now=20)
    (quick,) = claim(store, now=20 + LEASE)
    assert store.read(lambda s: due.park(s, quick, "nobody there"))
    assert not store.read(lambda s: due.park(s, frozen, "nobody there"))
    assert (state(store, row_id), store.read(depth.waiting)) == ("parked", (0, None))
    store.read(lambda s: due.again(s, row_id, 5_000))
    assert store.read(depth.waiting) == (1, 10)
    (again,) = claim(store, now=5_000)
    assert (again.fence, again.attempts) == (3, 1)
    confirm(store, [frozen, quick])
    assert state(store, row_id) == "waiting"
    confirm(store, [again])
    assert state(store, row_id) == "confirmed"


def test_a_floor_is_a_hint_about_where_to_begin(store: Store) -> None:
    """Protects: below the floor nothing is looked at, and a look without one finds it."""
    first, second = put(store, 1), put(store, 2)
    assert store.read(lambda s: due.look(s, 20, second)) == second
    assert store.read(lambda s: due.look(s, 20)) == first
    taken = store.read(lambda s: due.claim(s, now=20, lease_us=LEASE, limit=9, floor=second))
    assert [row.id for row in taken] == [second]
    assert [row.id for row in claim(store, now=20)] == [first]


def test_a_relay_of_some_departments_leaves_the_others_alone(store: Store) -> None:
    """Protects: two relays that share the departments between them: neither takes the other's, and
    a ticket's order holds across them."""
    ours = put(store, 1, ordering="ticket:1")
    with store.begin() as session:
        theirs = outbox.put(
            session, offered(2, department="jy"), department="jy", ordering_key="ticket:1",
            dedupe_key="k2", now=10,
        ).id  # fmt: skip

    def taken(*among: str) -> list[Claimed]:
        return store.read(lambda s: due.claim(s, now=20, lease_us=LEASE, limit=9, among=among))

    def seen(*among: str) -> int | None:
        return store.read(lambda s: due.look(s, 20, among=among))

    assert (seen("jy"), taken("jy"), seen()) == (None, [], None), "the ticket's first is not theirs"
    assert seen("sb", "xx") == ours
    (row,) = taken("sb", "xx")
    assert row.id == ours
    confirm(store, [row])
    assert (seen("sb"), taken("sb")) == (None, [])
    assert [row.id for row in taken("jy")] == [theirs]


def test_no_step_scans_what_was_said(store: Store) -> None:
    """Protects: ten million sent messages slow no look, claim, mark or parking; and marking one
    does not read all that wait (measured once: 6.6 ms for three of 50 000)."""
    fill(store, old=20_000, waiting=3_000)
    plans: list[tuple[str, str]] = []
    with store.begin() as session:
        sqlite = session.get_bind().dialect.name == "sqlite"
        explained = explaining(session, "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ", plans)
        with explained:
            assert due.look(session, 20) is not None
            claimed = due.claim(session, now=20, lease_us=LEASE, limit=64)
            due.confirm(session, [(row, 20) for row in claimed[:60]], 30)
            due.put_back(session, [Failed(row, 40, "x") for row in claimed[60:63]])
            assert due.park(session, claimed[63], "x")
            due.hold(session, claimed[60:63], 99)
    assert len(plans) >= 10
    for statement, plan in plans:
        assert "SCAN outbox\n" not in plan + "\n", statement
        assert "Seq Scan on outbox " not in plan, statement
        if "ORDER BY" not in statement:  # a claim walks what waits in its order, and stops soon
            assert "SCAN outbox_due" not in plan, statement
            assert "Seq Scan on outbox_due" not in plan, statement


def fill(store: Store, *, old: int, waiting: int) -> None:
    """Messages that were sent, and after them some that wait."""
    message = offered()
    with store.begin() as session:
        template = outbox.put(
            session, message, department="sb", ordering_key="t", dedupe_key="t", now=10
        )
        said = {c.name: getattr(template, c.name) for c in OutboxRow.__table__.columns}
        rows = [
            said | {"id": number, "dedupe_key": f"k{number}", "ordering_key": f"t{number}",
                    "state": "confirmed" if number <= old else "waiting"}
            for number in range(2, old + waiting)
        ]  # fmt: skip
        session.execute(insert(OutboxRow), rows)
        session.execute(
            insert(OutboxDueRow),
            [
                {"id": row["id"], "ordering_key": row["ordering_key"], "department": "sb",
                 "claimable_at": 10, "fence": 0, "attempts": 0}
                for row in rows if row["state"] == "waiting"
            ],
        )  # fmt: skip
        session.execute(text("ANALYZE"))


@contextmanager
def explaining(session: Session, word: str, plans: list[tuple[str, str]]) -> Iterator[None]:
    """The plan of each statement of the block, as it is about to run."""

    def before(connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(word + statement, given[0] if isinstance(given, list) else given)
        plans.append((statement, "\n".join(str(row[-1]) for row in cursor.fetchall())))
        cursor.close()

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
