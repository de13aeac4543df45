"""Claim → publish → confirm → mark: what carries the outbox to the broker.

Three loops around one buffer: `fill` claims rows ahead of the window, `settle` marks what became of
them, a hundred or more in one transaction, `watch` keeps the leases of what takes long. Between
them claimed rows are published whenever a quarter of the window is empty, or in a moment, each in
a task of its own that ends with the broker's word or the link (`transport.send`). Between publish
and mark anything may die: the lease runs out and the row is published again under the same key.
Any number of relays may run side by side; one whose broker is away, or takes nothing now, claims
nothing. Whoever commits rings the bell, so an idle relay only looks every `LOOK_S`, and reads.
Always holds: what has become of a row is marked (`ledger`) even when the database was away
meanwhile; nothing is written to the broker whose lease is about to run out.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn

from queueing.due import Claimed
from queueing.ledger import LEASE_US, Among, Done, Ledger
from queueing.outbox import Begin, Clock
from queueing.telling import Standing, Told
from queueing.topology import WORKORDERS
from queueing.transport import Outcome, Transport
from queueing.waiting import LOOK_S, Bell, finish
from queueing.window import Window

logger = logging.getLogger(__name__)

RENEW_US: Final = 40_000_000  # a lease with less than this left is made longer
LAST_US: Final = 5_000_000  # with less than this left, nothing is published under it
AWAY_S: Final = 1.0  # between looks at a broker or a database that is away
BLOCKED_S: Final = 0.2  # between looks at a broker that takes nothing now
MARK_S: Final = 0.05  # how long outcomes are gathered for one transaction,
MARKED: Final = 128  # unless so many have come
LINGER_S: Final = 0.01  # for more of the window to be answered
GRACE_S: Final = 5.0  # for the broker's last words, when we are told to stop
FULL_LOOK_US: Final = 1_000_000  # how often the claim begins at the very first row
NEVER: Final = Outcome("unknown", "its queue has not answered for two minutes")


class Relay:
    """Carries rows out; `run` until it is cancelled, which lets what is in flight end first. With
    `among`, to those departments only: the others' rows are left to other relays."""

    def __init__(
        self,
        begin: Begin,
        transport: Transport,
        clock: Clock,
        *,
        reading: Begin | None = None,
        bell: Bell | None = None,
        among: Among | None = None,
    ) -> None:
        self._ledger = Ledger(begin, reading or begin, clock, among)
        self._transport = transport
        self._clock = clock
        self._bell = bell or Bell()
        self._window = Window()
        self._up = False  # whether the last we heard of the broker was good
        self._buffer: deque[Claimed] = deque()
        self._until: dict[int, int] = {}  # when the lease of each row in our hands ends
        self._flying: dict[int, tuple[Claimed, asyncio.Task[None]]] = {}
        self._given_up: set[int] = set()
        self._lingering: asyncio.TimerHandle | None = None
        self._done: list[Done] = []
        self._aside: list[Claimed] = []
        self._something = asyncio.Event()  # to mark
        self._many = asyncio.Event()
        self._again_at: list[int] = []
        self._full_look_at = 0
        self._drains = False  # the last claim found something
        self._own = 0  # how often the bell was rung by us,
        self._others = 0  # and by those who commit,
        self._fresh = False  # lately too: there will be something
        self.told: Told = Counter()
        """How often the broker said what, for the figures."""

    @property
    def standing(self) -> Standing:
        """Whether the broker is up, the window, and how many fly."""
        return self._up, self._window.size, len(self._flying)

    async def run(self) -> NoReturn:
        """Carry, until cancelled; a failing database or broker only makes it wait."""
        try:
            async with asyncio.TaskGroup() as group:
                for step in (self._fill, self._settle, self._watch):
                    group.create_task(self._for_ever(step))
        finally:
            await finish(self._end())
        raise AssertionError("the loops do not end")

    async def _for_ever(self, step: Callable[[], Awaitable[None]]) -> NoReturn:
        while True:
            try:
                await step()
            except Exception as problem:  # noqa: BLE001 - rows wait, whatever it was
                # Its name alone: a database error quotes the row it failed on.
                logger.error("relay %s: %s", step.__name__, type(problem).__name__)  # noqa: TRY400
                await asyncio.sleep(AWAY_S)

    async def _fill(self) -> None:
        """Claim what there is room for, or wait until there is some, or something."""
        seen = self._bell.rings
        self._fresh, self._others = self._others != seen - self._own, seen - self._own
        self._up = await self._transport.ready()
        if not self._up:
            await finish(self._stand_aside())
            await asyncio.sleep(AWAY_S)
            return
        if self._transport.blocked:
            await asyncio.sleep(BLOCKED_S)
            return
        self._pump()
        ahead = 2 * self._window.size - len(self._buffer)
        if ahead < self._window.size or not await finish(self._claimed(ahead)):
            await self._bell.wait(seen, self._rest_s())

    async def _stand_aside(self) -> None:
        """Another relay may reach a broker where we do not: what we only hold is given back, to be
        claimed at once, by us too when the broker is there in a moment."""
        rows = list(self._buffer)
        self._buffer.clear()
        for row in rows:
            del self._until[row.id]
        if rows:
            await asyncio.to_thread(self._ledger.hold, rows, self._clock())

    async def _claimed(self, most: int) -> bool:
        """Whether there was anything to claim; published while this goes on."""
        now, floor = self._clock(), min(self._until, default=0)
        if now >= self._full_look_at:
            self._full_look_at, floor = now + FULL_LOOK_US, 0
        rows = await asyncio.to_thread(
            self._ledger.claim, now, most,
            floor=floor, shunned=self._window.sick, look=not (self._drains or self._fresh),
        )  # fmt: skip
        self._drains = bool(rows)
        # Our own come again when we could not hold their lease: they are on their way.
        rows = [row for row in rows if row.id not in self._until]
        self._until.update(dict.fromkeys((row.id for row in rows), now + LEASE_US))
        self._buffer.extend(rows)
        self._pump()
        return bool(rows)

    def _rest_s(self) -> float:
        """How long to rest when nobody rings: until one of ours is to be tried again."""
        now = self._clock()
        self._again_at = [at for at in self._again_at if at > now]
        return min([LOOK_S, *((at - now) / 1e6 for at in self._again_at)])

    def _pump(self) -> None:
        """Publish from the buffer: at once when much of the window is empty, else in a moment."""
        if self._window.open:
            self._pour()
        elif self._buffer and self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._pour)

    def _pour(self) -> None:
        """Publish from the buffer while the window has room."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if not self._up or not self._buffer or self._transport.blocked:
            return
        now = self._clock()
        while self._buffer and self._window.room(len(self._buffer[0].body)):
            row = self._buffer.popleft()
            if self._until.get(row.id, 0) - now < LAST_US:
                self._until.pop(row.id, None)  # it may be another's before it is there
            elif self._window.shuns(row.department):
                self._aside.append(row)
                self._something.set()
            else:
                self._window.begin(row.id, row.department, len(row.body))
                self._flying[row.id] = (row, asyncio.create_task(self._publish(row, now)))

    async def _publish(self, row: Claimed, now: int) -> None:
        try:
            outcome = await self._transport.send(
                WORKORDERS, row.routing_key, row.body, row.dedupe_key, row.trace
            )
        except asyncio.CancelledError:
            if row.id not in self._given_up:
                raise
            outcome = NEVER
        except Exception as problem:  # noqa: BLE001 - whatever it was, the row must not be stuck
            logger.error("relay, publishing: %s", type(problem).__name__)  # noqa: TRY400
            outcome = Outcome("unknown", type(problem).__name__)
        self._given_up.discard(row.id)
        del self._flying[row.id]
        self.told["publish", outcome.verdict] += 1
        if outcome.verdict == "unknown":
            self._up = False  # until we hear better of it
            self._window.broken(row.id)
        else:
            self._window.answered(row.id, well=outcome.verdict == "confirmed")
        self._done.append((row, now, outcome))
        self._something.set()
        if len(self._done) >= MARKED:
            self._many.set()
        self._pump()
        if not self._up or len(self._buffer) < self._window.size:
            self._ring()

    async def _settle(self) -> None:
        """Mark what has come in."""
        await self._something.wait()
        if len(self._done) < MARKED:
            self._many.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(MARK_S):
                    await self._many.wait()
        await finish(self._marked())

    async def _marked(self) -> None:
        self._something.clear()
        done, self._done = self._done, []
        aside, self._aside = self._aside, []
        for row in [*aside, *(row for row, _, _ in done)]:
            self._until.pop(row.id, None)  # before the mark: after it, a claim may be of its own
        try:
            self._again_at += await asyncio.to_thread(self._ledger.mark, done, aside)
        except BaseException:
            self._done, self._aside = done + self._done, aside + self._aside
            self._something.set()
            raise
        self._ring()  # what waited for them may go now

    def _ring(self) -> None:
        self._own += 1
        self._bell.ring()

    async def _watch(self) -> None:
        """Once a second: rows nobody waits for any more, and leases that run out."""
        await asyncio.sleep(1)
        heard = (
            self._window.quiet and not self._transport.blocked and await self._transport.answers()
        )
        for row in self._window.tick(heard=heard):
            if row in self._flying:
                self._given_up.add(row)
                self._flying[row][1].cancel()
        self._pump()
        await finish(self._renewed())

    async def _renewed(self) -> None:
        now = self._clock()
        ours = [*(row for row, _ in self._flying.values()), *self._buffer]
        short = [row for row in ours if self._until.get(row.id, 0) - now < RENEW_US]
        if short:
            await asyncio.to_thread(self._ledger.hold, short, now + LEASE_US)
            # Some have ended meanwhile.
            still = (row.id for row in short if row.id in self._until)
            self._until.update(dict.fromkeys(still, now + LEASE_US))

    async def _end(self) -> None:
        """Hear what can still be heard of what is in flight, mark it, and give back the rest."""
        self._up = False
        tasks = [task for _, task in self._flying.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        await self._tried(self._marked())
        rest = list(self._buffer)
        await self._tried(asyncio.to_thread(self._ledger.hold, rest, self._clock()))

    async def _tried(self, step: Coroutine[Any, Any, None]) -> None:
        """A last step, whether or not the database is there for it."""
        try:
            await step
        except Exception as problem:  # noqa: BLE001 - the leases run out
            logger.warning("relay, ending: %s", type(problem).__name__)
