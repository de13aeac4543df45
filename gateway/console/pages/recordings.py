"""Recordings: search, ask, decide, and the page of the player. The bytes are `console.player`'s.

Nobody hears anything here: the player's page says who may listen until when, and its refusal is in
the log like any other attempt.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit, grant_asked, page_number, row_id
from gateway.errors import BadInput, Forbidden
from gateway.flow import finding, listening, log, silence
from gateway.numbers import natural
from gateway.people import accounts
from gateway.tickets.clocks import CHINA
from recordings import grants
from recordings.errors import GrantError
from recordings.tables import GrantRow, RecordingRow, RequestRow

SOUGHT = ("phone_tail", "agent", "ticket", "since", "until")


def listing(visit: Visit) -> Response:
    """GET /recordings and POST /recordings/search (a POST: part of a number is looked for)."""
    sought = {name: visit.field(name).strip()[:64] for name in SOUGHT}
    sought["ticket"] = sought["ticket"] or visit.asked("ticket")[:64]
    with visit.parts.database.reading() as session:
        page = finding.search(
            session,
            visit.person,
            visit.now,
            phone_tail=sought["phone_tail"],
            agent=sought["agent"],
            ticket=sought["ticket"],
            since=_day(sought, "since"),
            until=_day(sought, "until", after=1),
            page=page_number(visit.field("page")),
        )
    template = "parts/recording_list.html" if visit.by_htmx else "pages/recordings.html"
    return render.page(visit, template, page=page, sought=sought)


def _day(sought: Mapping[str, str], name: str, after: int = 0) -> int | None:
    """The start of the day `name` in China, `after` days later; None where no day was given."""
    if not sought[name]:
        return None
    try:
        day = datetime.strptime(sought[name], "%Y-%m-%d").replace(tzinfo=CHINA)
        day += timedelta(days=after)  # 9999-12-31 has no day after it
    except (ValueError, OverflowError) as error:
        raise BadInput({name: "日期写法如 2026-01-31。 Write a date as 2026-01-31."}) from error
    return int(day.timestamp()) * 1_000_000


def ask(visit: Visit) -> Response:
    """POST /recordings/ask."""
    with visit.parts.database.begin() as session:
        listening.ask(
            session,
            visit.person,
            recording_ids=[row_id(text) for text in visit.several("recording")],
            purpose=visit.field("purpose"),
            ticket_no=visit.field("ticket_no"),
            reason=visit.field("reason"),
            origin=visit.origin,
            now=visit.now,
        )
    return _go(visit, "/requests?done=asked")


def requests(visit: Visit) -> Response:
    """GET /requests: the supervisor's own, the authoriser's to decide."""
    with visit.parts.database.reading() as session:
        found = listening.requests(session, visit.person)
        logins = {view.request.requester for view in found}
        names = accounts.named(session, logins | {view.request.authoriser or "" for view in found})
    template = "parts/request_list.html" if visit.by_htmx else "pages/requests.html"
    return render.page(visit, template, requests=found, names=names)


def decide(visit: Visit) -> Response:
    """POST /requests/{request_id}/decide."""
    granted = visit.field("granted") == "1"
    with visit.parts.database.begin() as session:
        decided = listening.decide(
            session,
            visit.person,
            visit.number("request_id"),
            granted=granted,
            note=visit.field("note"),
            lasts_s=natural(visit.field("lasts_s")) or 0,
            origin=visit.origin,
            now=visit.now,
        )
    if isinstance(decided, listening.Refused):
        raise decided.error
    return _go(visit, f"/requests?done={'granted' if granted else 'denied'}")


def listen(visit: Visit) -> Response:
    """GET /recordings/{recording_id}?grant=…: the player, for who holds a grant now."""
    recording_id, grant_id = visit.number("recording_id"), grant_asked(visit)
    refused: GrantError | None = None
    with visit.parts.database.begin() as session:
        try:
            grants.usable(session, grant_id, visit.person.login, recording_id, visit.now)
        except GrantError as error:
            refused = error
            _note_refusal(session, visit, recording_id, error)
        row = session.get(RecordingRow, recording_id)
        grant = session.get(GrantRow, grant_id)
        request = session.get(RequestRow, grant.request_id) if grant else None
        silent = silence.of_recording(session, row) if row is not None else []
        logins = {one.row.paused_by for one in silent} | ({grant.authoriser} if grant else set())
        names = accounts.named(session, logins)
    if refused is not None:
        raise Forbidden(str(refused)) from refused
    return render.page(
        visit,
        "pages/listen.html",
        row=row,
        grant=grant,
        request=request,
        names=names,
        silent=silent,
    )


def _note_refusal(session: Session, visit: Visit, recording_id: int, error: GrantError) -> None:
    log.note(
        session,
        "recordings:player:open",
        actor=visit.person.login,
        origin=visit.origin,
        obj=f"recording:{recording_id}",
        outcome="denied",
        now=visit.now,
        detail={"why": type(error).__name__},
    )


def _go(visit: Visit, path: str) -> Response:
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)
