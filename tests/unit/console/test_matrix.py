"""Role × route × object, for everything that touches a recording: one table written by hand.

Each cell is tried by somebody of every role and by nobody. Who may not is refused before the object
is looked at; who may is answered as the cell says. Both are asserted with their line in the log:
who, which object, how it ended (DESIGN §3, promises 5 and 8).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from httpx2 import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from gateway import compose
from gateway.api.recordings import ENDPOINTS
from gateway.console.routes import ROUTES
from gateway.flow import exporting, listening, playing, recusing
from gateway.flow.recusing import Doing
from gateway.people import accounts, sessions
from gateway.people.roles import Role
from gateway.tables import RecordingLinkRow
from gateway.tickets import recusal
from recordings import exports
from recordings.asking import Wanted
from recordings.exports import Exported
from recordings.tables import AuditLineRow, GrantRow, RecordingRow, RequestRow
from recordings.tables_grants import ExportRow, PlayRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser
from tests.unit.console.test_routes import KEY, LOGINS

SUPERVISOR, AUTHORISER = frozenset({Role.SUPERVISOR}), frozenset({Role.AUTHORISER})
BOTH = SUPERVISOR | AUTHORISER

Cells = dict[str, str]


@dataclass(frozen=True)
class Row:
    """One thing that can be asked for. `act` and `about` are the line's where the object decides;
    `silent`: what is allowed writes no line by itself. `cells`: object → status and, where it is
    refused, why."""

    route: str
    may: frozenset[Role]
    act: str
    about: str
    cells: Cells
    query: str = ""
    form: dict[str, str] = field(default_factory=dict)
    silent: bool = False

    @property
    def api(self) -> bool:
        """Whether a program asks for it."""
        return "/api/" in self.route


OPENS: Cells = {
    "granted": "200", "used up": "200", "running out": "200", "others": "403 NotGranted",
    "foreign": "403 NotGranted", "unknown": "403 NotGranted", "export": "403 NotGranted",
    "expired": "403 GrantExpired", "ended": "403 GrantEnded", "recused": "403 Recused",
    "joined": "403 Recused",
}  # fmt: skip
BEGINS: Cells = {
    **OPENS, "granted": "303", "running out": "303", "used up": "403 GrantUsedUp",
}  # fmt: skip
PLAYS: Cells = {**OPENS, "running out": "403 PlayOver"}
ENDS: Cells = {
    "granted": "303", "used up": "303", "export": "303", "expired": "303", "recused": "303",
    "others": "403 Forbidden", "unknown": "403 Forbidden", "ended": "409 Conflict",
}  # fmt: skip
DECIDES: Cells = {
    "pending": "303", "granted": "403 RequestInvalid", "unknown": "403 RequestInvalid",
    "pending recused": "403 Recused", "pending joined": "403 Recused",
}  # fmt: skip
EXPORTS: Cells = {
    "export": "303", "made": "303", "granted": "403 NotGranted", "others": "403 NotGranted",
    "unknown": "403 NotGranted", "export recused": "403 Recused",
}  # fmt: skip
SHEETS: Cells = {"made": "200", "fetched": "200", "made others": "404", "unknown": "404"}
FETCHES: Cells = {
    "made": "200", "fetched": "409 Conflict", "old": "409 Conflict", "unknown": "404 NotFound",
    "made others": "404 NotFound", "made recused": "403 Recused",
}  # fmt: skip
BREAKS: Cells = {"pending": "303", "recused": "403 Recused", "joined": "403 Recused"}
DANGER = "来电人称要轻生，须立即核对地址"
ASKS: Cells = {"pending": "303", "recused": "403 Recused", "joined": "403 Recused"}
YES = {"granted": "1", "lasts_s": "600", "plays": "1"}
WHY = {"purpose": "verify", "reason": "核对"}

MATRIX: tuple[Row, ...] = (
    Row("GET /recordings", BOTH, "", "", {"granted": "200"}, silent=True),
    Row("POST /recordings/search", BOTH, "recordings:recording:search", "recordings",
        {"granted": "200"}, form={"queue": "hotline"}),
    Row("GET /requests", BOTH, "", "", {"granted": "200"}, silent=True),
    Row("GET /recordings/{recording_id}", SUPERVISOR, "recordings:player:open",
        "recording:{recording_id}", OPENS, query="?grant={grant_id}", silent=True),
    Row("GET /recordings/{recording_id}", SUPERVISOR, "recordings:player:open",
        "recording:{recording_id}", PLAYS, query="?play={play_id}", silent=True),
    Row("POST /recordings/{recording_id}/plays", SUPERVISOR, "recordings:play:begin",
        "recording:{recording_id}", BEGINS, form={"grant": "{grant_id}"}),
    Row("GET /recordings/{recording_id}/audio", SUPERVISOR, "recordings:recording:play",
        "recording:{recording_id}", PLAYS, query="?play={play_id}"),
    Row("GET /recordings/{recording_id}/peaks", SUPERVISOR, "recordings:recording:outline",
        "recording:{recording_id}", PLAYS, query="?play={play_id}"),
    Row("HEAD /recordings/{recording_id}/audio", SUPERVISOR, "recordings:recording:play",
        "recording:{recording_id}", PLAYS, query="?play={play_id}"),
    Row("POST /recordings/{recording_id}/exports", SUPERVISOR, "recordings:export:make", "",
        EXPORTS, form={"grant": "{grant_id}"}),
    Row("GET /exports/{export_id}", SUPERVISOR, "", "", SHEETS, silent=True),
    Row("GET /exports/{export_id}/sheet", SUPERVISOR, "", "", SHEETS, silent=True),
    Row("GET /exports/{export_id}/file", SUPERVISOR, "recordings:export:fetch",
        "export:{export_id}", FETCHES),
    Row("POST /recordings/ask", SUPERVISOR, "recordings:request:ask", "", ASKS,
        form={**WHY, "recording": "{recording_id}", "ticket_no": "#{ticket_id}"}),
    Row("POST /recordings/break-glass", SUPERVISOR, "recordings:glass:break", "", BREAKS,
        form={"recording": "{recording_id}", "reason": DANGER}),
    Row("POST /requests/{request_id}/decide", AUTHORISER, "recordings:request:decide",
        "request:{request_id}", DECIDES, form=YES),
    Row("POST /grants/{grant_id}/end", SUPERVISOR, "recordings:grant:end", "grant:{grant_id}",
        ENDS),
    Row("POST /grants/{grant_id}/end", AUTHORISER, "recordings:grant:end", "grant:{grant_id}",
        {**ENDS, "others": "303"}),
    Row("POST /api/v1/recordings/search", BOTH, "recordings:recording:search", "recordings",
        {"granted": "200"}, form={"queue": "hotline"}),
    Row("GET /api/v1/recording-requests", BOTH, "", "", {"granted": "200"}, silent=True),
    Row("POST /api/v1/recording-requests", SUPERVISOR, "recordings:request:ask", "",
        {name: cell.replace("303", "201") for name, cell in ASKS.items()},
        form={**WHY, "recordings": "[{recording_id}]", "ticket_no": "#{ticket_id}"}),
    Row("POST /api/v1/recording-requests/{id}/decision", AUTHORISER, "recordings:request:decide",
        "request:{request_id}",
        {name: cell.replace("303", "200") for name, cell in DECIDES.items()},
        form={"granted": "1", "lasts_s": "600"}),
    Row("POST /api/v1/recording-grants/{id}/end", SUPERVISOR, "recordings:grant:end",
        "grant:{grant_id}", {name: cell.replace("303", "200") for name, cell in ENDS.items()}),
    Row("POST /api/v1/recordings/{id}/plays", SUPERVISOR, "recordings:play:begin",
        "recording:{recording_id}",
        {name: cell.replace("303", "201").replace("200", "201") for name, cell in BEGINS.items()},
        form={"grant": "{grant_id}"}),
    Row("POST /api/v1/recordings/break-glass", SUPERVISOR, "recordings:glass:break", "",
        {name: cell.replace("303", "201") for name, cell in BREAKS.items()},
        form={"recordings": "[{recording_id}]", "reason": DANGER}),
    Row("POST /api/v1/recordings/{id}/exports", SUPERVISOR, "recordings:export:make",
        "", {name: cell.replace("303", "201") for name, cell in EXPORTS.items()},
        form={"grant": "{grant_id}"}),
    Row("GET /api/v1/recording-exports/{id}", SUPERVISOR, "", "", SHEETS, silent=True),
)  # fmt: skip
"""`{id}` of a program's path is the object that `about` names."""

CELLS = [
    pytest.param(row, name, id=f"{row.route}{row.query} {name} {'+'.join(sorted(row.may))}")
    for row in MATRIX
    for name in row.cells
]


@dataclass
class House:
    """The morning, a second supervisor and authoriser, and clients that stay signed in."""

    morning: scene.Morning
    clients: dict[str, TestClient]
    bearers: dict[str, str]
    programs: TestClient

    @property
    def now(self) -> int:
        return self.morning.parts.clock()

    def grant(self, session: Session, login: str, recording: int, *, kind: str = "playback",
              plays_max: int = 3, decided: bool = True) -> dict[str, int]:  # fmt: skip
        """A request of `login` for it, granted, with a play that has begun."""
        link = session.get_one(RecordingLinkRow, recording)
        assert link.ticket_id is not None
        wanted = Wanted("verify", "核对", f"#{link.ticket_id}", None, kind,
                        KEY if kind == "export" else "")  # fmt: skip
        people, now = self.morning.people, self.now
        asked = listening.ask(session, people[login], [recording], wanted, origin="-", now=now)
        assert isinstance(asked, RequestRow)
        ids = {"recording_id": recording, "request_id": asked.id, "ticket_id": link.ticket_id,
               "grant_id": 0, "play_id": 0, "export_id": 0}  # fmt: skip
        if not decided:
            return ids
        grant = listening.decide(session, people["feng"], asked.id, granted=True, note="",
                                 lasts_s=600, plays_max=plays_max, origin="-", now=now)  # fmt: skip
        assert isinstance(grant, GrantRow)
        ids["grant_id"] = grant.id
        if kind == "playback":
            begun = playing.begin(session, people[login], grant.id, recording, origin="-", now=now)
            assert isinstance(begun, playing.Begun)
            ids["play_id"] = begun.play.id
        return ids

    def recorded(self, session: Session, which: int) -> int:
        """One of the morning's recordings; each has a call, a ticket, and real sealed audio."""
        return self.morning.recordings[which]


Made = Callable[[House, Session], dict[str, int]]


def _name(house: House, session: Session, ticket_id: int) -> None:
    doing = Doing(session, house.morning.people["he"], "-", house.now)
    for login in ("chen", "zhou"):
        recusing.name(doing, ticket_id, login)


def _changed(house: House, session: Session, **change: int) -> dict[str, int]:
    ids = house.grant(session, "chen", house.morning.recordings[0])
    row = session.get_one(GrantRow, ids["grant_id"])
    for name, value in change.items():
        setattr(row, name, value)
    return ids


def _over(house: House, session: Session) -> dict[str, int]:
    ids = house.grant(session, "chen", house.morning.recordings[0])
    session.get_one(PlayRow, ids["play_id"]).ends_at = house.now
    return ids


def _ended(house: House, session: Session) -> dict[str, int]:
    ids = house.grant(session, "chen", house.morning.recordings[0])
    ended = listening.end(session, house.morning.people["zhou"], ids["grant_id"], origin="-",
                          now=house.now)  # fmt: skip
    assert isinstance(ended, GrantRow)
    return ids


def _foreign(house: House, session: Session) -> dict[str, int]:
    ids = house.grant(session, "chen", house.morning.recordings[0])
    return {**ids, "recording_id": house.morning.recordings[3]}


def _made(login: str = "chen", *, recused: bool = False, **change: int) -> Made:
    """An export that lies ready; what is in the file nobody here opens."""

    def made(house: House, session: Session) -> dict[str, int]:
        if recused:
            ids = _recused(kind="export")(house, session)
        else:
            ids = house.grant(session, login, house.morning.recordings[0], kind="export")
        row = session.get_one(RecordingRow, ids["recording_id"])
        grant = session.get_one(GrantRow, ids["grant_id"])
        request = session.get_one(RequestRow, ids["request_id"])
        figures = Exported(row.plain_sha256, row.sealed_sha256, 3)
        said = exports.sheet(row, request, grant, figures, house.now)
        key = f"{house.now}-{ids['grant_id']}.age"
        exporting.shelf(house.morning.parts).put(key, b"age")
        export = ExportRow(
            grant_id=grant.id, recording_id=row.id, person=login, recipient=KEY,
            plain_sha256=row.plain_sha256, sealed_sha256=row.sealed_sha256, size=3,
            object_key=key, sheet=said, made_at=house.now, fetches=0,
        )  # fmt: skip
        for name, value in change.items():
            setattr(export, name, value)
        session.add(export)
        session.flush()
        return {**ids, "export_id": export.id}

    return made


def _recused(*, decided: bool = True, joined: bool = False, kind: str = "playback") -> Made:
    """A recording of its own: whoever is named in its matter is named only after the yes."""

    def made(house: House, session: Session) -> dict[str, int]:
        recording = house.morning.recordings[2 if joined else 1]
        by = "chen" if not _about(session, recording) else "deputy"
        ids = house.grant(session, by, recording, decided=decided, kind=kind)
        if by == "deputy":  # named by an earlier cell: the yes is the supervisor's all the same
            session.get_one(RequestRow, ids["request_id"]).requester = "chen"
            if decided:
                session.get_one(GrantRow, ids["grant_id"]).person = "chen"
            if ids["play_id"]:
                session.get_one(PlayRow, ids["play_id"]).person = "chen"
        named = house.morning.tickets["old"] if joined else ids["ticket_id"]
        _name(house, session, named)
        if joined and by == "chen":
            doing = Doing(session, house.morning.people["he"], "-", house.now)
            recusing.join(doing, ids["ticket_id"], f"#{named}")
        return ids

    return made


def _about(session: Session, recording: int) -> bool:
    return bool(recusal.of_recordings(session, [recording]) & {"chen", "zhou"})


OBJECTS: dict[str, Made] = {
    "granted": lambda house, s: house.grant(s, "chen", house.morning.recordings[0]),
    "others": lambda house, s: house.grant(s, "deputy", house.morning.recordings[0]),
    "used up": lambda house, s: house.grant(s, "chen", house.morning.recordings[0], plays_max=1),
    "running out": _over,
    "expired": lambda house, s: _changed(house, s, expires_at=house.now),
    "ended": _ended,
    "export": lambda house, s: house.grant(s, "chen", house.morning.recordings[0], kind="export"),
    "foreign": _foreign,
    "recused": _recused(),
    "joined": _recused(joined=True),
    "pending": lambda house, s: house.grant(s, "chen", house.morning.recordings[0], decided=False),
    "pending recused": _recused(decided=False),
    "pending joined": _recused(decided=False, joined=True),
    "export recused": _recused(kind="export"),
    "made": _made(),
    "made others": _made("deputy"),
    "made recused": _made(recused=True),
    "fetched": _made(fetches=2),
    "old": _made(made_at=1),
    "unknown": lambda house, _: {
        "recording_id": house.morning.recordings[0], "request_id": 9999, "grant_id": 9999,
        "play_id": 9999, "ticket_id": 1, "export_id": 9999,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def there(morning: scene.Morning) -> House:
    """Everybody signed in once, in the console and as a program."""
    with morning.parts.database.begin() as session:
        now = morning.parts.clock()
        for login, role in (("deputy", Role.SUPERVISOR), ("feng", Role.AUTHORISER)):
            morning.people[login] = accounts.add(
                session, login=login, name=login, role=role, password=scene.PASSWORD, now=now
            )
        bearers = {
            login: sessions.open_session(session, morning.people[login], now, "bearer").token
            for login in LOGINS.values()
        }
    clients = {login: browser(morning, login) for login in (*LOGINS.values(), "")}
    programs = TestClient(compose.application(morning.parts), base_url="http://hotline.test")
    return House(morning, clients, bearers, programs)


def go(there: House, row: Row, ids: dict[str, int], login: str) -> Response:
    """Ask for it in the name of `login` ('': nobody)."""
    method, path = row.route.split(" ")
    about = "export_id" if "-exports" in path else row.about.partition("{")[2].rstrip("}")
    path = path.replace("{id}", str(ids[about or "recording_id"])).format(**ids)
    form = {name: value.format(**ids) for name, value in row.form.items()}
    if not row.api:
        client = there.clients[login]
        return client.request(method, path + row.query.format(**ids), data=form or None)
    body: dict[str, object] = {
        name: int(value) if value.isdigit() else [int(value[1:-1])] if value[0] == "[" else value
        for name, value in form.items()
    }
    if "granted" in body:
        body["granted"] = True
    headers = {"Authorization": f"Bearer {there.bearers[login]}"} if login else {}
    return there.programs.request(method, path, json=body if form else None, headers=headers)


def lines(there: House) -> int:
    with there.morning.parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(AuditLineRow)) or 0


def since(there: House, count: int) -> list[AuditLineRow]:
    with there.morning.parts.database.reading() as session:
        query = select(AuditLineRow).where(AuditLineRow.id >= count).order_by(AuditLineRow.id)
        return list(session.scalars(query))


@pytest.mark.parametrize(("row", "name"), CELLS)
def test_the_cell(there: House, row: Row, name: str) -> None:
    """Nobody and every other role are refused and on record; then who may is answered as the cell
    says, with the line that says it."""
    with there.morning.parts.database.begin() as session:
        ids = OBJECTS[name](there, session)
    also = BOTH if row.route.endswith("/end") else row.may  # two rows, one route: each its own
    for role, login in LOGINS.items():
        if role in also:
            continue
        before = lines(there)
        assert go(there, row, ids, login).status_code == 403, role
        (line,) = since(there, before)
        assert (line.actor, line.outcome) == (login, "denied"), role
        if not row.api:
            path = row.route.split(" ")[1].format(**ids)
            known = "9999" not in path
            assert line.obj == (path if known else row.route.split(" ")[1]), role
    nobody = 303 if not row.api and row.route.startswith("GET ") else 401
    assert go(there, row, ids, "").status_code == nobody
    for role in sorted(row.may):
        with there.morning.parts.database.begin() as session:
            ids = OBJECTS[name](there, session)
        _as_the_cell_says(there, row, ids, LOGINS[role], row.cells[name])


def _as_the_cell_says(there: House, row: Row, ids: dict[str, int], login: str, cell: str) -> None:
    before = lines(there)
    answer = go(there, row, ids, login)
    status, _, why = cell.partition(" ")
    assert answer.status_code == int(status), answer.text
    mine = [line for line in since(there, before) if line.action == row.act]
    if (row.silent and not why) or (row.act.endswith("export:make") and name_of_made(ids)):
        assert mine == []
        return
    (line,) = mine
    assert (line.actor, line.outcome) == (login, "denied" if why else "ok")
    assert f'"why":"{why}"' in line.detail if why else '"why"' not in line.detail
    if row.about:
        assert line.obj == row.about.format(**ids)
    if why:
        assert b"RIFF" not in answer.content


def name_of_made(ids: dict[str, int]) -> bool:
    """Whether it was made before: asked for again, the same is given, and nothing happens."""
    return bool(ids["export_id"] % 9999)


def test_everything_that_touches_a_recording_is_in_the_table() -> None:
    """A page or an endpoint that nobody put into the matrix must not slip in."""
    tried = {row.route for row in MATRIX}
    pages = {
        f"{page.method} {page.path}"
        for page in ROUTES
        if page.logged and page.act == "recordings:page:open"
    }
    endpoints = {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS}
    assert tried - {"HEAD /recordings/{recording_id}/audio"} == pages | endpoints


def test_the_objects_are_real(there: House) -> None:
    """The recordings of the matrix hold audio: what is allowed is heard, not only not refused."""
    with there.morning.parts.database.begin() as session:
        ids = OBJECTS["granted"](there, session)
        assert session.get_one(RecordingRow, ids["recording_id"]).plain_size > 44
    row = next(one for one in MATRIX if one.act == "recordings:recording:play")
    assert go(there, row, ids, "chen").content[:4] == b"RIFF"
