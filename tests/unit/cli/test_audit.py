"""`hotline audit`: whoever alters the log in the database is found out (promise 6)."""

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import compose, settings
from gateway.flow import log
from recordings import audit, notes, proofs, tree
from recordings.notes import Signer
from recordings.tables import AuditHeadRow
from tests.rig.postgres import Postgres
from tests.unit.cli.conftest import Hotline

LINES = 9


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(
    request: pytest.FixtureRequest, hotline: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Hotline:
    """A log of a few lines, on each database."""
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("postgres_cluster")
        monkeypatch.setenv("HOTLINE_DATABASE_URL", cluster.fresh_database())
    assert hotline("init", str(state)).status == 0
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        begun, _ = audit.head(session)
    more(LINES - begun)
    return hotline


def more(count: int) -> None:
    """Append lines as the gateway does."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        for number in range(count):
            log.note(session, "people:session:open", actor="8001", origin="127.0.0.1", outcome="ok",
                     obj=f"ticket:{number}", now=parts.clock())  # fmt: skip


def forget() -> None:
    """What is kept here of checkpoints is gone as well: only what lies elsewhere is left."""
    sql("DELETE FROM audit_checkpoint")
    (settings.read().state / "log.latest").unlink()


def sql(*statements: str) -> None:
    """What somebody with the database's password does to it."""
    with compose.opened(settings.read()) as parts, parts.database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_log_nobody_touched_is_intact(kept: Hotline) -> None:
    """The check itself raises no alarm, and counts what there is."""
    said = kept("audit", "verify", "--json")
    assert (said.status, said.data["intact"], said.data["lines"]) == (0, True, LINES)
    assert said.data["faults"] == []


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE audit_line SET actor = 'somebody' WHERE id = 3",),
        ("UPDATE audit_line SET outcome = 'denied' WHERE id = 8",),
        ("UPDATE audit_line SET detail = '{\"a\":1}' WHERE id = 0",),
        ("UPDATE audit_line SET at = at + 1 WHERE id = 4",),
        ("UPDATE audit_line SET grant_id = 7 WHERE id = 5",),
        ("DELETE FROM audit_line WHERE id = 3",),
        ("DELETE FROM audit_line WHERE id = 8",),
        ("DELETE FROM audit_line",),
        ("DELETE FROM audit_line", "DELETE FROM audit_head"),
        ("UPDATE audit_head SET size = 8",),
        ("DELETE FROM audit_line WHERE id = 8", "UPDATE audit_head SET size = 8"),
        ("UPDATE audit_line SET id = 100 WHERE id = 3", "UPDATE audit_line SET id = 3 WHERE id = 4",
         "UPDATE audit_line SET id = 4 WHERE id = 100"),
        (("INSERT INTO audit_line SELECT 10, at, action, actor, origin, obj, outcome, grant_id, "
         "detail, nodes FROM audit_line WHERE id = 8"),),
    ],
    ids=lambda statements: "; ".join(statements)[:60],
)  # fmt: skip
def test_a_change_by_sql_is_found(
    kept: Hotline, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    """Altered, removed, exchanged or forged lines: exit status 1 and where; the emptied log needs a
    checkpoint from before."""
    note = tmp_path / "checkpoint"
    assert kept("audit", "checkpoint", "--out", str(note)).status == 0
    sql(*statements)
    said = kept("audit", "verify", str(note), "--json")
    assert (said.status, said.data["intact"]) == (1, False)
    assert said.data["faults"]


def test_a_log_rolled_back_is_found_by_its_checkpoint(kept: Hotline, tmp_path: Path) -> None:
    """A log set back to an earlier day fits itself; the checkpoint kept elsewhere says it is
    shorter. One grown since fits."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        head = session.get_one(AuditHeadRow, 1)
        before, frontier = head.size, head.frontier
    more(4)
    note = tmp_path / "checkpoint"
    assert kept("audit", "checkpoint", "--out", str(note), "--json").data["out"] == str(note)
    assert kept("audit", "verify", str(note)).status == 0
    more(2)
    grown = kept("audit", "verify", str(note), "--json")
    assert (grown.status, grown.data["checkpoints"]) == (0, 1)
    forget()
    with compose.opened(settings.read()) as parts, parts.database.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM audit_line WHERE id >= {before}"))
        connection.execute(text("UPDATE audit_head SET size = :size, frontier = :frontier"),
                           {"size": before, "frontier": frontier})  # fmt: skip
    cut = kept("audit", "verify", str(note), "--json")
    assert cut.status == 1
    assert any("shorter" in fault for fault in cut.data["faults"])
    more(7)  # and grown again beyond it, with other lines
    assert kept("audit", "verify", str(note)).status == 1


@pytest.mark.parametrize("spoil", ["a word", "a bit", "another key", "binary", "empty", "missing"])
def test_a_checkpoint_that_is_none_proves_nothing(
    kept: Hotline, tmp_path: Path, state: Path, spoil: str
) -> None:
    """A forged or damaged checkpoint is never taken for agreement."""
    note = tmp_path / "checkpoint"
    kept("audit", "checkpoint", "--out", str(note))
    whole = note.read_text()
    match spoil:
        case "a word":
            note.write_text(whole.replace(f"\n{LINES}\n", f"\n{LINES - 1}\n"))
        case "a bit":
            note.write_text(whole.rstrip()[:-6] + "AAAA==\n")
        case "another key":
            signer = Signer(whole.split("\n")[0], bytes(32))
            mark = notes.verify(whole, [(state / "keys" / "log.pubs").read_text()])
            note.write_text(signer.sign(mark))
        case "binary":
            note.write_bytes(b"\xff\xfe\x00" * 40)
        case "empty":
            note.write_bytes(b"")
        case _:
            note.unlink()
    said = kept("audit", "verify", str(note), "--json")
    assert said.status == 1


def test_the_signing_key_is_made_once_and_closed(kept: Hotline, state: Path) -> None:
    """Two checkpoints bear the same key, and nobody else may read it."""
    keys = [(state / "keys" / "log.pubs").read_text()]
    for _ in range(2):
        note = kept("audit", "checkpoint", "--json").data["checkpoint"]
        assert notes.verify(note, keys).origin.startswith("12333.cn/")
    assert kept("init", str(state)).status == 0  # again: nothing is made anew
    assert [(state / "keys" / "log.pubs").read_text()] == keys
    assert (state / "keys" / "log.key").stat().st_mode & 0o077 == 0


def test_a_proof_an_export_and_what_joins_two_checkpoints(
    kept: Hotline, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an auditor takes away stands without us: the proof by the log's key, the export without
    the database, the hashes between two checkpoints; and nothing taken is written over."""
    monkeypatch.setenv("HOTLINE_CHECKPOINTS", str(tmp_path / "outside"))
    keys = [(state / "keys" / "log.pubs").read_text().strip()]
    assert kept("audit", "places").status != 0
    first = kept("audit", "checkpoint", "--json").data["checkpoint"]
    assert kept("audit", "places", "--json").data[0]["size"] == LINES
    more(4)
    out = tmp_path / "line.tlog-proof"
    said = kept("audit", "prove", "3", "--out", str(out), "--json").data
    mark = proofs.check(out.read_text(), said["leaf"].encode(), keys)
    old = kept("audit", "prove", "3", "--size", str(LINES), "--json").data["proof"]
    assert proofs.check(old, said["leaf"].encode(), keys).size == LINES
    assert kept("audit", "prove", "3", "--size", "5").status == 1
    assert kept("audit", "prove", "999").status == 1
    assert kept("audit", "prove", "3", "--out", str(out)).status == 1
    joined = kept("audit", "consistency", str(LINES), str(mark.size), "--json").data
    begun = notes.verify(first, keys)
    assert joined["first_root"] == begun.root.hex()
    path = [bytes.fromhex(one) for one in joined["path"]]
    assert tree.consistent(LINES, mark.size, path, begun.root, mark.root)
    taken = tmp_path / "export"
    assert kept("audit", "export", str(taken)).status == 0
    assert kept("audit", "export", str(taken)).status == 1
    monkeypatch.setenv("HOTLINE_STATE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    assert kept("audit", "verify", "--export", str(taken), "--key", keys[0]).status == 0
    (taken / "lines.jsonl").write_bytes(
        (taken / "lines.jsonl").read_bytes().replace(b"8001", b"8002", 1)
    )
    assert kept("audit", "verify", "--export", str(taken)).status == 1


def test_the_key_one_was_told_is_believed_before_the_machines(kept: Hotline) -> None:
    """Checked with a key from elsewhere, what another key signed does not pass."""
    kept("audit", "checkpoint")
    stranger = Signer("12333.cn/hotline/00000000", bytes(32)).verifier_key
    assert kept("audit", "verify").status == 0
    assert kept("audit", "verify", "--key", stranger).status == 1
