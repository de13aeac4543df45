"""Ask, decide, play: each with its line in the log, each refusal too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden
from gateway.flow import finding, linking, listening, log, playing
from gateway.flow.listening import Refused
from gateway.flow.playing import Permitted
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from recordings.tables import GrantRow, RecordingRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

HERE = "127.0.0.1"


def whole(row: RecordingRow) -> list[tuple[int, int]]:
    return [(0, row.plain_size)]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    with parts.database.begin() as opened:
        yield opened


@pytest.fixture
def people(session: Session) -> dict[Role, Person]:
    return {
        role: house.person(
            session, str(role), role, department="yanglao" if role is Role.OFFICER else None
        )
        for role in Role
    }


@pytest.fixture
def recorded(session: Session) -> RecordingRow:
    """A recording with its call and ticket."""
    row = house.call(session)
    house.queued(session, row)
    made = house.recording(session)
    linking.captured(session, made)
    return made


def ask(session: Session, who: Person, recording: RecordingRow, **more: object) -> int:
    given = {"recording_ids": [recording.id], "purpose": "complaint", "ticket_no": "#1",
             "reason": "核对", "origin": HERE, "now": NOW, **more}  # fmt: skip
    return listening.ask(session, who, **given).id  # type: ignore[arg-type]


def granted(session: Session, people: dict[Role, Person], recording: RecordingRow) -> GrantRow:
    request = ask(session, people[Role.SUPERVISOR], recording)
    grant = listening.decide(session, people[Role.AUTHORISER], request, granted=True, note="",
                             lasts_s=600, origin=HERE, now=NOW)  # fmt: skip
    assert isinstance(grant, GrantRow)
    return grant


def acts(session: Session, people: dict[Role, Person]) -> list[tuple[str, str, str]]:
    found = log.lines(session, people[Role.AUDITOR])
    return [(line.actor, line.action, line.outcome) for line in reversed(found)]


def test_a_grant_opens_and_every_step_is_in_the_log(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """The auditor reads who asked, who granted, who listened, in this order, and it verifies."""
    grant = granted(session, people, recorded)
    opened = playing.open_for_play(
        session, people[Role.SUPERVISOR], grant.id, recorded.id, origin=HERE, now=NOW, asked=whole
    )
    assert isinstance(opened, Permitted)
    assert acts(session, people) == [
        ("capture", "recordings:recording:seal", "ok"),
        ("supervisor", "recordings:request:ask", "ok"),
        ("authoriser", "recordings:request:decide", "ok"),
        ("supervisor", "recordings:recording:play", "ok"),
    ]
    assert log.verify(session, people[Role.AUDITOR]).ok


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SUPERVISOR])
def test_everyone_else_is_refused_and_that_is_in_the_log(
    session: Session, people: dict[Role, Person], recorded: RecordingRow, role: Role
) -> None:
    """A grant is for the one who asked: whoever else tries it leaves a line."""
    grant = granted(session, people, recorded)
    tried = playing.open_for_play(
        session, people[role], grant.id, recorded.id, origin=HERE, now=NOW, asked=whole
    )
    assert isinstance(tried, Refused)
    assert tried.error.status == 403
    assert acts(session, people)[-1] == (str(role), "recordings:recording:play", "denied")


def test_an_expired_grant_another_recording_and_no_grant_are_refused(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Time, recording and grant must all fit."""
    grant = granted(session, people, recorded)
    other = house.recording(session, "other.1")
    for grant_id, recording_id, now in (
        (grant.id, recorded.id, NOW + 600 * S),
        (grant.id, other.id, NOW),
        (grant.id + 7, recorded.id, NOW),
    ):
        tried = playing.open_for_play(
            session,
            people[Role.SUPERVISOR],
            grant_id,
            recording_id,
            origin=HERE,
            now=now,
            asked=whole,
        )
        assert isinstance(tried, Refused)
        assert tried.error.status == 403


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"purpose": "curiosity"}, "purpose"),
        ({"ticket_no": "#99"}, "ticket_no"),
        ({"ticket_no": ""}, "ticket_no"),
        ({"reason": "  "}, "reason"),
        ({"recording_ids": [99]}, "recording"),
        ({"recording_ids": []}, "recording"),
    ],
)
def test_asking_wrongly_is_told_by_field(
    session: Session, people: dict[Role, Person], recorded: RecordingRow,
    more: dict[str, object], named: str,
) -> None:  # fmt: skip
    """One of three purposes, a ticket there is, a reason: what is missing is named."""
    with pytest.raises(BadInput) as refused:
        ask(session, people[Role.SUPERVISOR], recorded, **more)
    assert list(refused.value.fields) == [named]


def test_only_the_right_roles_ask_and_decide(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Role by role: asking is a supervisor's, deciding an authoriser's, searching theirs alone."""
    request = ask(session, people[Role.SUPERVISOR], recorded)
    for role, who in people.items():
        if not who.may(Permission.RECORDING_ASK):
            with pytest.raises(Forbidden):
                ask(session, who, recorded)
        if not who.may(Permission.RECORDING_DECIDE):
            with pytest.raises(Forbidden):
                listening.decide(session, who, request, granted=True, note="", lasts_s=60,
                                 origin=HERE, now=NOW)  # fmt: skip
        if not who.may(Permission.RECORDING_SEARCH):
            with pytest.raises(Forbidden):
                finding.search(session, who, NOW)
        assert role in people


def test_a_request_is_decided_once(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """A second decision is refused, in the log, and changes nothing."""
    request = ask(session, people[Role.SUPERVISOR], recorded)
    decide: dict[str, Any] = {"origin": HERE, "now": NOW, "lasts_s": 600}
    authoriser = people[Role.AUTHORISER]
    first = listening.decide(session, authoriser, request, granted=False, note="无", **decide)
    assert first is None
    again = listening.decide(session, authoriser, request, granted=True, note="", **decide)
    assert isinstance(again, Refused)
    assert acts(session, people)[-1] == ("authoriser", "recordings:request:decide", "denied")
    (view,) = listening.requests(session, people[Role.SUPERVISOR])
    assert (view.state, view.grant) == ("refused", None)


def test_search_finds_by_tail_agent_and_ticket_and_shows_the_standing(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """The supervisor finds the recording by what is known of it, and sees how far they are."""
    supervisor = people[Role.SUPERVISOR]
    for wanted in ({"phone_tail": "8013"}, {"ticket": "1"}, {"since": NOW, "until": NOW + 1}):
        found = finding.search(session, supervisor, NOW, **wanted)
        assert [view.row.id for view in found.items] == [recorded.id]
    for other in ({"phone_tail": "9999"}, {"agent": "8001"}, {"ticket": "77"}, {"until": NOW}):
        assert finding.search(session, supervisor, NOW, **other).total == 0
    grant = granted(session, people, recorded)
    (view,) = finding.search(session, supervisor, NOW).items
    assert view.grant is not None
    assert view.grant.id == grant.id
    (later,) = finding.search(session, supervisor, NOW + 600 * S).items
    assert later.grant is None
