"""Asking, deciding and using a grant: who, what, why and until when."""

import ast
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from recordings import asking, grants
from recordings.errors import GrantExpired, NotGranted, RequestInvalid, SelfAuthorisation
from recordings.tables import RequestRow
from tests.unit.recordings.room import NOW, SECOND, Room, wav


@pytest.fixture
def recordings(room: Room) -> list[int]:
    for name in ("1795400000.1", "1795400000.2"):
        room.put(name, wav(0.1))
    return [captured.recording_id for captured in room.capture().once()]


def ask(session: Session, ids: list[int], **changes: Any) -> RequestRow:
    fields: dict[str, Any] = {
        "purpose": "verify",
        "ticket_no": "000123",
        "reason": "来电人称答复有误",
    } | changes
    requester = fields.pop("requester", "supervisor")
    return asking.ask(session, requester, ids, asking.Wanted(**fields), NOW)


def decide(session: Session, request: RequestRow, by: str = "authoriser", **changes: object) -> int:
    fields: dict[str, object] = {"granted": True, "note": "同意", "now": NOW, "lasts_s": 600}
    row = grants.decide(session, request.id, authoriser=by, **(fields | changes))  # type: ignore[arg-type]
    return row.id if row else 0


def test_a_yes_is_for_this_person_this_recording_this_time(
    room: Room, recordings: list[int]
) -> None:
    """The grant fits exactly what was asked, to the microsecond."""
    with room.begin() as session:
        grant_id = decide(session, ask(session, recordings[:1]))
        grant = grants.usable(session, grant_id, "supervisor", recordings[0], NOW)
        assert (grant.person, grant.recording_id, grant.purpose) == (
            "supervisor",
            recordings[0],
            "verify",
        )
        end = NOW + 600 * SECOND
        assert grants.usable(session, grant_id, "supervisor", recordings[0], end - 1)
        with pytest.raises(GrantExpired):
            grants.usable(session, grant_id, "supervisor", recordings[0], end)
        for who, what in (("authoriser", recordings[0]), ("supervisor", recordings[1])):
            with pytest.raises(NotGranted):
                grants.usable(session, grant_id, who, what, NOW)
        with pytest.raises(NotGranted):
            grants.usable(session, grant_id + 1, "supervisor", recordings[0], NOW)


def test_nobody_decides_their_own(room: Room, recordings: list[int]) -> None:
    """Neither yes nor no, and the request stays open for another."""
    with room.begin() as session:
        request = ask(session, recordings)
        for granted in (True, False):
            with pytest.raises(SelfAuthorisation):
                decide(session, request, by="supervisor", granted=granted)
        assert decide(session, request)


def test_decided_once(room: Room, recordings: list[int]) -> None:
    """A no is not turned into a yes afterwards, nor a yes doubled."""
    with room.begin() as session:
        refused, granted = ask(session, recordings), ask(session, recordings)
        assert decide(session, refused, granted=False) == 0
        assert grants.grant_of(session, refused.id) is None
        decide(session, granted)
        for request in (refused, granted):
            with pytest.raises(RequestInvalid):
                decide(session, request)


@pytest.mark.parametrize(
    "change", [{"purpose": "curiosity"}, {"ticket_no": ""}, {"reason": ""}, {"requester": ""}]
)
def test_a_request_is_whole(room: Room, recordings: list[int], change: dict[str, str]) -> None:
    """A purpose of the three, a ticket, a reason and a name: or there is no request."""
    with room.begin() as session, pytest.raises(RequestInvalid):
        ask(session, recordings, **change)


def test_a_request_names_recordings_that_exist(room: Room, recordings: list[int]) -> None:
    """None at all, or one that is not there, is no request."""
    with room.begin() as session:
        for ids in ([], [recordings[0], 999]):
            with pytest.raises(RequestInvalid):
                ask(session, ids)


@pytest.mark.parametrize("lasts_s", [0, -1, grants.LONGEST_S + 1])
def test_a_yes_has_an_end(room: Room, recordings: list[int], lasts_s: int) -> None:
    """A grant without an end would be a role."""
    with room.begin() as session, pytest.raises(RequestInvalid):
        decide(session, ask(session, recordings), lasts_s=lasts_s)


def test_lists_for_the_desks(room: Room, recordings: list[int]) -> None:
    """Undecided first; one's own; what each asks for."""
    with room.begin() as session:
        first, second = ask(session, recordings), ask(session, recordings[:1], requester="other")
        decide(session, second)
        assert [r.id for r in asking.requests(session)] == [first.id, second.id]
        assert [r.id for r in asking.requests(session, requester="other")] == [second.id]
        assert [r.id for r in asking.requests(session, undecided=True)] == [first.id]
        assert asking.recording_ids(session, first.id) == recordings


def test_only_usable_makes_a_grant() -> None:
    """Playback trusts a Grant because one place makes them: the code is searched for others."""
    root = Path(grants.__file__).parents[1]
    makers = [
        path.relative_to(root).as_posix()
        for room_name in ("gateway", "recordings", "telephony", "queueing")
        for path in (root / room_name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) == "Grant"
    ]
    assert makers == ["recordings/grants.py"]
