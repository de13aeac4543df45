"""The tables of keeping and destroying: holds, plans, what a plan does with each recording, and
the certificates.

Times are microseconds UTC, persons opaque logins, tickets opaque numbers, as in tables.  Rows of a
plan outlive what it destroyed.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from recordings.tables import Base, RecordingRow

STATES = (
    "proposed",
    "standing",
    "confirmed",
    "rewrapped",
    "shredding",
    "shredded",
    "removed",
    "certified",
    "void",
)
FATES = ("destroy", "keep")

_ID = BigInteger().with_variant(Integer, "sqlite")
_OPEN = text("state NOT IN ('certified', 'void')")


def _among(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class HoldRow(Base):
    """Recordings that must stay: one, or all of a ticket; until lifted, or until `until_at`."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("(recording_id IS NULL) <> (ticket_id IS NULL)", name="of_one"),
    )

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    recording_id: Mapped[int | None] = mapped_column(ForeignKey(RecordingRow.id), index=True)
    ticket_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    why: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(100))
    placed_at: Mapped[int] = mapped_column(BigInteger)
    until_at: Mapped[int | None] = mapped_column(BigInteger)
    lifted_by: Mapped[str | None] = mapped_column(String(100))
    lifted_at: Mapped[int | None] = mapped_column(BigInteger)


class PlanRow(Base):
    """A plan to destroy one key.  `stood_us` and what follows it are clocked.Standing; `digest` is
    of the items as the two persons saw them; `voided` why it is void."""

    __tablename__ = "retention_plan"
    __table_args__ = (
        _among("state", STATES),
        Index("uq_retention_plan_open", "key_id", unique=True,
              sqlite_where=_OPEN, postgresql_where=_OPEN),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    key_id: Mapped[str] = mapped_column(String(32))
    recipient: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(12))
    made_at: Mapped[int] = mapped_column(BigInteger)
    stood_us: Mapped[int] = mapped_column(BigInteger, default=0)
    seen_at: Mapped[int] = mapped_column(BigInteger)
    boot: Mapped[str] = mapped_column(String(64))
    boot_us: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64), default="")
    asked_by: Mapped[str | None] = mapped_column(String(100))
    asked_at: Mapped[int | None] = mapped_column(BigInteger)
    confirmed_by: Mapped[str | None] = mapped_column(String(100))
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)
    shredded_at: Mapped[int | None] = mapped_column(BigInteger)
    voided: Mapped[str] = mapped_column(Text, default="")


class ItemRow(Base):
    """What a plan does with one recording: destroy it, or keep it (re-wrap its header), and why."""

    __tablename__ = "retention_item"
    __table_args__ = (_among("fate", FATES),)

    plan_id: Mapped[int] = mapped_column(ForeignKey(PlanRow.id), primary_key=True)
    recording_id: Mapped[int] = mapped_column(
        ForeignKey(RecordingRow.id), primary_key=True, index=True
    )
    fate: Mapped[str] = mapped_column(String(8))
    sealed_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    why: Mapped[str] = mapped_column(String(120), default="")
    tries: Mapped[int] = mapped_column(Integer, default=0)
    trouble: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[int | None] = mapped_column(BigInteger)


class CertificateRow(Base):
    """The certificate of a plan that was carried out, and the line of the log that names it."""

    __tablename__ = "retention_certificate"

    plan_id: Mapped[int] = mapped_column(
        ForeignKey(PlanRow.id), primary_key=True, autoincrement=False
    )
    line: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
