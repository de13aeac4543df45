"""Before every page: sessions, CSRF, refusals on record, security headers, where errors lead."""

import pytest
from sqlalchemy import select, text
from starlette.testclient import TestClient

from gateway import compose
from gateway.console.guard import Page
from gateway.console.headers import HEADERS
from gateway.console.routes import ROUTES
from gateway.console.visit import TOKEN_COOKIE
from gateway.flow.knocks import MINUTE_US, ORIGINS, Knocks
from recordings.tables import AuditLineRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import Browser, browser
from tests.unit.console.test_routes import LOGINS, MAY

UNSAFE = [page for page in ROUTES if page.method == "POST" and page.path != "/sign-in"]


def lines(morning: scene.Morning) -> list[AuditLineRow]:
    """The whole log, oldest first."""
    with morning.parts.database.reading() as session:
        return list(session.scalars(select(AuditLineRow).order_by(AuditLineRow.id)))


@pytest.mark.parametrize("page", UNSAFE, ids=lambda page: page.path)
def test_a_form_without_our_token_is_refused(morning: scene.Morning, page: Page) -> None:
    """Another site's form, sent by the browser with the cookie of who may, must change nothing."""
    path = page.path.format(ticket_id=1, number="WO-2026-000001", request_id=1,
                            login="ayi", recording_id=1, grant_id=1, export_id=1, plan_id=1,
                            hold_id=1, alert_id=1, parked_id=1, code="jy",
                            attachment_id=1)  # fmt: skip
    may = MAY[f"{page.method} {page.path}"] or ()
    client = browser(morning, LOGINS[min(may)])
    del client.headers["X-CSRF-Token"]
    for token in ("", "somebody else's", "é"):
        headers = [(b"X-CSRF-Token", token.encode())]
        assert client.post(path, data={"csrf": token}).status_code == 403
        assert client.post(path, headers=headers).status_code == 403


def test_the_token_also_comes_in_the_form(signed_in: Browser) -> None:
    """Without scripts a form still works: its hidden field is enough."""
    client = signed_in("wang")
    token = client.headers.pop("X-CSRF-Token")
    assert client.post("/tickets/search", data={"csrf": token}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://elsewhere.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "null", "Host": ""}, 403),
        ({"Origin": "http://hotline.test"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 303),
    ],
)
def test_nobody_is_signed_in_by_another_site(
    signed_in: Browser, headers: dict[str, str], status: int
) -> None:
    """Login CSRF: a victim signed in as the attacker would write into the attacker's account."""
    form = {"login": "wang", "password": scene.PASSWORD}
    assert signed_in("").post("/sign-in", data=form, headers=headers).status_code == status


def test_signing_in_and_out(bare: scene.Morning) -> None:
    """The cookie is out of scripts' and other sites' reach, and worth nothing after signing out."""
    client = browser(bare, "")
    form = {"login": "wang", "password": scene.PASSWORD, "to": "/tickets"}
    answer = client.post("/sign-in", data=form)
    assert answer.headers["location"] == "/tickets"
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    token = client.cookies[TOKEN_COOKIE]
    page = client.get("/tickets").text
    csrf = page.split('name="csrf" content="')[1].split('"')[0]
    assert client.post("/sign-out", data={"csrf": csrf}).status_code == 303
    again = browser(bare, "")
    again.cookies.set(TOKEN_COOKIE, token)
    assert again.get("/tickets").status_code == 303
    acts = [(line.action, line.actor, line.outcome) for line in lines(bare)]
    assert acts == [("people:session:open", "wang", "ok"), ("people:session:close", "wang", "ok")]


def test_over_https_the_cookie_stays_there(bare: scene.Morning) -> None:
    """A session that began encrypted must not travel in the clear."""
    client = browser(bare, "")
    client.base_url = "https://hotline.test"
    answer = client.post("/sign-in", data={"login": "wang", "password": scene.PASSWORD})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "to", ["//evil.test", "https://evil.test/", "/\\evil.test", "evil", "/a\r\nSet-Cookie: x=1"]
)
def test_signing_in_leads_nowhere_else(signed_in: Browser, to: str) -> None:
    """A crafted link must not send a clerk to a copy of this page on another host."""
    form = {"login": "wang", "password": scene.PASSWORD, "to": to}
    assert signed_in("").post("/sign-in", data=form).headers["location"] == "/desk"


def test_a_wrong_password_is_told_and_on_record(bare: scene.Morning) -> None:
    """Guessing must show in the log; what was typed as a login may be a password and must not."""
    answer = browser(bare, "").post("/sign-in", data={"login": "hunter2", "password": "nope"})
    assert answer.status_code == 401
    assert "账号或密码不正确" in answer.text
    assert 'value="hunter2"' in answer.text, "the login was lost"
    (line,) = lines(bare)
    assert (line.action, line.actor, line.outcome) == ("people:session:open", "-", "denied")


def test_five_wrong_passwords_lock(bare: scene.Morning) -> None:
    """The count must be committed although each attempt is refused."""
    client = browser(bare, "")
    for _ in range(5):
        client.post("/sign-in", data={"login": "wang", "password": "wrong"})
    answer = client.post("/sign-in", data={"login": "wang", "password": scene.PASSWORD})
    assert answer.status_code == 429


@pytest.mark.parametrize(
    ("login", "path"),
    [("wang", "/recordings"), ("he", "/recordings/1"), ("guan", "/recordings/1/audio?grant=1"),
     ("shen", "/requests"), ("", "/recordings/1/audio?grant=1")],
)  # fmt: skip
def test_a_refusal_at_recordings_is_on_record(bare: scene.Morning, login: str, path: str) -> None:
    """Nobody tries to listen without leaving a line (DESIGN §3, promise 5)."""
    answer = browser(bare, login).get(path)
    assert answer.status_code == (403 if login else 303)
    (line,) = lines(bare)
    assert (line.actor, line.outcome) == (login or "-", "denied")
    page = path.partition("?")[0].replace("/1", "/{recording_id}")  # there is no recording 1
    assert line.obj == page


@pytest.mark.parametrize("login", ["wang", ""])
def test_a_refusal_names_the_recording_and_no_number(bare: scene.Morning, login: str) -> None:
    """The log names what somebody tried to hear; a telephone number in the address is no id and
    stays out (DESIGN §3, promise 10)."""
    made = scene.record(bare, "1700000000.1", 0.1)
    before = len(lines(bare))
    for path in (
        f"/recordings/{made}/audio",
        "/recordings/13800138000",
        "/recordings/0",
        "/recordings/x",
    ):
        browser(bare, login).get(path)
    told = [line.obj for line in lines(bare)[before:]]
    unknown = "/recordings/{recording_id}"
    assert told == [f"/recordings/{made}/audio", unknown, unknown, unknown]


def test_knocking_does_not_fill_the_log(bare: scene.Morning) -> None:
    """Who is not signed in has one line a minute and the next says how many there were; who is
    signed in has each one."""
    nobody, wang = browser(bare, ""), browser(bare, "wang")
    for _ in range(5):
        assert nobody.get("/recordings").status_code == 303
        assert nobody.get("/desk").status_code == 303, "not a page of recordings: no line anyhow"
        assert wang.get("/recordings").status_code == 403
    mine = [line for line in lines(bare) if line.actor == "-"]
    assert len(mine) in (1, 2), "one, or two over the turn of a minute"
    assert len(lines(bare)) - len(mine) == 5
    assert "left_out" not in mine[0].detail


def test_what_was_left_out_is_told() -> None:
    """Nothing is dropped without a trace, and no number of addresses makes lines without end."""
    knocks = Knocks()
    assert [knocks.left_out("a", second * MINUTE_US // 60) for second in (60, 61, 119)] == [
        0,
        None,
        None,
    ]
    assert knocks.left_out("b", 2 * MINUTE_US - 1) == 2
    assert knocks.left_out("a", 2 * MINUTE_US) == 0
    written = [knocks.left_out(str(one), 3 * MINUTE_US) for one in range(2 * ORIGINS)]
    assert written.count(None) == ORIGINS
    assert knocks.left_out("a", 4 * MINUTE_US) == ORIGINS


def test_security_headers_are_on_a_crash_too(
    bare: scene.Morning, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer to an error of ours is made outside the app's middleware, and must have them."""
    client = TestClient(compose.application(bare.parts), raise_server_exceptions=False)
    client.cookies.set(TOKEN_COOKIE, "x")
    with bare.parts.database.begin() as session:
        session.execute(text("DROP TABLE sign_in"))
    for path in ("/desk", "/live"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"
    assert "failed" in caplog.text


@pytest.mark.parametrize(
    ("login", "path"),
    [("", "/sign-in"), ("wang", "/desk"), ("wang", "/log"), ("", "/nowhere"),
     ("", "/static/console.css"), ("chen", "/tickets/999")],
)  # fmt: skip
def test_security_headers_are_on_everything(signed_in: Browser, login: str, path: str) -> None:
    """Pages, errors, files: none may be framed, sniffed, or load a thing from elsewhere."""
    answer = signed_in(login).get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    kept = "no-cache" if path.startswith("/static/") else "no-store"
    assert answer.headers["cache-control"] == kept


def test_pages_need_nothing_inline_and_nobody_else(signed_in: Browser) -> None:
    """What the policy forbids must not be in the pages: it would silently not work."""
    for login, path in (("wang", "/desk"), ("chen", "/recordings"), ("zhou", "/requests"),
                        ("sun", "/department"), ("shen", "/log"), ("", "/sign-in")):  # fmt: skip
        page = signed_in(login).get(path).text
        for forbidden in (" style=", "<style", " onclick=", " onload=", "javascript:", "hx-on",
                          "http://", "https://"):  # fmt: skip
            assert forbidden not in page.replace("http://www.w3.org", ""), (path, forbidden)
        assert "<script>" not in page


def test_who_is_not_signed_in_comes_back_after(signed_in: Browser) -> None:
    """The address asked for goes along, what was looked for in it does not."""
    answer = signed_in("").get("/tickets/7?text=13800138000")
    assert answer.headers["location"] == "/sign-in?done=ended&to=/tickets/7"


def test_htmx_is_told_to_leave_for_the_sign_in_page(signed_in: Browser) -> None:
    """A piece of a page must not be filled with the sign-in form."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://hotline.test/desk?ticket=3"}
    answer = signed_in("").get("/desk/live", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?done=ended&to=/desk"


def test_errors_speak_both_languages(signed_in: Browser) -> None:
    """Who lands on an error is told in Chinese and English what to do."""
    for path, zh, en in (("/nowhere", "没有这个页面", "There is no such page"),
                         ("/tickets/999", "没有找到", "Not found"),
                         ("/tickets/x", "没有找到", "Not found"),
                         ("/log", "没有这项权限", "does not allow this")):  # fmt: skip
        page = signed_in("wang").get(path).text
        assert zh in page
        assert en in page


def test_a_body_without_end_is_refused(signed_in: Browser) -> None:
    """A form larger than any real one must not fill the memory."""
    client: TestClient = signed_in("wang")
    form = b"summary=" + b"x" * (1 << 20)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (form, iter([form[:9], form[9:]])):  # with its length said, and without
        answer = client.post("/tickets/1/fields", content=content, headers=kind)
        assert (answer.status_code, "最多 1 MiB" in answer.text) == (413, True)
