"""What became of a yes: the plays that were begun under it, and the exports that were made.

Both outlive their grant; neither holds anything that could be heard. An export's file lies outside
of the database, and `sheet` is the custody sheet that goes with it, word for word as it was given.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recordings.tables import Base, GrantRow, RecordingRow

_ID = BigInteger().with_variant(Integer, "sqlite")


class PlayRow(Base):
    """One play of one recording: what `plays_max` counts, and what a range request names."""

    __tablename__ = "recording_play"

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey(GrantRow.id), index=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey(RecordingRow.id), index=True)
    person: Mapped[str] = mapped_column(String(100))
    began_at: Mapped[int] = mapped_column(BigInteger)
    ends_at: Mapped[int] = mapped_column(BigInteger)


class ExportRow(Base):
    """One recording sealed anew to a recipient's key; at most one for a grant and recording.

    `plain_sha256` is of what the recipient will read, `sealed_sha256` and `size` of the age file.
    """

    __tablename__ = "recording_export"
    __table_args__ = (UniqueConstraint("grant_id", "recording_id"),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey(GrantRow.id))
    recording_id: Mapped[int] = mapped_column(ForeignKey(RecordingRow.id), index=True)
    person: Mapped[str] = mapped_column(String(100), index=True)
    recipient: Mapped[str] = mapped_column(String(100))
    plain_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int] = mapped_column(BigInteger)
    object_key: Mapped[str] = mapped_column(String(100), unique=True)
    sheet: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger, index=True)
    fetches: Mapped[int] = mapped_column(Integer, default=0)
    fetched_at: Mapped[int | None] = mapped_column(BigInteger)
    removed_at: Mapped[int | None] = mapped_column(BigInteger)
