"""Recordings: search, ask, decide, and the page of the player. The bytes are `console.player`'s.

Nobody hears anything here: the player's page says who may listen until when, and its refusal is in
the log like any other attempt.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit, grant_asked, page_number, play_asked, row_id
from gateway.errors import BadInput
from gateway.flow import finding, listening, playing, silence, tombs
from gateway.flow import glass as breaking
from gateway.flow.finding import Sought
from gateway.flow.playing import May
from gateway.flow.refusal import Refused
from gateway.numbers import natural
from gateway.people import accounts
from gateway.tickets.clocks import CHINA
from recordings.asking import Wanted

T = TypeVar("T")
SOUGHT = ("phone_tail", "agent", "ticket", "queue", "since", "until", "lasts_from", "lasts_to")


def listing(visit: Visit) -> Response:
    """GET /recordings and POST /recordings/search (a POST: part of a number is looked for)."""
    typed = {name: visit.field(name).strip()[:64] for name in SOUGHT}
    typed["ticket"] = typed["ticket"] or visit.asked("ticket")[:64]
    sought = Sought(
        phone_tail=typed["phone_tail"],
        agent=typed["agent"],
        ticket=typed["ticket"],
        queue=typed["queue"],
        since=_day(typed, "since"),
        until=_day(typed, "until", after=1),
        lasts_from_ms=_seconds(typed, "lasts_from"),
        lasts_to_ms=_seconds(typed, "lasts_to"),
    )
    with visit.parts.database.reading() as session:
        page = finding.search(
            session, visit.person, visit.now, sought, page_number(visit.field("page"))
        )
    with visit.parts.database.begin() as session:
        finding.searched(
            session, visit.person, sought, page.total, origin=visit.origin, now=visit.now
        )
    template = "parts/recording_list.html" if visit.by_htmx else "pages/recordings.html"
    return render.page(visit, template, page=page, sought=typed)


def _seconds(typed: Mapping[str, str], name: str) -> int | None:
    """A length typed in seconds, in ms; None where none was given."""
    if not typed[name]:
        return None
    seconds = natural(typed[name])
    if seconds is None or seconds > 86_400:
        raise BadInput({name: "时长填秒数，如 90。 Write a length in seconds, such as 90."})
    return seconds * 1000


def _day(typed: Mapping[str, str], name: str, after: int = 0) -> int | None:
    """The start of the day `name` in China, `after` days later; None where no day was given."""
    if not typed[name]:
        return None
    try:
        day = datetime.strptime(typed[name], "%Y-%m-%d").replace(tzinfo=CHINA)
        day += timedelta(days=after)  # 9999-12-31 has no day after it
    except (ValueError, OverflowError) as error:
        raise BadInput({name: "日期写法如 2026-01-31。 Write a date as 2026-01-31."}) from error
    return int(day.timestamp()) * 1_000_000


def ask(visit: Visit) -> Response:
    """POST /recordings/ask."""
    ids = [row_id(text) for text in visit.several("recording")]
    with visit.parts.database.begin() as session:
        asked = listening.ask(
            session,
            visit.person,
            ids,
            Wanted(
                purpose=visit.field("purpose"),
                reason=visit.field("reason"),
                ticket_no=visit.field("ticket_no"),
                call_id=listening.call_of(session, ids) if visit.field("by_call") else None,
                kind=visit.field("kind") or "playback",
                recipient=visit.field("recipient"),
            ),
            origin=visit.origin,
            now=visit.now,
        )
    _told(asked)
    return _go(visit, "/requests?done=asked")


def glass(visit: Visit) -> Response:
    """POST /recordings/break-glass: at once, and the leader and the auditor are told."""
    with visit.parts.database.begin() as session:
        taken = breaking.break_glass(
            session,
            visit.person,
            [row_id(text) for text in visit.several("recording")],
            visit.field("reason"),
            origin=visit.origin,
            now=visit.now,
        )
    _told(taken)
    return _go(visit, "/requests?done=glass")


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
            plays_max=natural(visit.field("plays")),
            origin=visit.origin,
            now=visit.now,
        )
    _told(decided)
    return _go(visit, f"/requests?done={'granted' if granted else 'denied'}")


def end(visit: Visit) -> Response:
    """POST /grants/{grant_id}/end."""
    with visit.parts.database.begin() as session:
        ended = listening.end(
            session, visit.person, visit.number("grant_id"), origin=visit.origin, now=visit.now
        )
    _told(ended)
    return _go(visit, "/requests?done=grant-ended")


def begin(visit: Visit) -> Response:
    """POST /recordings/{recording_id}/plays: one play, counted, and on to the player."""
    recording_id, grant_id = visit.number("recording_id"), natural(visit.field("grant")) or 0
    with visit.parts.database.begin() as session:
        begun = playing.begin(
            session, visit.person, grant_id, recording_id, origin=visit.origin, now=visit.now
        )
    return _go(visit, f"/recordings/{recording_id}?play={_told(begun).play.id}")


def listen(visit: Visit) -> Response:
    """GET /recordings/{recording_id}: by a grant what it allows, by a play the player;
    of one that was destroyed, that it was."""
    recording_id, play_id = visit.number("recording_id"), play_asked(visit)
    with visit.parts.database.reading() as session:
        tomb = tombs.of(session, visit.person, recording_id)
    if tomb is not None:
        return render.page(visit, "pages/tomb.html", tomb=tomb, row=tomb.row)
    with visit.parts.database.begin() as session:
        seen = (
            playing.play_seen(session, visit.person, play_id, recording_id, origin=visit.origin,
                                now=visit.now)
            if play_id
            else playing.may_begin(session, visit.person, grant_asked(visit), recording_id,
                                     origin=visit.origin, now=visit.now)
        )  # fmt: skip
        context: dict[str, Any] = {} if isinstance(seen, Refused) else _around(session, seen)
    may = _told(seen)
    template = "pages/listen.html" if play_id else "pages/listen_begin.html"
    return render.page(visit, template, may=may, row=may.row, grant=may.grant,
                       request=may.request, **context)  # fmt: skip


def _around(session: Session, may: May) -> dict[str, Any]:
    silent = silence.of_recording(session, may.row)
    logins = {one.row.paused_by for one in silent} | {may.grant.authoriser}
    return {"silent": silent, "names": accounts.named(session, logins)}


def _told(done: T | Refused) -> T:
    """`done`, or the refusal that is on record by now."""
    if isinstance(done, Refused):
        raise done.error
    return done


def _go(visit: Visit, path: str) -> Response:
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)
