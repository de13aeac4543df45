"""Templates to HTML: one Jinja2 environment, and the few filters that pages read values through.

Every value is escaped; an undefined name is an error, not a blank. Times (µs since the epoch, UTC)
are shown in China Standard Time. Telephone numbers are shown whole only where a template says so.
No template asks the database: a handler hands over all that is seen.
"""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from gateway.console import nav, words
from gateway.console.visit import Visit
from gateway.people.roles import ROLE_NAMES, Role
from gateway.tickets import lifecycle, timeline
from gateway.tickets import words as register
from gateway.tickets.clocks import china

_TWO_TONGUES = re.compile(r"^(?P<zh>.*?[。；！？])\s+(?P<en>[\x20-\x7e–…’“”·×→]+)$", re.DOTALL)
_MOBILE = re.compile(r"1[0-9]{10}")


def at_format(pattern: str, at: int | None) -> str:
    """`at` in China Standard Time as `pattern` says; empty when there is none."""
    return china(at).strftime(pattern) if at else ""


def span(ms: int | None) -> str:
    """A span in milliseconds as people read it: `3:05`, `1:00:09`."""
    if ms is None:
        return "—"
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def masked(phone: str | None) -> str:
    """A telephone number whose middle nobody reads over a shoulder: `138****0013`."""
    if not phone:
        return "—"
    if len(phone) < 7:
        return phone[0] + "*" * (len(phone) - 1)
    return phone[: len(phone) - 8 if len(phone) > 10 else 2] + "****" + phone[-4:]


def grouped(phone: str | None) -> str:
    """A whole telephone number in groups that can be read out: `138 0013 8000`."""
    if not phone:
        return "未显号码"
    return f"{phone[:3]} {phone[3:7]} {phone[7:]}" if _MOBILE.fullmatch(phone) else phone


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, power in (("GB", 30), ("MB", 20), ("KB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count} B"


def two_tongues(message: str) -> tuple[str, str]:
    """A message of the house, `中文。 English.`, taken apart; the English may be empty."""
    found = _TWO_TONGUES.match(message)
    return (found["zh"], found["en"]) if found else (message, "")


def _named(names: dict[str, tuple[str, str]], code: str) -> tuple[str, str]:
    return names.get(code, (code, ""))


@cache
def environment() -> Environment:
    """The environment; made once, since templates are part of the program."""
    made = Environment(
        loader=PackageLoader("gateway.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        iso=lambda at: china(at).isoformat(timespec="seconds"),
        second=lambda at: at_format("%Y-%m-%d %H:%M:%S", at),
        minute=lambda at: at_format("%m-%d %H:%M", at),
        clock=lambda at: at_format("%H:%M:%S", at),
        day=lambda at: at_format("%Y-%m-%d", at),
        span=span,
        masked=masked,
        grouped=grouped,
        size=size,
        two_tongues=two_tongues,
        state_name=lambda code: _named(lifecycle.STATE_NAMES, code),
        order_state_name=lambda code: _named(lifecycle.ORDER_STATE_NAMES, code),
        action_name=lambda code: _named(lifecycle.ACTION_NAMES, code),
        state_tone=lambda code: words.STATE_TONES.get(code, ""),
        order_state_tone=lambda code: words.ORDER_STATE_TONES.get(code, ""),
        step_tone=lambda code: words.STEP_TONES.get(code, ""),
        role_name=lambda role: ROLE_NAMES[Role(role)],
        flashed=flash,
        words_of=lambda departments: [(row.code, row.name, "") for row in departments],
        agent_state=lambda code: words.AGENT_STATES[code],
        agent_tone=lambda code: words.AGENT_TONES[code],
        break_name=lambda code: _named(words.BREAKS, code),
        kind_name=lambda code: _named(register.names(register.KINDS), code)[0],
    )
    made.globals.update(words=words, register=register, lifecycle=lifecycle, timeline=timeline)
    return made


def html(template: str, **context: object) -> str:
    """`template` filled with `context`."""
    return environment().get_template(template).render(**context)


def page(visit: Visit, template: str, status: int = 200, **context: object) -> HTMLResponse:
    """A whole page or a piece of one for `visit`, with the frame's own values filled in."""
    tone, message = words.TOLD.get(visit.asked("done"), ("", ""))
    return HTMLResponse(
        html(
            template,
            visit=visit,
            places=nav.places(visit.person, visit.request.url.path) if visit.signed else [],
            told=flash(message, tone) if message else "",
            now=visit.now,
            **context,
        ),
        status,
    )


def flash(message: str, tone: str) -> Markup:
    """The message as the component `flash` shows it."""
    module = environment().get_template("parts/ui.html").module
    return Markup(module.flash(message, tone))  # type: ignore[attr-defined]  # noqa: S704 - a macro's own escaped output
