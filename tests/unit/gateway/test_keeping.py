"""Two years and then gone, in the whole house: what keeps a recording, who may, how it is typed."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import cli, compose
from gateway.errors import Conflict, Forbidden, NotFound
from gateway.flow import custody, keeping, linking, log, staying
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import RecordingLinkRow, TicketCallRow, TicketRow
from recordings import certificate, plan
from recordings.capture import Capture
from recordings.clocked import Sighting
from recordings.errors import Destroyed
from recordings.grants import Grant
from recordings.playback import Playback
from recordings.tables import (
    AuditLineRow,
    GrantRow,
    RecordingRow,
    RequestedRow,
    RequestRow,
)
from recordings.tables_retention import CertificateRow, PlanRow
from tests.rig.passwords import quick_passwords  # noqa: F401 - for every test here
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, PASSWORD, S
from tests.unit.recordings.room import wav

DAY = 86_400 * S
LATER = NOW + 760 * DAY
CALL = wav(1)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path / "state") as made:
        yield made


def recorded(session: Session, number: int, state: str, closed_at: int | None = None) -> int:
    """A recording of a call with a ticket; all three have the same id."""
    call = house.call(session, f"1795400000.{number}")
    row = house.recording(session, call.linkedid)
    ticket = TicketRow(state=state, opened_at=NOW, closed_at=closed_at)
    session.add(ticket)
    session.flush()
    session.add(TicketCallRow(call_id=call.id, ticket_id=ticket.id))
    session.add(RecordingLinkRow(recording_id=row.id, call_id=call.id, ticket_id=ticket.id))
    session.flush()
    return row.id


def reasons(session: Session, now: int = LATER) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in staying.extensions(now).of(session, "2026-11"):
        found.setdefault(one.recording_id, []).append(one.why)
    return {recording_id: sorted(set(why)) for recording_id, why in found.items()}


def test_what_keeps_a_recording(parts: Parts) -> None:
    """An open ticket, fifteen days after its end, a hold by recording or ticket, an undecided
    request and a running grant; each by itself, and nothing else."""
    with parts.database.begin() as session:
        he = house.person(session, "he", Role.LEADER)
        zhou = house.person(session, "zhou", Role.AUTHORISER)
        closed = [recorded(session, n, "closed", NOW) for n in range(6)]
        recorded(session, 6, "signed")
        recorded(session, 7, "closed", LATER - 15 * DAY + 1)
        recorded(session, 8, "answered", LATER - 15 * DAY)
        keeping.hold(session, he, recording_id=closed[1], ticket_id=None, why="诉讼", origin="",
                     now=LATER)  # fmt: skip
        keeping.hold(session, he, recording_id=None, ticket_id=closed[2], why="诉讼", origin="",
                     now=LATER)  # fmt: skip
        for recording_id, decided in ((closed[3], None), (closed[4], LATER), (closed[5], LATER)):
            request = RequestRow(requester="chen", purpose="verify", ticket_no="1", reason="r",
                                 asked_at=NOW, decided_at=decided)  # fmt: skip
            session.add(request)
            session.flush()
            session.add(RequestedRow(request_id=request.id, recording_id=recording_id))
            if decided:
                ends = LATER + (DAY if recording_id == closed[4] else 0)
                session.add(GrantRow(request_id=request.id, person="chen", authoriser="zhou",
                                     granted_at=LATER, expires_at=ends))  # fmt: skip
        session.flush()
        expected = {2: ["hold"], 3: ["hold"], 4: ["request"], 5: ["grant"], 7: ["ticket"],
                    8: ["review"]}  # fmt: skip
        assert reasons(session) == expected
        (month,) = plan.months(session, staying.extensions(LATER))
        assert (month.recordings, month.extended) == (9, 6)
        assert month.reasons == {"hold": 2, "request": 1, "grant": 1, "ticket": 1, "review": 1}
        with pytest.raises(Conflict, match="另一人"):
            keeping.lift(session, he, 1, origin="", now=LATER)
        keeping.lift(session, zhou, 1, origin="", now=LATER)
        assert 2 not in reasons(session)
        assert len(list(plan.items(session, "2026-11", staying.extensions(LATER)))) == 9


def test_a_late_end_of_the_call_counts(parts: Parts) -> None:
    """The call may outlast what was recorded of it: then its end begins the two years."""
    with parts.database.begin() as session:
        recorded(session, 1, "closed", NOW)
        call = house.call(session, "1795400000.2")
        row = house.recording(session, call.linkedid)
        call.state, call.outcome, call.ended_at = "ended", "answered", NOW + 30 * DAY
        session.add(RecordingLinkRow(recording_id=row.id, call_id=call.id))
        session.flush()
        (month,) = plan.months(session, staying.extensions(LATER))
        assert month.due_at == NOW + (30 + 730) * DAY


@pytest.mark.parametrize("role", list(Role))
def test_who_may(parts: Parts, role: Role) -> None:
    """Leaders and authorisers hold, who keeps keys agrees, they and the auditor look on; who finds
    recordings reads certificates, too."""
    looks = {Role.LEADER, Role.AUDITOR, Role.ADMINISTRATOR}
    acts: list[tuple[set[Role], Callable[[Session, Person], object]]] = [
        (looks | {Role.AUTHORISER}, lambda session, who: keeping.view(session, who, NOW)),
        (looks | {Role.AUTHORISER, Role.SUPERVISOR},  # they find what was destroyed
         lambda session, who: keeping.certificate(session, who, 1)),
        ({Role.LEADER, Role.AUTHORISER},
         lambda session, who: keeping.hold(session, who, recording_id=1, ticket_id=None, why="x",
                                           origin="", now=NOW)),
        ({Role.LEADER, Role.AUTHORISER},
         lambda session, who: keeping.lift(session, who, 1, origin="", now=NOW)),
        ({Role.ADMINISTRATOR},
         lambda session, who: keeping.agree(session, who, "2026-11", "", origin="", now=NOW)),
    ]  # fmt: skip
    with parts.database.begin() as session:
        who = house.person(session, "x", role)
        for may, act in acts:
            if role in may:
                try:
                    act(session, who)
                except Forbidden:
                    pytest.fail("refused")
                except (NotFound, Conflict):
                    continue  # nothing is there: that is not what is asked here
            else:
                with pytest.raises(Forbidden):
                    act(session, who)


Typed = Callable[..., Any]


@pytest.fixture
def typed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """`typed("retention", "plan")` two years later: what the one JSON document says."""
    monkeypatch.setenv("HOTLINE_STATE", str(parts.settings.state))
    monkeypatch.setattr(compose, "clock", lambda: LATER)

    def run(*words: str) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        capsys.readouterr()
        cli.main((*words, "--json"))
        return json.loads(capsys.readouterr().out)

    return run


def test_a_month_from_plan_to_certificate(parts: Parts, typed: Typed, tmp_path: Path) -> None:
    """By the commands as people type them: what is held plays on and is held to the log, the rest
    is gone; two administrators' words are in the log, and one person's twice is refused."""
    with parts.database.begin() as session:
        for login, role in (("guan", Role.ADMINISTRATOR), ("lin", Role.ADMINISTRATOR),
                            ("he", Role.LEADER)):  # fmt: skip
            accounts.add(session, login=login, name=login, role=role, password=PASSWORD, now=NOW)
    exchange = parts.settings.pbxs[0]
    ready = exchange.spool / "ready"
    ready.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        (ready / f"1795400000.{number}.wav").write_bytes(CALL)
    _keys_of(parts, "2026-11")
    Capture(exchange.spool, exchange.name, parts.recipients, parts.store, parts.database.begin,
            lambda: NOW + DAY, linking.captured).once()  # fmt: skip
    assert (
        typed("retention", "hold", "--recording", "2", "--why", "诉讼", "--as", "he")["hold"] == 1
    )
    (month,) = typed("retention", "plan")
    assert (month["due"], month["staying"], month["why"]) == (True, 1, {"hold": 1})
    for hours in range(7 * 24 + 2):
        keeping.look(parts, Sighting(LATER - 8 * DAY + hours * 3600 * S, "boot", hours * 3600 * S))
    asked = typed("retention", "agree", "2026-11", "--as", "guan")
    assert (asked["state"], asked["destroy"], asked["keep"]) == ("standing", 1, 1)
    digest = asked["digest"][:16]
    assert "error" in typed("retention", "agree", "2026-11", "--digest", digest, "--as", "guan")
    typed("retention", "agree", "2026-11", "--digest", digest, "--as", "lin")
    (done,) = typed("retention", "run")
    assert (done["state"], done["failed"]) == ("certified", 0)
    said = json.loads(typed("retention", "certificate", str(done["plan"]))["certificate"])
    assert (said["destroyed"], said["kept"], said["asked_by"]) == (1, 1, "guan")
    with parts.database.reading() as session:
        _gone_and_held(parts, session)
        acts = list(session.scalars(select(AuditLineRow.action).order_by(AuditLineRow.id)))
    assert [act for act in acts if act.startswith("retention:plan")] == [
        f"retention:plan:{act}" for act in ("propose", "stand", "ask", "confirm", "certify")
    ]


def test_a_certificate_that_was_altered_is_not_shown(parts: Parts, typed: Typed) -> None:
    """What was certified is what the log says of it: a text changed in the database, or put beside
    another plan's line, is neither printed nor written out; as it was made, it is both."""
    written = '{"destroyed":3}'
    with parts.database.begin() as session:
        auditor = house.person(session, "shen", Role.AUDITOR)
        for number in (1, 2):
            line = log.note_now(
                session, "retention:plan:certify", actor="timers", origin="", obj=f"plan:{number}",
                outcome="ok", now=NOW, detail={"certificate_sha256": certificate.sha256(written)},
            )  # fmt: skip
            session.add(PlanRow(key_id=f"2024-0{number}", recipient="age1", state="certified",
                                made_at=NOW, seen_at=NOW, boot="", boot_us=0))  # fmt: skip
            session.flush()
            session.add(CertificateRow(plan_id=number, line=line, text=written, made_at=NOW))

    def shown() -> list[bool]:
        with parts.database.reading() as session:
            answers = []
            for number in (1, 2):
                try:
                    answers.append(keeping.certificate(session, auditor, number).text == written)
                except Conflict:
                    answers.append(False)
        assert answers == ["error" not in typed("retention", "certificate", n) for n in ("1", "2")]
        return answers

    assert shown() == [True, True]
    with parts.database.begin() as session:
        session.get_one(CertificateRow, 1).text = '{"destroyed":2}'
        session.get_one(CertificateRow, 2).line = 0
    assert shown() == [False, False]


def _keys_of(parts: Parts, month: str) -> None:
    if month not in parts.recipients.key_ids():
        assert parts.identities is not None
        custody.make(parts, parts.identities, [month], "timers")


def _gone_and_held(parts: Parts, session: Session) -> None:
    gone, held = session.scalars(select(RecordingRow).order_by(RecordingRow.id))
    assert parts.identities is not None
    playback = Playback(parts.store, parts.identities, lambda row: linking.sealed_as(session, row))
    grant = [Grant(1, 1, "chen", row.id, "verify", LATER) for row in (gone, held)]
    with pytest.raises(Destroyed):
        playback.open(gone, grant[0])
    opened = playback.open(held, grant[1])
    assert b"".join(opened.read(0, opened.size)) == CALL
    opened.close()
