"""The description is OpenAPI 3.1, of every endpoint, and what comes is as described."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from gateway.api.endpoint import Endpoint
from gateway.api.openapi import document
from gateway.api.routes import ROUTES
from gateway.flow import witnessing
from gateway.people import accounts
from gateway.people.roles import Role
from queueing.tables import EmbeddedRow
from telephony.tables import CallLegRow, CallRow, LinkGapRow, LinkStateRow
from tests.acceptance.look_morning import wall
from tests.rig.acting import acting, asked_at
from tests.unit.api import schema
from tests.unit.api.scene import FORM, PULLS, Scene
from tests.unit.gateway import house


class Part(BaseModel):
    """What OpenAPI 3.1.0 allows of the objects we use, and nothing else."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class MediaType(Part):
    """4.8.14."""

    schema_: dict[str, Any] = Field(alias="schema")


class Header(Part):
    """4.8.21."""

    description: str
    required: bool
    schema_: dict[str, Any] = Field(alias="schema")


class Content(Part):
    """4.8.13 and 4.8.17, with the media types we speak."""

    description: str = ""
    required: bool = False
    headers: dict[str, Header] = {}
    content: dict[
        Literal[
            "application/json",
            "application/cloudevents+json",
            "audio/wav",
            "application/octet-stream",
        ],
        MediaType,
    ]


class Parameter(Part):
    """4.8.12."""

    name: str
    in_: Literal["path", "query"] = Field(alias="in")
    required: bool
    schema_: dict[str, Any] = Field(alias="schema")


class Operation(Part):
    """4.8.10; a response's description is required."""

    operation_id: str = Field(alias="operationId")
    summary: str
    parameters: list[Parameter]
    request_body: Content | None = Field(None, alias="requestBody")
    responses: dict[str, Content] = Field(min_length=1)
    security: list[dict[str, list[str]]]
    permissions: list[str] = Field([], alias="x-permissions")


class Document(Part):
    """4.8.1."""

    openapi: str = Field(pattern=r"^3\.1\.\d+$")
    info: dict[Literal["title", "version", "description"], str]
    paths: dict[str, dict[Literal["get", "post", "patch", "delete"], Operation]]
    components: dict[Literal["schemas", "securitySchemes"], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


def refs(node: Any) -> Iterator[str]:
    """Every `$ref` in the document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def test_the_document_is_served_as_it_is_made(there: Scene, described: dict[str, Any]) -> None:
    """Whoever generates a client from the running gateway gets this very document, unsigned."""
    answer = there.client().get("/api/openapi.json")
    assert (answer.status_code, answer.json()) == (200, described)


def test_its_structure_is_openapi_3_1(described: dict[str, Any]) -> None:
    """A generator of clients reads it: every object as the specification has it, ids unique, every
    reference to something, nothing described that nobody refers to."""
    parsed = Document.model_validate(described)
    ids = [operation.operation_id for path in parsed.paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    referred = set(refs(described))
    for ref in referred:
        schema.resolve(ref, described)
    assert {ref.rpartition("/")[2] for ref in referred} == set(parsed.components["schemas"])
    for path, operations in parsed.paths.items():
        for operation in operations.values():
            named = {one.name for one in operation.parameters if one.in_ == "path" and one.required}
            assert named == set(re.findall(r"{(\w+)}", path))
            assert all(content.description for content in operation.responses.values())


def test_every_endpoint_is_described(described: dict[str, Any]) -> None:
    """What can be called is described, with its status, its body, who may, and nothing besides."""
    parsed = Document.model_validate(described)
    told = {(method.upper(), path) for path, found in parsed.paths.items() for method in found}
    assert told == {(endpoint.method, endpoint.path) for endpoint in ROUTES}
    for endpoint in ROUTES:
        operation = parsed.paths[endpoint.path][endpoint.method.lower()]  # type: ignore[index]
        assert str(endpoint.status) in operation.responses
        assert {"400", "401", "403", "404", "409"} <= set(operation.responses)
        takes = endpoint.body is not None or endpoint.takes != ""
        assert (operation.request_body is not None) == takes
        assert (operation.security == [{"departmentKey": []}]) == endpoint.machine
        assert (operation.security == []) == (endpoint.permission is None)
        assert operation.permissions == [str(one) for one in endpoint.permission or ()]


def test_schemas_have_names_of_their_own(described: dict[str, Any]) -> None:
    """Protects: two models of one name would be told apart by our modules, which are nobody's."""
    assert [name for name in described["components"]["schemas"] if "__" in name] == []


@pytest.mark.parametrize("open_gap", [False, True])
def test_what_may_lack_calls_says_so(anew: Scene, open_gap: bool) -> None:
    """Every answer that lists or counts calls over time, while an interval without the PBX is not
    back-filled: a program must not take what is there for all there was."""
    if open_gap:
        with anew.parts.database.begin() as session:
            session.add(LinkGapRow(pbx="pbx1", began_at=anew.parts.clock(), reason="closed"))
    for login, path in (("8001", "/tickets/search"), ("supervisor", "/recordings/search")):
        answer = anew.ask(login, "POST", path, {})
        assert answer.headers["Hotline-Incomplete"] == ("true" if open_gap else "false")
    of_ticket = f"/tickets/{anew.ids['ticket']}"
    for login, path in (("8001", "/desk"), ("8001", of_ticket)):
        assert anew.ask(login, "GET", path).json()["incomplete"] is open_gap
    with anew.parts.database.begin() as session:
        session.add(LinkStateRow(pbx="pbx1", connected=True, since_at=1, unknown_events=0,
                                 last_packet_at=1, link_session="s"))  # fmt: skip
    board = anew.ask("supervisor", "GET", "/presence").json()
    assert (board["incomplete"], board["complete"]) == (open_gap, not open_gap)


def test_the_check_itself_can_fail(described: dict[str, Any]) -> None:
    """A check that lets everything through would prove nothing below."""
    fault = {"$ref": "#/components/schemas/Fault"}
    schema.fits({"message": "x", "fields": {}}, fault, described)
    wrong: list[Any] = [{}, {"message": 1}, {"message": "x", "more": 1}, [], None,
                        {"message": "x", "fields": []}]  # fmt: skip
    for one in wrong:
        with pytest.raises(schema.Unfit):
            schema.fits(one, fault, described)
    for value, kind in (
        (True, {"type": "integer"}),
        ("x", {"pattern": "y"}),
        ("x", {"enum": ["y"]}),
    ):
        with pytest.raises(schema.Unfit):
            schema.fits(value, kind, described)


class Walker:
    """Makes requests and holds every answer against the document; remembers where it has been."""

    def __init__(self, made: Scene, described: dict[str, Any]) -> None:
        self.made = made
        self.described = described
        self.seen: set[tuple[str, str]] = set()

    def go(self, login: str, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON, once it is what the document says of a success."""
        endpoint = _endpoint(method, "/api/v1" + path.partition("?")[0])
        answer = self._asked(login, method, path, body)
        assert answer.status_code == endpoint.status, answer.text
        operation = self.described["paths"][endpoint.path][method.lower()]
        described = operation["responses"][str(answer.status_code)]
        assert all(name in answer.headers for name in described.get("headers", {}))
        content = described["content"]
        schema.fits(answer.json(), content["application/json"]["schema"], self.described)
        self.seen.add((method, endpoint.path))
        return answer.json()

    def refused(self, login: str, method: str, path: str, body: Any, status: int) -> None:
        """A refusal is as described as well."""
        endpoint = _endpoint(method, "/api/v1" + path)
        answer = self._asked(login, method, path, body)
        assert answer.status_code == status, answer.text
        operation = self.described["paths"][endpoint.path][method.lower()]
        content = operation["responses"][str(status)]["content"]
        schema.fits(answer.json(), content["application/json"]["schema"], self.described)

    def _asked(self, login: str, method: str, path: str, body: Any) -> Any:
        """By a person, or by the program of the department that pulls."""
        if login == PULLS:
            return self.made.turn(path.removeprefix("/department"), body)
        return self.made.ask(login, method, path, body)


def _endpoint(method: str, path: str) -> Endpoint:
    for endpoint in ROUTES:
        if endpoint.method == method and re.fullmatch(
            re.sub(r"{\w+}", "[^/]+", endpoint.path), path
        ):
            return endpoint
    raise AssertionError(f"{method} {path}")


BYTES = {
    ("GET", "/api/v1/recordings/{id}/plays/{play}/audio"),
    ("GET", "/api/v1/recordings/{id}/plays/{play}/peaks"),
    ("GET", "/api/v1/recording-exports/{id}/file"),
    ("GET", "/api/v1/department/files/{token}"),
}
"""The recording of this scene has a row and no audio: here these are refused as described; what
they give is tried in the console's matrix, where it is real."""


def test_a_whole_day_is_as_described(anew: Scene, described: dict[str, Any]) -> None:
    """Every endpoint succeeds once on the way of a call to its evidence, and each answer, list and
    refusal is what the document promises; none is left out."""
    walk = Walker(anew, described)
    with anew.parts.database.begin() as session:
        accounts.add(session, login="signing", name="签到", role=Role.LEADER,
                     password=house.PASSWORD, now=anew.parts.clock())  # fmt: skip
        for number, name in enumerate(("given-up", "asked", "wrong-door", "kept")):
            call = house.call(session, f"1795400009.{number}")
            anew.ids[name] = str(house.queued(session, call).id)
            if name == "given-up":
                house.ended(session, call, "abandoned")
    opened = walk.go("", "POST", "/sessions", {"login": "signing", "password": house.PASSWORD})
    assert opened["person"]["role"] == "leader"
    walk.refused("", "POST", "/sessions", {"login": "signing", "password": "wrong"}, 401)
    walk.go("8001", "DELETE", "/sessions")
    _presence(walk)
    _tickets(walk)
    _orders(walk)
    _listening(walk)
    _matters(walk)
    _machine(walk)
    with acting() as pbx:
        settings = asked_at(anew.parts.settings, pbx.url)
        anew.parts = replace(anew.parts, settings=settings)
        _control(walk)
    assert walk.seen | BYTES == {(endpoint.method, endpoint.path) for endpoint in ROUTES}


def _presence(walk: Walker) -> None:
    with walk.made.parts.database.begin() as session:
        wall(session, walk.made.parts.clock())
        session.add(LinkStateRow(pbx="pbx1", connected=False, since_at=1, last_packet_at=1,
                                 link_session="s", unknown_events=0))  # fmt: skip
    seen = walk.go("leader", "GET", "/presence")
    assert seen["complete"] is False
    assert {agent["state"] for agent in seen["agents"]} > {"idle", "holding", "offline"}
    assert [queue["waiting"] for queue in seen["queues"]] == [3, 0]


def _machine(walk: Walker) -> None:
    path = "/department/messages"
    walk.made.machine()
    with walk.made.parts.database.begin() as session:
        session.add(EmbeddedRow(queue=f"department.{PULLS}", routing_key="", dedupe_key="k",
                                body=b'{"id": "k"}', claimable_at=1, enqueued_at=1))  # fmt: skip
    (message,) = walk.go(PULLS, "POST", path, {"max": 1})
    ended = {"id": message["id"], "lease": message["lease"], "outcome": "ack"}
    assert walk.go(PULLS, "POST", path + "/settle", {"messages": [ended]})[0]["settled"]
    assert walk.go(PULLS, "POST", "/department/replies", {})["code"] == "unreadable"
    walk.refused(PULLS, "POST", path, {"max": 0}, 400)
    walk.refused("", "POST", path, {}, 401)


def _tickets(walk: Walker) -> None:
    ids = walk.made.ids
    assert walk.go("8001", "GET", "/desk")["call_backs_due"]
    walk.go("8001", "POST", f"/tickets/{ids['given-up']}/called-back")
    walk.refused("8001", "POST", f"/tickets/{ids['given-up']}/called-back", None, 409)
    assert len(walk.go("8001", "GET", "/departments")) == 2
    for name in ("asked", "wrong-door", "kept"):
        walk.refused("8001", "POST", f"/tickets/{ids[name]}/register", None, 400)
        walk.go("8001", "PATCH", f"/tickets/{ids[name]}", {"fields": FORM})
        walk.go("8001", "POST", f"/tickets/{ids[name]}/register")
    walk.go("8001", "POST", f"/tickets/{ids['asked']}/answer", {"answer": "已答复"})
    refusal = {"reason": "不属本部门", "refer_to": "医保局"}
    walk.go("8001", "POST", f"/tickets/{ids['wrong-door']}/refuse", refusal)
    assert walk.go("8001", "POST", f"/tickets/{ids['kept']}/accept")["acceptance_no"]
    assert walk.go("8001", "POST", "/tickets/search", {"text": "养老"})
    file = {"name": "x.txt", "content": "eA=="}
    assert walk.go("8001", "POST", f"/tickets/{ids['ticket']}/attachments", file)["size"] == 1
    assert walk.go("8001", "GET", f"/tickets/{ids['dispatched']}")["recordings"]


def _control(walk: Walker) -> None:
    ticket = walk.made.ids["ticket"]
    assert walk.go("8001", "POST", f"/tickets/{ticket}/call")["purpose"] == "contact"
    walk.refused("8001", "POST", f"/tickets/{ticket}/call", None, 409)
    assert walk.go("8001", "GET", f"/tickets/{ticket}")["placed"]
    with walk.made.parts.database.begin() as session:
        call = session.scalars(select(CallRow).limit(1)).one()
        call.recording_started_at = house.NOW
        session.add(CallLegRow(call_id=call.id, leg="x", interface="PJSIP/8001", member="",
                               answered_at=house.NOW, result="answered", held_us=0))  # fmt: skip
        house.answered(session, call, "PJSIP/8001")
    walk.refused("8001", "POST", "/desk/recording/pause", {"reason": "lunch"}, 400)
    assert walk.go("8001", "POST", "/desk/recording/pause", {"reason": "bank_card"})["call"]
    assert walk.go("8001", "POST", "/desk/recording/resume")["ended_by"] == "8001"
    walk.refused("8001", "POST", "/desk/recording/resume", None, 409)
    assert walk.go("8001", "POST", "/desk/pause", {"reason": "meal"})["until_at"] is None
    walk.go("8001", "POST", "/desk/ready")
    for_8001 = "/agents/8001"
    pause = walk.go("supervisor", "POST", for_8001 + "/pause", {"reason": "wrapup"})
    assert (pause["login"], pause["asked_by"]) == ("8001", "supervisor")
    walk.go("supervisor", "POST", for_8001 + "/ready")
    walk.refused("supervisor", "POST", "/agents/nobody/ready", None, 404)


def _orders(walk: Walker) -> None:
    path = f"/tickets/{walk.made.ids['kept']}"
    body = {"departments": ["yanglao", "gongshang"], "question": "请核实"}
    first, second = walk.go("8001", "POST", path + "/dispatch", body)
    walk.go(
        "other-officer", "POST", f"/work-orders/{second['number']}/return", {"reason": "非我职责"}
    )
    again = {"departments": ["gongshang"]}
    taken = walk.go("8001", "POST", path + "/dispatch", again)[0]
    why = {"reason": "来电人再次来电"}
    walk.go("8001", "POST", f"/work-orders/{taken['number']}/urge", why)
    walk.go("leader", "POST", f"/work-orders/{taken['number']}/supervise", why)
    asked = why | {"question": "请一并核查上月"}
    changed = walk.go("8001", "POST", f"/work-orders/{taken['number']}/change", asked)
    assert changed["question"] == "请一并核查上月"
    walk.refused("8001", "POST", f"/work-orders/{taken['number']}/change", asked, 400)
    way = walk.go("8001", "GET", f"/work-orders/{taken['number']}/timeline")
    assert (way["current"], way["steps"][0]["stage"]) == ("published", "committed")
    walk.go("8001", "POST", f"/work-orders/{taken['number']}/withdraw", why)
    walk.refused("8001", "POST", f"/work-orders/{taken['number']}/urge", why, 409)
    third = walk.go("8001", "POST", path + "/dispatch", again)[0]
    for officer, order in (("officer", first), ("other-officer", third)):
        done = {"result": "已补发", "measures": "已告知"}
        walk.refused(officer, "POST", f"/work-orders/{order['number']}/reply", done, 409)
        walk.go(officer, "POST", f"/work-orders/{order['number']}/sign")
        decided = {"granted": False, "reason": "请按期反馈"}
        wish = {"until": f"{date.today() + timedelta(60)}", "reason": "须外单位协助"}  # noqa: DTZ011
        walk.go(officer, "POST", f"/work-orders/{order['number']}/ask-extension", wish)
        walk.go(officer, "POST", f"/work-orders/{order['number']}/progress", {"text": "在核实"})
        walk.go(officer, "POST", f"/work-orders/{order['number']}/remark", {"text": "请一并看"})
        walk.go("supervisor", "POST", f"/work-orders/{order['number']}/extend", decided)
        walk.go(officer, "POST", f"/work-orders/{order['number']}/reply", done)
    assert walk.go("officer", "GET", "/work-orders?state=replied")[0]["order"]["result"] == "已补发"
    note = {"note": "电话告知，满意"}
    walk.refused("8001", "POST", path + "/close", note, 403)  # 回访: not by who handled it
    kept = int(walk.made.ids["kept"])
    assert kept in [row["id"] for row in walk.go("8002", "GET", "/desk")["follow_ups_due"]]
    assert walk.go("8002", "POST", path + "/close", note)["state"] == "closed"
    actions = [step["action"] for step in walk.go("leader", "GET", path)["steps"]]
    assert actions == ["open", "register", "accept", "dispatch", "return", "dispatch",
                       "urge", "supervise", "change", "withdraw", "dispatch",
                       *("sign", "ask-extension", "progress", "remark", "not-extend", "reply") * 2,
                       "close"]  # fmt: skip


def _used(walk: Walker, recording: int, grant: int) -> None:
    plays, over = f"/recordings/{recording}/plays", f"/recording-grants/{grant}/end"
    begun = walk.go("supervisor", "POST", plays, {"grant": grant})
    assert begun["left"] == 2
    for kind in ("audio", "peaks"):
        walk.refused("supervisor", "GET", f"{plays}/{begun['id']}/{kind}", None, 409)
        walk.refused("deputy", "GET", f"{plays}/{begun['id']}/{kind}", None, 403)
    walk.refused("supervisor", "POST", plays, {"grant": 9999}, 403)
    assert walk.go("authoriser", "POST", over)["grant"]["ended_at"]
    walk.refused("authoriser", "POST", over, None, 409)
    glass = {"recordings": [recording], "reason": "来电人称要轻生，须立即核对地址"}
    assert walk.go("supervisor", "POST", "/recordings/break-glass", glass)["urgent"] is True
    walk.refused("supervisor", "POST", "/recordings/break-glass", glass | {"reason": "急"}, 400)
    exports = f"/recordings/{recording}/exports"
    made = walk.go("supervisor", "POST", exports, {"grant": int(walk.made.ids["export-grant"])})
    assert walk.go("supervisor", "GET", f"/recording-exports/{made['id']}") == made
    walk.refused("supervisor", "GET", f"/recording-exports/{made['id']}/file", None, 409)
    walk.refused("supervisor", "POST", exports, {"grant": grant}, 403)


def _matters(walk: Walker) -> None:
    one, other = (f"/tickets/{walk.made.ids[name]}" for name in ("asked", "wrong-door"))
    named = walk.go("leader", "POST", one + "/recusals", {"login": "8002"})
    assert [each["because"] for each in named["recused"]] == ["named"]
    walk.refused("leader", "POST", one + "/recusals", {"login": "nobody"}, 400)
    assert walk.go("supervisor", "GET", one + "/recusals") == named
    joined = walk.go("supervisor", "POST", other + "/join", {"into": f"#{walk.made.ids['asked']}"})
    assert joined["joined"] == [int(walk.made.ids["asked"])]
    assert [each["login"] for each in joined["recused"]] == ["8002"]
    walk.refused("supervisor", "POST", other + "/join", {"into": "#1"}, 409)
    assert walk.go("leader", "POST", one + "/recusals/lift", {"login": "8002"})["recused"] == []


def _listening(walk: Walker) -> None:
    recording = int(walk.made.ids["recording"])
    assert walk.go("supervisor", "POST", "/recordings/search", {"phone_tail": "8013"})
    ask = {"recordings": [recording], "purpose": "complaint", "ticket_no": "#1", "reason": "核对"}
    asked = walk.go("supervisor", "POST", "/recording-requests", ask)
    assert asked["state"] == "pending"
    path = f"/recording-requests/{asked['id']}/decision"
    walk.refused("authoriser", "POST", path, {"granted": False}, 400)
    decided = walk.go("authoriser", "POST", path, {"granted": True, "lasts_s": 600})
    assert decided["grant"]
    walk.refused("authoriser", "POST", path, {"granted": True}, 403)
    _used(walk, recording, decided["grant"]["id"])
    walk.refused("authoriser", "POST", path, {"granted": True}, 403)
    assert walk.go("authoriser", "GET", "/recording-requests")
    lines = walk.go("auditor", "GET", "/log?actor=authoriser")
    assert lines[0]["outcome"] == "denied"
    before = lines[0]["line"]
    assert all(line["line"] < before for line in walk.go("auditor", "GET", f"/log?before={before}"))
    assert walk.go("auditor", "GET", "/log/verdict")["intact"] is True
    assert walk.go("auditor", "GET", "/log/checkpoint")["note"] is None
    witnessing.sign(walk.made.parts)
    size = walk.go("auditor", "GET", "/log/checkpoint")["size"]
    assert walk.go("auditor", "GET", "/log/proof?line=2")["size"] == size
    assert walk.go("auditor", "GET", f"/log/consistency?first=1&second={size}")["path"]
