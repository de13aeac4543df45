"""The log shows any change to itself: each kind of tampering, naive and thorough."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session

from recordings import audit, lines, notes, tree, verifying
from recordings.errors import AuditError, LineUnknown
from recordings.notes import Signer
from recordings.tables import AuditHeadRow, AuditLineRow
from recordings.tally import Verdict
from tests.unit.recordings.room import NOW, Room

SIGNER = Signer("hotline.example/log", bytes(range(32)))
KEYS = [SIGNER.verifier_key]


def add(session: Session, count: int = 1, **changes: object) -> AuditLineRow:
    fields: dict[str, object] = {
        "actor": "supervisor",
        "origin": "127.0.0.1",
        "obj": "recording:1",
        "outcome": "ok",
        "detail": {"ranges": [[0, 100]]},
        "grant": 1,
    }
    for turn in range(count):
        fields["at"] = NOW + turn
        line = audit.append(session, "recordings:recording:play", **(fields | changes))  # type: ignore[arg-type]
    return line


@pytest.fixture
def point(room: Room) -> str:
    """Twenty lines, and a checkpoint over the first ten kept elsewhere."""
    with room.begin() as session:
        add(session, 10)
    with room.begin() as session:
        kept = audit.checkpoint(session, SIGNER)
        add(session, 10)
    return kept


def verdict(room: Room, *points: str) -> Verdict:
    with room.begin() as session:
        return verifying.verify(session, points, KEYS)


def test_an_untouched_log_verifies(room: Room, point: str) -> None:
    """No false alarm: rows, head, and the earlier checkpoint all fit."""
    found = verdict(room, point)
    assert found.ok
    assert (found.size, found.checkpoints) == (20, 1)
    assert found.root == notes.verify(now_signed(room), KEYS).root


def now_signed(room: Room) -> str:
    with room.begin() as session:
        return audit.checkpoint(session, SIGNER)


def test_an_empty_log_verifies(room: Room) -> None:
    """Before its first line a log is sound, and can be signed."""
    assert verdict(room, now_signed(room)).ok


def test_a_line_falls_with_its_transaction(room: Room, point: str) -> None:
    """What was rolled back leaves no line and no gap."""

    def fails() -> None:
        with room.begin() as session:
            add(session)
            raise EOFError

    with pytest.raises(EOFError):
        fails()
    with room.begin() as session:
        assert add(session).id == 20
    assert verdict(room, point).ok


def alter(session: Session) -> None:
    session.execute(update(AuditLineRow).where(AuditLineRow.id == 5).values(actor="nobody"))


def alter_detail(session: Session) -> None:
    session.execute(update(AuditLineRow).where(AuditLineRow.id == 5).values(detail="{}"))


def remove(session: Session) -> None:
    session.execute(delete(AuditLineRow).where(AuditLineRow.id == 5))


def insert(session: Session) -> None:
    for line in range(19, 4, -1):
        session.execute(update(AuditLineRow).where(AuditLineRow.id == line).values(id=line + 1))
    row = session.get_one(AuditLineRow, 4)
    values = {c.key: getattr(row, c.key) for c in AuditLineRow.__table__.columns}
    session.add(AuditLineRow(**(values | {"id": 5})))
    session.execute(update(AuditHeadRow).values(size=21))


def exchange(session: Session) -> None:
    for old, new in ((5, 99), (6, 5), (99, 6)):
        session.execute(update(AuditLineRow).where(AuditLineRow.id == old).values(id=new))


def truncate(session: Session) -> None:
    session.execute(delete(AuditLineRow).where(AuditLineRow.id >= 15))


@pytest.mark.parametrize("act", [alter, alter_detail, remove, insert, exchange, truncate])
def test_a_clumsy_change_is_found_without_a_checkpoint(
    room: Room, point: str, act: Callable[[Session], None]
) -> None:
    """Whoever changes rows with SQL alone is found by the tree itself."""
    with room.begin() as session:
        act(session)
    assert not verdict(room).ok


def rebuild(session: Session) -> None:
    """What a thorough forger does: number all lines anew, hash all again, write the head."""
    lines = list(session.scalars(select(AuditLineRow).order_by(AuditLineRow.id)))
    frontier: list[bytes] = []
    for size, line in enumerate(lines):
        line.id = size
        frontier, done = tree.append(frontier, size, tree.leaf_hash(audit.leaf(line)))
        line.nodes = b"".join(done)
        session.flush()
    session.execute(update(AuditHeadRow).values(size=len(lines), frontier=b"".join(frontier)))


def cut_below(session: Session) -> None:
    session.execute(delete(AuditLineRow).where(AuditLineRow.id >= 8))


@pytest.mark.parametrize("act", [alter, remove, insert, exchange, cut_below])
def test_a_thorough_change_is_found_by_the_checkpoint(
    room: Room, point: str, act: Callable[[Session], None]
) -> None:
    """All hashed again, the tree is sound in itself; the checkpoint kept elsewhere tells."""
    with room.begin() as session:
        act(session)
        session.expire_all()
        rebuild(session)
    assert verdict(room).ok
    assert not verdict(room, point).ok


def test_set_back_to_yesterday(room: Room) -> None:
    """A database restored from a backup lacks lines that a later checkpoint covers."""
    with room.begin() as session:
        add(session, 10)
    with room.begin() as session:
        add(session, 10)
        later = audit.checkpoint(session, SIGNER)
    with room.begin() as session:
        session.execute(delete(AuditLineRow).where(AuditLineRow.id >= 10))
        rebuild(session)
    found = verdict(room, later)
    assert not found.ok
    assert "shorter" in found.problems[0].what


def test_a_checkpoint_of_another_key_is_a_problem(room: Room, point: str) -> None:
    """A re-signed tree does not pass for the one that was signed."""
    forged = Signer(SIGNER.name, bytes(32)).sign(notes.verify(point, KEYS))
    assert not verdict(room, forged).ok
    with room.begin() as session:
        assert not verifying.verify(session, [point]).ok


def test_every_line_is_proved_against_the_signed_root(room: Room, point: str) -> None:
    """A proof is checked by somebody who has the line, the proof and the checkpoint alone."""
    root = notes.verify(now_signed(room), KEYS).root
    with room.begin() as session:
        for index in range(20):
            proof = audit.prove(session, index)
            assert proof.holds()
            assert proof.root == root
        with pytest.raises(LineUnknown):
            audit.prove(session, 20)


def test_a_proof_reads_few_rows(room: Room) -> None:
    """Logarithmic: a thousand lines, and about ten of them read."""
    with room.begin() as session:
        add(session, 1000)
    asked: list[str] = []
    event.listen(room.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with room.begin() as session:
        assert audit.prove(session, 500).holds()
    assert 10 < len(asked) < 25


def test_texts_from_outside_cannot_escape_the_log(room: Room) -> None:
    """NUL, line breaks, lone surrogates, terminal codes, megabytes: the attempt is on record."""
    nasty = "a\0b\nc\x1b[2J\udc80\u202e" + "x" * 1_000_000
    with room.begin() as session:
        line = add(session, actor=nasty, origin=nasty, obj=nasty)
        assert line.actor.isprintable()
        assert len(line.actor) <= 100
    assert verdict(room).ok


TEXT = st.text(max_size=30)


@given(
    texts=st.tuples(TEXT, TEXT, TEXT, TEXT),
    detail=st.dictionaries(TEXT, st.one_of(st.none(), st.integers(), TEXT), max_size=3),
    grant=st.none() | st.integers(0, 2**63 - 1),
    number=st.integers(0, 2**63 - 1),
)
def test_a_leaf_is_canonical_json(
    texts: tuple[str, str, str, str], detail: dict[str, Any], grant: int | None, number: int
) -> None:
    """Anybody's JSON library writes the same bytes for the same line; ours writes them by hand."""
    line = lines.noted(texts[0], actor=texts[1], origin=texts[2], obj=texts[3], outcome="ok",
                       at=number, grant=grant, detail=detail)  # fmt: skip
    fields = {"line": number, "at": line.at, "action": line.action, "actor": line.actor,
              "origin": line.origin, "object": line.obj, "outcome": line.outcome,
              "grant": line.grant, "detail": line.detail}  # fmt: skip
    whole = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert whole == lines.leaf(number, line.at, line.action, line.actor, line.origin, line.obj,
                               line.outcome, line.grant, line.detail)  # fmt: skip


def test_a_lone_surrogate_in_the_detail_does_not_lose_the_act(room: Room) -> None:
    """A name that is no Unicode cannot be written as UTF-8; its act is on record all the same."""
    with room.begin() as session:
        assert add(session, detail={"name": "a\udc80b"}).detail == '{"name":"a\ufffdb"}'
    assert verdict(room).ok


def test_noted_lines_are_written_together_and_tell_their_numbers(room: Room) -> None:
    """What was noted waits for the commit, keeps its order, and whoever asked hears its number."""
    told: list[int] = []
    with room.begin() as session:
        add(session, 5)
        for actor in ("first", "second", "third"):
            audit.defer(session, lines.noted("tests:line:write", actor=actor, origin="", obj="",
                                             outcome="ok", at=NOW))  # fmt: skip
            if actor == "second":
                audit.numbered(session, told.append)
        assert len(audit.page(session)) == 5
        assert audit.settle(session) == range(5, 8)
        assert audit.settle(session) == range(0)
    assert told == [6]
    with room.begin() as session:
        found = [line.actor for line in audit.page(session, limit=3)]
        assert found == ["third", "second", "first"]
    assert verdict(room).ok


def test_no_line_is_noted_within_a_savepoint(room: Room) -> None:
    """A savepoint that is undone would leave the line of an act that never was."""
    line = lines.noted("tests:line:write", actor="", origin="", obj="", outcome="ok", at=NOW)
    with room.begin() as session, session.begin_nested(), pytest.raises(AuditError):
        audit.defer(session, line)


def test_a_log_altered_throughout_is_not_listed_throughout(room: Room, point: str) -> None:
    """A million altered lines give a hundred findings, not a list that fills the memory."""
    with room.begin() as session:
        session.execute(update(AuditLineRow).values(actor="nobody"))
    with room.begin() as session:
        found = verifying.verify(session, stop_after=7)
    assert not found.ok
    assert 7 <= len(found.problems) < 10


def test_what_is_no_line_is_refused(room: Room) -> None:
    """An unknown outcome and a detail that is no JSON raise, and nothing is appended."""
    for changes in (
        {"outcome": "maybe"},
        {"detail": {"x": object()}},
        {"detail": {"x": "y" * 9000}},
    ):
        with room.begin() as session, pytest.raises(AuditError):
            add(session, **changes)
    with room.begin() as session:
        assert session.scalar(select(func.count()).select_from(AuditLineRow)) == 0


def test_pages(room: Room) -> None:
    """Latest first, going on from a number, narrowed by who, what and how it ended."""
    with room.begin() as session:
        add(session, 5)
        add(session, actor="agent", outcome="denied")
        audit.append(
            session, "people:session:open", actor="agent", origin="", obj="", outcome="ok", at=NOW
        )
        assert [line.id for line in audit.page(session, limit=3)] == [6, 5, 4]
        assert [line.id for line in audit.page(session, before=4)] == [3, 2, 1, 0]
        assert [line.id for line in audit.page(session, actor="agent")] == [6, 5]
        assert [line.id for line in audit.page(session, action="people:")] == [6]
        assert [line.id for line in audit.page(session, outcome="denied")] == [5]


def test_what_a_line_says_is_held_to_the_tree(room: Room) -> None:
    """A line that is asked about must be in the tree and say it; whoever altered its row, or one
    beside it that its proof needs, makes it say nothing."""
    with room.begin() as session:
        add(session, 7)
    said = {"action": "recordings:recording:play", "grant": 1, "ranges": [[0, 100]]}
    with room.begin() as session:
        assert all(audit.line_holds(session, index, said) for index in range(7))
        assert not audit.line_holds(session, 7, said)
        assert not audit.line_holds(session, 3, said | {"grant": 2})
        assert not audit.line_holds(session, 3, said | {"ranges": [[0, 99]]})
        assert not audit.line_holds(session, 3, said | {"more": 1})
        assert audit.line_holds(session, 3, said | {"more": 1}, may_lack={"more"})
        assert not audit.line_holds(session, 3, said | {"grant": 2}, may_lack={"grant"})
    with room.begin() as session:
        session.execute(update(AuditLineRow).where(AuditLineRow.id == 2).values(grant_id=2))
    with room.begin() as session:
        assert not audit.line_holds(session, 2, said | {"grant": 2})
    with room.begin() as session:
        session.execute(update(AuditLineRow).where(AuditLineRow.id == 5).values(nodes=b""))
    with room.begin() as session:
        assert not audit.line_holds(session, 4, said)


def test_an_altered_line_is_named_and_not_those_above_it(room: Room, point: str) -> None:
    """The auditor is told which line it is: hashes over it differ too, and accuse no other line."""
    with room.begin() as session:
        session.execute(update(AuditLineRow).where(AuditLineRow.id == 2).values(actor="x"))
    found = verdict(room, point)
    assert [one.line for one in found.problems if one.line is not None] == [2]
    assert any("checkpoint 10" in one.what for one in found.problems)


def test_an_altered_hash_above_a_line_is_told_apart(room: Room, point: str) -> None:
    """Nobody said anything else: what was altered is the proof kept with the line."""
    with room.begin() as session:
        row = session.get_one(AuditLineRow, 3)
        row.nodes = row.nodes[:32] + bytes(32) + row.nodes[64:]
    (problem,) = verdict(room, point).problems
    assert (problem.line, "above" in problem.what) == (3, True)
