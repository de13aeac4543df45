"""Messages left in a way nobody reads any more: to be sent again, whoever has them in hand."""

import asyncio

from sqlalchemy import select

from queueing import due, moving, outbox, parked, topology
from queueing.embedded import Embedded
from queueing.tables import EmbeddedRow, OutboxRow
from tests.rig.store import Clock, Store
from tests.rig.workorders import offered

LEASE_US = 60_000_000
KEY = "workorder.sb.offered.v1"


def put(store: Store, number: int) -> None:
    with store.begin() as session:
        outbox.put(session, offered(number), department="sb", ordering_key=f"t{number}",
                   dedupe_key=f"k{number}", now=1)  # fmt: skip


def lie(store: Store, clock: Clock, *keys: str) -> None:
    """Messages that lie in the database's queue."""

    async def scenario() -> None:
        transport = Embedded(store.begin, clock)
        await transport.declare(["sb"])
        for key in keys:
            said = await transport.publish(topology.WORKORDERS, KEY, key.encode(), key)
            assert said.verdict == "confirmed"

    asyncio.run(scenario())


def test_who_carried_it_the_old_way_marks_nothing(store: Store, clock: Clock) -> None:
    """Protects: a message on its way when its department changed: that the old way has it, said
    after it was taken back there, does not end it; the new way gets it, once."""
    put(store, 1)
    now = clock()
    (old,) = store.read(lambda s: due.claim(s, now=now, lease_us=LEASE_US, limit=9))
    lie(store, clock, "k1")
    assert store.read(lambda s: moving.take_back(s, "sb", clock())) == 1
    store.read(lambda s: due.confirm(s, [(old, now)], now))
    (new,) = store.read(lambda s: due.claim(s, now=clock(), lease_us=LEASE_US, limit=9))
    assert (new.dedupe_key, new.fence > old.fence) == ("k1", True)
    store.read(lambda s: due.confirm(s, [(new, now)], now))
    assert store.read(lambda s: s.scalars(select(OutboxRow.state)).all()) == ["confirmed"]
    assert store.read(lambda s: s.scalars(select(EmbeddedRow)).all()) == []


def test_what_is_none_of_ours_is_parked(store: Store, clock: Clock) -> None:
    """Protects: a message without a row in the outbox cannot be sent again; a person sees it, and
    the others go; a second look finds nothing."""
    put(store, 1)
    (old,) = store.read(lambda s: due.claim(s, now=clock(), lease_us=LEASE_US, limit=9))
    store.read(lambda s: due.confirm(s, [(old, clock())], clock()))
    lie(store, clock, "stray", "k1")
    assert store.read(lambda s: moving.left_behind(s, ["jy", "sb"])) == ["sb"]
    assert store.read(lambda s: moving.left_behind(s, ["jy"])) == []
    assert store.read(lambda s: moving.take_back(s, "sb", clock())) == 2
    (row,) = store.read(parked.unresolved)
    assert (row.direction, row.department, row.reason) == ("dead", "sb", moving.STRAY)
    (again,) = store.read(lambda s: due.claim(s, now=clock(), lease_us=LEASE_US, limit=9))
    assert again.dedupe_key == "k1"
    assert store.read(lambda s: moving.left_behind(s, ["jy", "sb"])) == []
    assert store.read(lambda s: moving.take_back(s, "nobody", clock())) == 0
