"""Recordings for programs: search, ask to hear, decide.  The table in `routes` takes them in.

What is sought may be a caller's number: it stands in the body and in no URL.  To be allowed to
hear is not to hear: no byte of a recording leaves here.
"""

from gateway.api import evidence as e
from gateway.api.endpoint import Answer, Call, Endpoint, Listed, number
from gateway.flow import finding, listening
from gateway.flow.listening import Refused
from gateway.people.roles import Permission as P
from recordings.tables import RequestRow


def search(call: Call) -> Answer:
    """Search."""
    found = finding.search(
        call.session, call.person, call.now,
        phone_tail=call.body.phone_tail, agent=call.body.agent, ticket=call.body.ticket,
        page=call.body.page,
    )  # fmt: skip
    return Listed([e.FoundRecordingOut.of(view) for view in found.items], found.incomplete)


def requests(call: Call) -> Answer:
    """One's own, or all for an authoriser."""
    found = listening.requests(call.session, call.person)
    return [e.RequestOut.of(view) for view in found]


def ask(call: Call) -> Answer:
    """Ask to hear."""
    request = listening.ask(
        call.session, call.person, recording_ids=call.body.recordings, purpose=call.body.purpose,
        ticket_no=call.body.ticket_no, reason=call.body.reason, origin=call.origin, now=call.now,
    )  # fmt: skip
    return e.RequestOut.of(listening.view_of(call.session, request))


def decide(call: Call) -> Answer:
    """Grant or refuse."""
    request_id = number(call, "id")
    decided = listening.decide(
        call.session, call.person, request_id, granted=call.body.granted, note=call.body.note,
        lasts_s=call.body.lasts_s, origin=call.origin, now=call.now,
    )  # fmt: skip
    if isinstance(decided, Refused):
        return decided
    row = call.session.get_one(RequestRow, request_id)
    return e.RequestOut.of(listening.view_of(call.session, row))


_REQUESTS = "/api/v1/recording-requests"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/api/v1/recordings/search", search, (P.RECORDING_SEARCH,),
             e.FoundRecordingOut, "查录音 · Search recordings", e.RecordingsSought, many=True,
             reads=True, over_time=True),
    Endpoint("GET", _REQUESTS, requests, (P.RECORDING_ASK, P.RECORDING_DECIDE), e.RequestOut,
             "调听申请 · Requests", many=True),
    Endpoint("POST", _REQUESTS, ask, (P.RECORDING_ASK,), e.RequestOut,
             "申请调听 · Ask to hear", e.Ask, status=201),
    Endpoint("POST", _REQUESTS + "/{id}/decision", decide, (P.RECORDING_DECIDE,), e.RequestOut,
             "授权决定 · Decide", e.Decision),
)  # fmt: skip
