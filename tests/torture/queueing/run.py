"""Work orders through a real broker that faults befall, to departments that sign each of them.

Always holds: what is counted is counted at the ends: rows the outbox says were confirmed, orders
that took effect at a department, replies that were applied. Nothing is asked of the code between.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import func, select

from queueing import outbox, topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.relay import Relay
from queueing.tables import InboxRow, OutboxRow, ParkedRow
from queueing.topology import Kind
from tests.rig.proxy import Proxy, proxy
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered
from tests.torture.queueing import account
from tests.torture.queueing.faults import Fault, Scene
from tests.torture.queueing.row import Row

DEPARTMENTS = ("sb", "jy", "yl", "gs", "rc")
BATCH = 5
"""Put at once, and how many may be under way: departments that are busy all the time have one each
in hand whenever the broker dies, which says nothing of the hotline."""
DRAINED_S = 180.0


@dataclass(slots=True)
class House:
    """One virtual host, one outbox, and what came of it."""

    broker: Broker
    store: Store
    kind: Kind
    clock: Clock = field(default_factory=Clock)
    vhost: str = ""
    signed: Counter[str] = field(default_factory=Counter)
    departments: list[Department] = field(default_factory=list)
    put: int = 0
    wire: Proxy = field(init=False)
    """The hotline's way to the broker."""

    def ours(self) -> str:
        """The hotline's own address, as its secret has it now."""
        return account.url(self.broker, self.vhost, self.wire.port)

    def url(self) -> str:
        """A department's."""
        return self.broker.url(self.vhost)

    def add(self, count: int) -> None:
        """So many more work orders, one after another to each department."""
        with self.store.begin() as session:
            for number in range(self.put + 1, self.put + count + 1):
                code = DEPARTMENTS[number % len(DEPARTMENTS)]
                message = offered(number, department=code)
                name = message.work_order
                outbox.put(session, message, department=code, ordering_key=name,
                           dedupe_key=f"{name}:1", now=self.clock())  # fmt: skip
        self.put += count

    def confirmed(self) -> int:
        """Rows the broker has confirmed."""
        asked = select(func.count()).where(OutboxRow.state == "confirmed")
        return self.store.read(lambda session: session.scalars(asked).one())

    def applied(self) -> int:
        """Replies that were applied."""
        asked = select(func.count()).select_from(InboxRow)
        return self.store.read(lambda session: session.scalars(asked).one())

    def parked(self) -> int:
        """Messages somebody would have to look at."""
        asked = select(func.count()).select_from(ParkedRow)
        return self.store.read(lambda session: session.scalars(asked).one())

    def left(self) -> int:
        """Messages in any queue; a queue that is not there raises RuntimeError."""
        names = [topology.department_queue(code) for code in DEPARTMENTS]
        names += [topology.REPLIES, topology.PARKED]
        return sum(self.broker.depth(self.vhost, name) for name in names)

    async def sign(self, code: str) -> None:
        """A department that signs what comes."""
        async with closing(RabbitMQ(self.url())) as theirs:
            department = Department(code, theirs, self.clock)
            self.departments.append(department)
            async with aclosing(department.orders()) as orders:
                async for order in orders:
                    await order.sign("张三")
                    self.signed[order.message.work_order] += 1

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The hotline and its departments, beside the block."""
        self.vhost = self.broker.fresh_vhost()
        account.make(self.broker, self.vhost)
        async with (
            proxy("127.0.0.1", self.broker.port) as self.wire,
            closing(RabbitMQ(self.ours, kind=self.kind)) as ours,
        ):
            await ours.declare(DEPARTMENTS)
            replies = ReplyConsumer(self.store.begin, ours, lambda *_: None, self.clock)
            relay = Relay(self.store.begin, ours, self.clock)
            loops = [self.sign(code) for code in DEPARTMENTS]
            async with running(relay.run(), replies.run(), *loops):
                yield


async def tortured(house: House, row: Row, faults: Sequence[Fault]) -> Row:
    """As many work orders as asked, put little by little, the faults spread evenly among them."""
    began, orders = time.monotonic(), row.asked
    async with house.working():
        share = orders // (len(faults) + 1)
        meanwhile = min(share // 2, 4 * BATCH)
        for number, fault in enumerate(faults):
            await _fed(house, share - meanwhile)
            department = DEPARTMENTS[number % len(DEPARTMENTS)]
            scene = Scene(house.broker, house.vhost, department, house.wire)
            late = asyncio.ensure_future(_fed(house, meanwhile))
            await asyncio.to_thread(fault, scene)
            row.worst_s = max(row.worst_s, await _again(house))
            await late
        await _fed(house, orders - house.put)
        try:
            await _drained(house)
            row.left = await asyncio.to_thread(house.left)
        except RuntimeError:
            row.notes.append("a queue is not there any more")
    row.took_s = time.monotonic() - began
    counted(house, row)
    return row


def counted(house: House, row: Row) -> None:
    """What came of it all."""
    row.confirmed = house.confirmed()
    row.lost = row.asked - min(len(house.signed), house.applied())
    row.doubled = sum(department.repeated for department in house.departments)
    row.twice = sum(count - 1 for count in house.signed.values())
    row.parked = house.parked()


async def _fed(house: House, count: int) -> None:
    """Put them, and never have more than some batches under way."""
    goal = house.put + count
    while house.put < goal:
        await asyncio.to_thread(house.add, min(BATCH, goal - house.put))
        with suppress(AssertionError):  # what is still under way then, is so under a fault
            await until(lambda: house.put - len(house.signed) <= BATCH, seconds=1)


async def _again(house: House) -> float:
    """Seconds until one more row is confirmed than is now; 0 where none waits."""
    began, before = time.monotonic(), await asyncio.to_thread(house.confirmed)
    while before < house.put and time.monotonic() - began < 60:
        if await asyncio.to_thread(house.confirmed) > before:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _drained(house: House) -> None:
    deadline = time.monotonic() + DRAINED_S
    while time.monotonic() < deadline:
        done = min(await asyncio.to_thread(house.applied), len(house.signed))
        if done >= house.put and await asyncio.to_thread(house.left) == 0:
            return
        await asyncio.sleep(0.2)
