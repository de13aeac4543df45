"""Several writers, one log: no fork, no gap, on either database."""

import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import select

from recordings import audit, verifying
from recordings.tables import AuditLineRow, Base
from tests.unit.recordings.room import NOW, Room, engine_for

ROOT = Path(__file__).parents[3]
EACH = 24

WRITER = f"""
import sys
from sqlalchemy.orm import Session
from recordings import audit, verifying
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
