"""What the PBX said, kept in the same transaction as what it meant, and before it is understood.

One row a batch. A batch has a name (PBX, link session, number in it), so that one offered again
after a commit whose success was not heard of is known and not written twice. `replay` gives the
messages back exactly as they came, whatever the events module understood of them at the time.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from telephony.batch import Batch
from telephony.message import Message
from telephony.prepared import Prepared, but
from telephony.tables import Base, JournalRow, PoisonRow
from telephony.wire import Wire

_JOURNAL: Final = Base.metadata.tables["journal"]
_APPEND: Final = Prepared(insert(_JOURNAL), but(_JOURNAL, "id"))
_PAGE: Final = 100


def append(session: Session, pbx: str, batch: Batch) -> None:
    """Keeps the batch's messages; the caller's transaction decides whether for good."""
    _APPEND.run(session, [_row(pbx, batch)])


def set_aside(session: Session, pbx: str, batch: Batch, error: str, now: int) -> None:
    """Keeps a batch that cannot be worked (`error`: why), so that somebody can see what it was."""
    kept = insert(JournalRow).returning(JournalRow.id)
    row = session.scalars(kept, [_row(pbx, batch)]).one()
    session.add(PoisonRow(journal_id=row, pbx=pbx, at=now, error=error[:80]))
    session.flush()


def _row(pbx: str, batch: Batch) -> dict[str, Any]:
    return {
        "pbx": pbx,
        "link_session": batch.link_session,
        "seq": batch.seq,
        "received_at": batch.received_at,
        "raw": batch.raw,
        "messages": len(batch.messages),
    }


def known(session: Session, pbx: str, batch: Batch) -> bool:
    """Whether this batch was committed before."""
    found = session.execute(
        select(JournalRow.id).where(
            JournalRow.pbx == pbx,
            JournalRow.link_session == batch.link_session,
            JournalRow.seq == batch.seq,
        )
    )
    return found.first() is not None


def replay(session: Session, pbx: str, from_id: int = 0) -> Iterator[Message]:
    """Every message of that PBX from journal row `from_id` on, in the order received."""
    last = from_id - 1
    while True:
        rows = session.execute(
            select(JournalRow.id, JournalRow.raw)
            .where(JournalRow.pbx == pbx, JournalRow.id > last)
            .order_by(JournalRow.id)
            .limit(_PAGE)
        ).all()
        for last, raw in rows:  # noqa: B007 - the page's last id is where the next begins
            yield from Wire(greeted=True).feed(raw)
        if len(rows) < _PAGE:
            return
