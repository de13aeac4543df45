"""The main job as people do it: six of them in Chromium, one caller on the real PBX.

Each person has a browser of their own. Nothing is clicked to make the call appear. The times that
are asserted were promised: the desk pops within a second of the ring.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gateway import compose, settings
from telephony.tables import CallLegRow
from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import AGENTS, PASSWORD, Gateway, gateway

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]
POP_S = 1.0


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    with asterisk("late") as up:
        yield up


@pytest.fixture
def house(tmp_path: Path, pbx: Pbx) -> Iterator[Gateway]:
    with gateway(tmp_path, pbx, {}) as up:
        yield up


def sign_in(browser: Browser, house: Gateway, login: str) -> Page:
    """A browser of one's own, signed in; a fault in the page's console fails the test."""
    page = browser.new_context(base_url=house.url, locale="zh-CN").new_page()
    page.on("pageerror", lambda error: pytest.fail(f"{login}: {error}"))
    page.goto("/sign-in")
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


def who_is_rung(pages: dict[str, Page]) -> tuple[str, float]:
    """The agent whose desk shows the ring first, and when it did."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for login, page in pages.items():
            if page.locator("#call").get_attribute("data-state") == "ringing":
                return login, time.time()
    raise AssertionError("no desk popped")


def offered_at(house: Gateway) -> float:
    """When the PBX rang the first agent, by its own clock, in seconds."""
    with compose.opened(settings.read(house.environ)) as parts, parts.database.reading() as session:
        at = session.query(CallLegRow.offered_at).order_by(CallLegRow.id).limit(1).scalar()
        assert at is not None
        return float(at) / 1e6


def test_six_people_and_a_call(browser: Browser, house: Gateway, pbx: Pbx) -> None:
    """A call rings, the desk pops without a touch, the agent accepts and dispatches by keyboard,
    the department signs and replies, the supervisor asks, the authoriser grants, the recording
    plays, and the auditor sees who heard it."""
    agents = {login: sign_in(browser, house, login) for login in AGENTS}
    officer = sign_in(browser, house, "sun")
    for page in agents.values():
        expect(page.locator("#call")).to_have_attribute("data-state", "idle")
        expect(page.get_by_text("实时")).to_be_visible()
    with pbx.begin_calls(1, 1, 25_000, callers=[("13800138013", "王秀英")]) as caller:
        try:
            login, popped = who_is_rung(agents)
            assert popped - offered_at(house) < POP_S
            agent = agents[login]
            expect(agent.locator("#call .phone")).to_contain_text("138 0013 8013")
            others = [page for name, page in agents.items() if name != login]
            assert all(
                page.locator("#call").get_attribute("data-state") == "idle" for page in others
            )
            expect(agent.locator("#call")).to_have_attribute("data-state", "talking")
            ticket = number_of(agent)
            fill_and_dispatch(agent)
            department_answers(officer)
            expect(agent.locator("#work")).to_contain_text("已反馈", timeout=5000)
            caller.communicate(timeout=60)  # hangs up by itself; the recording is then complete
        finally:
            caller.kill()
    recording_is_heard(browser, house, ticket)


def number_of(agent: Page) -> str:
    """The ticket in front, as the desk calls it."""
    work = agent.locator("#work")
    expect(work).not_to_have_attribute("data-ticket", "")
    return work.get_attribute("data-ticket") or ""


def fill_and_dispatch(agent: Page) -> None:
    """By keyboard: the form saves itself, survives a reload, is accepted and dispatched."""
    agent.get_by_label("政策咨询").check(force=True)
    agent.get_by_label("姓名").fill("王秀英")
    agent.get_by_label("事项内容").fill("养老金 11 月未到账，请核实。")
    expect(agent.locator("#saved")).to_contain_text("已保存")
    agent.reload()
    expect(agent.get_by_label("事项内容")).to_have_value("养老金 11 月未到账，请核实。")
    agent.keyboard.press("Alt+A")
    expect(agent.locator("#work")).to_contain_text("(示范市)社保受理[")
    agent.keyboard.press("Alt+P")
    agent.get_by_label("主办部门").select_option("yanglao")
    agent.locator("#act-dispatch").get_by_role("button", name="派单").click()
    expect(agent.locator("#work")).to_contain_text("已派单")


def department_answers(officer: Page) -> None:
    """The work order comes to the department's desk by itself, is signed and replied."""
    order = officer.locator("#orders a.entry").first
    expect(order).to_be_visible(timeout=5000)
    order.click()
    expect(officer.get_by_role("button", name="签收")).to_be_visible()
    officer.keyboard.press("Alt+A")
    expect(officer.get_by_label("办理结果")).to_be_visible(timeout=5000)
    officer.get_by_label("办理结果").fill("已核实，11 月养老金已于今日补发。")
    officer.keyboard.press("Alt+P")
    expect(officer.locator("main")).to_contain_text("已反馈热线", timeout=5000)


def recording_is_heard(browser: Browser, house: Gateway, ticket: str) -> None:
    """Asked for, granted, played to the end of its first second; the log says who, and when."""
    supervisor = sign_in(browser, house, "supervisor")
    supervisor.goto("/recordings")
    chosen = supervisor.get_by_label("选择录音").first
    deadline = time.monotonic() + 20  # the call has only just ended
    while not chosen.count() and time.monotonic() < deadline:
        supervisor.reload()
    chosen.check(force=True)
    supervisor.get_by_role("button", name="申请调听").click()
    form = supervisor.locator("dialog[open]")
    form.get_by_label("处理投诉").check(force=True)
    form.get_by_label("工单或受理编号").fill(f"#{ticket}")
    form.get_by_label("理由").fill("核对来电内容")
    form.get_by_role("button", name="提交申请").click()
    expect(form).to_be_hidden()
    authoriser = sign_in(browser, house, "authoriser")
    authoriser.goto("/requests")
    authoriser.get_by_role("button", name="授权").first.click()
    expect(authoriser.locator("main")).to_contain_text("授权有效")
    supervisor.goto("/requests")
    supervisor.get_by_role("link", name="收听").first.click()
    supervisor.get_by_role("button", name="开始收听").click()
    supervisor.get_by_role("button", name="播放").click()
    elapsed = supervisor.locator("[data-part=elapsed]")
    expect(elapsed).to_have_text(re.compile("0:0[1-9]"), timeout=10_000)
    expect(supervisor.locator("[data-part=trouble]")).to_be_empty()
    supervisor.goto("/recordings")  # leaving ends the stream, and what was heard is on record
    auditor = sign_in(browser, house, "auditor")
    auditor.goto("/log")
    expect(auditor.locator("#lines")).to_contain_text("recordings:recording:play")
    expect(auditor.locator("#lines")).to_contain_text("supervisor")
    auditor.get_by_role("button", name="核验").click()
    expect(auditor.locator("main")).to_contain_text("完整")


def test_the_wall_follows_the_phones(browser: Browser, house: Gateway, pbx: Pbx) -> None:
    """Nobody touches the wallboard: an agent's tile rings, talks, rests and goes to lunch as the
    phone does, and the agent's own desk says the same."""
    wall = sign_in(browser, house, "supervisor")
    wall.goto("/wallboard")
    desks = {login: sign_in(browser, house, login) for login in AGENTS}
    tiles = wall.locator(".wall-agent")
    expect(tiles).to_have_count(4, timeout=10_000)
    expect(wall.locator(".wall-agent[data-state=idle]")).to_have_count(4, timeout=10_000)
    with pbx.begin_calls(1, 1, 6_000) as caller:
        try:
            talking = wall.locator(".wall-agent[data-state=talking]")
            expect(talking).to_have_count(1, timeout=10_000)
            rung = next((login for login in AGENTS if login in talking.inner_text()), "")
            if rung:
                expect(desks[rung].locator("#own-state")).to_contain_text("通话")
            caller.communicate(timeout=60)
        finally:
            caller.kill()
    expect(wall.locator(".wall-agent[data-state=idle]")).to_have_count(4, timeout=10_000)
    pbx.cli("queue pause member PJSIP/8001 queue hotline reason meal")
    try:
        expect(wall.locator(".wall-agent[data-state=break]")).to_contain_text("用餐")
        expect(desks["8001"].locator("#own-state")).to_contain_text("小休 · 用餐")
    finally:
        pbx.cli("queue unpause member PJSIP/8001")
    expect(desks["8001"].locator("#own-state")).to_contain_text("空闲")
    # Sooner than the wall looks by itself, though the last word came within a second of another.
    expect(wall.locator(".wall-agent[data-state=break]")).to_have_count(0, timeout=3_000)
