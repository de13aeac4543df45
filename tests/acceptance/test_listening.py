"""The player in Chromium: the waveform is drawn, and of a stereo recording each side is heard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gateway.console.visit import TOKEN_COOKIE
from gateway.people import sessions
from recordings import grants
from tests.acceptance import look_morning as scene
from tests.acceptance.look import served

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]

LISTENING = """
const make = AudioContext.prototype.createGain;
window.meters = [];
AudioContext.prototype.createGain = function () {
  const gain = make.call(this), meter = this.createAnalyser();
  gain.connect(meter);
  window.meters.push(meter);
  return gain;
};
window.loudness = () => window.meters.map((meter) => {
  const samples = new Float32Array(meter.fftSize);
  meter.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
});
"""
"""A meter behind each way the sound can take: all, left, right."""


@pytest.fixture
def page(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """The player's page of a stereo recording of eight seconds, for who may hear it."""
    morning = scene.people(scene.house(tmp_path))
    recording = scene.record(morning, "1795400000.1", 8.0, stereo=True)
    now = morning.parts.clock()
    with morning.parts.database.begin() as session:
        token = sessions.open_session(session, morning.people["chen"], now).token
        asked = grants.ask(session, requester="chen", recording_ids=[recording], purpose="verify",
                           ticket_no="#1", reason="核对", now=now)  # fmt: skip
        grant = grants.decide(session, asked.id, authoriser="zhou", granted=True, note="", now=now,
                              lasts_s=600)  # fmt: skip
        assert grant is not None
    with served(morning) as address:
        context = browser.new_context(locale="zh-CN")
        context.add_cookies([{"name": TOKEN_COOKIE, "value": token, "url": address}])
        context.add_init_script(LISTENING)
        opened = context.new_page()
        opened.on("pageerror", lambda error: pytest.fail(str(error)))
        opened.goto(f"{address}/recordings/{recording}?grant={grant.id}")
        yield opened
        context.close()
    morning.parts.database.dispose()


def heard(page: Page) -> list[bool]:
    """Which of all, left and right can be heard now."""
    page.wait_for_timeout(300)
    return [peak > 0.01 for peak in page.evaluate("window.loudness()")]


def at(page: Page, second: float) -> None:
    page.evaluate(f"document.querySelector('audio').currentTime = {second}")


def test_the_waveform_and_the_two_sides(page: Page, tmp_path: Path) -> None:
    """Nothing before play is pressed; then a band for each side, and each side by its key."""
    expect(page.locator("[data-part=wave] svg")).to_have_count(0)
    page.locator("#main").focus()
    page.keyboard.press("Space")
    bands = page.locator("[data-part=wave] path.ahead")
    expect(bands).to_have_count(2)
    heights = [band.evaluate("path => path.getBBox().height") for band in bands.all()]
    assert all(height > 80 for height in heights)
    expect(page.locator("[data-part=elapsed]")).to_have_text("0:01", timeout=5000)
    assert float(page.locator("#heard rect").get_attribute("width") or 0) > 0
    page.screenshot(path=str(tmp_path / "listen.png"))
    at(page, 0.5)  # the left side speaks
    assert heard(page) == [True, False, False]
    page.keyboard.press("[")
    assert heard(page) == [False, True, False]
    page.keyboard.press("]")
    assert heard(page) == [False, False, False]
    at(page, 5)  # the right side speaks
    assert heard(page) == [False, False, True]
    expect(page.get_by_role("button", name="右")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="双侧").click()
    assert heard(page) == [True, False, False]
    expect(page.locator("[data-part=trouble]")).to_be_empty()
