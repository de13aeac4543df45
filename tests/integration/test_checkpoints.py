"""Checkpoints of the log: signed in time, brought outside, and never after a roll-back."""

import email
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

from gateway import compose
from gateway.flow import log, witnessing
from gateway.parts import Parts
from recordings import (
    audit,
    checkpoints,
    deliveries,
    drops,
    ledger,
    logkeys,
    notes,
    tree,
    verifying,
)
from recordings.errors import CheckpointRolledBack, LogKeyMissing
from recordings.tables import AuditHeadRow, AuditLineRow
from recordings.tables_log import AlertRow, CheckpointRow, DeliveryRow
from tests.rig.postgres import Postgres
from tests.rig.witness import Witness, witness
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW

HOUR = 3600 * 1_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def outside(made: Parts, clock: Clock, *places: str) -> Parts:
    """The parts with these places set, and a clock turned by hand."""
    read = replace(made.settings, checkpoints=deliveries.places(" ".join(places)))
    return replace(made, settings=read, clock=clock)


@pytest.fixture
def parts(tmp_path: Path, database_url: str, clock: Clock) -> Iterator[Parts]:
    """A gateway with one directory outside, on each database."""
    with house.house(tmp_path / "state", HOTLINE_DATABASE_URL=database_url) as made:
        yield outside(made, clock, str(tmp_path / "outside"))


def more(parts: Parts, count: int, name: str = "8001") -> None:
    with parts.database.begin() as session:
        for number in range(count):
            log.note(session, "people:session:open", actor=name, origin="127.0.0.1",
                     obj=f"account:{number}", outcome="ok", now=parts.clock())  # fmt: skip


def signed(parts: Parts) -> list[int]:
    with parts.database.reading() as session:
        return list(session.scalars(select(CheckpointRow.size).order_by(CheckpointRow.id)))


def alerts(parts: Parts) -> list[tuple[str, str]]:
    with parts.database.reading() as session:
        rows = session.execute(select(AlertRow.kind, AlertRow.role).order_by(AlertRow.id))
        return [(kind, role) for kind, role in rows]


def verdict(parts: Parts) -> tuple[str, ...]:
    """What `audit verify` finds."""
    known = witnessing.evidence(parts)
    with parts.database.reading() as session:
        found = verifying.verify(session, known.notes, known.keys, origin=known.origin)
    return (*(problem.what for problem in found.problems), *known.problems)


def test_signed_by_the_hour_and_by_the_thousand(parts: Parts, clock: Clock, tmp_path: Path) -> None:
    """The timers sign new lines after an hour, a thousand of them at once, and nothing twice; each
    checkpoint lies outside as soon as it is signed."""
    witnessing.tend(parts)
    assert signed(parts) == []
    more(parts, 2)
    witnessing.tend(parts)
    more(parts, 3)
    clock.now += HOUR - 1
    witnessing.tend(parts)
    assert signed(parts) == [2]
    clock.now += 1
    witnessing.tend(parts)
    witnessing.tend(parts)
    clock.now += 1
    more(parts, 1000)
    witnessing.tend(parts)
    assert signed(parts) == [2, 5, 1005]
    clock.now += 2 * HOUR
    witnessing.tend(parts)
    assert signed(parts) == [2, 5, 1005], "nothing new, and signed all the same"
    there = drops.notes_in(tmp_path / "outside")
    keys = drops.keys_in(tmp_path / "outside")
    assert [notes.verify(note, keys).size for note in there] == [1005, 5, 2]
    assert keys == logkeys.known(parts.settings.keyring)
    assert verdict(parts) == ()


def cut(parts: Parts, size: int) -> None:
    """The log as a careful forger sets it back: rows, head, checkpoints and what lies beside."""
    with parts.database.begin() as session:
        frontier: list[bytes] = []
        for line in session.scalars(
            select(AuditLineRow).where(AuditLineRow.id < size).order_by(AuditLineRow.id)
        ):
            frontier, _ = tree.append(frontier, line.id, tree.leaf_hash(audit.leaf(line)))
        session.execute(delete(AuditLineRow).where(AuditLineRow.id >= size))
        head = session.get_one(AuditHeadRow, 1)
        head.size, head.frontier = size, b"".join(frontier)
        session.execute(delete(DeliveryRow))
        session.execute(delete(CheckpointRow).where(CheckpointRow.size > size))


@pytest.mark.parametrize("left", ["beside the database", "outside"])
@pytest.mark.parametrize("after", [0, 1, 9], ids=lambda count: f"{count} lines since")
def test_a_log_set_back_is_not_signed(
    parts: Parts, clock: Clock, left: str, after: int, tmp_path: Path
) -> None:
    """Yesterday's database, as it was or grown on since: nothing is signed, leader and auditor are
    told, and the check says so; whichever of the two traces is left."""
    more(parts, 6)
    witnessing.sign(parts)
    more(parts, 4)
    witnessing.tend(parts)
    clock.now += HOUR
    witnessing.tend(parts)
    assert signed(parts) == [6, 10]
    cut(parts, 6)
    if left == "outside":
        (parts.settings.state / "log.latest").unlink()
    else:
        shutil.rmtree(tmp_path / "outside")
    if after:
        more(parts, after, "forger")
    with pytest.raises(CheckpointRolledBack):
        witnessing.sign(parts)
    assert signed(parts) == [6]
    assert alerts(parts) == [("log-rolled-back", "leader"), ("log-rolled-back", "auditor")]
    clock.now += 2 * HOUR
    witnessing.tend(parts)
    assert len(alerts(parts)) == 2, "the same again, while nobody has looked"
    assert any("checkpoint" in problem for problem in verdict(parts))


def test_a_log_without_its_key_is_not_signed_anew(parts: Parts) -> None:
    """Whoever removes the key does not get a new one in silence: not by the timers, not by hand,
    not by another `init`; the auditor is told."""
    more(parts, 3)
    witnessing.tend(parts)
    (parts.settings.keyring / "log.key").unlink()
    more(parts, 3)
    with pytest.raises(LogKeyMissing):
        witnessing.sign(parts)
    witnessing.tend(parts)
    assert ("log-key-missing", "auditor") in alerts(parts)
    (parts.settings.keyring / "log.pubs").unlink()
    compose.prepare(parts)
    with pytest.raises(LogKeyMissing):
        witnessing.sign(parts)


@pytest.mark.parametrize("same_name", [True, False])
def test_a_rewritten_log_with_a_new_key_is_found_by_what_lies_outside(
    parts: Parts, same_name: bool
) -> None:
    """All lines rewritten, all signed anew with a key of one's own, all traces here replaced: the
    directory outside knows another key, and another root."""
    more(parts, 5)
    witnessing.tend(parts)
    name = logkeys.load(parts.settings.keyring).name
    cut(parts, 0)
    with parts.database.begin() as session:
        session.execute(delete(CheckpointRow))
    for file in ("keys/log.key", "keys/log.pubs", "log.latest"):
        (parts.settings.state / file).unlink()
    logkeys.establish(parts.settings.keyring, name if same_name else "forged", bytes(32))
    more(parts, 5, "forger")
    with parts.database.begin() as session:
        signer = logkeys.load(parts.settings.keyring)
        note = checkpoints.sign(session, signer, NOW)
    assert notes.verify(note, [signer.verifier_key]).size == 5
    found = verdict(parts)
    assert any("does not know the key in use" in problem for problem in found)
    wanted = "differs from checkpoint 5" if same_name else "another log"
    assert any(wanted in problem for problem in found)


def test_after_a_restore_the_log_goes_on_under_another_name(parts: Parts) -> None:
    """A real restore is said so: the first line under the next name quotes what was known before,
    everybody is told, old notes are set aside and no longer held against it."""
    more(parts, 6)
    witnessing.sign(parts)
    more(parts, 4)
    witnessing.sign(parts)
    old = logkeys.load(parts.settings.keyring).name
    cut(parts, 6)
    note = witnessing.begin_anew(parts, "disk failed, backup of the night", "operator", "cli")
    known = witnessing.evidence(parts)
    mark = notes.verify(note, known.keys)
    assert (mark.origin, mark.size) == (f"{old}/2", 7)
    with parts.database.reading() as session:
        line = session.get_one(AuditLineRow, 6)
        assert line.action == "log:log:restart"
        assert '"size":"10"' in line.detail
        found = verifying.verify(session, known.notes, known.keys, origin=known.origin)
        assert found.ok
        assert found.set_aside >= 1
    assert ("log-restarted", "auditor") in alerts(parts)
    more(parts, 1)
    witnessing.sign(parts)
    assert verdict(parts) == ()


def test_a_real_database_of_yesterday(tmp_path: Path, postgres_cluster: Postgres) -> None:
    """The whole database dumped, written on, and restored from the dump: `sign` and the check find
    it by what lies beside."""
    url = postgres_cluster.fresh_database()
    with house.house(tmp_path / "state", HOTLINE_DATABASE_URL=url) as parts:
        more(parts, 5)
        witnessing.sign(parts)
        libpq = url.replace("postgresql+psycopg://", "postgresql://")
        dump = tmp_path / "yesterday.sql"
        subprocess.run(["pg_dump", "--clean", "-f", dump, libpq], check=True)
        more(parts, 5)
        witnessing.sign(parts)
        parts.database.dispose()
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, libpq],
                       check=True, capture_output=True)  # fmt: skip
        more(parts, 8)
        with pytest.raises(CheckpointRolledBack):
            witnessing.sign(parts)
        assert any("checkpoint" in problem for problem in verdict(parts))


def test_the_file_of_yesterday(tmp_path: Path) -> None:
    """The same with the SQLite file copied back."""
    with house.house(tmp_path / "state") as parts:
        more(parts, 5)
        witnessing.sign(parts)
        parts.database.dispose()
        file, copy = tmp_path / "state" / "hotline.db", tmp_path / "yesterday.db"
        shutil.copy(file, copy)
        more(parts, 5)
        witnessing.sign(parts)
        parts.database.dispose()
        shutil.copy(copy, file)
        more(parts, 8)
        with pytest.raises(CheckpointRolledBack):
            witnessing.sign(parts)


@pytest.fixture
def witnessed(parts: Parts, clock: Clock) -> Iterator[tuple[Parts, Witness]]:
    """A gateway with a witness that knows its log."""
    with witness() as made:
        made.log_key = logkeys.load(parts.settings.keyring).verifier_key
        yield outside(parts, clock, made.place), made


def test_a_witness_cosigns_is_away_and_catches_up(
    witnessed: tuple[Parts, Witness], clock: Clock
) -> None:
    """Each checkpoint is cosigned with a proof from the last; one that was away gets the newest,
    from the size it says; its cosignature is kept and verified."""
    parts, far = witnessed
    more(parts, 3)
    witnessing.tend(parts)
    clock.now += HOUR
    more(parts, 4)
    witnessing.tend(parts)
    assert (far.size, far.answers) == (7, [200, 200])
    far.down = True
    for _ in range(3):
        clock.now += HOUR
        more(parts, 2)
        witnessing.tend(parts)
    with parts.database.reading() as session:
        found = deliveries.standing(session, parts.settings.checkpoints[0])
        assert found is not None
        assert found[0].sent_at is None
        assert "does not answer" in found[0].trouble
    far.down = False
    far.size, far.root = 3, roots(parts, 3)  # and it was itself set back to a backup
    witnessing.tend(parts)
    assert far.size == 13
    assert far.answers[2:] == [409, 200]
    with parts.database.reading() as session:
        found = deliveries.standing(session, parts.settings.checkpoints[0])
        assert found is not None
        row, checkpoint = found
        assert row.sent_at == clock.now
        assert notes.cosignature(checkpoint.note, row.answer, far.place.split("#")[1])
    assert alerts(parts) == []


def roots(parts: Parts, size: int) -> bytes:
    with parts.database.reading() as session:
        return audit.root_at(session, size)


def test_a_witness_finds_what_all_here_forgot(witnessed: tuple[Parts, Witness]) -> None:
    """Database set back, and every trace on the machine with it: the witness saw more, or other
    lines, and both leader and auditor are told."""
    parts, far = witnessed
    more(parts, 9)
    witnessing.tend(parts)
    cut(parts, 4)
    with parts.database.begin() as session:
        session.execute(delete(CheckpointRow))
    (parts.settings.state / "log.latest").unlink()
    for lines in (2, 30):  # shorter than what it saw, then longer
        more(parts, lines, "forger")
        witnessing.sign(parts)
        troubles = witnessing.bring(parts, logkeys.load(parts.settings.keyring))
        assert "saw another log" in troubles[0][1]
    assert far.size == 9
    assert far.answers[1:] == [409, 409, 422]
    assert ("log-rolled-back", "auditor") in alerts(parts)


def test_a_day_without_a_place_is_told(parts: Parts, clock: Clock, tmp_path: Path) -> None:
    """A place that cannot be written to stops nothing, and after a day the auditor hears of it."""
    (tmp_path / "outside").write_text("a file where the directory should be")
    more(parts, 1)
    witnessing.tend(parts)
    assert alerts(parts) == []
    clock.now += 24 * HOUR + 1
    more(parts, 1)
    witnessing.tend(parts)
    assert signed(parts) == [1, 2]
    assert alerts(parts) == [("checkpoint-late", "auditor")]


def test_the_mail_drop_is_read_by_a_mail_program(
    parts: Parts, clock: Clock, tmp_path: Path
) -> None:
    """A message in the maildir, whole, with the note attached as it was signed."""
    made = outside(parts, clock, f"mail:{tmp_path}/maildir?to=auditor@rensheju.example")
    more(made, 3)
    witnessing.tend(made)
    (file,) = (tmp_path / "maildir" / "new").iterdir()
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    assert message["To"] == "auditor@rensheju.example"
    (part,) = message.iter_attachments()
    note = part.get_content().replace("\r\n", "\n")
    assert notes.verify(note, logkeys.known(made.settings.keyring)).size == 3


ALTERED = (
    ("UPDATE audit_line SET actor = 'somebody' WHERE id = 3",),
    ("UPDATE audit_line SET outcome = 'denied' WHERE id = 8",),
    ("UPDATE audit_line SET detail = '{\"a\":1}' WHERE id = 0",),
    ("UPDATE audit_line SET at = at + 1 WHERE id = 4",),
    ("UPDATE audit_line SET grant_id = 7 WHERE id = 5",),
    ("DELETE FROM audit_line WHERE id = 3",),
    ("DELETE FROM audit_line WHERE id = 8",),
    ("DELETE FROM audit_line",),
    ("UPDATE audit_line SET id = 100 WHERE id = 3", "UPDATE audit_line SET id = 3 WHERE id = 4",
     "UPDATE audit_line SET id = 4 WHERE id = 100"),
)  # fmt: skip


@pytest.mark.parametrize("statements", ALTERED, ids=lambda statements: statements[0][:60])
def test_a_change_is_found_from_an_export_alone(
    parts: Parts, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    """The directory, and the key told at the beginning: an altered log does not pass, an unaltered
    one does; no database is asked."""
    more(parts, 9)
    witnessing.sign(parts)
    keys = logkeys.known(parts.settings.keyring)
    with parts.database.reading() as session:
        ledger.export(session, tmp_path / "good", keys, 9)
    assert ledger.verify_export(tmp_path / "good", keys).problems == ()
    with parts.database.begin() as session:
        for statement in statements:
            session.execute(text(statement.replace(":", "\\:")))
    with parts.database.reading() as session:
        ledger.export(session, tmp_path / "bad", keys, 9)
    assert not ledger.verify_export(tmp_path / "bad", keys).ok


def test_an_export_altered_itself_is_found(parts: Parts, tmp_path: Path) -> None:
    """A line changed, removed, added or exchanged in the file; a tail cut off with its notes; the
    notes gone; keys that are not those one was given."""
    more(parts, 4)
    witnessing.sign(parts)
    more(parts, 5)
    witnessing.sign(parts)
    keys = logkeys.known(parts.settings.keyring)
    out = tmp_path / "out"
    with parts.database.reading() as session:
        ledger.export(session, out, keys, 9)
    whole = (out / "lines.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    for altered in (
        whole.replace(b"8001", b"8002", 1),
        b"".join(lines[:3] + lines[4:]),
        b"".join(lines + lines[-1:]),
        b"".join([lines[1], lines[0], *lines[2:]]),
        b"".join(lines[:-1]),
        whole[:-40],
        b"",
    ):
        (out / "lines.jsonl").write_bytes(altered)
        assert not ledger.verify_export(out, keys).ok
    (out / "lines.jsonl").write_bytes(whole)
    kept = (parts.settings.state / "log.latest").read_text()
    assert ledger.verify_export(out, keys, [kept]).ok
    assert not ledger.verify_export(out, [notes.Signer("other", bytes(32)).verifier_key]).ok
    for note in (out / "checkpoints").iterdir():
        note.unlink()
    assert not ledger.verify_export(out, keys).ok
