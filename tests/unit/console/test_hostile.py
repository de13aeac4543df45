"""Whatever a browser sends, the console answers below 500: it refuses, and does not crash."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gateway.console.guard import Page
from gateway.console.routes import ROUTES
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import Browser, browser
from tests.unit.console.test_routes import LOGINS, MAY

URLS = ["//[", "http://[", "http://]", "http://[::1", "http://℀.test", "http://a:99999999/", "/"]
NUMBERS = ["0", "-1", "9" * 18, "9" * 19, "9" * 30, "9" * 5000, "1e3", "٣", "½", "x\x00", ""]
DAYS = ["9999-12-31", "0001-01-01", "0000-00-00", "2026-02-30", "٢٠٢٦-01-01"]
ODD = [*URLS, *NUMBERS, *DAYS, "%", "\\", "'", "\ud800", "字" * 500, "a\r\nb: c"]

ASKED = ("to", "done", "before", "action", "actor", "ticket", "front", "order", "state", "grant")
TYPED = (
    "login", "password", "to", "csrf", "text", "state", "page", "version", "back", "summary",
    "caller_phone", "confidential", "has_confidential", "kind", "answer", "reason", "refer_to",
    "lead", "assisting", "question", "note", "result", "measures", "phone_tail", "agent", "ticket",
    "since", "until", "recording", "purpose", "ticket_no", "granted", "lasts_s",
)  # fmt: skip
SENT = ("Origin", "HX-Current-URL", "HX-Request", "Sec-Fetch-Site", "Host", "Referer", "Range",
        "If-Range", "Cookie", "X-CSRF-Token", "Content-Type", "Accept")  # fmt: skip

anything = st.sampled_from(ODD) | st.text(max_size=40)


@pytest.fixture(scope="module")
def still(morning: scene.Morning) -> scene.Morning:
    """The house with its hub closed, so that the stream of events ends at once."""
    morning.parts.hub.close()
    return morning


@pytest.fixture(scope="module")
def browsers(still: scene.Morning) -> dict[str, TestClient]:
    """A browser of each role, and nobody's."""
    return {login: browser(still, login) for login in ("", *LOGINS.values())}


def who_may(page: Page) -> str:
    """The login of somebody whom the page lets in."""
    may = MAY[f"{page.method} {page.path}"]
    return LOGINS[min(may)] if may else ""


def encoded(pairs: list[tuple[str, str]]) -> str:
    """`pairs` as a query or a form's body, half a surrogate pair included."""
    return "&".join(
        f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in pairs
    )


def on_the_wire(value: str) -> bytes:
    """`value` as a header's bytes; the ends of lines and NUL no server lets through."""
    raw = value.encode("utf-8", "surrogatepass")
    return raw.translate(None, b"\r\n\0").strip()


def path_of(made: scene.Morning, page: Page, odd: str | None) -> str:
    """The page's path: of rows that are there, or with `odd` in place of each id."""
    there: dict[str, object] = {
        "ticket_id": made.tickets["dispatched"], "number": "WO-2026-000002",
        "recording_id": made.recordings[0], "request_id": 2, "login": "ayi",
        "grant_id": 99, "export_id": 99, "attachment_id": 99,
        "plan_id": 1, "hold_id": 1, "alert_id": 1, "parked_id": 1,
        "code": "jy",
    }  # fmt: skip
    if odd is not None:
        there = dict.fromkeys(there, quote(odd.encode("utf-8", "surrogatepass"), safe=""))
    return page.path.format(**there)


@pytest.mark.parametrize(
    ("login", "method", "path", "headers", "form"),
    [
        ("", "GET", "/sign-in?to=//[", {}, {}),
        ("", "POST", "/sign-in", {"Origin": "http://["}, {}),
        ("", "POST", "/sign-in", {}, {"login": "x", "password": "x", "to": "//["}),
        ("", "GET", "/desk/live", {"HX-Request": "true", "HX-Current-URL": "http://["}, {}),
        ("shen", "GET", "/log?before=" + "9" * 30, {}, {}),
        ("shen", "GET", "/log?before=" + "9" * 5000, {}, {}),
        ("chen", "POST", "/recordings/search", {}, {"until": "9999-12-31"}),
        ("wang", "POST", "/tickets/1/fields", {}, {"version": "9" * 5000, "summary": "x"}),
        ("wang", "POST", "/agents/5/pause", {}, {}),
    ],
)
def test_what_once_crashed(
    signed_in: Browser, login: str, method: str, path: str, headers: dict[str, str],
    form: dict[str, str],
) -> None:  # fmt: skip
    """Each of these was an error of ours with a traceback, some for who is not even signed in."""
    answer = signed_in(login).request(method, path, headers=headers, data=form or None)
    assert answer.status_code < 500


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "idna", "hex", "no-such"])
def test_a_form_in_any_character_set(still: scene.Morning, charset: str) -> None:
    """A form says itself how it is written; that must not smuggle in what no database holds."""
    body = b'--b\r\nContent-Disposition: form-data; name="summary"\r\n\r\nx+2AA-\r\n--b--\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    path = f"/tickets/{still.tickets['registered']}/fields"
    assert browser(still, "wang").post(path, content=body, headers=kind).status_code == 200


@pytest.mark.parametrize("page", ROUTES, ids=lambda page: f"{page.method} {page.path}")
@settings(max_examples=40, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_no_request_crashes_a_page(
    still: scene.Morning, browsers: dict[str, TestClient], page: Page, data: st.DataObject
) -> None:
    """Odd ids, queries, headers and fields, by who may and by nobody: never a crash."""
    client = browsers[data.draw(st.sampled_from([who_may(page), ""]))]
    path = path_of(still, page, data.draw(st.none() | st.sampled_from(ODD)))
    pairs = st.lists(st.tuples(st.sampled_from(ASKED), anything), max_size=3)
    query = encoded(data.draw(pairs))
    headers = data.draw(
        st.dictionaries(st.sampled_from(SENT), anything | st.just("true"), max_size=3)
    )
    typed = st.lists(st.tuples(st.sampled_from(TYPED), anything), max_size=4)
    body = None
    if page.method == "POST":
        body = encoded(data.draw(typed)).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    raw = {name.encode(): on_the_wire(value) for name, value in headers.items()}
    answer = client.request(page.method, f"{path}?{query}", headers=raw, content=body)
    assert answer.status_code < 500
