"""The tables of the keys: which pairs were made, what two custodians did with one, and copies.

No private key is in any of them. Times are microseconds UTC, persons opaque logins, as in tables.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from recordings.tables import Base

ACTS = ("export", "destroy")

_ID = BigInteger().with_variant(Integer, "sqlite")


class SealingKeyRow(Base):
    """A pair that we made: what its public half must be, whoever may write the directory."""

    __tablename__ = "sealing_key"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    recipient: Mapped[str] = mapped_column(String(100))
    provider: Mapped[str] = mapped_column(String(20))
    made_at: Mapped[int] = mapped_column(BigInteger)
    not_before_at: Mapped[int] = mapped_column(BigInteger)
    destroyed_at: Mapped[int | None] = mapped_column(BigInteger)


class KeyActRow(Base):
    """What one custodian asked for and another confirmed; `digest` is of what was asked for."""

    __tablename__ = "key_act"
    __table_args__ = (CheckConstraint("act IN ('export', 'destroy')", name="act"),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    act: Mapped[str] = mapped_column(String(10))
    key_id: Mapped[str] = mapped_column(String(32), index=True)
    reason: Mapped[str] = mapped_column(Text)
    recipients: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    confirmed_by: Mapped[str | None] = mapped_column(String(100))
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)
    done_at: Mapped[int | None] = mapped_column(BigInteger)


class KeyCopyRow(Base):
    """A private key that left the keyring, for whom, and which two people say that it is gone."""

    __tablename__ = "key_copy"

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    key_id: Mapped[str] = mapped_column(String(32), index=True)
    act_id: Mapped[int] = mapped_column(ForeignKey(KeyActRow.id), unique=True)
    recipients: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
    gone_at: Mapped[int | None] = mapped_column(BigInteger)
    gone_by: Mapped[str | None] = mapped_column(String(100))
    gone_with: Mapped[str | None] = mapped_column(String(100))
