"""The rows of queueing: what goes out, what came in, what is stuck, and the broker's stand-in.

Times are µs since the epoch, UTC. A row may be claimed by anyone from `claimable_at` on: a claim
moves that moment behind the lease and raises `fence`, a failure moves it behind the back-off; so
lease, retry and first try are one rule. Whoever marks a row shows the fence it
claimed with; one that lost its lease marks nothing.
No table here points into another leaf. Bodies are kept as they went over the wire.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING: Final = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

OUTBOX_STATES: Final = ("waiting", "confirmed", "parked")
"""waiting: to be published, or published and not yet confirmed · confirmed: the broker has it ·
parked: it cannot be routed or was refused; a person looks."""

DIRECTIONS: Final = ("out", "in", "dead")
"""out: the broker would not take it · in: a reply we cannot apply · dead: taken by the broker and
given up by the department's consumer (dead-lettered)"""

_Key = BigInteger().with_variant(Integer, "sqlite")
_OPEN: Final = text("replayed_at IS NULL AND discarded_at IS NULL")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """The leaf's own metadata; the gateway joins it to the others'."""

    metadata = MetaData(naming_convention=NAMING)


class OutboxRow(Base):
    """One message on its way out, committed together with what it tells of: what was said.

    Written when it is put and when it ends; what happens between stands in `outbox_due`. `fence` is
    the last one that was given out for it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        CheckConstraint(_one_of("state", OUTBOX_STATES), name="state"),
        Index("ix_outbox_committed_at", "committed_at"),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    message_type: Mapped[str] = mapped_column(String(80))
    department: Mapped[str] = mapped_column(String(40))
    routing_key: Mapped[str] = mapped_column(String(120))
    ordering_key: Mapped[str] = mapped_column(String(120))
    dedupe_key: Mapped[str] = mapped_column(String(120))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    trace: Mapped[str] = mapped_column(String(55), server_default="")
    """`traceparent` of what caused it; empty where nothing did."""
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    fence: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    trouble: Mapped[str | None] = mapped_column(Text)
    committed_at: Mapped[int] = mapped_column(BigInteger)
    published_at: Mapped[int | None] = mapped_column(BigInteger)
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)


class OutboxDueRow(Base):
    """A message of the outbox that is still to be sent: what is to be done.

    Narrow, because a claim writes it anew; deleted when the broker has the message or it is parked.
    """

    __tablename__ = "outbox_due"
    # The lowest row of each ordering key.
    __table_args__ = (Index("ix_outbox_due_ordering_key_id", "ordering_key", "id"),)

    id: Mapped[int] = mapped_column(ForeignKey("outbox.id"), primary_key=True, autoincrement=False)
    ordering_key: Mapped[str] = mapped_column(String(120))
    department: Mapped[str] = mapped_column(String(40))
    claimable_at: Mapped[int] = mapped_column(BigInteger)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)


class InboxRow(Base):
    """One reply that was applied; of one department the same (source, event_id) is never applied
    again. Source and id are the sender's free text; the department before them is proven."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("department", "source", "event_id"),)

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(120))
    event_id: Mapped[str] = mapped_column(String(120))
    message_type: Mapped[str] = mapped_column(String(80))
    department: Mapped[str] = mapped_column(String(40))
    work_order: Mapped[str] = mapped_column(String(120), index=True)
    sent_at: Mapped[int] = mapped_column(BigInteger)
    applied_at: Mapped[int] = mapped_column(BigInteger)
    content_sha256: Mapped[str] = mapped_column(String(64), server_default="")
    """Of its data; empty where it was applied before this was kept."""


class ParkedRow(Base):
    """A message that stopped, with its reason; open until it is replayed or discarded.

    The same bytes are open once only: coming again counts `times` up. Of what is longer than a
    message may be, `body` is the head alone; `size` and `body_sha256` are of the whole.
    """

    __tablename__ = "parked"
    __table_args__ = (
        CheckConstraint(_one_of("direction", DIRECTIONS), name="direction"),
        Index(
            "uq_parked_open",
            "direction",
            "body_sha256",
            unique=True,
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    direction: Mapped[str] = mapped_column(String(4))
    outbox_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"), index=True)
    department: Mapped[str] = mapped_column(String(40))
    routing_key: Mapped[str] = mapped_column(String(255))
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    body_sha256: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(40), server_default="")
    """Of a reply: why, as `errors.CODES` has it."""
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    times: Mapped[int] = mapped_column(Integer, default=1)
    parked_at: Mapped[int] = mapped_column(BigInteger)
    replayed_at: Mapped[int | None] = mapped_column(BigInteger)
    alerted_at: Mapped[int | None] = mapped_column(BigInteger)
    """When people were told of it."""
    work_order: Mapped[str] = mapped_column(String(120), server_default="", index=True)
    """Of a reply: which one it names, where that could be read."""
    discarded_at: Mapped[int | None] = mapped_column(BigInteger)
    discarded_by: Mapped[str] = mapped_column(String(64), server_default="")
    discard_reason: Mapped[str] = mapped_column(Text, server_default="")


OPEN: Final = (ParkedRow.replayed_at.is_(None), ParkedRow.discarded_at.is_(None))
"""Of the parked: those that wait for a person."""


class TallyRow(Base):
    """How often something came to be, by all processes together since the house began."""

    __tablename__ = "tally"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    label: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class CarrierRow(Base):
    """A relay as it last told of itself; one that has not told for long is gone."""

    __tablename__ = "carrier"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    up: Mapped[bool]
    """Whether the last it heard of the broker was good."""
    window: Mapped[int] = mapped_column(Integer)
    flying: Mapped[int] = mapped_column(Integer)
    told_at: Mapped[int] = mapped_column(BigInteger)


class QueueDepthRow(Base):
    """What lies in a queue of the broker, as it was last asked."""

    __tablename__ = "queue_depth"

    queue: Mapped[str] = mapped_column(String(80), primary_key=True)
    ready: Mapped[int] = mapped_column(Integer)
    consumers: Mapped[int] = mapped_column(Integer)
    asked_at: Mapped[int] = mapped_column(BigInteger)


class EmbeddedQueueRow(Base):
    """A queue of the embedded transport: what is published to a queue not here is unroutable."""

    __tablename__ = "embedded_queue"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)


class EmbeddedRow(Base):
    """A message in a queue of the embedded transport; an ack removes it."""

    __tablename__ = "embedded_message"
    __table_args__ = (
        Index("ix_embedded_message_next", "queue", "id"),
        # Acked rows go, and an id that came back would let a late ack remove another message.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    queue: Mapped[str] = mapped_column(ForeignKey("embedded_queue.name"))
    routing_key: Mapped[str] = mapped_column(String(255))
    dedupe_key: Mapped[str] = mapped_column(String(120))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    death: Mapped[str] = mapped_column(Text, default="")
    claimable_at: Mapped[int] = mapped_column(BigInteger)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    enqueued_at: Mapped[int] = mapped_column(BigInteger)
    given_back: Mapped[int] = mapped_column(Integer, server_default="0")
    """How many of its deliveries were given back, and do not count."""
