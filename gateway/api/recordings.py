"""Recordings for programs: search, ask to hear, decide.  The table in `routes` takes them in.

What is sought may be a caller's number: it stands in the body and in no URL.  To be allowed to
hear is not to hear: no byte of a recording leaves here.
"""

from gateway.api import evidence as e
from gateway.api.endpoint import Answer, Asked, Call, Endpoint, Listed, number
from gateway.flow import exporting, finding, listening, playing
from gateway.flow import glass as breaking
from gateway.flow.finding import RecordingView
from gateway.flow.refusal import Refused
from gateway.people.roles import Permission as P
from gateway.tickets.paging import Page
from recordings.tables import RequestRow
from recordings.tables_grants import ExportRow


def search(call: Call) -> Answer:
    """Search; what was looked by is in the log."""
    found: Page[RecordingView] = call.prepared
    finding.searched(call.session, call.person, call.body.sought(), found.total,
                     origin=call.origin, now=call.now)  # fmt: skip
    return Listed([e.FoundRecordingOut.of(view) for view in found.items], found.incomplete)


def _search(asked: Asked) -> Page[RecordingView]:
    """The search itself: it only reads, and holds up nobody who writes."""
    parts = asked.asking.parts
    with parts.database.reading() as session:
        return finding.search(session, asked.asking.who, parts.clock(), asked.body.sought(),
                              asked.body.page)  # fmt: skip


def requests(call: Call) -> Answer:
    """One's own, or all for an authoriser."""
    found = listening.requests(call.session, call.person)
    return [e.RequestOut.of(view) for view in found]


def ask(call: Call) -> Answer:
    """Ask to hear or to export."""
    asked = listening.ask(
        call.session, call.person, call.body.recordings, call.body.wanted(), origin=call.origin,
        now=call.now,
    )  # fmt: skip
    if isinstance(asked, Refused):
        return asked
    return e.RequestOut.of(listening.view_of(call.session, asked))


def decide(call: Call) -> Answer:
    """Grant or refuse."""
    request_id = number(call, "id")
    decided = listening.decide(
        call.session, call.person, request_id, granted=call.body.granted, note=call.body.note,
        lasts_s=call.body.lasts_s, plays_max=call.body.plays, origin=call.origin, now=call.now,
    )  # fmt: skip
    if isinstance(decided, Refused):
        return decided
    row = call.session.get_one(RequestRow, request_id)
    return e.RequestOut.of(listening.view_of(call.session, row))


def end(call: Call) -> Answer:
    """End a grant."""
    ended = listening.end(call.session, call.person, number(call, "id"), origin=call.origin,
                          now=call.now)  # fmt: skip
    if isinstance(ended, Refused):
        return ended
    row = call.session.get_one(RequestRow, ended.request_id)
    return e.RequestOut.of(listening.view_of(call.session, row))


def begin(call: Call) -> Answer:
    """Begin a play."""
    begun = playing.begin(call.session, call.person, call.body.grant, number(call, "id"),
                          origin=call.origin, now=call.now)  # fmt: skip
    return begun if isinstance(begun, Refused) else e.PlayOut.of(begun)


def glass(call: Call) -> Answer:
    """Break-glass."""
    taken = breaking.break_glass(call.session, call.person, call.body.recordings, call.body.reason,
                                 origin=call.origin, now=call.now)  # fmt: skip
    if isinstance(taken, Refused):
        return taken
    row = call.session.get_one(RequestRow, taken.request_id)
    return e.RequestOut.of(listening.view_of(call.session, row))


def export(call: Call) -> Answer:
    """Export to the recipient of the request."""
    return e.ExportOut.of(exporting.of(call.session, call.person, call.prepared.id))


def _export(asked: Asked) -> ExportRow:
    asking = asked.asking
    return exporting.make(asking.parts, asking.who, asked.body.grant, number(asked, "id"),
                          origin=asking.origin)  # fmt: skip


def exported(call: Call) -> Answer:
    """One's own export."""
    return e.ExportOut.of(exporting.of(call.session, call.person, number(call, "id")))


_REQUESTS = "/api/v1/recording-requests"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/api/v1/recordings/search", search, (P.RECORDING_SEARCH,),
             e.FoundRecordingOut, "查录音 · Search recordings", e.RecordingsSought, many=True,
             act=_search, over_time=True),
    Endpoint("GET", _REQUESTS, requests, (P.RECORDING_ASK, P.RECORDING_DECIDE), e.RequestOut,
             "调听申请 · Requests", many=True),
    Endpoint("POST", _REQUESTS, ask, (P.RECORDING_ASK,), e.RequestOut,
             "申请调听 · Ask to hear", e.Ask, status=201),
    Endpoint("POST", _REQUESTS + "/{id}/decision", decide, (P.RECORDING_DECIDE,), e.RequestOut,
             "授权决定 · Decide", e.Decision),
    Endpoint("POST", "/api/v1/recording-grants/{id}/end", end,
             (P.RECORDING_ASK, P.RECORDING_DECIDE), e.RequestOut, "终止授权 · End a grant"),
    Endpoint("POST", "/api/v1/recordings/{id}/plays", begin, (P.RECORDING_LISTEN,), e.PlayOut,
             "开始收听 · Begin a play", e.Use, status=201),
    Endpoint("POST", "/api/v1/recordings/break-glass", glass, (P.RECORDING_BREAK_GLASS,),
             e.RequestOut, "紧急调听 · Break-glass", e.Glass, status=201),
    Endpoint("POST", "/api/v1/recordings/{id}/exports", export, (P.RECORDING_EXPORT,), e.ExportOut,
             "导出 · Export", e.Use, status=201, act=_export),
    Endpoint("GET", "/api/v1/recording-exports/{id}", exported, (P.RECORDING_EXPORT,), e.ExportOut,
             "导出与交接单 · An export"),
)  # fmt: skip
