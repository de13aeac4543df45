"""A house with somebody of every role and one object of every kind, and clients signed in to it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from gateway import compose
from gateway.flow import dispatching, linking, listening, pulling
from gateway.flow.refusal import Refused
from gateway.parts import Parts
from gateway.people import machines, sessions
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import DepartmentRow
from gateway.tickets import acts
from recordings.asking import Wanted
from recordings.tables_grants import ExportRow
from tests.unit.gateway import house

LOGINS: dict[str, tuple[Role, str | None, str | None]] = {
    "8001": (Role.AGENT, None, "PJSIP/8001"),
    "8002": (Role.AGENT, None, "PJSIP/8002"),
    "supervisor": (Role.SUPERVISOR, None, None),
    "deputy": (Role.SUPERVISOR, None, None),
    "authoriser": (Role.AUTHORISER, None, None),
    "officer": (Role.OFFICER, "yanglao", None),
    "other-officer": (Role.OFFICER, "gongshang", None),
    "leader": (Role.LEADER, None, None),
    "auditor": (Role.AUDITOR, None, None),
    "admin": (Role.ADMINISTRATOR, None, None),
}
BY_ROLE: dict[Role, str] = {role: login for login, (role, _, _) in reversed(LOGINS.items())}
KEY = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
PULLS = "shebao"
"""A department whose program fetches its messages; it is there once it has a key (`machine`)."""
FORM = {"kind": "policy", "summary": "养老金调整后未到账", "caller_phone": "13800138013"}


@dataclass(slots=True)
class Scene:
    """The parts, the people, and the ids of what there is."""

    parts: Parts
    people: dict[str, Person] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def client(self) -> TestClient:
        """A program that has not signed in; a crash inside is raised here."""
        return TestClient(compose.application(self.parts), base_url="http://hotline.test",
                          follow_redirects=False)  # fmt: skip

    def token(self, login: str, kind: str = "bearer") -> str:
        """A fresh session of `login`."""
        with self.parts.database.begin() as session:
            now = self.parts.clock()
            return sessions.open_session(session, self.people[login], now, kind).token

    def ask(self, login: str, method: str, path: str, body: Any = None) -> Any:
        """One request under /api/v1 in the name of `login` ('': nobody); the response."""
        headers = {"Authorization": f"Bearer {self.token(login)}"} if login else {}
        return self.client().request(method, "/api/v1" + path, json=body, headers=headers)

    def machine(self, department: str = "") -> str:
        """A key for the program of `department` (PULLS by itself), which is made where it is not
        there."""
        code = department or PULLS
        with self.parts.database.begin() as session:
            if session.get(DepartmentRow, code) is None:
                session.add(DepartmentRow(code=code, name=code, mode="pull"))
                session.flush()
                pulling.open_queue(session, code)
            key = machines.make(session, code, 30, "operator", self.parts.clock()).key
        self.keys[code] = key
        return key

    def turn(self, path: str, body: Any, key: str = "") -> Any:
        """One request under /api/v1/department by the program of PULLS, or whose `key` that is."""
        key = key or self.keys.get(PULLS) or self.machine()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}"}
        return self.client().post("/api/v1/department" + path, content=raw, headers=headers)

    def path(self, path: str) -> str:
        """`path` with the ids of what `login`s of the first of each role may see."""
        known = {"recording-requests": "request", "recording-exports": "export",
                 "recording-grants": "grant", "api/v1/recordings": "recording"}  # fmt: skip
        key = next((key for part, key in known.items() if part in path), "ticket")
        return path.format(
            id=self.ids[key], number=self.ids["order"], login="8002", play="1", token="x"
        )


@contextmanager
def scene(state: Path, **more: str) -> Iterator[Scene]:
    """A furnished house under `state`; `more` are further HOTLINE_* settings."""
    with house.house(state, **more) as parts:
        made = Scene(parts)
        with parts.database.begin() as session:
            for login, (role, department, extension) in LOGINS.items():
                made.people[login] = house.person(session, login, role, department, extension)
        _furnish(made)
        yield made


def _furnish(made: Scene) -> None:
    agent, other = made.people["8001"], made.people["8002"]
    with made.parts.database.begin() as session:
        now = house.NOW
        for key, who in (("ticket", agent), ("dispatched", agent), ("others", other)):
            call = house.call(session, f"1795400000.{len(made.ids)}")
            ticket = house.queued(session, call)
            acts.fill(session, ticket.id, who, FORM, None, now)
            made.ids[key] = str(ticket.id)
            if key == "dispatched":
                recording = house.recording(session, call.linkedid)
                linking.relink(session)
                made.ids["recording"] = str(recording.id)
        dispatched = int(made.ids["dispatched"])
        acts.accept(session, dispatched, agent, "示范市", now)
        sent = dispatching.dispatch(session, dispatched, agent, ["yanglao", "gongshang"], "", now)
        made.ids["order"], made.ids["others-order"] = (order.number for order in sent)
        for key in ("request", "granted-request"):
            request = listening.ask(
                session, made.people["supervisor"], [int(made.ids["recording"])],
                Wanted("verify", "核对", f"#{dispatched}"), origin="-", now=now,
            )  # fmt: skip
            assert not isinstance(request, Refused)
            made.ids[key] = str(request.id)
        grant = listening.decide(
            session, made.people["authoriser"], int(made.ids["granted-request"]),
            granted=True, note="", lasts_s=30 * 24 * 3600, plays_max=None, origin="-",
            now=made.parts.clock(),
        )  # fmt: skip
        assert grant is not None
        assert not isinstance(grant, Refused)
        made.ids["grant"] = str(grant.id)
        _exported(session, made, now)


def _exported(session: Session, made: Scene, now: int) -> None:
    """An export that was made; what is in its file nobody here opens."""
    recording = int(made.ids["recording"])
    wanted = Wanted("complaint", "移送", f"#{made.ids['dispatched']}", None, "export", KEY)
    asked = listening.ask(session, made.people["supervisor"], [recording], wanted, origin="-",
                          now=now)  # fmt: skip
    assert not isinstance(asked, Refused)
    grant = listening.decide(session, made.people["authoriser"], asked.id, granted=True, note="",
                             lasts_s=86400, origin="-", now=made.parts.clock())  # fmt: skip
    assert grant is not None
    assert not isinstance(grant, Refused)
    export = ExportRow(
        grant_id=grant.id, recording_id=recording, person="supervisor", recipient=KEY,
        plain_sha256=b"p" * 32, sealed_sha256=b"s" * 32, size=1, object_key="1.age", sheet="{}",
        made_at=now, fetches=0,
    )  # fmt: skip
    session.add(export)
    session.flush()
    made.ids["export"], made.ids["export-grant"] = str(export.id), str(grant.id)
