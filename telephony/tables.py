"""The rows of telephony: what the PBX said, the calls it meant, and where the link was down.

Times are µs since the epoch, UTC. `call` has exactly one row for each (pbx, linkedid), whatever
died meanwhile. A `link_gap` without `backfilled_at` is an interval whose figures are not complete.
No table here points into another leaf.
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
    UniqueConstraint,
    false,
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

CAUSES: Final = ("caller", "agent", "timeout", "transfer", "gap", "hangup")
"""Who ended a call: the caller, the agent, the queue's time limit, a transfer nobody took, nobody
knows (link was down), or a hang-up the PBX gave no side for."""

STATES: Final = (
    *("arrived", "queued", "offered", "talking", "held", "transferring", "parked"),
    *("summoning", "dialling", "ended"),
)
"""Where a caller is; `states` says what each means."""

OUTCOMES: Final = (
    *("answered", "abandoned", "left"),
    *("no_answer", "busy", "failed", "no_agent"),
)
"""How a call ended; `facts.Outcome` says what each means. The last four are of calls we placed."""

GAP_REASONS: Final = (
    *("stopped", "killed", "closed", "silent", "overflow", "broken", "refused", "poison"),
)
"""Why the PBX was not heard: we stopped · we were killed · the PBX closed · it fell silent · we
could not keep up · what came was not AMI · the account was refused · what came could
not be worked"""

AGENT_STATES: Final = (
    *("idle", "ringing", "talking", "holding", "after_call", "break", "offline"),
)
"""What an agent is doing; `agents` says what each means."""

Key = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class Base(DeclarativeBase):
    """Root of this leaf's tables."""

    metadata = MetaData(naming_convention=NAMING)


class JournalRow(Base):
    """One batch as it came in, before it was understood; `raw` can be fed to a `Wire` again."""

    __tablename__ = "journal"
    __table_args__ = (UniqueConstraint("pbx", "link_session", "seq"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    link_session: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    messages: Mapped[int] = mapped_column(Integer)


class PoisonRow(Base):
    """A batch that could not be worked whenever it was tried: it is in the journal, and means
    nothing. `error` is the kind of what was raised."""

    __tablename__ = "poison"

    journal_id: Mapped[int] = mapped_column(
        Key, ForeignKey("journal.id"), primary_key=True, autoincrement=False
    )
    pbx: Mapped[str] = mapped_column(String(64))
    at: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[str] = mapped_column(String(80))


class CallRow(Base):
    """One call as the caller lived it. Agents are interfaces like PJSIP/8003. `caller_number` is
    the person's, whoever called whom."""

    __tablename__ = "call"
    __table_args__ = (
        UniqueConstraint("pbx", "linkedid"),
        CheckConstraint(_one_of("direction", ("inbound", "outbound")), "direction"),
        CheckConstraint(_one_of("state", STATES), "state"),
        CheckConstraint(_one_of("outcome", OUTCOMES), "outcome"),
        CheckConstraint(_one_of("cause", CAUSES), "cause"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", "ended"),
        Index("ix_call_caller_number", "caller_number", "arrived_at"),
        Index("ix_call_arrived_at", "arrived_at"),
        Index(
            "ix_call_live",
            "pbx",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    linkedid: Mapped[str] = mapped_column(String(150))
    direction: Mapped[str] = mapped_column(String(8))
    caller_number: Mapped[str] = mapped_column(String(80))
    caller_name: Mapped[str] = mapped_column(String(160))
    dialled: Mapped[str] = mapped_column(String(80))
    queue: Mapped[str | None] = mapped_column(String(80))
    far_channel: Mapped[str | None] = mapped_column(String(150))
    """Outbound: the unique id of the called person's channel."""
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str | None] = mapped_column(String(16))
    cause: Mapped[str | None] = mapped_column(String(16))
    hangup_cause: Mapped[int | None] = mapped_column(Integer)
    arrived_at: Mapped[int] = mapped_column(BigInteger)
    queued_at: Mapped[int | None] = mapped_column(BigInteger)
    left_queue_at: Mapped[int | None] = mapped_column(BigInteger)
    answered_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    first_agent: Mapped[str | None] = mapped_column(String(80))
    last_agent: Mapped[str | None] = mapped_column(String(80))
    wait_ms: Mapped[int | None] = mapped_column(BigInteger)
    talk_ms: Mapped[int | None] = mapped_column(BigInteger)
    recording_started_at: Mapped[int | None] = mapped_column(BigInteger)
    recording_expected: Mapped[bool] = mapped_column(server_default=false())
    """A recording began and somebody talked: the PBX owes us a WAV named after the linkedid."""


class CallLegRow(Base):
    """One ring of one agent's phone, and the talk it led to. `leg` is that channel's unique id.
    An outside number a caller was sent to is a leg of the trunk."""

    __tablename__ = "call_leg"
    __table_args__ = (
        UniqueConstraint("call_id", "leg"),
        CheckConstraint(_one_of("result", ("answered", "no_answer", "withdrawn")), "result"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[int] = mapped_column(Key, ForeignKey("call.id"))
    leg: Mapped[str] = mapped_column(String(150))
    interface: Mapped[str] = mapped_column(String(80))
    member: Mapped[str] = mapped_column(String(160))
    offered_at: Mapped[int | None] = mapped_column(BigInteger)
    answered_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[str | None] = mapped_column(String(16))
    held_at: Mapped[int | None] = mapped_column(BigInteger)
    """Since when the caller is on hold; null: not now."""
    held_us: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """All holds that have ended, together."""
    passed_to: Mapped[str | None] = mapped_column(String(80))
    """Whom this agent gave the caller to: an extension or number, a device, an application."""


class ConferenceSeatRow(Base):
    """A channel that is in a conference now, a caller's or anybody's; gone when it leaves."""

    __tablename__ = "conference_seat"

    pbx: Mapped[str] = mapped_column(String(64), primary_key=True)
    uniqueid: Mapped[str] = mapped_column(String(150), primary_key=True)
    bridge: Mapped[str] = mapped_column(String(80))
    interface: Mapped[str] = mapped_column(String(80))


class LinkGapRow(Base):
    """An interval in which the PBX was not heard. `ended_at` null: it still lasts."""

    __tablename__ = "link_gap"
    __table_args__ = (
        CheckConstraint(_one_of("reason", GAP_REASONS), "reason"),
        Index(
            "uq_link_gap_open",
            "pbx",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    backfilled_at: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(16))


class LinkStateRow(Base):
    """The link to one PBX as it stands; one row a PBX."""

    __tablename__ = "link_state"

    pbx: Mapped[str] = mapped_column(String(64), primary_key=True)
    connected: Mapped[bool]
    since_at: Mapped[int] = mapped_column(BigInteger)
    last_packet_at: Mapped[int] = mapped_column(BigInteger)
    link_session: Mapped[str] = mapped_column(String(40))
    unknown_events: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Events of calls that the table refused: late, repeated or out of order."""


class CelMarkRow(Base):
    """How far the PBX's own log has been read (see `cel_log.Mark`); one row a PBX."""

    __tablename__ = "cel_mark"

    pbx: Mapped[str] = mapped_column(String(64), primary_key=True)
    inode: Mapped[str] = mapped_column(String(20))
    """Digits: an inode number may need all 64 bits, which a database's integer lacks."""
    position: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str] = mapped_column(String(64))
    read_at: Mapped[int] = mapped_column(BigInteger)
    unreadable: Mapped[int] = mapped_column(BigInteger)
    """Records left out because they could not be read; those after the mark are counted again."""


class AgentStateRow(Base):
    """What one agent is doing, as last told; one row an agent's interface."""

    __tablename__ = "agent_state"
    __table_args__ = (CheckConstraint(_one_of("state", AGENT_STATES), "state"),)

    pbx: Mapped[str] = mapped_column(String(64), primary_key=True)
    interface: Mapped[str] = mapped_column(String(80), primary_key=True)
    member: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(80))
    """Of a break: a code of `reasons.BREAKS` or the PBX's own text."""
    since_at: Mapped[int] = mapped_column(BigInteger)


class AgentSpellRow(Base):
    """A pause or an absence of an agent, from its beginning to its end."""

    __tablename__ = "agent_spell"
    __table_args__ = (
        CheckConstraint(_one_of("state", AGENT_STATES), "state"),
        Index("ix_agent_spell_ended_at", "ended_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    interface: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(80))
    began_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int] = mapped_column(BigInteger)


class QueueStateRow(Base):
    """How many wait in one queue, and since when the first of them; one row a queue."""

    __tablename__ = "queue_state"

    pbx: Mapped[str] = mapped_column(String(64), primary_key=True)
    queue: Mapped[str] = mapped_column(String(80), primary_key=True)
    waiting: Mapped[int] = mapped_column(Integer)
    oldest_at: Mapped[int | None] = mapped_column(BigInteger)
