"""The log under several writers at once: no false alarm, no deadlock, and its lock the last."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, select

from gateway.database import Database
from gateway.flow import linking, log
from gateway.parts import Parts
from gateway.tables import RecordingLinkRow, TicketRow
from recordings import verifying
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW


@pytest.fixture
def parts(tmp_path: Path, database_url: str) -> Iterator[Parts]:
    """A gateway's parts on each database."""
    with house.house(tmp_path / "state", HOTLINE_DATABASE_URL=database_url) as made:
        yield made


def line(database: Database, actor: str) -> None:
    """One act with its line."""
    with database.begin() as session:
        log.note(session, "people:session:open", actor=actor, origin="127.0.0.1", obj="account:1",
                 outcome="ok", now=NOW)  # fmt: skip


def test_a_check_beside_four_writers_raises_no_alarm(parts: Parts) -> None:
    """The log is checked every day, while people work: it must never be called altered for that."""
    stop = threading.Event()

    def write(name: str) -> None:
        while not stop.is_set():
            line(parts.database, name)

    writers = [threading.Thread(target=write, args=(str(name),)) for name in range(4)]
    for writer in writers:
        writer.start()
    try:
        sizes: list[int] = []
        deadline = time.monotonic() + 60  # a busy disk lets the first line wait for a while
        while len(sizes) < 12 or (sizes[-1] - sizes[0] < 12 and time.monotonic() < deadline):
            with parts.database.reading() as session:
                verdict = verifying.verify(session)
            assert verdict.problems == ()
            sizes.append(verdict.size)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert sizes[-1] - sizes[0] >= 12, "nobody wrote meanwhile"


def test_an_act_and_a_capture_on_one_ticket_do_not_deadlock(
    tmp_path: Path, postgres_url: str
) -> None:
    """The capture notes its line and then links to the ticket; an agent holds the ticket and then
    notes: with the log locked at the line, each would wait for the other for ever."""
    with house.house(tmp_path / "state", HOTLINE_DATABASE_URL=postgres_url) as parts:
        with parts.database.begin() as session:
            ticket_id = house.queued(session, house.call(session)).id
        held, noted = threading.Event(), threading.Event()
        failed: list[BaseException] = []

        def act() -> None:
            try:
                with parts.database.begin() as session:
                    found = select(TicketRow).where(TicketRow.id == ticket_id).with_for_update()
                    session.scalars(found).one()
                    held.set()
                    assert noted.wait(20)
                    log.note(session, "control:call:place", actor="8001", origin="127.0.0.1",
                             obj=f"ticket:{ticket_id}", outcome="ok", now=NOW)  # fmt: skip
            except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
                failed.append(error)

        agent = threading.Thread(target=act)
        agent.start()
        assert held.wait(20)
        with parts.database.begin() as session:
            recording = house.recording(session)
            # The agent goes on once the capture waits for the ticket, its line noted before.
            threading.Timer(0.5, noted.set).start()
            linking.captured(session, recording)
        agent.join(20)
        assert failed == []
        with parts.database.reading() as session:
            assert session.get_one(RecordingLinkRow, recording.id).ticket_id == ticket_id
            assert verifying.verify(session).ok


def test_the_log_is_written_last(parts: Parts) -> None:
    """Whatever an act does after noting its line comes before the log's lock is taken; with the
    lock go one read, one insert of all lines and one update, those two as one statement where the
    database has such; then the commit."""
    said: list[str] = []
    line(parts.database, "8001")  # the head is there
    with parts.database.begin() as session:
        ticket_id = house.queued(session, house.call(session)).id
    event.listen(
        parts.database.engine, "before_cursor_execute", lambda *given: said.append(given[2])
    )
    with parts.database.begin() as session:
        ticket = session.get_one(TicketRow, ticket_id)
        for number in range(3):
            log.note(session, "people:session:open", actor="8001", origin="127.0.0.1",
                     obj=f"ticket:{number}", outcome="ok", now=NOW)  # fmt: skip
        ticket.owner = "8001"
        house.recording(session)
    words = [" ".join(statement.split()[:3]) for statement in said]
    place = next(at for at, statement in enumerate(said) if "FROM audit_head" in statement)
    two = ["INSERT INTO audit_line", "UPDATE audit_head SET"]
    assert words[place + 1 :] == (two if parts.database.sqlite else ["WITH written AS"])
    assert "UPDATE ticket SET" in words[:place]
    assert "INSERT INTO recording" in words[:place]
