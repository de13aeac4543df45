"""Several writers, one log: no fork, no gap, on either database."""

import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import select, update

from recordings import audit, lines, notes, verifying
from recordings.notes import Signer
from recordings.tables import AuditLineRow, Base
from recordings.tally import Tally
from tests.unit.recordings.room import NOW, Room, engine_for

ROOT = Path(__file__).parents[3]
EACH = 24

WRITER = f"""
import sys
from sqlalchemy.orm import Session
from recordings import audit, lines, notes, verifying
from recordings.notes import Signer
from tests.unit.recordings.room import engine_for
engine = engine_for(sys.argv[1])
engine.connect().close()
sys.stdout.write("!")
sys.stdout.flush()
sys.stdin.read(1)
for turn in range({EACH}):
    with Session(engine) as session:
        audit.append(session, "test:line:append", actor=sys.argv[2], origin="", obj="",
                     outcome="ok", at=turn)
        if turn % 7 == 3:
            session.rollback()
        else:
            session.commit()
"""
KEPT = sum(turn % 7 != 3 for turn in range(EACH))


def test_two_processes_do_not_fork_the_log(tmp_path: Path, database_url: str) -> None:
    """Appending at once from an empty log, some rolling back: every line of each, in its order,
    numbered without a gap, under one root."""
    engine = engine_for(database_url)
    Base.metadata.create_all(engine)
    engine.dispose()
    names = ("one", "two")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, database_url, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    for writer in writers:  # all are up, none has begun
        assert writer.stdout
        assert writer.stdout.read(1) == b"!"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0]
    room = Room(tmp_path, url=database_url)
    with room.begin() as session:
        verdict = verifying.verify(session)
        assert verdict.ok
        assert verdict.size == KEPT * len(names)
        lines = list(session.scalars(select(AuditLineRow).order_by(AuditLineRow.id)))
        for name in names:
            turns = [line.at for line in lines if line.actor == name]
            assert turns == sorted(turns)
            assert len(turns) == KEPT
    room.engine.dispose()


def test_threads_and_one_transaction_with_many_lines(tmp_path: Path, database_url: str) -> None:
    """Threads of one process too, several lines in each transaction."""
    room = Room(tmp_path, url=database_url)

    def work(name: str) -> None:
        for turn in range(10):
            with room.begin() as session:
                for part in range(5):
                    audit.append(
                        session,
                        "test:line:append",
                        actor=name,
                        origin="",
                        obj=str(part),
                        outcome="ok",
                        at=NOW + turn,
                    )

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with room.begin() as session:
        assert verifying.verify(session).ok
        assert [line.obj for line in audit.page(session, limit=5)] == ["4", "3", "2", "1", "0"]
        assert verifying.verify(session).size == 200
    room.engine.dispose()


NASTY = ("", "张三", 'a"b\\c', "tab\tline\n", "\u2028\x7f\x85", "\U0001f4de", "\ud800",
         "%s %(x)s :y ?", "\\u0041", "'", "0", "null", "x" * 300)  # fmt: skip


def test_the_database_writes_a_line_as_we_do(tmp_path: Path, database_url: str) -> None:
    """The fast check believes the database's own canonical JSON: the same bytes, whatever was
    typed, or it would be slow for ever."""
    room = Room(tmp_path, url=database_url)
    with room.begin() as session:
        for at, text in enumerate(NASTY):
            audit.append(session, text, actor=text, origin=text, obj=text, outcome="denied",
                         at=NOW + at, grant=at or None,
                         detail={text: text, "n": [at, None]})  # fmt: skip
    with room.begin() as session:
        connection = session.connection()
        written = connection.exec_driver_sql(verifying.WRITTEN[connection.dialect.name])
        theirs = [text.encode() for _, text, _ in written]
        assert theirs == [leaf for _, leaf, _ in verifying.leaves(session)]
    room.engine.dispose()


def test_a_long_log_is_checked_by_stretches(tmp_path: Path, database_url: str) -> None:
    """Whole stretches are believed at once, a checkpoint inside one is still compared, and in one
    that is altered the very line is named."""
    room = Room(tmp_path, url=database_url)
    signer = Signer("log.example", bytes(range(32)))
    with room.begin() as session:
        points = []
        for count in (700, 324, 276, 1000):
            for at in range(count):
                audit.defer(session, lines.noted("test:line:append", actor="a", origin="",
                                                 obj=str(at), outcome="ok", at=NOW))  # fmt: skip
            audit.settle(session)
            points.append(audit.checkpoint(session, signer))
    keys = [signer.verifier_key]
    with room.begin() as session:
        tally = Tally(points, keys)
        verifying._skim(session, tally)
        assert tally.size == 2048
        found = verifying.verify(session, points, keys)
        assert (found.problems, found.size, found.checkpoints) == ((), 2300, 4)
        assert found.root == notes.verify(points[-1], keys).root
    for line, change in ((1500, {"actor": "b"}), (1023, {"nodes": bytes(11 * 32)})):
        with room.begin() as session:
            session.execute(update(AuditLineRow).where(AuditLineRow.id == line).values(**change))
        with room.begin() as session:
            found = verifying.verify(session, points, keys)
            assert line in [problem.line for problem in found.problems]
    room.engine.dispose()
