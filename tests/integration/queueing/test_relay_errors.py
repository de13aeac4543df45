"""One row that something is wrong with, and the others, which nothing is wrong with."""

import asyncio
from typing import Any

import pytest

from queueing import parked
from queueing.embedded import Embedded
from queueing.ledger import LEASE_US
from queueing.relay import Relay
from queueing.transport import Outcome
from tests.integration.queueing.test_relay import put, states
from tests.rig.store import Clock, Store
from tests.rig.waiting import running, until


class Odd(Embedded):
    """The embedded transport, which does something unheard of for one department, once."""

    wrong: Exception | None = None
    away = False
    detail = ""

    async def ready(self) -> bool:
        return not self.away

    async def send(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> Outcome:
        if ".odd." not in routing_key:
            return await super().send(exchange, routing_key, body, dedupe_key, trace)
        if self.detail:
            return Outcome("unroutable", self.detail)
        if self.wrong is not None:
            wrong, self.wrong = self.wrong, None
            raise wrong
        return await super().send(exchange, routing_key, body, dedupe_key, trace)


def test_an_error_of_the_library_costs_one_try(store: Store, clock: Clock) -> None:
    """Protects: whatever a publish raises, its row is tried again soon; it is neither stuck in the
    window nor held under a lease for ever."""
    put(store, 1, department="odd")
    put(store, 2)

    async def scenario() -> None:
        odd = Odd(store.begin, clock)
        odd.wrong = KeyError("what no library should raise")
        await odd.declare(["sb", "odd"])
        relay = Relay(store.begin, odd, clock)
        async with running(relay.run()):
            await until(lambda: states(store) == ["confirmed", "confirmed"], seconds=10)
            assert relay._window.flying == 0

    asyncio.run(scenario())


def test_a_row_that_cannot_be_marked_keeps_no_other(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: marks go by the hundred; one that fails every time must not undo the others', and
    is tried again itself when its lease has run out."""
    broken = [True]
    park = parked.park_claimed

    def stumbles(*args: Any, **named: Any) -> None:
        if broken[0]:
            raise ValueError
        park(*args, **named)

    monkeypatch.setattr(parked, "park_claimed", stumbles)
    put(store, 1, department="nobody")
    for number in range(2, 30):
        put(store, number)

    async def scenario() -> None:
        ours = Embedded(store.begin, clock)
        await ours.declare(["sb"])
        async with running(Relay(store.begin, ours, clock).run()):
            await until(lambda: states(store) == ["waiting", *["confirmed"] * 28])
            broken[0] = False
            clock.ahead_us = LEASE_US
            await until(lambda: states(store)[0] == "parked")

    asyncio.run(scenario())


def test_a_detail_no_database_takes_is_kept_without_it(store: Store, clock: Clock) -> None:
    """Protects: PostgreSQL holds no NUL in text: what a broker says may hold one."""
    put(store, 1, department="odd")

    async def scenario() -> None:
        odd = Odd(store.begin, clock)
        odd.detail = "no\0queue"
        async with running(Relay(store.begin, odd, clock).run()):
            await until(lambda: states(store) == ["parked"])
        (stuck,) = store.read(parked.unresolved)
        assert stuck.reason.endswith("noqueue")

    asyncio.run(scenario())


def test_a_reply_under_a_hostile_key_can_be_parked(store: Store) -> None:
    """Protects: what cannot be stored in a column would stop every department's replies."""
    row = store.read(
        lambda session: parked.park_reply(
            session, routing_key="reply.s\0b." + "x" * 240, body=b"noise", reason="r", now=1
        )
    )
    assert (row.department, len(row.routing_key)) == ("sb", 249)


def test_what_is_held_while_the_broker_is_away_goes_out_when_it_is_back(
    store: Store, clock: Clock
) -> None:
    """Protects: rows claimed and not published yet are given back to be claimed at once: no lease,
    and no pause of five seconds, stands between the broker's return and the next publish."""

    async def scenario() -> None:
        odd = Odd(store.begin, clock)
        await odd.declare(["sb"])
        relay = Relay(store.begin, odd, clock)
        put(store, 1)
        rows = relay._ledger.claim(clock(), 16, floor=0, shunned=(), look=False)
        relay._buffer.extend(rows)
        relay._until.update((row.id, clock() + LEASE_US) for row in rows)
        odd.away = True
        async with running(relay.run()):
            await until(lambda: not relay._buffer)
            odd.away = False
            await until(lambda: states(store) == ["confirmed"], seconds=4)

    asyncio.run(scenario())
