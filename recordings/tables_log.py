"""The tables beside the log: checkpoints signed, where they were brought, and alerts.

Times are µs UTC.  The lines themselves and the head are in `tables`.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recordings.tables import Base

_ID = BigInteger().with_variant(Integer, "sqlite")


class CheckpointRow(Base):
    """A signed note that left the house; of one origin and size there is one, ever."""

    __tablename__ = "audit_checkpoint"
    __table_args__ = (UniqueConstraint("origin", "size"),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    origin: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    note: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[int] = mapped_column(BigInteger)


class DeliveryRow(Base):
    """One checkpoint on its way to one place; `answer` is what a witness signed to it."""

    __tablename__ = "checkpoint_delivery"

    checkpoint_id: Mapped[int] = mapped_column(ForeignKey(CheckpointRow.id), primary_key=True)
    place: Mapped[str] = mapped_column(String(300), primary_key=True)
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(Integer)
    trouble: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)


class AlertRow(Base):
    """Something a role must see; it stays until one of them says so."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(60))
    ref: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger)
    role: Mapped[str] = mapped_column(String(20), index=True)
    seen_at: Mapped[int | None] = mapped_column(BigInteger)
    seen_by: Mapped[str | None] = mapped_column(String(100))
