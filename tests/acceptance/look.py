"""Look at every page: `python -m tests.acceptance.look DIRECTORY` writes pictures of them there.

Real pages in Debian's Chromium, over a real database with a made-up morning: at 1366×768, at
1920×1080, at 200 % zoom (half the CSS pixels), and empty. The pictures are for a person's eyes;
what can be measured (nothing wider than its window, no failed request, no console error, no
contrast under AA) is measured on the way and makes the script fail.
"""

import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway import notices
from gateway.console import web
from gateway.flow import orders
from gateway.tickets import acts, assigned, views
from recordings.tables import AuditLineRow
from telephony.tables import AgentStateRow, LinkGapRow, LinkStateRow
from tests.acceptance import look_evidence
from tests.acceptance import look_morning as scene
from tests.acceptance.look_evidence import Evidence
from tests.rig.acting import acting, asked_at

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--lang=zh-CN",
]  # fmt: skip
SIZES = {"1366": (1366, 768, 1), "1920": (1920, 1080, 1), "zoom": (683, 384, 2)}


def app(morning: scene.Morning) -> ASGIApp:
    """The console alone, as `compose` mounts it."""
    made = Starlette(
        routes=web.pages(),
        exception_handlers=dict(web.EXCEPTION_HANDLERS),
    )
    made.state.parts = morning.parts
    return web.wrapped(made)


@contextmanager
def served(morning: scene.Morning) -> Iterator[str]:
    """The address of the running console, on a free port of the loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app(morning), log_level="warning", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        morning.parts.hub.close()
        server.should_exit = True
        thread.join()
        listening.close()


class Looker:
    """Signs in as somebody and takes pictures; keeps what was wrong."""

    def __init__(self, browser: Browser, address: str, out: Path) -> None:
        self.browser, self.address, self.out = browser, address, out
        self.faults: list[str] = []

    @contextmanager
    def as_(self, login: str, size: str) -> Iterator[Page]:
        """A page signed in as `login`, at one of the sizes."""
        width, height, scale = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, locale="zh-CN"
        )
        page = context.new_page()
        page.on("console", lambda message: self._said(login, message))
        page.on("pageerror", lambda e: self.faults.append(f"{login}: {e}"))
        page.on("requestfailed", lambda r: self._failed(login, r.url, r.failure))
        page.goto(self.address + "/sign-in")
        if login:
            page.fill("[name=login]", login)
            page.fill("[name=password]", scene.PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_selector("#live")
        yield page
        context.close()

    def _said(self, login: str, message: ConsoleMessage) -> None:
        refused = any(f" {status} " in message.text + " " for status in (400, 404, 409))
        if message.type == "error" and not refused:  # refusals are part of the scenes
            self.faults.append(f"{login}: {message.text}")

    def _failed(self, login: str, url: str, why: str | None) -> None:
        if "/live" not in url and "ERR_ABORTED" not in (why or ""):
            self.faults.append(f"{login}: {url}: {why}")

    def picture(self, page: Page, name: str, size: str, *, whole: bool = False) -> None:
        """One picture, and the measures that go with it."""
        page.wait_for_timeout(250)
        page.screenshot(path=str(self.out / f"{name}-{size}.png"), full_page=whole)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            self.faults.append(f"{name}-{size}: {wide} px wider than the window")
        self.faults += [f"{name}-{size}: {fault}" for fault in page.evaluate(FAINT)]


FAINT = """() => {
  const numbers = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const linear = (c) => c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const left = "svg, [disabled], .out, script, option, .only-complaint";
  const faint = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const words = walk.currentNode.data.trim().slice(0, 30);
    const box = element.getBoundingClientRect();
    if (!words || element.closest(left) || !box.width || !box.height) continue;
    const style = getComputedStyle(element);
    const lights = [light(numbers(style.color)), light(ground(element))].sort((a, b) => b - a);
    const contrast = (lights[0] + 0.05) / (lights[1] + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (contrast < (large ? 3 : 4.5)) faint.add(`contrast ${contrast.toFixed(2)}: ${words}`);
  }
  return [...faint];
}"""

PLACES: tuple[tuple[str, str, str], ...] = (
    ("desk", "wang", "/desk"),
    ("tickets", "wang", "/tickets"),
    ("ticket", "wang", "/tickets/{dispatched}"),
    ("ticket-replied", "chen", "/tickets/{replied}"),
    ("ticket-handled", "wang", "/tickets/{replied}"),
    ("follow-up", "ayi", "/desk?ticket={replied}"),
    ("department", "sun", "/department"),
    ("department-replied", "sun", "/department?state=replied"),
    ("recordings", "chen", "/recordings"),
    ("requests", "chen", "/requests"),
    ("decide", "zhou", "/requests"),
    ("listen", "chen", "/recordings/{recording}?play={play}"),
    ("listen-begin", "chen", "/recordings/{recording}?grant={grant}"),
    ("listen-glass", "chen", "/recordings/{glassed}?grant={glass}"),
    ("listen-stereo", "chen", "/recordings/{spoken}?play={spoken_play}"),
    ("tomb", "chen", "/recordings/{tomb}"),
    ("export", "chen", "/exports/{export}"),
    ("alerts", "he", "/alerts"),
    ("wallboard", "he", "/wallboard"),
    ("retention", "he", "/retention"),
    ("certificate", "he", "/retention/certificates/1"),
    ("log", "shen", "/log"),
    ("state", "guan", "/state"),
    ("contract", "", "/asyncapi"),
    ("missing", "wang", "/nowhere"),
)


def tour(
    looker: Looker, morning: scene.Morning, seen: Evidence, sizes: tuple[str, ...], only: str = ""
) -> None:
    """Every place at every size."""
    refs = morning.tickets | {
        "recording": morning.recordings[0] if morning.recordings else 1,
        "grant": morning.grant,
        "play": morning.play,
        "tomb": seen.tomb,
        "export": seen.export,
        "glass": seen.glass,
        "glassed": seen.glassed,
        "spoken": seen.spoken,
        "spoken_play": seen.play,
    }
    for size in sizes:
        if not only or only == "sign-in":
            with looker.as_("", size) as page:
                looker.picture(page, "sign-in", size)
        for name, login, path in PLACES:
            if only and name not in only.split(","):
                continue
            with looker.as_(login, size) as page:
                page.goto(looker.address + path.format(**refs))
                looker.picture(page, name, size, whole=size == "zoom" or name != "desk")


def calls(looker: Looker, morning: scene.Morning, size: str) -> None:
    """A call rings, is answered while another ticket is being written, and goes its way."""
    made, before = morning.parts, morning.tickets["registered"]
    with looker.as_("wang", size) as page:
        page.goto(looker.address + f"/desk?ticket={before}")
        page.fill("#f-demand", "请于本周内电话答复。")
        ticket = scene.call(morning, "13800138000", made.clock(), until="offered", name="张建国")
        page.wait_for_selector("#call[data-state=ringing]", timeout=1500)
        looker.picture(page, "desk-ringing", size)
        scene.answered(morning, ticket)
        page.wait_for_selector(f"#work [data-ticket='{ticket}']", timeout=1500)
        looker.picture(page, "desk-talking", size)
        if page.evaluate("document.activeElement.id") != "f-caller_name":
            looker.faults.append("the popped form has no focus")
        with made.database.reading() as session:
            kept = views.ticket(session, morning.people["wang"], morning.tickets["registered"])
        if kept.row.demand != "请于本周内电话答复。":
            looker.faults.append("what was being typed was lost when the call popped")
        page.check("[name=kind][value=complaint]")
        page.fill("#f-summary", scene.STORY)
        page.wait_for_selector("#saved.good", timeout=3000)
        page.keyboard.press("Alt+A")  # refused: a complaint needs its class
        page.wait_for_selector("#toast .flash.bad")
        looker.picture(page, "desk-problem", size)
        page.check("[name=complaint_class][value=attitude]")
        page.keyboard.press("Alt+A")
        page.wait_for_selector(".told")
        looker.picture(page, "desk-accepted", size)
        page.keyboard.press("Alt+P")
        page.select_option("#f-lead", "pension")
        looker.picture(page, "desk-dispatch", size)
        page.click("dialog[open] .button.primary")
        page.wait_for_selector("#work .order-stages")
        looker.picture(page, "desk-dispatched", size)
        _department_signs(morning, ticket)
        page.wait_for_selector("#work header .badge:text-is('已签收')", timeout=1500)
        page.locator("body").click(position={"x": 2, "y": 2})
        page.keyboard.press("?")
        looker.picture(page, "keys", size)
        scene.ended(morning, ticket)


def _department_signs(morning: scene.Morning, ticket: int) -> None:
    made, sun = morning.parts, morning.people["sun"]
    with made.database.begin() as session:
        for order in assigned.orders(session, sun):
            if order.ticket.id == ticket:
                orders.act(session, order.order.number, sun, "sign", made.clock())


def conflict(looker: Looker, morning: scene.Morning, size: str) -> None:
    """Somebody else saves first: told, nothing lost, and one's own text can be kept."""
    made, ticket = morning.parts, morning.tickets["registered"]
    with looker.as_("wang", size) as page:
        page.goto(looker.address + f"/desk?ticket={ticket}")
        with made.database.begin() as session:
            chen = morning.people["chen"]
            acts.fill(session, ticket, chen, {"evidence": "班长补充"}, None, made.clock())
        page.fill("#f-summary", "我正在写的内容")
        page.wait_for_selector("#saved.bad", timeout=3000)
        looker.picture(page, "desk-conflict", size)
        page.click("[data-overwrite]")
        page.wait_for_selector("#saved.good", timeout=3000)


def work(looker: Looker, morning: scene.Morning, seen: Evidence, size: str) -> None:
    """The department signs and writes, the supervisor listens, the auditor verifies."""
    with looker.as_("sun", size) as page:
        page.keyboard.press("Alt+A")
        page.wait_for_selector("#f-result")
        page.fill("#f-result", "已受理补缴申请，材料齐全，预计本月到账。")
        page.reload()
        if page.input_value("#f-result") != "已受理补缴申请，材料齐全，预计本月到账。":
            looker.faults.append("the officer's reply was lost on reload")
        looker.picture(page, "department-writing", size)
        page.keyboard.press("Alt+P")
        page.wait_for_selector("#toast .flash.good")
        looker.picture(page, "department-told", size)
    with looker.as_("chen", size) as page:
        page.goto(f"{looker.address}/recordings/{seen.spoken}?play={seen.play}")
        page.locator("#main").focus()
        page.keyboard.press("Space")
        # (wait_for_function would need eval, which the pages' policy rightly refuses)
        page.wait_for_selector("[data-part=elapsed]:text-is('0:01')", timeout=5000)
        page.keyboard.press("ArrowRight")
        page.keyboard.press(">")
        page.keyboard.press("Space")
        looker.picture(page, "listen-playing", size)
        page.goto(looker.address + "/recordings")
        page.check("tbody tr:first-child [name=recording]")
        page.keyboard.press("a")
        looker.picture(page, "ask", size)
        page.keyboard.press("Escape")
        page.click("[data-open=glass]")
        looker.picture(page, "glass", size)
    with looker.as_("shen", size) as page:
        page.goto(looker.address + "/log")
        page.keyboard.press("v")
        page.wait_for_selector("#verdict .verdict.good")
        looker.picture(page, "log-verified", size)
        with morning.parts.database.begin() as session:
            session.get_one(AuditLineRow, 2).actor = "nobody"
        page.keyboard.press("v")
        page.wait_for_selector("#verdict .verdict.bad")
        looker.picture(page, "log-altered", size)


def wall(looker: Looker, morning: scene.Morning, size: str) -> None:
    """A state changes on the wall by itself; an open interval, then a link that is down."""
    made = morning.parts
    with looker.as_("he", size) as page:
        page.goto(looker.address + "/wallboard")
        with made.database.begin() as session:
            session.get_one(AgentStateRow, ("pbx1", "PJSIP/8005")).state = "talking"
            notices.tell(session, "wallboard", "changed", "pbx1")
        page.wait_for_selector("[data-state=talking]:has-text('8005')", timeout=2000)
        _supervisor_pauses(looker, morning, size)
        with made.database.begin() as session:
            gap = LinkGapRow(pbx="pbx1", began_at=made.clock() - scene.MINUTE, reason="closed")
            session.add(gap)
            notices.tell(session, "wallboard", "changed", "pbx1")
        page.wait_for_selector(".wall-alarm.warn", timeout=7000)
        looker.picture(page, "wallboard-gap", size)
        with made.database.begin() as session:
            session.get_one(LinkStateRow, "pbx1").connected = False
            notices.tell(session, "wallboard", "changed", "pbx1")
        page.wait_for_selector(".wall-alarm.bad", timeout=7000)
        looker.picture(page, "wallboard-down", size)
    with looker.as_("wang", "1366") as page:
        page.wait_for_selector("#own-state .badge.bad")
        looker.picture(page, "desk-down", "1366")
    with made.database.begin() as session:
        session.get_one(LinkStateRow, "pbx1").connected = True
        session.delete(session.get_one(LinkGapRow, gap.id))


def _supervisor_pauses(looker: Looker, morning: scene.Morning, size: str) -> None:
    """By keyboard alone, through a refresh of the board: whose phone, why, and what is said."""
    with acting() as pbx:
        settings = asked_at(morning.parts.settings, pbx.url)
        able = replace(morning.parts, settings=settings, hub=notices.Hub())
        with served(replace(morning, parts=able)) as address:
            before, looker.address = looker.address, address
            for at in (size, "zoom"):
                with looker.as_("chen", at) as page:
                    page.goto(address + "/wallboard")
                    page.keyboard.press("Alt+K")
                    page.keyboard.press("ArrowRight")
                    page.wait_for_timeout(5500)  # the board is brought up to date meanwhile
                    looker.picture(page, "wallboard-acts", at)
                    page.keyboard.press("Enter")
                    page.wait_for_selector("dialog[open] .reasons")
                    looker.picture(page, "wallboard-pause", at)
                    page.keyboard.press("3")
                    page.wait_for_selector("#toast .flash.good")
                    looker.picture(page, "wallboard-paused", at)
                    pbx.why = "Permission denied"
                    page.keyboard.press("Enter")
                    page.wait_for_selector("#toast .flash.bad")
                    looker.picture(page, "wallboard-refused", at)
                    pbx.why = ""
                    page.keyboard.press("Enter")
                    page.wait_for_selector("#toast .flash.good")
            looker.address = before


def empty(looker: Looker, size: str) -> None:
    """Every place with nothing in it."""
    for name, login, path in PLACES:
        if "{" not in path and name not in ("missing", "department-replied"):
            with looker.as_(login, size) as page:
                page.goto(looker.address + path)
                looker.picture(page, f"empty-{name}", size)


def main(out: Path, only: str = "") -> int:
    """Take the pictures; 1 when something that can be measured is wrong."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        morning = scene.full(scene.people(scene.house(Path(root))))
        seen = look_evidence.made(morning)
        with served(morning) as address:
            looker = Looker(browser, address, out)
            tour(looker, morning, seen, ("1366",) if only else tuple(SIZES), only)
            if only in ("", "calls"):
                calls(looker, morning, "1366")
                conflict(looker, morning, "1366")
            if only in ("", "wall", "wallboard"):
                wall(looker, morning, "1920")
            if only in ("", "work"):
                work(looker, morning, seen, "1366")
        if only in ("", "empty"):
            bare = scene.people(scene.house(Path(root) / "bare"))
            with served(bare) as address:
                looker.address = address
                empty(looker, "1366")
        browser.close()
    for fault in dict.fromkeys(looker.faults):
        sys.stdout.write(fault + "\n")
    return 1 if looker.faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
