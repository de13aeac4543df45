"""The pages over real tickets: what they save, refuse, hide and say."""

import re

import pytest
from starlette.testclient import TestClient

from gateway.console.visit import row_id
from gateway.errors import NotFound
from gateway.flow import orders
from gateway.tables import TicketRow
from gateway.tickets import acts, assigned, views
from recordings.tables import AuditLineRow
from recordings.tables_store import StoreCheckRow
from telephony import links
from telephony.tables import LinkGapRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import Browser, browser

HTMX = {"HX-Request": "true"}


def row(morning: scene.Morning, ticket: int) -> TicketRow:
    """The ticket as it is in the database now."""
    with morning.parts.database.reading() as session:
        return session.get_one(TicketRow, ticket)


@pytest.fixture
def called(bare: scene.Morning) -> int:
    """A ticket that a call to Wang has just opened."""
    return scene.call(bare, "13800138000", bare.parts.clock(), name="张建国")


def test_pages_say_when_calls_may_be_missing(bare: scene.Morning) -> None:
    """Lists, desk and state page, as long as an interval without the PBX is not back-filled."""
    places = (("wang", "/desk"), ("wang", "/tickets"), ("guan", "/state"))

    def said() -> list[bool]:
        return ["电话中断尚未补齐" in browser(bare, login).get(path).text for login, path in places]

    assert said() == [False, False, False]
    with bare.parts.database.begin() as session:
        session.add(LinkGapRow(pbx="pbx1", began_at=1, ended_at=2, reason="closed"))
    assert said() == [True, True, True]
    with bare.parts.database.begin() as session:
        (gap,) = links.incomplete(session)
        gap.backfilled_at = 3
    assert said() == [False, False, False]


def form(morning: scene.Morning, ticket: int, **fields: str) -> dict[str, str]:
    """The register form as the desk sends it."""
    shown = browser(morning, "wang").get(f"/desk?ticket={ticket}").text
    version = re.search(r'id="version" value="(\d+)"', shown)
    assert version is not None
    return {"version": version[1], "back": "desk", "has_confidential": "1"} | fields


def test_the_form_saves_itself(bare: scene.Morning, called: int) -> None:
    """What is typed is in the database before anybody presses anything, and the page says when."""
    typed = form(bare, called, summary="补缴问题", confidential="1", kind="policy")
    client = browser(bare, "wang")
    answer = client.post(f"/tickets/{called}/fields", data=typed, headers=HTMX)
    assert re.search(r"已保存 <time[^>]*>\d\d:\d\d:\d\d</time>", answer.text)
    saved = row(bare, called)
    assert (saved.summary, saved.confidential, saved.kind) == ("补缴问题", True, "policy")
    assert f'value="{saved.version}" hx-swap-oob' in answer.text, "the next save would be stale"
    again = form(bare, called, summary="补缴问题，已说明")
    assert client.post(f"/tickets/{called}/fields", data=again).status_code == 200
    assert row(bare, called).confidential is False, "a box that was unticked stayed ticked"


def test_the_desk_shows_anothers_ticket_without_its_words(bare: scene.Morning, called: int) -> None:
    """Beside a call stands what the caller had before: the words only of what one may read."""
    now = bare.parts.clock()
    ayis, secret = (
        scene.call(bare, "13800138000", now - 999 * scene.MINUTE, agent="PJSIP/8004")
        for _ in range(2)
    )
    with bare.parts.database.begin() as session:
        ayi = bare.people["ayi"]
        acts.fill(session, ayis, ayi, {"summary": "别人的内容", "kind": "policy"}, None, 1)
        hidden = {"summary": "保密的内容", "confidential": "1", "kind": "praise"}
        acts.fill(session, secret, ayi, hidden, None, 1)
    shown = browser(bare, "wang").get(f"/desk?ticket={called}").text
    history = shown.split("历史工单 Earlier tickets")[1].split("</section>")[0]
    assert "政策咨询" in history
    assert "表扬" not in history
    assert f"#{ayis}" not in history
    assert "别人的内容" not in shown
    assert "保密的内容" not in shown


def test_two_people_at_one_ticket(bare: scene.Morning, called: int) -> None:
    """The second save overwrites nothing and says so; only its writer may decide to overwrite."""
    mine = form(bare, called, summary="我的")
    with bare.parts.database.begin() as session:
        acts.fill(session, called, bare.people["chen"], {"summary": "班长的"}, None, 1)
    client = browser(bare, "wang")
    answer = client.post(f"/tickets/{called}/fields", data=mine, headers=HTMX)
    assert answer.status_code == 409
    assert "还在本页" in answer.text
    assert "data-overwrite" in answer.text
    assert row(bare, called).summary == "班长的"
    client.post(f"/tickets/{called}/fields", data=mine | {"version": ""}, headers=HTMX)
    assert row(bare, called).summary == "我的"


def test_an_act_saves_the_form_with_it_or_neither(bare: scene.Morning, called: int) -> None:
    """A refused act must not leave half of itself; an accepted one takes the last words along."""
    client = browser(bare, "wang")
    typed = form(bare, called, summary="投诉窗口", kind="complaint")
    answer = client.post(f"/tickets/{called}/accept", data=typed, headers=HTMX)
    assert answer.status_code == 400
    assert "投诉分类" in answer.text
    assert answer.headers["hx-retarget"] == "#toast"
    assert '"complaint_class"' in answer.headers["hx-trigger"]
    assert row(bare, called).summary == ""
    typed["complaint_class"] = "attitude"
    answer = client.post(f"/tickets/{called}/accept", data=typed, headers=HTMX)
    assert answer.status_code == 200
    assert "社保受理[" in answer.text
    assert (row(bare, called).state, row(bare, called).summary) == ("accepted", "投诉窗口")


def test_the_whole_way_by_pages(bare: scene.Morning, called: int) -> None:
    """Accept, dispatch, sign, reply, close: each on its own page, by its own person."""
    wang, sun = browser(bare, "wang"), browser(bare, "sun")
    typed = form(bare, called, kind="service", summary="转移接续")
    wang.post(f"/tickets/{called}/accept", data=typed)
    chosen = {"lead": "pension", "assisting": ["pension", "medical"], "question": "请答复"}
    gone = wang.post(f"/tickets/{called}/dispatch", data=chosen)
    assert gone.headers["location"] == f"/tickets/{called}?done=dispatched"
    desk = sun.get("/department").text
    number = re.search(r"WO-\d{4}-\d{6}", desk)
    assert number is not None
    assert "张建国" in desk
    sun.post(f"/department/orders/{number[0]}/sign")
    refused = sun.post(f"/department/orders/{number[0]}/reply", headers=HTMX)
    assert refused.status_code == 400
    sun.post(f"/department/orders/{number[0]}/reply", data={"result": "已办结转移"})
    with bare.parts.database.begin() as session:
        other = assigned.orders(session, bare.people["qian"])[0].order.number
        orders.act(session, other, bare.people["qian"], "sign", 1)
        orders.act(session, other, bare.people["qian"], "reply", 1, result="无医保事项")
    page = wang.get(f"/tickets/{called}").text
    assert "已办结转移" in page
    assert "孙经办" in page
    assert "您经办过本单" in page  # 回访 is somebody else's, and so is closing on it
    note = {"note": "已电话告知，满意"}
    assert wang.post(f"/tickets/{called}/close", data=note).status_code == 403
    ayi = browser(bare, "ayi")
    assert "待回访" in ayi.get("/desk").text
    ayi.post(f"/tickets/{called}/close", data=note)
    assert row(bare, called).state == "closed"


def test_a_step_that_is_not_allowed(bare: scene.Morning, called: int) -> None:
    """An old page's button is refused with what may be done instead, and changes nothing."""
    answer = browser(bare, "wang").post(
        f"/tickets/{called}/close", data={"note": "x"}, headers=HTMX
    )
    assert answer.status_code == 409
    assert "现在可以：登记" in answer.text
    assert row(bare, called).state == "draft"


def test_another_agents_ticket_is_not_there(bare: scene.Morning, called: int) -> None:
    """What an agent may not see must not even be admitted to exist."""
    other = browser(bare, "ayi")
    for path in (f"/tickets/{called}", f"/desk?ticket={called}", f"/desk/work/{called}"):
        assert other.get(path).status_code == 404
    assert other.post(f"/tickets/{called}/fields", data={"summary": "x"}).status_code == 404


def test_a_confidential_caller_is_not_shown_to_the_department(morning: scene.Morning) -> None:
    """保密: the department sees the matter and not the person, on the page and in its source."""
    page = browser(morning, "sun").get("/department?state=replied").text
    assert "保密" in page
    assert "来电人反映" in page
    assert "张建国" not in page
    assert "13912345678" not in page


def test_a_number_is_looked_for_without_standing_in_an_address(signed_in: Browser) -> None:
    """Addresses go into histories and proxies' logs (promise 10): the search is a POST."""
    client = signed_in("chen")
    found = client.post("/tickets/search", data={"text": "13800138000"})
    assert "138****8000" in found.text
    assert "139****5678" not in found.text
    assert client.get("/tickets?text=13800138000").text.count("<tr>") > 3
    for path in ("/tickets", "/recordings"):
        assert not re.findall(r'(?:href|action|hx-get)="[^"]*1[3-9]\d{9}', client.get(path).text)


@pytest.mark.parametrize("login", ["wang", "chen", "zhou", "sun", "he", "shen", "guan"])
def test_the_navigation_leads_only_where_one_may_go(signed_in: Browser, login: str) -> None:
    """A link that ends in 403 teaches people to ignore links; a place that is missing is lost."""
    client = signed_in(login)
    start = client.get(client.get("/").headers["location"]).text
    nav = re.search(r'<nav class="nav".*?</nav>', start, re.DOTALL)
    assert nav is not None
    places = re.findall(r'href="([^"]+)"', nav[0])
    assert places
    assert [client.get(place).status_code for place in places] == [200] * len(places)


def test_asking_and_deciding(bare: scene.Morning, called: int) -> None:
    """Ask, be told what is missing, be granted, listen; and nobody decides twice."""
    scene.record(bare, _linkedid(bare, called))
    chen, zhou = browser(bare, "chen"), browser(bare, "zhou")
    ask = {"recording": "1", "purpose": "verify", "ticket_no": f"#{called}"}
    refused = chen.post("/recordings/ask", data=ask, headers=HTMX)
    assert (refused.status_code, "理由" in refused.text) == (400, True)
    assert chen.post("/recordings/ask", data=ask | {"reason": "核对"}).status_code == 303
    decide = {"granted": "1", "lasts_s": "3600"}
    assert zhou.post("/requests/1/decide", data=decide).status_code == 303
    assert zhou.post("/requests/1/decide", data=decide).status_code == 403
    link = re.search(r'href="(/recordings/1\?grant=1)"', chen.get("/requests").text)
    assert link is not None
    assert chen.get(link[1]).status_code == 200
    begun = chen.post("/recordings/1/plays", data={"grant": "1"})
    assert begun.headers["location"] == "/recordings/1?play=1"
    assert chen.get("/recordings/1/audio?play=1").content[:4] == b"RIFF"


def _linkedid(morning: scene.Morning, ticket: int) -> str:
    with morning.parts.database.reading() as session:
        return views.ticket(session, morning.people["chen"], ticket).calls[0].linkedid


def test_the_log_shows_that_it_was_altered(bare: scene.Morning) -> None:
    """The auditor's button must say so, clearly, when a line is not what it was."""
    shen: TestClient = browser(bare, "shen")
    for _ in range(3):
        browser(bare, "wang").get("/recordings")
    assert "日志完整" in shen.post("/log/verify").text
    with bare.parts.database.begin() as session:
        session.get_one(AuditLineRow, 1).actor = "somebody else"
    verdict = shen.post("/log/verify").text
    assert "日志被改动过" in verdict
    assert "第 1 行" in verdict


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "٣", "9223372036854775808", "1" * 40, "", "x"])
def test_what_is_no_id_is_not_found(text: str) -> None:
    """Neither database may be asked for an id that it cannot hold."""
    with pytest.raises(NotFound):
        row_id(text)


@pytest.mark.parametrize(
    ("login", "path"),
    [("wang", "/tickets/9999999999999999999999"), ("wang", "/desk?ticket=abc"),
     ("chen", "/recordings/1?grant=x"), ("shen", "/log?before=x"), ("chen", "/recordings/0/audio"),
     ("sun", "/department?order=%00"), ("sun", "/department?state=nonsense")],
)  # fmt: skip
def test_odd_addresses_do_no_harm(signed_in: Browser, login: str, path: str) -> None:
    """Whatever is typed into the address line, it is a page or a plain no, never a crash."""
    assert signed_in(login).get(path).status_code in (200, 403, 404)


def test_a_long_list_is_turned_page_by_page(bare: scene.Morning) -> None:
    """What was looked for goes along to the next page, and a page too far is the last."""
    now = bare.parts.clock()
    for count in range(35):
        scene.call(bare, f"138001380{count:02d}", now + count, until="abandoned")
    chen = browser(bare, "chen")
    first = chen.post("/tickets/search", data={"text": "138001380"}).text
    assert "第 1 / 2 页，共 35 件" in first
    assert '<input type="hidden" name="text" value="138001380">' in first
    later = chen.post("/tickets/search", data={"text": "138001380", "page": "99"}, headers=HTMX)
    assert "第 2 / 2 页" in later.text
    assert later.text.count("<tr>") == 1 + 5


def test_the_state_page_names_what_is_not_whole(bare: scene.Morning) -> None:
    """A recording that rotted stands on the administrator's page, with what to do."""
    scene.full(bare)
    calm = browser(bare, "guan").get("/state").text
    assert "存证核验" in calm
    assert "hotline recording verify" not in calm
    with bare.parts.database.begin() as session:
        session.add(
            StoreCheckRow(
                recording_id=bare.recordings[0], place="store", checked_at=bare.parts.clock(),
                outcome="altered",
            )
        )  # fmt: skip
    shown = browser(bare, "guan").get("/state").text
    assert "hotline recording verify" in shown
    assert "与入库时不一致" in shown
