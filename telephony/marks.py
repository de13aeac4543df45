"""How far each PBX's own log has been read: one row a PBX, moved in a transaction after all that
was read, never before it. Whoever loses the row reads the log from its first line, unharmed."""

from sqlalchemy.orm import Session

from telephony.cel_log import Mark, Reading
from telephony.tables import CelMarkRow


def find(session: Session, pbx: str) -> Mark | None:
    """Where reading goes on; None: the log was never read."""
    row = session.get(CelMarkRow, pbx)
    return None if row is None else Mark(int(row.inode), row.position, row.head)


def keep(session: Session, pbx: str, reading: Reading, now: int) -> None:
    """The next reading begins where this one says. `now`: µs."""
    row = session.get(CelMarkRow, pbx)
    if row is None:
        row = CelMarkRow(pbx=pbx, unreadable=0)
        session.add(row)
    row.inode = str(reading.mark.inode)
    row.position = reading.mark.offset
    row.head = reading.mark.head
    row.read_at = now
    row.unreadable += reading.unreadable
    session.flush()
