"""Messages lent and settled: in a ticket's order, to several at once, none lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import outbox, pulling, topology
from queueing.pulling import Ending, Lent
from queueing.tables import EmbeddedQueueRow, EmbeddedRow
from queueing.topology import DELIVERY_LIMIT, PARKED
from tests.rig.store import Store
from tests.rig.workorders import offered

QUEUE, OTHERS = topology.department_queue("sb"), topology.department_queue("jy")
LASTS = 60
"""µs: the clock here is the tests' own."""


@pytest.fixture(autouse=True)
def queues(store: Store) -> None:
    with store.begin() as session:
        session.add_all(EmbeddedQueueRow(name=name) for name in (QUEUE, OTHERS, PARKED))


def put(store: Store, ticket: str, version: int) -> str:
    """A message of that ticket in the queue, as the relay leaves it there; its dedupe key."""
    key = f"{ticket}/v{version}"
    with store.begin() as session:
        outbox.put(session, offered(version=version), department="sb", ordering_key=ticket,
                   dedupe_key=key, now=1)  # fmt: skip
        session.add(EmbeddedRow(queue=QUEUE, routing_key="workorder.sb.offered.v1", body=b"{}",
                                dedupe_key=key, claimable_at=1, enqueued_at=1))  # fmt: skip
    return key


def lend(store: Store, most: int = 20, now: int = 10) -> list[Lent]:
    return store.read(lambda s: pulling.lend(s, QUEUE, most=most, lasts_us=LASTS, now=now))


def settle(store: Store, lent: Lent, how: Ending, now: int = 10, queue: str = QUEUE) -> bool:
    def settled(session: Session) -> bool:
        return pulling.settle(session, queue, lent.id, lent.lease, how, now) is not None

    return store.read(settled)


def keys(lent: list[Lent]) -> list[str]:
    return [one.dedupe_key for one in lent]


def test_a_ticket_comes_in_its_order_and_holds_up_no_other(store: Store) -> None:
    """Protects: of each ticket the lowest message alone is out; the next follows its ack, whoever
    asks, and what fails comes again before it."""
    for version in (1, 2):
        for ticket in ("t1", "t2"):
            put(store, ticket, version)
    first = lend(store)
    assert keys(first) == ["t1/v1", "t2/v1"]
    assert lend(store) == []
    assert settle(store, first[1], "ack")
    assert keys(lend(store)) == ["t2/v2"]
    assert settle(store, first[0], "fail")
    assert keys(lend(store)) == ["t1/v1"]


def test_only_so_many_as_were_asked_for(store: Store) -> None:
    """Protects: the rest stays for whoever asks next, in order."""
    for number in range(5):
        put(store, f"t{number}", 1)
    assert keys(lend(store, 2)) == ["t0/v1", "t1/v1"]
    assert keys(lend(store, 2)) == ["t2/v1", "t3/v1"]


def test_a_lease_that_ran_out_settles_nothing_and_its_message_comes_again(store: Store) -> None:
    """Protects: a program that died over a message loses nothing, and one that was only slow
    cannot settle what somebody else holds by now."""
    put(store, "t1", 1)
    (slow,) = lend(store, now=10)
    ahead = 10 + LASTS
    assert store.read(lambda s: pulling.look(s, QUEUE, 11)) == pulling.Look([], ahead)
    assert not settle(store, slow, "ack", now=ahead)
    (again,) = lend(store, now=ahead)
    assert (again.id, again.times) == (slow.id, 2)
    assert not settle(store, slow, "ack", now=ahead + 1)
    assert settle(store, again, "ack", now=ahead + 1)
    assert not settle(store, again, "ack", now=ahead + 1)
    assert lend(store, now=10 * ahead) == []


def test_another_departments_lease_is_nobodys(store: Store) -> None:
    """Protects: who guesses numbers settles nothing of another department's queue."""
    put(store, "t1", 1)
    (theirs,) = lend(store)
    for how in ("ack", "fail", "give_back", "reject"):
        assert not settle(store, theirs, how, queue=OTHERS)
    assert settle(store, theirs, "ack")


def test_what_is_delivered_too_often_is_parked_and_its_successor_comes(store: Store) -> None:
    """Protects: twenty deliveries and no more; those given back do not count; nothing is lost."""
    put(store, "t1", 1)
    put(store, "t1", 2)
    for turn in range(3 * DELIVERY_LIMIT):
        (held,) = lend(store)
        assert (held.dedupe_key, held.times) == ("t1/v1", turn // 3 + 1)
        assert settle(store, held, "fail" if turn % 3 == 2 else "give_back")
    assert keys(lend(store)) == ["t1/v2"]
    dead = store.read(
        lambda s: s.scalars(select(EmbeddedRow).where(EmbeddedRow.queue == PARKED)).one()
    )
    assert dead.dedupe_key == "t1/v1"
    assert dead.death == f"delivery_limit in {QUEUE} ({DELIVERY_LIMIT})"


def test_what_is_rejected_is_parked_at_once(store: Store) -> None:
    """Protects: a program that knows it never can says so once."""
    put(store, "t1", 1)
    (held,) = lend(store)
    assert settle(store, held, "reject")
    dead = store.read(lambda s: s.scalars(select(EmbeddedRow)).one())
    assert (dead.queue, dead.death) == (PARKED, f"rejected in {QUEUE} (1)")


def test_many_at_once_get_each_message_once(store: Store) -> None:
    """Protects: programs side by side; none gets what another holds, and no ticket is out twice."""
    for version in (1, 2, 3):
        for ticket in range(20):
            put(store, f"t{ticket}", version)
    with ThreadPoolExecutor(4) as pool:
        lent = [one for found in pool.map(lambda _: lend(store, 3), range(8)) for one in found]
    assert sorted(keys(lent)) == sorted(f"t{ticket}/v1" for ticket in range(20))


def test_a_queue_that_is_not_there_lends_nothing(store: Store) -> None:
    """Protects: a department whose queue was never opened is told of no messages, and nothing
    breaks."""
    nobodys = topology.department_queue("nobody")
    assert store.read(lambda s: pulling.lend(s, nobodys, most=1, lasts_us=1, now=1)) == []
