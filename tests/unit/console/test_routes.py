"""Every page × every role: who may open what (DESIGN §3, promise 8)."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from gateway.console.guard import PUBLIC, Page
from gateway.console.routes import ROUTES
from gateway.flow import attaching, exporting, listening, log
from gateway.flow.control import Asking
from gateway.people.roles import PERMISSIONS, Role
from recordings.asking import Wanted
from recordings.tables import GrantRow, RequestRow
from recordings.tables_log import AlertRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser

LOGINS = {
    Role.AGENT: "wang",
    Role.SUPERVISOR: "chen",
    Role.AUTHORISER: "zhou",
    Role.OFFICER: "sun",
    Role.LEADER: "he",
    Role.AUDITOR: "shen",
    Role.ADMINISTRATOR: "guan",
}
KEY = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
EVERYBODY = frozenset(LOGINS)
AGENT, SUPERVISOR, AUTHORISER, OFFICER, LEADER, AUDITOR, ADMINISTRATOR = (
    frozenset({role}) for role in LOGINS
)
EDITORS = AGENT | SUPERVISOR
READERS = AGENT | SUPERVISOR | LEADER
WATCHERS = SUPERVISOR | LEADER
SEARCHERS = SUPERVISOR | AUTHORISER
KEEPERS = LEADER | AUDITOR | ADMINISTRATOR

MAY: dict[str, frozenset[Role] | None] = {
    "GET /": EVERYBODY,
    "GET /sign-in": None,
    "POST /sign-in": None,
    "POST /sign-out": EVERYBODY,
    "GET /live": EVERYBODY,
    "GET /desk": AGENT,
    "GET /desk/live": AGENT,
    "GET /desk/work/{ticket_id}": AGENT,
    "GET /desk/presence": AGENT,
    "GET /wallboard": WATCHERS,
    "GET /tickets": READERS,
    "POST /tickets/search": READERS,
    "GET /tickets/{ticket_id}": READERS,
    "GET /tickets/{ticket_id}/story": READERS,
    "GET /tickets/{ticket_id}/orders": READERS,
    "POST /tickets/{ticket_id}/fields": EDITORS,
    "POST /tickets/{ticket_id}/attachments": EDITORS,
    "GET /tickets/{ticket_id}/attachments/{attachment_id}": READERS,
    "POST /tickets/{ticket_id}/register": EDITORS,
    "POST /tickets/{ticket_id}/answer": EDITORS,
    "POST /tickets/{ticket_id}/refuse": EDITORS,
    "POST /tickets/{ticket_id}/accept": EDITORS,
    "POST /tickets/{ticket_id}/dispatch": EDITORS,
    "POST /tickets/{ticket_id}/close": EDITORS,
    "POST /tickets/{ticket_id}/called-back": EDITORS,
    "POST /tickets/{ticket_id}/change": EDITORS,
    "POST /tickets/{ticket_id}/urge": EDITORS,
    "POST /tickets/{ticket_id}/supervise": LEADER,
    "POST /tickets/{ticket_id}/extend": SUPERVISOR,
    "POST /tickets/{ticket_id}/withdraw": EDITORS,
    "POST /tickets/{ticket_id}/recusals": WATCHERS,
    "POST /tickets/{ticket_id}/recusals/lift": WATCHERS,
    "POST /tickets/{ticket_id}/join": WATCHERS,
    "POST /tickets/{ticket_id}/call": EDITORS,
    "POST /desk/recording/pause": AGENT,
    "POST /desk/recording/resume": AGENT,
    "POST /desk/pause": AGENT,
    "POST /desk/ready": AGENT,
    "POST /agents/{login}/pause": SUPERVISOR,
    "POST /agents/{login}/ready": SUPERVISOR,
    "GET /department": OFFICER,
    "GET /department/list": OFFICER,
    "POST /department/orders/{number}/sign": OFFICER,
    "POST /department/orders/{number}/reply": OFFICER,
    "POST /department/orders/{number}/return": OFFICER,
    "POST /department/orders/{number}/ask-extension": OFFICER,
    "POST /department/orders/{number}/progress": OFFICER,
    "POST /department/orders/{number}/remark": OFFICER,
    "GET /department/orders/{number}/files/{attachment_id}": OFFICER,
    "GET /department/orders/{number}/form": OFFICER,
    "GET /recordings": SEARCHERS,
    "POST /recordings/search": SEARCHERS,
    "POST /recordings/ask": SUPERVISOR,
    "POST /recordings/break-glass": SUPERVISOR,
    "GET /recordings/{recording_id}": SUPERVISOR,
    "GET /recordings/{recording_id}/peaks": SUPERVISOR,
    "GET /recordings/{recording_id}/audio": SUPERVISOR,
    "POST /recordings/{recording_id}/plays": SUPERVISOR,
    "POST /recordings/{recording_id}/exports": SUPERVISOR,
    "GET /exports/{export_id}": SUPERVISOR,
    "GET /exports/{export_id}/sheet": SUPERVISOR,
    "GET /exports/{export_id}/proof": SUPERVISOR,
    "GET /exports/{export_id}/file": SUPERVISOR,
    "GET /requests": SEARCHERS,
    "POST /requests/{request_id}/decide": AUTHORISER,
    "POST /grants/{grant_id}/end": SEARCHERS,
    "GET /retention": KEEPERS | AUTHORISER,
    "GET /retention/certificates/{plan_id}": KEEPERS | SEARCHERS,
    "POST /retention/holds": LEADER | AUTHORISER,
    "POST /retention/holds/{hold_id}/lift": LEADER | AUTHORISER,
    "GET /log": AUDITOR,
    "POST /log/verify": AUDITOR,
    "GET /alerts": KEEPERS,
    "POST /alerts/{alert_id}/seen": KEEPERS,
    "GET /state": ADMINISTRATOR,
    "POST /state/departments/{code}/test": ADMINISTRATOR,
    "GET /parked": ADMINISTRATOR,
    "POST /parked/replay": ADMINISTRATOR,
    "POST /parked/{parked_id}/replay": ADMINISTRATOR,
    "POST /parked/{parked_id}/discard": ADMINISTRATOR,
    "GET /asyncapi": None,
}
"""Written out by hand, not read from the permissions: None is anybody. A new page must be added."""


@pytest.fixture(scope="module")
def still(morning: scene.Morning) -> scene.Morning:
    """The house with its hub closed, so that the stream of events ends at once."""
    morning.parts.hub.close()
    return morning


@dataclass(frozen=True)
class Spare:
    """Grants of the supervisor's that nothing else here needs, and an export under the second."""

    grant: int
    to_export: int
    export: int
    file: int


@pytest.fixture(scope="module")
def spare(morning: scene.Morning) -> Spare:
    """There to be ended, and to be exported under."""
    grants: list[int] = []
    chen, now = morning.people["chen"], morning.parts.clock()
    for kind, recipient in (("playback", ""), ("export", KEY)):
        with morning.parts.database.begin() as session:
            wanted = Wanted("verify", "核对", f"#{morning.tickets['dispatched']}", None, kind,
                            recipient)  # fmt: skip
            asked = listening.ask(session, chen, morning.recordings[:1], wanted, origin="-",
                                  now=now)  # fmt: skip
            assert isinstance(asked, RequestRow)
            grant = listening.decide(session, morning.people["zhou"], asked.id, granted=True,
                                     note="", lasts_s=600, origin="-", now=now)  # fmt: skip
            assert isinstance(grant, GrantRow)
            grants.append(grant.id)
    made = exporting.make(morning.parts, chen, grants[1], morning.recordings[0], origin="-")
    asking = Asking(morning.parts, chen, "-")
    file = attaching.attach(asking, morning.tickets["dispatched"], "x.txt", b"x")
    return Spare(grants[0], grants[1], made.id, file.id)


def test_every_page_says_who_may() -> None:
    """A page that nobody thought about must not slip in, nor one stay that is gone."""
    assert [f"{page.method} {page.path}" for page in ROUTES] == list(MAY)


@pytest.mark.parametrize("page", ROUTES, ids=lambda page: f"{page.method} {page.path}")
def test_the_table_itself_keeps_people_out(page: Page) -> None:
    """A row too wide is wrong even where a check further down would still refuse."""
    may = MAY[f"{page.method} {page.path}"]
    if may is None:
        assert page.needs is PUBLIC
    else:
        assert page.needs is not PUBLIC
        needs = page.needs or frozenset()
        assert may == {role for role in Role if not needs or needs & PERMISSIONS[role]}


def sent(page: Page, still: scene.Morning, spare: Spare) -> dict[str, str]:
    """What a form must say before its page can tell who may: elsewhere a form says nothing."""
    grants = {"plays": still.grant, "exports": spare.to_export}
    act = page.path.rpartition("/")[2]
    if act in ("change", "urge", "supervise", "extend", "withdraw"):
        return {"order": "WO-2026-000002"}
    grant = grants.get(act)
    return {"grant": str(grant)} if grant else {}


def still_told(house: scene.Morning, role: Role | None) -> int:
    """The number of an alert to this role; to the leader where it is told nothing."""
    role = role if role in (Role.AUDITOR, Role.ADMINISTRATOR) else Role.LEADER
    with house.parts.database.begin() as session:
        log.tell(session, role, "log-altered", "log", "试。 Tried.", house.parts.clock())
        return session.scalars(select(AlertRow.id).where(AlertRow.role == role)).first() or 0


@pytest.mark.parametrize("page", ROUTES, ids=lambda page: f"{page.method} {page.path}")
@pytest.mark.parametrize("role", [*LOGINS, None], ids=str)
def test_who_may(still: scene.Morning, spare: Spare, page: Page, role: Role | None) -> None:
    """Each role opens its pages and gets 403 on every other; who is nobody is sent to sign in."""
    client = browser(still, LOGINS[role] if role else "")
    known = still.tickets
    path = page.path.format(
        ticket_id=known["dispatched"],
        number="WO-2026-000002",
        recording_id=still.recordings[0],
        request_id=2,
        grant_id=spare.grant,
        export_id=spare.export,
        attachment_id=spare.file,
        plan_id=1,
        hold_id=1,
        login="ayi",
        alert_id=still_told(still, role),
        parked_id=7,
        code="nowhere",
    )
    query = f"?grant={still.grant}" if "recording_id" in page.path else ""
    query = f"?play={still.play}" if page.path.endswith(("/audio", "/peaks")) else query
    status = client.request(
        page.method, path + query, data=sent(page, still, spare), headers={"Accept": "text/html"}
    ).status_code
    may = MAY[f"{page.method} {page.path}"]
    if may is None:
        assert status in (200, 303, 401)
    elif role is None:
        assert status == (303 if page.method == "GET" else 401)
    elif role in may:
        assert status in (200, 303, 400, 409)
    else:
        assert status == 403
