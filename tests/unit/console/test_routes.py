"""Every page × every role: who may open what (DESIGN §3, promise 8)."""

import pytest

from gateway.console.guard import PUBLIC, Page
from gateway.console.routes import ROUTES
from gateway.people.roles import PERMISSIONS, Role
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
    "POST /tickets/{ticket_id}/fields": EDITORS,
    "POST /tickets/{ticket_id}/register": EDITORS,
    "POST /tickets/{ticket_id}/answer": EDITORS,
    "POST /tickets/{ticket_id}/refuse": EDITORS,
    "POST /tickets/{ticket_id}/accept": EDITORS,
    "POST /tickets/{ticket_id}/dispatch": EDITORS,
    "POST /tickets/{ticket_id}/close": EDITORS,
    "POST /tickets/{ticket_id}/called-back": EDITORS,
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
    "GET /recordings": SEARCHERS,
    "POST /recordings/search": SEARCHERS,
    "POST /recordings/ask": SUPERVISOR,
    "GET /recordings/{recording_id}": SUPERVISOR,
    "GET /recordings/{recording_id}/peaks": SUPERVISOR,
    "GET /recordings/{recording_id}/audio": SUPERVISOR,
    "GET /requests": SEARCHERS,
    "POST /requests/{request_id}/decide": AUTHORISER,
    "GET /retention": KEEPERS | AUTHORISER,
    "GET /retention/certificates/{plan_id}": KEEPERS,
    "POST /retention/holds": LEADER | AUTHORISER,
    "POST /retention/holds/{hold_id}/lift": LEADER | AUTHORISER,
    "GET /log": AUDITOR,
    "POST /log/verify": AUDITOR,
    "GET /state": ADMINISTRATOR,
}
"""Written out by hand, not read from the permissions: None is anybody. A new page must be added."""


@pytest.fixture(scope="module")
def still(morning: scene.Morning) -> scene.Morning:
    """The house with its hub closed, so that the stream of events ends at once."""
    morning.parts.hub.close()
    return morning


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


@pytest.mark.parametrize("page", ROUTES, ids=lambda page: f"{page.method} {page.path}")
@pytest.mark.parametrize("role", [*LOGINS, None], ids=str)
def test_who_may(still: scene.Morning, page: Page, role: Role | None) -> None:
    """Each role opens its pages and gets 403 on every other; who is nobody is sent to sign in."""
    client = browser(still, LOGINS[role] if role else "")
    known = still.tickets
    path = page.path.format(
        ticket_id=known["dispatched"],
        number="WO-2026-000002",
        recording_id=still.recordings[0],
        request_id=2,
        plan_id=1,
        hold_id=1,
        login="ayi",
    )
    query = f"?grant={still.grant}" if "recording_id" in page.path else ""
    status = client.request(page.method, path + query, headers={"Accept": "text/html"}).status_code
    may = MAY[f"{page.method} {page.path}"]
    if may is None:
        assert status in (200, 303, 401)
    elif role is None:
        assert status == (303 if page.method == "GET" else 401)
    elif role in may:
        assert status in (200, 303, 400, 409)
    else:
        assert status == 403
