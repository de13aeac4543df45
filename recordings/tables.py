"""The tables of this room: recordings, what could not be sealed, permissions, and the log.

Times are integers, microseconds since the Unix epoch, UTC.  Persons are opaque login names, and
what belongs to other rooms (calls, tickets) is linked by them, not by foreign keys from here.
Every enumerated column is held to its closed list by a named CHECK.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
CONDITIONS = ("ok", "empty", "header_unfilled", "damaged")
"""ok: as the PBX should write it. empty: no audio. header_unfilled: audio whole, lengths never
written. damaged: not a PCM WAV, or shorter than it says; sealed all the same, it is evidence."""

TROUBLES = (
    "store_full",
    "store_failed",
    "wav_unreadable",
    "vanished",
    "no_key",
    "name_unsafe",
    "name_reused",
    "not_committed",
    "not_removed",
)
PURPOSES = ("verify", "complaint", "supervision")
"""核对通话内容, 处理投诉, 监管监察: the only uses of a recording (DOMAIN.md, Recordings)."""

KINDS = ("playback", "export")
"""What a yes is for: to hear here, or to take away, sealed to the recipient's own key."""

OUTCOMES = ("ok", "denied", "failed")

_ID = BigInteger().with_variant(Integer, "sqlite")


def _among(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Base(DeclarativeBase):
    """Metadata of this room."""

    metadata = MetaData(naming_convention=NAMING)


class RecordingRow(Base):
    """One sealed recording.  `name` is the WAV's stem, the UNIQUEID of the recorded channel.

    `seal_line` is the line of the log that says the same as this row; `header_version` which
    header object counts.  Without `peaks_sha256` there is no outline of its loudness.  With
    `destroyed_at` it is a tombstone: the header is empty and the objects are gone, by the plan
    `destroyed_plan`.
    """

    __tablename__ = "recording"
    __table_args__ = (
        UniqueConstraint("pbx", "name"),
        _among("condition", CONDITIONS),
        Index(None, "recorded_at"),
    )

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(160))
    object_key: Mapped[str] = mapped_column(String(300), unique=True)
    key_id: Mapped[str] = mapped_column(String(32), index=True)
    recipient: Mapped[str] = mapped_column(String(100))
    header: Mapped[bytes] = mapped_column(LargeBinary)
    header_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    plain_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    plain_size: Mapped[int] = mapped_column(BigInteger)
    sealed_size: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    sample_rate: Mapped[int] = mapped_column(Integer)
    channels: Mapped[int] = mapped_column(Integer)
    data_offset: Mapped[int] = mapped_column(Integer)
    condition: Mapped[str] = mapped_column(String(20))
    recorded_at: Mapped[int] = mapped_column(BigInteger)
    sealed_at: Mapped[int] = mapped_column(BigInteger)
    seal_line: Mapped[int | None] = mapped_column(BigInteger)
    header_version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    peaks_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    peaks_size: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    destroyed_at: Mapped[int | None] = mapped_column(BigInteger)
    destroyed_plan: Mapped[int | None] = mapped_column(BigInteger)


class CaptureTroubleRow(Base):
    """A WAV that could not be sealed; gone as soon as it was."""

    __tablename__ = "capture_trouble"
    __table_args__ = (UniqueConstraint("pbx", "name"), _among("what", TROUBLES))

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    pbx: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(160))
    what: Mapped[str] = mapped_column(String(20))
    message: Mapped[str] = mapped_column(Text)
    first_at: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(Integer)


class RequestRow(Base):
    """Somebody asks for recordings, for one purpose, by a ticket or a call, and why.

    `recipient` is the age key an export is to be sealed to; `urgent` was opened by break-glass.
    """

    __tablename__ = "recording_request"
    __table_args__ = (_among("purpose", PURPOSES), _among("kind", KINDS))

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    requester: Mapped[str] = mapped_column(String(100), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    ticket_no: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[int] = mapped_column(BigInteger, index=True)
    decided_at: Mapped[int | None] = mapped_column(BigInteger)
    authoriser: Mapped[str | None] = mapped_column(String(100))
    granted: Mapped[bool | None] = mapped_column(Boolean)
    note: Mapped[str | None] = mapped_column(Text)
    call_id: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10), default="playback", server_default="playback")
    recipient: Mapped[str] = mapped_column(String(100), default="", server_default="")
    urgent: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class RequestedRow(Base):
    """One recording a request asks for."""

    __tablename__ = "recording_requested"

    request_id: Mapped[int] = mapped_column(ForeignKey(RequestRow.id), primary_key=True)
    recording_id: Mapped[int] = mapped_column(
        ForeignKey(RecordingRow.id), primary_key=True, index=True
    )


class GrantRow(Base):
    """The yes to one request: who, for what, until when, how many times (null: not counted).

    `glass` was taken before anybody said yes: `authoriser` is empty until somebody has.
    """

    __tablename__ = "recording_grant"
    __table_args__ = (_among("kind", KINDS),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey(RequestRow.id), unique=True)
    person: Mapped[str] = mapped_column(String(100), index=True)
    authoriser: Mapped[str] = mapped_column(String(100))
    granted_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10), default="playback", server_default="playback")
    plays_max: Mapped[int | None] = mapped_column(Integer)
    glass: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_by: Mapped[str | None] = mapped_column(String(100))


class AuditLineRow(Base):
    """One line of the log; `id` is its place in the Merkle tree, counted from 0.

    `nodes` holds the hashes of the perfect subtrees this line completes, the leaf first.
    """

    __tablename__ = "audit_line"
    __table_args__ = (_among("outcome", OUTCOMES),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    action: Mapped[str] = mapped_column(String(100), index=True)
    actor: Mapped[str] = mapped_column(String(100), index=True)
    origin: Mapped[str] = mapped_column(String(200))
    obj: Mapped[str] = mapped_column(String(200), index=True)
    outcome: Mapped[str] = mapped_column(String(10))
    grant_id: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(Text)
    nodes: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHeadRow(Base):
    """The log's size and its frontier: one row, locked by whoever appends."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
