"""What people do all day, by keyboard alone: in Chromium, with the real PBX behind it.

Nothing here is clicked and no field is reached but by keys: a mouse that is not at hand, a hand
that cannot hold one, a supervisor who walks past, must all get as far.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.test_browser import sign_in
from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import AGENTS, Gateway, gateway

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def pbx() -> Iterator[Pbx]:
    with asterisk("late") as up:
        yield up


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
