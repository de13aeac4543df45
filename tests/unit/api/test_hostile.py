"""Whatever is sent, the answer is a clear 4xx in both languages and never a crash of ours."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.endpoint import BODY_MAX, Endpoint
from gateway.api.routes import ROUTES
from gateway.people.roles import PERMISSIONS, Role
from gateway.tickets.paging import SOUGHT_MAX
from tests.unit.api.scene import BY_ROLE, Scene

BOTH = re.compile(r"[\u4e00-\u9fff].*[A-Za-z]{2}", re.DOTALL)
WITH_BODY = [endpoint for endpoint in ROUTES if endpoint.body is not None]
NUL, HIGH, LOW = "\\u0000", "\\ud83d", "\\udc00"


def name_of(endpoint: Endpoint) -> str:
    """`POST /api/v1/sessions`."""
    return f"{endpoint.method} {endpoint.path}"


def login_for(endpoint: Endpoint) -> str:
    """Somebody who may call it."""
    for role in Role:
        if set(endpoint.permission or ()) <= PERMISSIONS[role]:
            return BY_ROLE[role]
    return next(
        BY_ROLE[role] for role in Role if set(endpoint.permission or ()) & PERMISSIONS[role]
    )


def send(made: Scene, endpoint: Endpoint, raw: bytes) -> Any:
    """`raw` as the body, signed in; the response."""
    token = made.machine() if endpoint.machine else made.token(login_for(endpoint))
    headers = {"Authorization": f"Bearer {token}",
               "Content-Type": "application/json"}  # fmt: skip
    path = made.path(endpoint.path)
    return made.client().request(endpoint.method, path, content=raw, headers=headers)


def clear(answer: Any) -> None:
    """A 4xx whose every message is Chinese first with English beside it."""
    assert 400 <= answer.status_code < 500, answer.text
    fault = answer.json()
    assert set(fault) <= {"message", "fields"}
    for told in (fault["message"], *fault.get("fields", {}).values()):
        assert BOTH.search(told), told


NO_BODIES = [
    b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"{}}", b'{"a":NaN}', b"[" * 5000,
    b'{"a":' * 5000, b"\xef\xbb\xbf{}", json.dumps({"version": 10**400}).encode(),
    b'{"fields":{"a":1e999}}',
]  # fmt: skip


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_no_json_is_told(there: Scene, endpoint: Endpoint) -> None:
    """A program's broken body is 400 with what is wrong, whatever it is broken by."""
    for raw in NO_BODIES:
        answer = send(there, endpoint, raw)
        clear(answer)
        assert answer.status_code == 400, raw[:20]


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_an_unknown_field_is_refused_by_its_name(there: Scene, endpoint: Endpoint) -> None:
    """A mistyped field would otherwise be lost without a word."""
    answer = send(there, endpoint, b'{"sumary": "x"}')
    assert answer.status_code == 400
    assert "sumary" in answer.json()["fields"]


def test_too_large_is_told_before_it_is_read_through(there: Scene) -> None:
    """2 MiB are refused; a form as large as can be meant is not."""
    filling = next(one for one in WITH_BODY if one.method == "PATCH")
    body = {"fields": {"summary": "字" * 19_000, "demand": "字" * 19_000}}
    assert send(there, filling, json.dumps(body).encode()).status_code == 200
    huge = json.dumps({"fields": {"summary": "x" * 2 * BODY_MAX}}).encode()
    answer = send(there, filling, huge)
    clear(answer)
    assert "1 MiB" in answer.json()["message"]


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "9" * 15, "9" * 19, "9" * 400, "1e3", "1.0", "0x1", "٣", "½", "%00", "a%00b",
     "%ED%A0%80", "%FF", "1;DROP TABLE ticket", "%27%20OR%201=1--", "..%2f..%2fetc"],
)  # fmt: skip
def test_a_number_in_a_path_that_is_none(on_each: Scene, number: str) -> None:
    """What names no row is not found, on either database, however large or odd it is."""
    tried: tuple[tuple[str, str, str, Any], ...] = (
        ("supervisor", "GET", f"/tickets/{number}", None),
        ("supervisor", "POST", f"/tickets/{number}/accept", None),
        ("officer", "POST", f"/work-orders/{number}/sign", None),
        ("officer", "POST", f"/work-orders/{number}/reply", {"result": "x"}),
    )
    for login, method, path, body in tried:
        clear(answer := on_each.ask(login, method, path, body))
        assert answer.status_code == 404, path
    granted = {"granted": True}
    clear(on_each.ask("authoriser", "POST", f"/recording-requests/{number}/decision", granted))


QUERIES = {
    "/work-orders": ("officer", ("state",)),
    "/log": ("auditor", ("before", "action", "actor")),
    "/log/proof": ("auditor", ("line",)),
    "/log/consistency": ("auditor", ("first", "second")),
}
ODD = ("%00", "a%00b", "%ED%A0%80", "%FF%FE", "9" * 9, "9" * 30, "-1", "0", "٣", "%25_%5C", "'",
       "x" * 5000)  # fmt: skip


def test_every_query_is_tried_and_none_is_a_number_of_a_caller() -> None:
    """An endpoint that takes a new parameter must be among those tried; what may be a telephone
    number belongs into a body, not into an address that proxies write down (promise 10)."""
    assert {e.path.removeprefix("/api/v1"): e.query for e in ROUTES if e.query} == {
        path: names for path, (_, names) in QUERIES.items()
    }


@pytest.mark.parametrize("path", QUERIES)
def test_an_odd_query_finds_nothing_or_is_refused(on_each: Scene, path: str) -> None:
    """What is looked for may be anything; neither database chokes on it."""
    login, names = QUERIES[path]
    for name in names:
        for value in ODD:
            answer = on_each.ask(login, "GET", f"{path}?{name}={value}")
            assert answer.status_code in (200, 400), (name, value, answer.text)


@pytest.mark.parametrize(
    "text", ["", "%", "_", "\\", "'", "\x00", "a\x00b", "٣", "9" * 30, "x" * SOUGHT_MAX]
)
def test_an_odd_search_finds_no_more_than_it_says(on_each: Scene, text: str) -> None:
    """A wildcard of SQL is a letter like any other: only an empty search finds everything."""
    for path, names in (
        ("/tickets/search", ("text", "state")),
        ("/recordings/search", ("phone_tail", "agent", "ticket")),
    ):
        for name in names:
            answer = on_each.ask("supervisor", "POST", path, {name: text})
            assert answer.status_code == 200, (path, name)
            assert bool(answer.json()) == (text in ("", "\x00")), (path, name, answer.json())


@pytest.mark.parametrize("length", [SOUGHT_MAX + 1, 30_000])
def test_too_long_a_search_is_told(on_each: Scene, length: int) -> None:
    """SQLite takes no pattern beyond 50 000 bytes: refused with the field's name before it does."""
    for path, name in (
        ("/tickets/search", "text"),
        ("/recordings/search", "phone_tail"),
        ("/recordings/search", "agent"),
        ("/recordings/search", "ticket"),
        ("/recordings/search", "queue"),
        ("/recordings/search", "acceptance"),
    ):
        answer = on_each.ask("supervisor", "POST", path, {name: "字" * length})
        clear(answer)
        assert name in answer.json()["fields"]


def bodies_with(text: str) -> Mapping[str, str]:
    """For every endpoint with a body: a body good but for `text` in each of its strings."""
    return {
        "POST /api/v1/sessions": f'{{"login": "{text}", "password": "{text}"}}',
        "PATCH /api/v1/tickets/{id}": f'{{"fields": {{"summary": "{text}", "demand": "{text}"}}}}',
        "POST /api/v1/tickets/search": f'{{"text": "{text}", "state": "{text}"}}',
        "POST /api/v1/recordings/search":
            f'{{"phone_tail": "{text}", "agent": "{text}", "ticket": "{text}", '
            f'"queue": "{text}", "acceptance": "{text}"}}',
        "POST /api/v1/tickets/{id}/answer": f'{{"answer": "{text}"}}',
        "POST /api/v1/tickets/{id}/refuse": f'{{"reason": "{text}", "refer_to": "{text}"}}',
        "POST /api/v1/tickets/{id}/dispatch":
            f'{{"departments": ["yanglao", "{text}"], "question": "{text}"}}',
        "POST /api/v1/tickets/{id}/close": f'{{"note": "{text}"}}',
        "POST /api/v1/work-orders/{number}/reply": f'{{"result": "{text}", "measures": "{text}"}}',
        "POST /api/v1/work-orders/{number}/return": f'{{"reason": "{text}"}}',
        "POST /api/v1/work-orders/{number}/ask-extension":
            f'{{"until": "{text}", "reason": "{text}"}}',
        "POST /api/v1/work-orders/{number}/progress": f'{{"text": "{text}"}}',
        "POST /api/v1/work-orders/{number}/remark": f'{{"text": "{text}"}}',
        "POST /api/v1/work-orders/{number}/change":
            f'{{"reason": "{text}", "question": "{text}", "demand": "{text}", "due": "{text}"}}',
        "POST /api/v1/work-orders/{number}/urge": f'{{"reason": "{text}"}}',
        "POST /api/v1/work-orders/{number}/supervise": f'{{"reason": "{text}"}}',
        "POST /api/v1/work-orders/{number}/withdraw": f'{{"reason": "{text}"}}',
        "POST /api/v1/work-orders/{number}/extend":
            f'{{"granted": true, "reason": "{text}", "until": "{text}"}}',
        "POST /api/v1/recording-requests":
            f'{{"recordings": [1], "purpose": "{text}", "ticket_no": "{text}", '
            f'"reason": "{text}", "kind": "export", "recipient": "{text}"}}',
        "POST /api/v1/recordings/break-glass": f'{{"recordings": [1], "reason": "{text}"}}',
        "POST /api/v1/recordings/{id}/plays": '{"grant": 1}',
        "POST /api/v1/recordings/{id}/exports": '{"grant": 1}',
        "POST /api/v1/tickets/{id}/recusals": f'{{"login": "{text}"}}',
        "POST /api/v1/tickets/{id}/recusals/lift": f'{{"login": "{text}"}}',
        "POST /api/v1/tickets/{id}/join": f'{{"into": "{text}"}}',
        "POST /api/v1/recording-requests/{id}/decision":
            f'{{"granted": false, "note": "{text}"}}',
        "POST /api/v1/desk/recording/pause": f'{{"reason": "{text}"}}',
        "POST /api/v1/tickets/{id}/attachments": f'{{"name": "{text}", "content": "{text}"}}',
        "POST /api/v1/department/messages": f'{{"max": "{text}"}}',
        "POST /api/v1/department/messages/settle":
            f'{{"messages": [{{"id": 1, "lease": 1, "outcome": "{text}"}}]}}',
        "POST /api/v1/desk/pause": f'{{"reason": "{text}"}}',
        "POST /api/v1/agents/{login}/pause": f'{{"reason": "{text}"}}',
    }  # fmt: skip


@pytest.mark.parametrize("text", [NUL, f"a{NUL}b", HIGH, LOW, f"a{LOW}{HIGH}", "字" * 30_000])
def test_strings_no_database_can_hold(anew: Scene, text: str) -> None:
    """NUL, half a surrogate pair, a text beyond every bound, in every string of every body: taken
    without them or refused, on both databases."""
    bodies = bodies_with(text)
    assert set(bodies) == {name_of(endpoint) for endpoint in WITH_BODY}
    for endpoint in WITH_BODY:
        answer = send(anew, endpoint, bodies[name_of(endpoint)].encode())
        assert answer.status_code < 500, (name_of(endpoint), answer.text)
        if answer.status_code >= 400:
            clear(answer)


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30, -(2**63) - 1, -1, 0])
def test_numbers_no_database_can_hold(on_each: Scene, number: int) -> None:
    """An id or span larger than the columns is refused, not handed to the driver."""
    asked = {"recordings": [number], "purpose": "verify", "ticket_no": "#1", "reason": "x"}
    path = f"/recording-requests/{on_each.ids['request']}/decision"
    clear(on_each.ask("supervisor", "POST", "/recording-requests", asked))
    clear(on_each.ask("authoriser", "POST", path, {"granted": True, "lasts_s": number}))
    clear(on_each.ask("authoriser", "POST", path, {"granted": True, "plays": number}))
    clear(on_each.ask("supervisor", "POST", "/recordings/1/plays", {"grant": number}))
    clear(on_each.ask("leader", "POST", "/tickets/1/recusals", {"call": number}))
    stale = {"version": number, "fields": {}}
    answer = on_each.ask("8001", "PATCH", f"/tickets/{on_each.ids['ticket']}", stale)
    clear(answer)
    assert answer.status_code in (400, 409)


def test_an_unknown_path_or_method_answers_in_json(there: Scene) -> None:
    """A program that mistypes a path gets JSON it can read, not a page."""
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/v2/tickets", 404),
        ("PUT", "/api/v1/tickets/1", 405),
        ("GET", "/api/v1/tickets", 404),
        ("DELETE", "/api/v1/desk", 405),
    ):
        answer = there.client().request(method, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
        clear(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def near(draw: st.DrawFn, endpoint: Endpoint) -> bytes:
    """A body with the endpoint's own field names and anything in them, or any JSON at all."""
    if draw(st.integers(0, 4)) == 0 or endpoint.body is None:
        return json.dumps(draw(JSON)).encode("utf-8", "surrogatepass")
    known = {
        "recordings": st.lists(st.integers(), max_size=3), "departments": st.lists(st.text()),
        "fields": st.dictionaries(st.sampled_from(["summary", "kind", "confidential"]) | st.text(),
                                  st.text()),
        "granted": st.booleans(), "lasts_s": st.integers(), "version": st.integers() | st.none(),
    }  # fmt: skip
    body = {
        name: draw(known.get(name, st.text()) | JSON)
        for name in endpoint.body.model_fields
        if draw(st.integers(0, 5))
    }
    return json.dumps(body).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
@settings(max_examples=25, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_no_json_crashes_an_endpoint(there: Scene, endpoint: Endpoint, data: st.DataObject) -> None:
    """Whatever JSON comes, the answer is below 500, and a refusal is told in both languages."""
    answer = send(there, endpoint, data.draw(near(endpoint)))
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert BOTH.search(answer.json()["message"])
