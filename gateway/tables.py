"""The gateway's own tables, joined with the leaves' into the one metadata that is migrated.

Foreign keys point down: a link of ours may name a call or a recording, never the other way round.
A row here says what is; how it came to be is in `ticket_step`, in `audit_line` and in the journal.
Times are microseconds since the Unix epoch, UTC (deploy/decisions/0002). Nothing here decides
anything: the closed lists are `tickets.words` and `tickets.lifecycle`.
"""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import queueing.tables
import recordings.tables
import recordings.tables_grants
import recordings.tables_keys
import recordings.tables_log
import recordings.tables_retention
import recordings.tables_store
import telephony.tables
from gateway.exchange import ALONE
from gateway.people.roles import Role
from gateway.tickets import words
from gateway.tickets.lifecycle import OrderState, TicketState

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
Key = BigInteger().with_variant(Integer, "sqlite")


def _joined() -> MetaData:
    metadata = MetaData(naming_convention=NAMING)
    # A room's further tables are in its one metadata as soon as their module is read.
    for leaf in (telephony.tables, queueing.tables, recordings.tables):
        for table in leaf.Base.metadata.sorted_tables:
            table.to_metadata(metadata)
    return metadata


class Base(DeclarativeBase):
    """Everything that is migrated: ours and the leaves'."""

    metadata = _joined()
    type_annotation_map = {int: BigInteger}  # noqa: RUF012 - SQLAlchemy's own way


def one_of(column: str, codes: type[StrEnum] | tuple[str, ...]) -> CheckConstraint:
    """A named CHECK that keeps `column` to `codes`."""
    listed = ", ".join(f"'{code}'" for code in codes)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class AccountRow(Base):
    """Somebody who signs in: one role each; an agent's phone is `extension` at the PBX `pbx`."""

    __tablename__ = "account"
    __table_args__ = (one_of("role", Role), UniqueConstraint("pbx", "extension"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    department: Mapped[str | None] = mapped_column(String(32), ForeignKey("department.code"))
    pbx: Mapped[str] = mapped_column(String(64), default=ALONE, server_default=ALONE)
    extension: Mapped[str | None] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    locked_until_at: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]


class SignInRow(Base):
    """One signed-in session. Only the token's SHA-256 is kept: a copy of it opens nothing."""

    __tablename__ = "sign_in"
    __table_args__ = (one_of("kind", ("cookie", "bearer")),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    csrf: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[int]
    expires_at: Mapped[int]
    seen_at: Mapped[int]
    closed_at: Mapped[int | None]


class DepartmentRow(Base):
    """A department that answers work orders: at its desk page, or by its own system, which reads
    its queue at the broker (queue) or fetches its messages over HTTPS (pull)."""

    __tablename__ = "department"
    __table_args__ = (one_of("mode", ("desk", "queue", "pull")),)

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    mode: Mapped[str] = mapped_column(String(8), default="desk")
    active: Mapped[bool] = mapped_column(default=True)
    amqp_user: Mapped[str | None] = mapped_column(String(80))
    """The broker's account its replies must come under; None: it has none of its own."""


class DepartmentKeyRow(Base):
    """The key of a department's program. Only its SHA-256 is kept: a copy of it opens nothing."""

    __tablename__ = "department_key"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    department: Mapped[str] = mapped_column(String(32), ForeignKey("department.code"), index=True)
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[int]
    expires_at: Mapped[int]
    revoked_at: Mapped[int | None]


class AttachmentRow(Base):
    """A file of a ticket. `object_name` is the last part of its key in the store (attaching)."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    object_name: Mapped[str] = mapped_column(String(32), unique=True)
    added_by: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[int]


class AttachmentLinkRow(Base):
    """The link of a file, or of a form, in one work order's message. Only its hash is kept."""

    __tablename__ = "attachment_link"
    __table_args__ = (
        CheckConstraint("(attachment_id IS NULL) <> (form IS NULL)", name="of_one"),
        one_of("form", ("register",)),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    attachment_id: Mapped[int | None] = mapped_column(ForeignKey("attachment.id"))
    form: Mapped[str | None] = mapped_column(String(16))
    department: Mapped[str] = mapped_column(String(32), ForeignKey("department.code"))
    work_order: Mapped[str] = mapped_column(String(64), ForeignKey("work_order.number"))
    made_at: Mapped[int]
    expires_at: Mapped[int]
    fetched: Mapped[int] = mapped_column(Integer, default=0)


class CounterRow(Base):
    """A gapless counter, such as the acceptance numbers of one year (tickets.numbering)."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int]


class TicketRow(Base):
    """The record of one matter: the register form of DOMAIN.md (受理登记) and where it stands."""

    __tablename__ = "ticket"
    __table_args__ = (
        one_of("state", TicketState),
        one_of("channel", words.codes(words.CHANNELS)),
        one_of("kind", ("", *words.codes(words.KINDS))),
        one_of("complaint_class", ("", *words.codes(words.COMPLAINT_CLASSES))),
        one_of("level", words.codes(words.LEVELS)),
        one_of("caller_sex", ("", *words.codes(words.SEXES))),
        one_of("call_back", ("none", "due", "done")),
        Index("ix_ticket_call_back_due", "opened_at", sqlite_where=text("call_back = 'due'"),
              postgresql_where=text("call_back = 'due'")),
        Index("ix_ticket_owner_state", "owner", "state"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=TicketState.DRAFT.value)
    version: Mapped[int] = mapped_column(Integer, default=1)
    channel: Mapped[str] = mapped_column(String(16), default="phone")
    kind: Mapped[str] = mapped_column(String(16), default="")
    complaint_class: Mapped[str] = mapped_column(String(16), default="")
    level: Mapped[str] = mapped_column(String(16), default="ordinary")
    opened_at: Mapped[int] = mapped_column(index=True)
    queue: Mapped[str] = mapped_column(String(80), default="")
    caller_name: Mapped[str] = mapped_column(Text, default="")
    caller_phone: Mapped[str] = mapped_column(String(80), default="")
    caller_sex: Mapped[str] = mapped_column(String(8), default="")
    caller_id_number: Mapped[str] = mapped_column(String(32), default="")
    caller_address: Mapped[str] = mapped_column(Text, default="")
    confidential: Mapped[bool] = mapped_column(default=False)
    subject_department: Mapped[str] = mapped_column(Text, default="")
    subject_window: Mapped[str] = mapped_column(Text, default="")
    subject_staff: Mapped[str] = mapped_column(Text, default="")
    summary: Mapped[str] = mapped_column(Text, default="")
    demand: Mapped[str] = mapped_column(Text, default="")
    evidence: Mapped[str] = mapped_column(Text, default="")
    saved_at: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(String(64), default="")
    call_back: Mapped[str] = mapped_column(String(8), default="none")
    refusal_reason: Mapped[str] = mapped_column(Text, default="")
    refer_to: Mapped[str] = mapped_column(Text, default="")
    answer: Mapped[str] = mapped_column(Text, default="")
    acceptance_no: Mapped[str | None] = mapped_column(String(64), unique=True)
    accepted_at: Mapped[int | None]
    due_at: Mapped[int | None]
    closed_at: Mapped[int | None]
    closing_note: Mapped[str] = mapped_column(Text, default="")


class TicketStepRow(Base):
    """One step in a ticket's story: who, when, why, from where to where."""

    __tablename__ = "ticket_step"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    at: Mapped[int]
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text, default="")
    work_order: Mapped[str] = mapped_column(String(64), default="")


class TicketCallRow(Base):
    """The ticket of a call, which opened it or was placed from it: at most one for each call."""

    __tablename__ = "ticket_call"

    call_id: Mapped[int] = mapped_column(
        ForeignKey("call.id"), primary_key=True, autoincrement=False
    )
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)


class PlacedCallRow(Base):
    """A call we asked the PBX to place, from a ticket; written before it is asked. `uniqueid` is
    the name we gave: the call's linkedid, if there comes to be one. `settled_at`: nothing more is
    to come of it; `failed`: why no call came of it."""

    __tablename__ = "placed_call"
    __table_args__ = (
        UniqueConstraint("pbx", "uniqueid"),
        one_of("purpose", words.codes(words.CALL_PURPOSES)),
        one_of("failed", ("", "unreachable", "refused", "away", "lost")),
        Index("uq_placed_call_open", "pbx", "interface", unique=True,
              sqlite_where=text("settled_at IS NULL"),
              postgresql_where=text("settled_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    uniqueid: Mapped[str] = mapped_column(String(150))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    call_id: Mapped[int | None] = mapped_column(ForeignKey("call.id"))
    purpose: Mapped[str] = mapped_column(String(16))
    interface: Mapped[str] = mapped_column(String(80))
    number: Mapped[str] = mapped_column(String(32))
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[int]
    settled_at: Mapped[int | None]
    failed: Mapped[str] = mapped_column(String(16), default="")


class RecordingPauseRow(Base):
    """A part of a call of which the recording is silent; written before the PBX is asked.
    `ended_by`: a login, or call, limit, restart, failed (it never began)."""

    __tablename__ = "recording_pause"
    __table_args__ = (
        one_of("reason", words.codes(words.SILENCE_REASONS)),
        Index("uq_recording_pause_open", "call_id", unique=True,
              sqlite_where=text("ended_at IS NULL"),
              postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"), index=True)
    reason: Mapped[str] = mapped_column(String(16))
    paused_by: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[int]
    ended_at: Mapped[int | None]
    ended_by: Mapped[str] = mapped_column(String(64), default="")


class AgentPauseRow(Base):
    """An agent's phone taken out of the queues by an act of ours; what the PBX has, it says itself.
    `until_at`: when a wrap-up ends by itself; null while the call it is of still lasts, and for
    breaks. `ended_by`: a login, or time, replaced, failed (it never began)."""

    __tablename__ = "agent_pause"
    __table_args__ = (
        one_of("reason", words.codes(words.PAUSE_REASONS)),
        Index("uq_agent_pause_open", "pbx", "interface", unique=True,
              sqlite_where=text("ended_at IS NULL"),
              postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    interface: Mapped[str] = mapped_column(String(80))
    login: Mapped[str] = mapped_column(String(64), index=True)
    reason: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[int]
    until_at: Mapped[int | None]
    ended_at: Mapped[int | None]
    ended_by: Mapped[str] = mapped_column(String(64), default="")


class RecordingLinkRow(Base):
    """Which call a recording is of, and which ticket that call opened."""

    __tablename__ = "recording_link"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recording.id"), primary_key=True, autoincrement=False
    )
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)


class WorkOrderRow(Base):
    """The part of a ticket that one department has to answer (派单)."""

    __tablename__ = "work_order"
    __table_args__ = (
        one_of("state", OrderState),
        Index("ix_work_order_department_state", "department", "state"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(64), unique=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    department: Mapped[str] = mapped_column(String(32), ForeignKey("department.code"))
    lead: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16), default=OrderState.OFFERED.value)
    version: Mapped[int] = mapped_column(Integer, default=1)
    question: Mapped[str] = mapped_column(Text)
    due_at: Mapped[int | None]
    offered_at: Mapped[int] = mapped_column(index=True)
    delivered_at: Mapped[int | None]
    signed_at: Mapped[int | None]
    signed_by: Mapped[str] = mapped_column(String(120), default="")
    replied_at: Mapped[int | None]
    replied_by: Mapped[str] = mapped_column(String(120), default="")
    result: Mapped[str] = mapped_column(Text, default="")
    measures: Mapped[str] = mapped_column(Text, default="")
    returned_at: Mapped[int | None]
    returned_by: Mapped[str] = mapped_column(String(120), default="")
    return_reason: Mapped[str] = mapped_column(Text, default="")


class TicketJoinRow(Base):
    """One matter told twice: `ticket_id` goes on in `into_id` (并单). Both stay as they are."""

    __tablename__ = "ticket_join"

    ticket_id: Mapped[int] = mapped_column(
        ForeignKey("ticket.id"), primary_key=True, autoincrement=False
    )
    into_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    joined_by: Mapped[str] = mapped_column(String(64))
    joined_at: Mapped[int]


class RecusalRow(Base):
    """Whom a ticket is about (回避): named by hand, as who was in a call, or lifted where the
    record itself names somebody who is not meant (`found`)."""

    __tablename__ = "recusal"
    __table_args__ = (
        one_of("because", words.codes(words.RECUSALS)),
        Index("uq_recusal_open", "ticket_id", "login", unique=True,
              sqlite_where=text("lifted_at IS NULL"),
              postgresql_where=text("lifted_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    login: Mapped[str] = mapped_column(String(64))
    because: Mapped[str] = mapped_column(String(8))
    named_by: Mapped[str] = mapped_column(String(64))
    named_at: Mapped[int]
    lifted_at: Mapped[int | None]
    lifted_by: Mapped[str] = mapped_column(String(64), default="")


class LeaseRow(Base):
    """Who has a duty that one process at a time may do (gateway.lease). `fence` counts holders."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    fence: Mapped[int]
    expires_at: Mapped[int]
