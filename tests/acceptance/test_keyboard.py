"""What people do all day, by keyboard alone: in Chromium, with the real PBX behind it.

Nothing here is clicked and no field is reached but by keys: a mouse that is not at hand, a hand
that cannot hold one, a supervisor who walks past, must all get as far.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.test_browser import sign_in
from tests.acceptance.test_control import given_up
from tests.rig.asterisk import PHONES_AT, Pbx, asterisk
from tests.rig.gateway import AGENTS, PASSWORD, Gateway, gateway
from tests.rig.phone import Phones, phones
from tests.rig.scenarios.scene import CALLER

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def pbx() -> Iterator[Pbx]:
    with asterisk(phones=None) as up:
        yield up


@pytest.fixture
def desks(pbx: Pbx) -> Iterator[Phones]:
    """The agents' phones, and 8001's the only one that the queue rings."""
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as on:
        others = [f"PJSIP/{login}" for login in AGENTS[1:]]
        for other in others:
            pbx.cli(f"queue pause member {other} queue hotline reason training")
        yield on
        pbx.cli("channel request hangup all")
        for other in others:
            pbx.cli(f"queue unpause member {other} queue hotline")


@pytest.fixture
def house(tmp_path: Path, pbx: Pbx) -> Iterator[Gateway]:
    with gateway(tmp_path, pbx, {}) as up:
        yield up


def said_of(page: Page, login: str) -> str:
    """What the button on that agent's tile would do."""
    return page.locator(f"#act-{login}").inner_text()


def test_a_supervisor_pauses_an_agent_and_ends_a_wrap_up(
    browser: Browser,
    house: Gateway,
    pbx: Pbx,
) -> None:
    """From the wall: the agent is chosen by arrows, the reason by its number; the PBX has both the
    pause and its end, the agent's desk and the log say who."""
    wall, desk = sign_in(browser, house, "supervisor"), sign_in(browser, house, AGENTS[1])
    wall.keyboard.press("4")  # the place's number in the bar
    expect(wall.locator(".wall-agent[data-state=idle]")).to_have_count(4, timeout=10_000)
    wall.keyboard.press("Alt+K")
    expect(wall.locator("#act-8001")).to_be_focused()
    wall.keyboard.press("ArrowRight")
    wall.keyboard.press("Enter")
    expect(wall.locator("dialog[open]")).to_contain_text("坐席8002")
    wall.keyboard.press("3")
    expect(wall.locator("#toast")).to_contain_text("已示忙")
    paused = wall.locator(".wall-agent[data-state=break]")
    expect(paused).to_contain_text("用餐")
    expect(desk.locator("#call")).to_contain_text("用餐")
    assert "paused:meal" in pbx.cli("queue show hotline")
    expect(wall.locator("#act-8002")).to_be_focused()
    assert said_of(wall, "8002") == "恢复接听"
    wall.keyboard.press("Enter")
    expect(wall.locator(".wall-agent[data-state=idle]")).to_have_count(4, timeout=10_000)
    expect(desk.locator("#call")).to_have_attribute("data-state", "idle")

    desk.keyboard.press("Alt+K")
    desk.keyboard.press("1")  # 话后整理
    expect(wall.locator(".wall-agent[data-state=after_call]")).to_have_count(1, timeout=10_000)
    expect(wall.locator("#act-8002")).to_have_text("结束整理")
    wall.keyboard.press("Enter")  # the focus is still on that tile
    expect(wall.locator(".wall-agent[data-state=idle]")).to_have_count(4, timeout=10_000)
    assert "paused" not in pbx.cli("queue show hotline")
    auditor = sign_in(browser, house, "auditor")
    lines = auditor.locator("#lines tr", has_text="agent:8002").filter(has_text="supervisor")
    expect(lines.filter(has_text="control:agent:pause")).to_have_count(1)
    expect(lines.filter(has_text="control:agent:ready")).to_have_count(2)


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """By Tab alone, as often as it takes, to the element."""
    for _ in range(60):
        if page.evaluate("(one) => document.activeElement.matches(one)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{selector} cannot be reached by {key}")


def press_done(page: Page) -> None:
    """The dialog's own button, reached from its field."""
    tab_to(page, "dialog[open] .button.primary")
    page.keyboard.press("Enter")


def written(page: Page, name: str, summary: str) -> None:
    """The form of the ticket in front: name, kind, and what it is about."""
    tab_to(page, "#f-caller_name")
    page.keyboard.type(name)
    tab_to(page, "[name=kind]", "Shift+Tab")
    page.keyboard.press("Space")
    tab_to(page, "#f-summary")
    page.keyboard.type(summary)
    expect(page.locator("#saved")).to_contain_text("已保存")


def rings_of(desks: Phones, extension: str) -> int:
    return sum(dialog.extension == extension for dialog in desks.dialogs)


def called_from(page: Page, desks: Phones, login: str) -> None:
    """Alt+C: the own phone rings, then the caller's; they talk, and the caller hangs up."""
    ours, theirs = rings_of(desks, login), rings_of(desks, CALLER[0])
    page.keyboard.press("Alt+C")
    desks.rung(login, ours + 1).answer()
    person = desks.rung(CALLER[0], theirs + 1).answer()
    expect(page.locator("#call")).to_have_attribute("data-state", "talking")
    person.hang_up()
    expect(page.locator("#call")).not_to_have_attribute("data-state", "talking")


def test_a_call_is_answered_on_the_spot_and_found_again(
    browser: Browser, house: Gateway, pbx: Pbx, desks: Phones
) -> None:
    """Registered and answered while the caller waits; afterwards found by a word of it and read."""
    desk = sign_in(browser, house, "8001")
    with pbx.begin_calls(1, 1, 60_000, callers=[CALLER]) as caller:
        try:
            talk = desks.rung("8001").answer()
            expect(desk.locator("#f-caller_name")).to_be_focused()
            written(desk, "王秀英", "养老金认证怎么办理")
            desk.keyboard.press("Alt+G")
            expect(desk.locator("#work")).to_contain_text("已登记")
            desk.keyboard.press("Alt+W")
            desk.keyboard.type("可在手机上认证，已说明步骤。")
            press_done(desk)
            expect(desk.locator("#work")).to_contain_text("已办结，无需操作")
            talk.hang_up()
        finally:
            caller.terminate()
            caller.communicate(timeout=30)
    desk.keyboard.press("2")
    desk.wait_for_url("**/tickets")
    desk.keyboard.press("/")
    desk.keyboard.type("认证怎么")
    desk.keyboard.press("Enter")
    expect(desk.locator("#found tbody tr")).to_have_count(1)
    tab_to(desk, "#found tbody a")
    desk.keyboard.press("Enter")
    expect(desk.locator("main")).to_contain_text("可在手机上认证，已说明步骤。")


def test_a_caller_is_called_back_and_another_agent_follows_up(
    browser: Browser, house: Gateway, pbx: Pbx, desks: Phones
) -> None:
    """From the list of who gave up to the closing: called back, accepted, dispatched by 8001; asked
    about the result and closed by 8002, for 8001 is told that this is not theirs."""
    first, second = (sign_in(browser, house, login) for login in AGENTS[:2])
    given_up(pbx, desks)
    expect(first.locator("#lists")).to_contain_text("138 0013 8000", timeout=10_000)
    first.keyboard.press("Alt+B")
    first.keyboard.press("Enter")
    expect(first.locator("#ticket-asks")).to_contain_text("待回拨")
    called_from(first, desks, "8001")
    expect(first.locator("#ticket-asks")).not_to_contain_text("待回拨")
    written(first, "张三", "养老金未到账")
    first.keyboard.press("Alt+A")
    expect(first.locator("#work")).to_contain_text("社保受理[")
    first.keyboard.press("Alt+P")
    expect(first.locator("#f-lead")).to_be_focused()
    first.keyboard.press("End")  # the last department in the list
    press_done(first)
    expect(first.locator("#work")).to_contain_text("已派单")
    with ThreadPoolExecutor(1) as beside:  # the browser has this thread's loop
        beside.submit(asyncio.run, replied(house)).result()
    expect(first.locator("#work")).to_contain_text("您经办过本单", timeout=10_000)

    expect(second.locator("#lists")).to_contain_text("待回访", timeout=10_000)
    second.keyboard.press("Alt+V")
    second.keyboard.press("Enter")
    expect(second.locator("#work")).to_contain_text("已核实补发")
    called_from(second, desks, "8002")
    second.keyboard.press("Alt+O")
    second.keyboard.type("电话告知，来电人满意")
    press_done(second)
    expect(second.locator("#work")).to_contain_text("电话告知，来电人满意")
    expect(second.locator("#lists")).not_to_contain_text("待回访")


async def replied(house: Gateway) -> None:
    """The department signs and answers at its own desk (`test_browser` does it by its page)."""
    token = await house.client.sign_in("sun", PASSWORD)
    orders = (await house.client.json("GET", "/work-orders", token)).data
    number = orders[0]["order"]["number"]
    for act, body in (("sign", None), ("reply", {"result": "已核实补发"})):
        answer = await house.client.json("POST", f"/work-orders/{number}/{act}", token, body)
        assert answer.status == 200, answer.body
