"""Break-glass: at once, with a reason, and both the leader and the auditor are told."""

import pytest
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, Recused
from gateway.flow import glass, listening, playing, recusing
from gateway.flow.recusing import Doing
from gateway.flow.refusal import Refused
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from recordings.tables import GrantRow, RecordingRow
from recordings.tables_log import AlertRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

HERE = "127.0.0.1"
DANGER = "来电人称要轻生，须立即核对地址"
DAY = 86_400 * S


def taken(session: Session, who: Person, ids: list[int], now: int = NOW) -> GrantRow | Refused:
    return glass.break_glass(session, who, ids, DANGER, origin=HERE, now=now)


def alerts(session: Session) -> list[tuple[str, str, str]]:
    return [(row.role, row.kind, row.ref) for row in session.query(AlertRow).order_by(AlertRow.id)]


def test_at_once_and_both_are_told(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """The supervisor hears now; leader and auditor have it before their eyes, by request; nobody
    has decided yet, and the log has it."""
    grant = taken(session, people[Role.SUPERVISOR], [recorded.id])
    assert isinstance(grant, GrantRow)
    begun = playing.begin(session, people[Role.SUPERVISOR], grant.id, recorded.id, origin=HERE,
                          now=NOW)  # fmt: skip
    assert isinstance(begun, playing.Begun)
    assert alerts(session) == [
        ("leader", "glass", f"request:{grant.request_id}"),
        ("auditor", "glass", f"request:{grant.request_id}"),
    ]
    (view,) = listening.requests(session, people[Role.AUTHORISER])
    assert (view.state, view.request.urgent, view.request.reason) == ("pending", True, DANGER)


def test_a_no_afterwards_ends_it(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """The authoriser's word comes later and counts from then on, also in mid-play."""
    supervisor = people[Role.SUPERVISOR]
    grant = taken(session, supervisor, [recorded.id])
    assert isinstance(grant, GrantRow)
    begun = playing.begin(session, supervisor, grant.id, recorded.id, origin=HERE, now=NOW)
    assert isinstance(begun, playing.Begun)
    said = listening.decide(session, people[Role.AUTHORISER], grant.request_id, granted=False,
                            note="并非紧急", lasts_s=0, origin=HERE, now=NOW + S)  # fmt: skip
    assert said is None
    heard = house.next_range(session, supervisor, begun.play.id, recorded.id, origin=HERE,
                                  now=NOW + 2 * S)  # fmt: skip
    assert isinstance(heard, Refused)
    assert "终止" in str(heard.error)


def test_who_and_why(session: Session, people: dict[Role, Person], recorded: RecordingRow) -> None:
    """A supervisor, whom it is not about, with a reason of ten characters, for what is there."""
    supervisor = people[Role.SUPERVISOR]
    for role, who in people.items():
        if not who.may(Permission.RECORDING_BREAK_GLASS):
            with pytest.raises(Forbidden):
                taken(session, who, [recorded.id])
        assert role in people
    for ids, reason, field in (
        ([recorded.id], "  急急急急急急急急急 ", "reason"), ([], DANGER, "recording"),
        ([recorded.id, 99], DANGER, "recording"),
    ):  # fmt: skip
        with pytest.raises(BadInput) as wrong:
            glass.break_glass(session, supervisor, ids, reason, origin=HERE, now=NOW)
        assert list(wrong.value.fields) == [field]
    recusing.name(Doing(session, people[Role.LEADER], HERE, NOW), 1, "supervisor")
    refused = taken(session, supervisor, [recorded.id])
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, Recused)
    assert alerts(session) == []


def test_a_day_without_a_word_is_told_once(
    session: Session, people: dict[Role, Person], recorded: RecordingRow
) -> None:
    """An undecided one is told again after a day, not every hour after it, and not once decided."""
    late = taken(session, people[Role.SUPERVISOR], [recorded.id])
    decided = taken(session, people[Role.SUPERVISOR], [recorded.id])
    assert isinstance(late, GrantRow)
    assert isinstance(decided, GrantRow)
    listening.decide(session, people[Role.AUTHORISER], decided.request_id, granted=True, note="",
                     lasts_s=3600, origin=HERE, now=NOW)  # fmt: skip
    before = len(alerts(session))
    assert glass.overdue(session, NOW + DAY) == 0
    for _ in range(2):
        assert glass.overdue(session, NOW + DAY + 1) == 1
    assert alerts(session)[before:] == [
        (role, "glass-late", f"request:{late.request_id}") for role in ("leader", "auditor")
    ]
