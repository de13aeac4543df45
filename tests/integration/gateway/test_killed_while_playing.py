"""kill -9 while somebody listens: what they had asked to hear is on record all the same."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from recordings.tables import AuditLineRow
from tests.bench.spool import MIB, Spool, wav


def test_the_asked_range_outlives_the_process(tmp_path: Path) -> None:
    """No line of what was heard could be written any more; the one before the first byte stands,
    and names the range."""
    source = tmp_path / "call.wav"
    wav(source, 24)  # more than what sockets hold: the stream is under way when it is killed
    with closing(Spool(tmp_path / "house")) as spool:
        row = spool.catalogued(source)
        with spool.serving(row) as served, served.asked(Range=f"bytes={MIB}-") as answer:
            assert answer.read(4) == source.read_bytes()[MIB : MIB + 4]
            served.web.kill()
        with spool.parts.database.reading() as session:
            last = session.scalars(
                select(AuditLineRow)
                .where(AuditLineRow.obj == f"recording:{row.id}")
                .order_by(AuditLineRow.id.desc())
            ).first()
        assert last is not None
        assert (last.action, last.actor) == ("recordings:recording:play", "chen")
        assert last.detail == f'{{"asked":[[{MIB},{24 * MIB}]],"play":1}}'
