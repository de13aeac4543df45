"""Replies on their way in: applied once, parked with a reason, never in the way of the others."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from queueing import inbox, messages, parked, topology
from queueing.broker import RabbitMQ
from queueing.embedded import Embedded
from queueing.errors import NotParked, Rejected
from queueing.inbox import Receipt, ReplyConsumer
from queueing.messages import DepartmentReply, Replied, Signed
from queueing.tables import InboxRow, ParkedRow
from tests.integration.queueing.conftest import MakeTransport
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until


class Ledger:
    """A handler that writes one row for each reply it applies, in the reply's transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuse: set[str] = set()
        self.stumble: set[str] = set()
        with store.begin() as session:
            session.execute(text("CREATE TABLE ledger (work_order TEXT, event TEXT)"))

    def __call__(self, session: Session, replies: Sequence[DepartmentReply]) -> None:
        for reply in replies:
            session.execute(
                text("INSERT INTO ledger VALUES (:w, :e)"),
                {"w": reply.work_order, "e": reply.event},
            )
            if reply.work_order in self.refuse:
                raise Rejected("没有这张派单。 There is no such work order.", "unknown-work-order")
            if reply.work_order in self.stumble:
                raise KeyError(reply.work_order)

    def lines(self) -> list[str]:
        rows = self._store.read(lambda s: s.execute(text("SELECT work_order FROM ledger")).all())
        return [row[0] for row in rows]


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


def signed(number: int, *, department: str = "sb", event_id: str | None = None) -> bytes:
    message = Signed(work_order=f"WO-{number}", version=1, department=department, by="张三")
    return messages.encode(message, event_id=event_id or f"e{number}", source="urn:d:sb", time_us=7)


def test_a_reply_is_applied_once(store: Store, ledger: Ledger) -> None:
    """Protects: delivered thrice, applied once (promise 3)."""
    envelope = messages.decode(signed(1))
    receipts = [store.read(lambda s: inbox.apply(s, envelope, ledger, 9)) for _ in range(3)]
    assert receipts == [Receipt.APPLIED, Receipt.DUPLICATE, Receipt.DUPLICATE]
    assert ledger.lines() == ["WO-1"]
    row = store.read(lambda s: s.scalars(select(InboxRow)).one())
    assert (row.department, row.work_order, row.sent_at, row.applied_at) == ("sb", "WO-1", 7, 9)


def test_another_departments_id_takes_nothing_away(store: Store, ledger: Ledger) -> None:
    """Protects: source and id are free text: who uses another's first makes no reply vanish."""
    theirs = messages.decode(signed(1, department="jy", event_id="e9"))
    ours = messages.decode(signed(2, department="sb", event_id="e9"))
    for one in (theirs, ours):
        with store.begin() as session:
            assert inbox.apply(session, one, ledger, 9) is Receipt.APPLIED
    assert ledger.lines() == ["WO-1", "WO-2"]


def test_an_id_used_for_something_else_is_refused(store: Store, ledger: Ledger) -> None:
    """Protects: other content under a known id is told, and not swallowed as a repetition."""
    assert store.read(lambda s: inbox.apply(s, messages.decode(signed(1)), ledger, 9))
    other = messages.decode(signed(2, event_id="e1"))
    with pytest.raises(Rejected) as refused:
        store.read(lambda s: inbox.apply(s, other, ledger, 9))
    assert refused.value.code == "conflicting-repeat"
    with store.begin() as session:  # as a version before this left it: without a hash
        session.execute(text("UPDATE inbox SET content_sha256 = ''"))
    assert store.read(lambda s: inbox.apply(s, other, ledger, 9)) is Receipt.DUPLICATE
    assert ledger.lines() == ["WO-1"]


def test_several_at_once_are_each_applied_once(store: Store, ledger: Ledger) -> None:
    """Protects: of several in one transaction the first of an id counts, in their order; what was
    applied before is known; the same id for something else refuses them all."""
    before, *others = [messages.decode(signed(number)) for number in (1, 3, 2, 3)]
    assert store.read(lambda s: inbox.apply(s, before, ledger, 8)) is Receipt.APPLIED
    receipts = store.read(lambda s: inbox.apply_all(s, [before, *others], ledger, 9))
    assert receipts == [
        Receipt.DUPLICATE, Receipt.APPLIED, Receipt.APPLIED, Receipt.DUPLICATE,
    ]  # fmt: skip
    assert ledger.lines() == ["WO-1", "WO-3", "WO-2"]
    liar = [messages.decode(signed(4)), messages.decode(signed(5, event_id="e4"))]
    with pytest.raises(Rejected) as refused:
        store.read(lambda s: inbox.apply_all(s, liar, ledger, 9))
    assert refused.value.code == "conflicting-repeat"
    assert ledger.lines() == ["WO-1", "WO-3", "WO-2"]


def test_what_has_come_is_one_transaction(sqlite_store: Store, amqp_url: str, clock: Clock) -> None:
    """Protects: a backlog of replies is not a commit each; where one of them is refused, those
    beside it are applied all the same, in their order."""
    ledger = Ledger(sqlite_store)
    ledger.refuse = {"WO-25"}
    begun = 0

    @contextmanager
    def counted() -> Iterator[Session]:
        nonlocal begun
        begun += 1
        with sqlite_store.begin() as session:
            yield session

    async def scenario() -> None:
        async with closing(RabbitMQ(amqp_url, kind="classic")) as ours:
            await ours.declare([])
            for number in range(48):
                await ours.publish(topology.REPLIES, "reply.sb.v1", signed(number), f"e{number}")
            async with running(ReplyConsumer(counted, ours, ledger, clock).run()):
                await until(lambda: "WO-47" in ledger.lines())

    asyncio.run(scenario())
    assert ledger.lines() == [f"WO-{number}" for number in range(48) if number != 25]
    assert len(sqlite_store.read(parked.unresolved)) == 1
    assert begun < 40


def test_noise_is_kept_by_its_head(store: Store, ledger: Ledger, clock: Clock) -> None:
    """Protects: 10 MiB of noise does not fill the database, nor the memory of who lists it; that
    it cannot be replayed is said, and it stays."""
    noise = b"x" * (10 << 20)
    with store.begin() as session:
        row_id = parked.park_reply(
            session, routing_key="reply.sb.v1", body=noise, reason="r", now=1, code="too-large"
        ).id
    (row,) = store.read(parked.unresolved)
    assert "body" not in vars(row)
    assert (row.size, row.body_sha256) == (len(noise), sha256(noise).hexdigest())
    assert store.read(lambda s: len(s.get_one(ParkedRow, row_id).body)) == parked.HEAD
    with pytest.raises(Rejected, match="only the head was kept"):
        store.read(lambda s: inbox.replay(s, row_id, ledger, clock()))
    assert len(store.read(parked.unresolved)) == 1


def test_what_the_handler_refuses_was_never_applied(store: Store, ledger: Ledger) -> None:
    """Protects: a refused reply leaves neither its effect nor the memory of having come."""
    ledger.refuse = {"WO-1"}
    envelope = messages.decode(signed(1))
    with pytest.raises(Rejected):
        store.read(lambda s: inbox.apply(s, envelope, ledger, 9))
    ledger.refuse = set()
    assert ledger.lines() == []
    assert store.read(lambda s: inbox.apply(s, envelope, ledger, 9)) is Receipt.APPLIED


def test_the_same_reply_in_two_hands_at_once(postgres_store: Store) -> None:
    """Protects: two gateways that apply one reply at the same moment apply it once."""
    ledger = Ledger(postgres_store)
    envelope = messages.decode(signed(1))
    together = threading.Barrier(2)
    receipts: list[Receipt] = []

    def take() -> None:
        with postgres_store.begin() as session:
            together.wait(10)
            receipts.append(inbox.apply(session, envelope, ledger, 9))

    hands = [threading.Thread(target=take) for _ in range(2)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(20)
    assert sorted(receipts) == [Receipt.APPLIED, Receipt.DUPLICATE]
    assert ledger.lines() == ["WO-1"]


def test_replies_reach_their_handler_once_and_poison_is_parked(
    store: Store, ledger: Ledger, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: repeated, unreadable, foreign, refused and stumbling replies, one after another;
    of the refused one whoever asked is told, in the transaction that parks it."""
    told: list[tuple[str, int]] = []

    def on_refused(session: Session, refusal: Rejected) -> None:
        told.append((str(refusal), len(parked.unresolved(session))))

    ledger.refuse = {"WO-3"}
    ledger.stumble = {"WO-4"}
    foreign = json.loads(signed(9))
    foreign["type"] = "cn.12333.reply.v9"
    sent = [
        signed(1),
        signed(1),
        b"\x00 no JSON",
        json.dumps(foreign).encode(),
        signed(2, department="jy"),
        signed(3),
        signed(4),
        signed(1),
        signed(5),
    ]

    async def scenario() -> None:
        async with transports() as theirs, transports() as ours:
            await ours.declare(["sb"])
            for body in sent:
                outcome = await theirs.publish(topology.REPLIES, "reply.sb.v1", body, "k")
                assert outcome.verdict == "confirmed"
            consumer = ReplyConsumer(store.begin, ours, ledger, clock, on_refused)
            async with running(consumer.run()):
                await until(lambda: "WO-5" in ledger.lines())

    asyncio.run(scenario())
    assert ledger.lines() == ["WO-1", "WO-5"]
    stuck = store.read(parked.unresolved)
    assert [row.body_sha256 for row in reversed(stuck)] == [
        sha256(one).hexdigest() for one in sent[2:7]
    ]
    assert [row.code for row in reversed(stuck)] == [
        "unreadable", "wrong-version", "wrong-department", "unknown-work-order", "failed",
    ]  # fmt: skip
    assert {row.direction for row in stuck} == {"in"}
    assert [len(reason) > 0 and before for reason, before in told] == [2, 3]
    reasons = " | ".join(row.reason for row in stuck)
    for word in ("cannot be read", "unknown type", "another department", "no such", "KeyError"):
        assert word in reasons


def test_a_parked_reply_is_replayed_once(store: Store, ledger: Ledger, clock: Clock) -> None:
    """Protects: a person's second try applies the reply, and only the first click counts."""
    ledger.refuse = {"WO-1"}
    with store.begin() as session:
        row_id = parked.park_reply(
            session, routing_key="reply.sb.v1", body=signed(1), reason="r", now=1
        ).id
    with pytest.raises(Rejected):
        store.read(lambda s: inbox.replay(s, row_id, ledger, clock()))
    ledger.refuse = set()
    assert store.read(lambda s: inbox.replay(s, row_id, ledger, clock())) is Receipt.APPLIED
    assert ledger.lines() == ["WO-1"]
    with pytest.raises(NotParked):
        store.read(lambda s: inbox.replay(s, row_id, ledger, clock()))


def test_the_same_poison_is_parked_once(store: Store) -> None:
    """Protects: noise that comes again does not fill the list a person reads."""
    for now in (1, 2, 3):
        with store.begin() as session:
            parked.park_reply(session, routing_key="x", body=b"noise", reason="r", now=now)
    row = store.read(lambda s: s.scalars(select(ParkedRow)).one())
    assert (row.times, row.parked_at) == (3, 1)


def test_a_database_that_is_away_is_waited_for(sqlite_store: Store, clock: Clock) -> None:
    """Protects: a reply is neither parked nor acked while the database cannot take it."""
    ledger = Ledger(sqlite_store)

    def rename(old: str, new: str) -> None:
        with sqlite_store.begin() as session:
            session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    async def scenario() -> None:
        transport = Embedded(sqlite_store.begin, clock)
        await transport.declare([])
        rename("ledger", "away")  # the handler now gets OperationalError, as of a lost server
        await transport.publish(topology.REPLIES, "reply.sb.v1", signed(1), "k")
        async with running(ReplyConsumer(sqlite_store.begin, transport, ledger, clock).run()):
            await asyncio.sleep(1.5)
            assert sqlite_store.read(parked.unresolved) == []
            rename("away", "ledger")
            await until(ledger.lines)

    asyncio.run(scenario())
    assert ledger.lines() == ["WO-1"]


def test_replies_are_applied_in_their_order(
    sqlite_store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: signed comes before replied, for every work order."""
    ledger = Ledger(sqlite_store)
    names = [f"WO-{number}" for number in range(10)]

    def signed_then_replied(name: str) -> tuple[Signed, Replied]:
        return (
            Signed(work_order=name, version=1, department="sb", by="张三"),
            Replied(
                work_order=name, version=1, department="sb", by="张三", result="属实", measures=""
            ),
        )

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare([])
            for name in names:
                for message in signed_then_replied(name):
                    event_id = f"{name} {message.event}"
                    body = messages.encode(message, event_id=event_id, source="s", time_us=7)
                    await ours.publish(topology.REPLIES, "reply.sb.v1", body, event_id)
            async with running(ReplyConsumer(sqlite_store.begin, ours, ledger, clock).run()):
                await until(lambda: len(ledger.lines()) == 20)

    asyncio.run(scenario())
    everything = text("SELECT work_order, event FROM ledger")
    rows = sqlite_store.read(lambda s: s.execute(everything).all())
    wanted = [(name, event) for name in names for event in ("signed", "replied")]
    assert [tuple(row) for row in rows] == wanted
