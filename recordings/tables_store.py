"""What is known of each recording in each place that keeps it: when it was compared last, and how
that ended.  Times are microseconds since the Unix epoch, UTC."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from recordings.tables import Base, RecordingRow

STORE, COPY = "store", "copy"
"""The places: the store itself, and its second copy."""

OK, MISSING, ALTERED, UNREADABLE = "ok", "missing", "altered", "unreadable"
"""ok: hashes to the catalogue's word.  unreadable: it is there, and its bytes are not given."""


class StoreCheckRow(Base):
    """One recording in one place, as it was found last; `copied_at`: when it was put there from
    the other one, of a second copy alone."""

    __tablename__ = "store_check"
    __table_args__ = (
        CheckConstraint("place IN ('store', 'copy')", name="place"),
        CheckConstraint("outcome IN ('ok', 'missing', 'altered', 'unreadable')", name="outcome"),
        Index(None, "place", "checked_at"),
    )

    recording_id: Mapped[int] = mapped_column(
        ForeignKey(RecordingRow.id), primary_key=True, autoincrement=False
    )
    place: Mapped[str] = mapped_column(String(10), primary_key=True)
    checked_at: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str] = mapped_column(String(20))
    copied_at: Mapped[int | None] = mapped_column(BigInteger)
