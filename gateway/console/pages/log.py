"""The log for the auditor: who did what, and whether the log is still what it was."""

from starlette.responses import HTMLResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import attesting, log, witnessing
from gateway.numbers import natural


def show(visit: Visit) -> Response:
    """GET /log: newest first, narrowed by action and actor."""
    before = natural(visit.asked("before"))
    action, actor = visit.asked("action").strip()[:64], visit.asked("actor").strip()[:64]
    if before is None and not visit.by_htmx:
        _on_record(visit, "log:log:read", "ok")
    with visit.parts.database.reading() as session:
        lines = log.lines(
            session,
            visit.person,
            before=before,
            action=action,
            actor=actor,
        )
        standing = attesting.standing(session, visit.parts, visit.person)
    template = "parts/log_lines.html" if visit.by_htmx else "pages/log.html"
    more = len(lines) == log.PAGE
    return render.page(
        visit,
        template,
        lines=lines,
        standing=standing,
        action=action,
        actor=actor,
        more=more,
        before=before is not None,
    )


def verify(visit: Visit) -> Response:
    """POST /log/verify: the whole tree, counted again."""
    with visit.parts.database.reading() as session:
        verdict = witnessing.verdict(visit.parts, session, visit.person)
    _on_record(visit, "log:log:verify", "ok" if verdict.ok else "failed")
    return HTMLResponse(render.html("parts/verdict.html", verdict=verdict, at=visit.now))


def _on_record(visit: Visit, action: str, outcome: str) -> None:
    """Who reads the log, or checks it, is in it too."""
    with visit.parts.database.begin() as session:
        log.note(session, action, actor=visit.person.login, origin=visit.origin, obj="log",
                 outcome=outcome, now=visit.now)  # fmt: skip
