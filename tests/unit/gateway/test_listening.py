"""Ask, decide, play: each with its line in the log, each refusal too."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden
from gateway.flow import finding, listening, log, playing
from gateway.flow.finding import Sought
from gateway.flow.playing import Begun, Permitted
from gateway.flow.refusal import Refused
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from gateway.tables import TicketRow
from recordings import audit
from recordings.asking import Wanted
from recordings.tables import GrantRow, RecordingRow, RequestRow
from telephony.tables import CallLegRow, CallRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

HERE = "127.0.0.1"


def whole(row: RecordingRow) -> list[tuple[int, int]]:
    return [(0, row.plain_size)]


def ask(session: Session, who: Person, recording: RecordingRow, **more: Any) -> int:
    said = {"purpose": "complaint", "ticket_no": "#1", "reason": "核对"} | more
    ids = said.pop("recording_ids", [recording.id])
    asked = listening.ask(session, who, ids, Wanted(**said), origin=HERE, now=NOW)
    assert isinstance(asked, RequestRow)
    return asked.id


def granted(
    session: Session, people: dict[Role, Person], recording: RecordingRow, plays_max: int = 3
) -> GrantRow:
    request = ask(session, people[Role.SUPERVISOR], recording)
    grant = listening.decide(session, people[Role.AUTHORISER], request, granted=True, note="",
                            lasts_s=600, plays_max=plays_max, origin=HERE, now=NOW)  # fmt: skip
    assert isinstance(grant, GrantRow)
    return grant


def begun(session: Session, who: Person, grant: GrantRow, recording: RecordingRow) -> int:
    """A play of it, begun by `who`."""
    play = playing.begin(session, who, grant.id, recording.id, origin=HERE, now=NOW)
    assert isinstance(play, Begun)
    return play.play.id


def acts(session: Session, people: dict[Role, Person]) -> list[tuple[str, str, str]]:
    audit.settle(session)  # as the commit would
    found = log.lines(session, people[Role.AUDITOR])
    return [(line.actor, line.action, line.outcome) for line in reversed(found)]


def test_a_grant_opens_and_every_step_is_in_the_log(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """The auditor reads who asked, who granted, who listened, in this order, and it verifies."""
    supervisor = people[Role.SUPERVISOR]
    play = begun(session, supervisor, granted(session, people, recorded), recorded)
    opened = house.next_range(session, supervisor, play, recorded.id, origin=HERE, now=NOW)
    assert isinstance(opened, Permitted)
    assert acts(session, people) == [
        ("capture", "recordings:recording:seal", "ok"),
        ("supervisor", "recordings:request:ask", "ok"),
        ("authoriser", "recordings:request:decide", "ok"),
        ("supervisor", "recordings:play:begin", "ok"),
        ("supervisor", "recordings:recording:play", "ok"),
    ]
    assert log.verify(session, people[Role.AUDITOR]).ok


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SUPERVISOR])
def test_everyone_else_is_refused_and_that_is_in_the_log(
    session: Session, people: dict[Role, Person], recorded: RecordingRow, role: Role
) -> None:
    """A grant is for the one who asked: whoever else tries it or its play leaves a line."""
    grant = granted(session, people, recorded)
    play = begun(session, people[Role.SUPERVISOR], grant, recorded)
    for tries, name, deed in (
        (playing.begin, grant.id, "play:begin"),
        (house.next_range, play, "recording:play"),
        (playing.may_begin, grant.id, "player:open"),
        (playing.play_seen, play, "player:open"),
    ):
        tried = tries(session, people[role], name, recorded.id, origin=HERE, now=NOW)
        assert isinstance(tried, Refused)
        assert tried.error.status == 403
        assert acts(session, people)[-1] == (str(role), f"recordings:{deed}", "denied")


def test_an_expired_grant_another_recording_and_no_grant_are_refused(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Time, recording and grant must all fit."""
    supervisor = people[Role.SUPERVISOR]
    grant = granted(session, people, recorded)
    play = begun(session, supervisor, grant, recorded)
    other = house.recording(session, "other.1")
    for tries, name, recording_id, now in (
        (playing.begin, grant.id, recorded.id, NOW + 600 * S),
        (playing.begin, grant.id, other.id, NOW),
        (playing.begin, grant.id + 7, recorded.id, NOW),
        (house.next_range, play, recorded.id, NOW + 600 * S),
        (house.next_range, play, other.id, NOW),
        (house.next_range, play + 7, recorded.id, NOW),
    ):
        tried = tries(session, supervisor, name, recording_id, origin=HERE, now=now)
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
                finding.search(session, who, NOW, Sought())
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


def test_search_finds_by_what_is_known_and_shows_the_standing(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Each criterion finds it and its opposite does not; then the supervisor sees how far they
    are: a yes that is over or ended is none."""
    supervisor = people[Role.SUPERVISOR]
    call = session.query(CallRow).one()
    call.queue = "policy"
    row = session.query(TicketRow).one()
    row.acceptance_no = "(示范市)社保受理[2026] 000123号"
    house.person(session, "wang", Role.AGENT, extension="PJSIP/8003")
    for leg, interface, result in (
        ("a", "PJSIP/8003", "answered"), ("b", "PJSIP/8005", "answered"),
        ("c", "PJSIP/8007", "no_answer"),
    ):  # fmt: skip
        session.add(CallLegRow(call_id=call.id, leg=leg, interface=interface, member="",
                               result=result))  # fmt: skip
    session.flush()
    for one in (
        {"phone_tail": "8013"}, {"ticket": "1"}, {"ticket": "#1"}, {"ticket": "000123"},
        {"acceptance": "000123"}, {"since": NOW, "until": NOW + 1}, {"queue": "policy"},
        {"lasts_from_ms": 1000, "lasts_to_ms": 1000}, {"agent": "8003"}, {"agent": "8005"},
        {"agent": "PJSIP/8003"}, {"agent": "wang"},
    ):  # fmt: skip
        found = finding.search(session, supervisor, NOW, Sought(**one))
        assert [view.row.id for view in found.items] == [recorded.id], one
    for other in (
        {"phone_tail": "9999"}, {"phone_tail": "%"}, {"agent": "8007"}, {"agent": "003"},
        {"ticket": "77"}, {"acceptance": "999"}, {"until": NOW}, {"queue": "polic"},
        {"lasts_from_ms": 1001}, {"lasts_to_ms": 999}, {"phone_tail": "8013", "agent": "8007"},
    ):  # fmt: skip
        assert finding.search(session, supervisor, NOW, Sought(**other)).total == 0, other
    grant = granted(session, people, recorded)
    (view,) = finding.search(session, supervisor, NOW, Sought()).items
    assert view.grant is not None
    assert view.grant.id == grant.id
    (later,) = finding.search(session, supervisor, NOW + 600 * S, Sought()).items
    assert later.grant is None
    listening.end(session, supervisor, grant.id, origin=HERE, now=NOW)
    (ended,) = finding.search(session, supervisor, NOW, Sought()).items
    assert ended.grant is None


def test_a_search_is_in_the_log_without_the_digits(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """By what was looked and how many were found; the plain list is none, and no line ever holds
    what was typed (promise 10)."""
    sought = Sought(phone_tail="8013", queue="policy")
    for one in (Sought(), sought):
        finding.searched(session, people[Role.AUTHORISER], one, 3, origin=HERE, now=NOW)
    assert acts(session, people)[1:] == [("authoriser", "recordings:recording:search", "ok")]
    (line, *_) = log.lines(session, people[Role.AUDITOR])
    assert line.detail == '{"by":["phone_tail","queue"],"found":3}'


def test_plays_are_counted_and_a_yes_can_be_ended(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Two plays and no third; a play that runs goes on, until the yes is ended: then neither its
    next range nor another play; each refusal is in the log by name."""
    supervisor = people[Role.SUPERVISOR]
    grant = granted(session, people, recorded, plays_max=2)
    first, _ = (begun(session, supervisor, grant, recorded) for _ in range(2))

    def tries(grants: bool = True) -> str:
        one = playing.begin if grants else house.next_range
        done = one(session, supervisor, grant.id if grants else first, recorded.id,
                   origin=HERE, now=NOW)  # fmt: skip
        return (done.error.args[0].split("。")[0]) if isinstance(done, Refused) else ""

    assert "用完" in tries()
    assert tries(grants=False) == ""
    other = house.person(session, "other", Role.SUPERVISOR)
    assert isinstance(listening.end(session, other, grant.id, origin=HERE, now=NOW), Refused)
    assert tries(grants=False) == "", "a colleague ends nobody else's yes"
    authoriser = people[Role.AUTHORISER]
    assert listening.end(session, authoriser, grant.id, origin=HERE, now=NOW) is grant
    assert "终止" in tries(grants=False)
    assert "终止" in tries()
    again = listening.end(session, authoriser, grant.id, origin=HERE, now=NOW)
    assert isinstance(again, Refused)
    assert again.error.status == 409


def test_asking_by_the_call(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """Without a ticket a request names the call, which all its recordings must be of."""
    supervisor = people[Role.SUPERVISOR]
    other = house.recording(session, "other.1")
    call_id = listening.call_of(session, [recorded.id])
    assert call_id
    assert listening.call_of(session, [other.id]) == 0
    assert ask(session, supervisor, recorded, ticket_no="", call_id=call_id)
    for ids, of in (([recorded.id, other.id], call_id), ([recorded.id], 99), ([other.id], 0)):
        with pytest.raises(BadInput) as wrong:
            ask(session, supervisor, recorded, recording_ids=ids, ticket_no="", call_id=of)
        assert list(wrong.value.fields) == ["call"]
