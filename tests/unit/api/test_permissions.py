"""Every endpoint × every role × nobody: who may call what (DESIGN §3, promise 8)."""

import pytest

from gateway.api.endpoint import Endpoint
from gateway.api.routes import ROUTES
from gateway.flow import witnessing
from gateway.people.roles import PERMISSIONS, Role
from recordings import logkeys, proofs, tree
from recordings.tables import AuditLineRow
from tests.unit.api.scene import BY_ROLE, Scene

EVERYBODY = frozenset(Role)
AGENT, SUPERVISOR, AUTHORISER, OFFICER, LEADER, AUDITOR = (
    frozenset({role}) for role in Role if role is not Role.ADMINISTRATOR
)
EDITORS = AGENT | SUPERVISOR
READERS = AGENT | SUPERVISOR | LEADER
SEARCHERS = SUPERVISOR | AUTHORISER
MACHINES: frozenset[Role] = frozenset()
"""Of departments' programs: for no role."""

MAY: dict[str, frozenset[Role] | None] = {
    "POST /api/v1/sessions": None,
    "DELETE /api/v1/sessions": EVERYBODY,
    "GET /api/v1/desk": AGENT,
    "GET /api/v1/presence": SUPERVISOR | LEADER,
    "GET /api/v1/departments": EDITORS,
    "POST /api/v1/tickets/search": READERS,
    "GET /api/v1/tickets/{id}": READERS,
    "PATCH /api/v1/tickets/{id}": EDITORS,
    "POST /api/v1/tickets/{id}/register": EDITORS,
    "POST /api/v1/tickets/{id}/answer": EDITORS,
    "POST /api/v1/tickets/{id}/refuse": EDITORS,
    "POST /api/v1/tickets/{id}/accept": EDITORS,
    "POST /api/v1/tickets/{id}/dispatch": EDITORS,
    "POST /api/v1/tickets/{id}/close": EDITORS,
    "POST /api/v1/tickets/{id}/called-back": EDITORS,
    "POST /api/v1/tickets/{id}/call": EDITORS,
    "POST /api/v1/desk/recording/pause": AGENT,
    "POST /api/v1/desk/recording/resume": AGENT,
    "POST /api/v1/desk/pause": AGENT,
    "POST /api/v1/desk/ready": AGENT,
    "POST /api/v1/agents/{login}/pause": SUPERVISOR,
    "POST /api/v1/agents/{login}/ready": SUPERVISOR,
    "GET /api/v1/work-orders": OFFICER,
    "POST /api/v1/work-orders/{number}/sign": OFFICER,
    "POST /api/v1/work-orders/{number}/reply": OFFICER,
    "POST /api/v1/work-orders/{number}/return": OFFICER,
    "GET /api/v1/work-orders/{number}/timeline": READERS,
    "POST /api/v1/work-orders/{number}/ask-extension": OFFICER,
    "POST /api/v1/work-orders/{number}/progress": OFFICER,
    "POST /api/v1/work-orders/{number}/remark": OFFICER,
    "POST /api/v1/work-orders/{number}/change": EDITORS,
    "POST /api/v1/work-orders/{number}/urge": EDITORS,
    "POST /api/v1/work-orders/{number}/supervise": LEADER,
    "POST /api/v1/work-orders/{number}/extend": SUPERVISOR,
    "POST /api/v1/work-orders/{number}/withdraw": EDITORS,
    "POST /api/v1/recordings/search": SEARCHERS,
    "GET /api/v1/recording-requests": SEARCHERS,
    "POST /api/v1/recording-requests": SUPERVISOR,
    "POST /api/v1/recording-requests/{id}/decision": AUTHORISER,
    "POST /api/v1/recording-grants/{id}/end": SEARCHERS,
    "POST /api/v1/recordings/{id}/plays": SUPERVISOR,
    "GET /api/v1/recordings/{id}/plays/{play}/audio": SUPERVISOR,
    "GET /api/v1/recordings/{id}/plays/{play}/peaks": SUPERVISOR,
    "POST /api/v1/recordings/break-glass": SUPERVISOR,
    "POST /api/v1/recordings/{id}/exports": SUPERVISOR,
    "GET /api/v1/recording-exports/{id}": SUPERVISOR,
    "GET /api/v1/recording-exports/{id}/file": SUPERVISOR,
    "GET /api/v1/tickets/{id}/recusals": SUPERVISOR | LEADER,
    "POST /api/v1/tickets/{id}/recusals": SUPERVISOR | LEADER,
    "POST /api/v1/tickets/{id}/recusals/lift": SUPERVISOR | LEADER,
    "POST /api/v1/tickets/{id}/join": SUPERVISOR | LEADER,
    "POST /api/v1/tickets/{id}/attachments": EDITORS,
    "GET /api/v1/department/files/{token}": MACHINES,
    "POST /api/v1/department/messages": MACHINES,
    "POST /api/v1/department/messages/settle": MACHINES,
    "POST /api/v1/department/replies": MACHINES,
    "GET /api/v1/log": AUDITOR,
    "GET /api/v1/log/verdict": AUDITOR,
    "GET /api/v1/log/checkpoint": AUDITOR,
    "GET /api/v1/log/proof": AUDITOR,
    "GET /api/v1/log/consistency": AUDITOR,
}
"""Written out by hand, not read from the permissions: None is anybody. A new endpoint must be
added, and a permission that is widened differs from it."""

ALLOWED = (200, 201, 400, 409)


def name_of(endpoint: Endpoint) -> str:
    """`GET /api/v1/desk`."""
    return f"{endpoint.method} {endpoint.path}"


def test_every_endpoint_says_who_may() -> None:
    """An endpoint that nobody thought about must not slip in, nor one stay that is gone."""
    assert sorted(name_of(endpoint) for endpoint in ROUTES) == sorted(MAY)


@pytest.mark.parametrize("endpoint", ROUTES, ids=name_of)
def test_the_table_itself_keeps_people_out(endpoint: Endpoint) -> None:
    """A row too wide is wrong even where a check further down would still refuse."""
    may = MAY[name_of(endpoint)]
    assert endpoint.machine == (may is MACHINES)
    if endpoint.machine:
        return
    if may is None or endpoint.permission is None:
        assert may is None
        assert endpoint.permission is None
    else:
        needs = set(endpoint.permission)
        assert may == {role for role in Role if not needs or needs & PERMISSIONS[role]}


@pytest.mark.parametrize("endpoint", ROUTES, ids=name_of)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_who_may(there: Scene, endpoint: Endpoint, role: Role | None) -> None:
    """Each role is let in to its own endpoints, gets 403 on every other; nobody gets 401."""
    login = BY_ROLE[role] if role else ""
    answer = there.ask(login, endpoint.method, there.path(endpoint.path).removeprefix("/api/v1"))
    may = MAY[name_of(endpoint)]
    if may is None:
        assert answer.status_code == 400
    elif role is None or may is MACHINES:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    elif role in may:
        assert answer.status_code in ALLOWED or "未获此录音的授权" in answer.json()["message"]
    else:
        assert answer.status_code == 403


@pytest.mark.parametrize("endpoint", ROUTES, ids=name_of)
def test_what_a_departments_program_may(there: Scene, endpoint: Endpoint) -> None:
    """A machine key opens what is for programs and nothing that is for people."""
    path = there.path(endpoint.path).removeprefix("/api/v1")
    headers = {"Authorization": f"Bearer {there.machine()}"}
    answer = there.client().request(endpoint.method, "/api/v1" + path, headers=headers, content="{")
    if endpoint.machine:
        assert answer.status_code in ALLOWED or "files" in path
    else:
        assert answer.status_code == (400 if MAY[name_of(endpoint)] is None else 401)


def test_a_refusal_is_in_the_log(there: Scene) -> None:
    """Who tried what they may not is on record: name, and the endpoint without ids of persons."""
    refused = there.ask("admin", "POST", "/recordings/search", {"phone_tail": "13800138013"})
    assert refused.status_code == 403
    with there.parts.database.reading() as session:
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert line is not None
    assert (line.action, line.actor, line.outcome) == ("api:request:refuse", "admin", "denied")
    assert line.obj == "POST /api/v1/recordings/search"


def test_asking_for_recordings_without_a_session_is_in_the_log(there: Scene) -> None:
    """Also who is nobody: what was asked for, by its id where there is one; a number typed into the
    address is not kept, and a flood from one address is one line a minute."""
    client = there.client()
    for path in ("/recording-requests/13800138013/decision", "/recordings/search"):
        assert client.post(f"/api/v1{path}", json={}).status_code == 401
    with there.parts.database.reading() as session:
        newest = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
    assert (newest.action, newest.actor, newest.outcome) == ("api:request:refuse", "-", "denied")
    assert newest.obj == "POST /api/v1/recording-requests/{id}/decision"


def test_a_refusal_names_its_object(there: Scene) -> None:
    """Which request somebody tried to decide is on record, not only that somebody tried."""
    number = there.ids["granted-request"]
    path = f"/recording-requests/{number}/decision"
    assert there.ask("8001", "POST", path, {"granted": True}).status_code == 403
    with there.parts.database.reading() as session:
        newest = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
    assert (newest.actor, newest.obj) == ("8001", f"POST /api/v1{path}")


def test_reading_and_checking_the_log_is_in_the_log(there: Scene) -> None:
    """Who looks at whose acts is an act."""
    there.ask("auditor", "GET", "/log")
    there.ask("auditor", "GET", "/log/verdict")
    with there.parts.database.reading() as session:
        rows = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(2).all()
    assert [(row.action, row.actor) for row in rows] == [
        ("log:log:verify", "auditor"), ("log:log:read", "auditor"),
    ]  # fmt: skip


def test_a_proof_asked_for_by_a_program_holds(there: Scene) -> None:
    """The auditor's program gets the newest checkpoint, a line's proof that leads to it, and what
    joins two sizes; a line no checkpoint covers is told so."""
    note = witnessing.sign(there.parts)
    size = int(note.split("\n")[1])
    told = there.ask("auditor", "GET", "/log/checkpoint").json()
    assert (told["note"], told["size"]) == (note, size)
    proof = there.ask("auditor", "GET", "/log/proof?line=1").json()["proof"]
    keys = logkeys.known(there.parts.settings.keyring)
    assert proofs.check(proof, proofs.parse(proof).extra, keys).size == size
    assert there.ask("auditor", "GET", f"/log/proof?line={size}").status_code == 400
    joined = there.ask("auditor", "GET", f"/log/consistency?first=1&second={size}").json()
    path = [bytes.fromhex(one) for one in joined["path"]]
    roots = (bytes.fromhex(joined["first_root"]), bytes.fromhex(joined["second_root"]))
    assert tree.consistent(1, size, path, *roots)
    assert there.ask("auditor", "GET", "/log/consistency?first=1&second=99999").status_code == 400


def test_another_agents_ticket_is_not_there(there: Scene) -> None:
    """An agent neither reads nor changes what is another agent's, and cannot tell it exists."""
    others, none = there.ids["others"], "999999"
    for method, action, body in (
        ("GET", "", None),
        ("PATCH", "", {"fields": {"summary": "改"}}),
        ("POST", "/register", None),
        ("POST", "/answer", {"answer": "x"}),
        ("POST", "/refuse", {"reason": "x", "refer_to": "y"}),
        ("POST", "/accept", None),
        ("POST", "/dispatch", {"departments": ["yanglao"]}),
        ("POST", "/close", {"note": "x"}),
        ("POST", "/called-back", None),
    ):
        mine, nobodys = (
            there.ask("8001", method, f"/tickets/{one}{action}", body) for one in (others, none)
        )
        assert (mine.status_code, mine.json()) == (404, nobodys.json()), action
    listed = there.ask("8001", "POST", "/tickets/search", {}).json()
    assert int(others) not in [ticket["id"] for ticket in listed]
    assert there.ask("8002", "GET", f"/tickets/{others}").json()["ticket"]["state"] == "draft"


def test_another_departments_order_is_not_there(there: Scene) -> None:
    """An officer neither sees nor answers what another department was asked."""
    for action, body in (
        ("sign", None),
        ("reply", {"result": "x"}),
        ("return", {"reason": "x"}),
    ):
        path = f"/work-orders/{there.ids['others-order']}/{action}"
        assert there.ask("officer", "POST", path, body).status_code == 404
    listed = there.ask("officer", "GET", "/work-orders").json()
    assert [one["order"]["number"] for one in listed] == [there.ids["order"]]


def test_another_persons_grant_opens_nothing(there: Scene) -> None:
    """A yes is for the one who asked: a colleague of the same role with its number gets 403, and
    the attempt is in the log; nor does she see the request in her list."""
    client = there.client()
    client.cookies.set("hotline_session", there.token("deputy", "cookie"))
    path = f"/recordings/{there.ids['recording']}?grant={there.ids['grant']}"
    assert client.get(path).status_code == 403
    with there.parts.database.reading() as session:
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert line is not None
    assert (line.action, line.actor, line.outcome) == ("recordings:player:open", "deputy",
                                                       "denied")  # fmt: skip
    assert there.ask("deputy", "GET", "/recording-requests").json() == []
    found = there.ask("deputy", "POST", "/recordings/search", {}).json()
    assert [one["grant"] for one in found] == [None]


def test_nobody_decides_twice_and_the_attempt_is_kept(there: Scene) -> None:
    """A decided request stays decided; trying is a line in the log although the answer is 403."""
    path = f"/recording-requests/{there.ids['granted-request']}/decision"
    answer = there.ask("authoriser", "POST", path, {"granted": False, "note": "改判"})
    assert answer.status_code == 403
    with there.parts.database.reading() as session:
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert line is not None
    assert (line.action, line.outcome) == ("recordings:request:decide", "denied")
    found = there.ask("supervisor", "GET", "/recording-requests").json()
    states = {one["id"]: one["state"] for one in found}
    assert states[int(there.ids["granted-request"])] == "granted"


def test_a_cookie_session_is_no_bearer_token(there: Scene) -> None:
    """A page's cookie opens no API (another site could have it sent), a token opens no page."""
    cookie, bearer = there.token("leader", "cookie"), there.token("leader", "bearer")
    client = there.client()
    as_bearer = client.get("/api/v1/tickets/1", headers={"Authorization": f"Bearer {cookie}"})
    assert as_bearer.status_code == 401
    client.cookies.set("hotline_session", cookie)
    assert client.get("/api/v1/tickets/1").status_code == 401
    assert client.get("/tickets").status_code == 200
    client.cookies.set("hotline_session", bearer)
    assert client.get("/tickets").status_code == 303


def test_a_closed_session_is_over(there: Scene) -> None:
    """Signing out ends the token at once, for itself and for no other session of the person."""
    first, second = there.token("leader"), there.token("leader")
    client = there.client()

    def status(method: str, path: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return client.request(method, "/api/v1" + path, headers=headers).status_code

    assert status("DELETE", "/sessions", first) == 200
    assert status("GET", "/tickets/1", first) == 401
    assert status("DELETE", "/sessions", first) == 401
    assert status("GET", "/tickets/1", second) == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "bearer \x00", "Bearer é", "x" * 9999],
)
def test_a_crooked_authorization_is_nobody(there: Scene, header: str) -> None:
    """Whatever stands in the header, it is a session's token or 401."""
    answer = there.client().get("/api/v1/desk", headers=[(b"authorization", header.encode())])
    assert answer.status_code == 401
