"""What changed, pushed to the open page: server-sent events (WHATWG HTML, 9.2).

An event says only that something changed and where (topic's kind, an id); the page then fetches
what it shows, under its own permissions. So a lost event costs nothing: on (re)connecting the page
fetches once more. At least every 15 s, however much happens, it is asked whether the session still
stands, so that who has signed out is told for 15 s more at most; a comment then keeps proxies from
closing the line. The stream also ends when the server stops or the page was too slow to read.
"""

import json
import secrets
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from gateway import notices
from gateway.console.visit import Visit
from gateway.notices import Notice
from gateway.people import sessions
from gateway.people.accounts import Person
from gateway.people.roles import Permission

HEARTBEAT_S = 15.0
RETRY_MS = 1000


def topics(person: Person) -> frozenset[str]:
    """What `person` is told of: their own affairs, and what their role watches."""
    watched = {f"person:{person.login}"}
    if person.extension and person.may(Permission.DESK_USE):
        watched |= {
            notices.agent(person.pbx, person.extension),
            notices.presence(person.pbx, person.extension),
        }
    if person.department and person.may(Permission.ORDER_READ_OWN):
        watched.add(f"department:{person.department}")
    for permission, topic in (
        (Permission.DESK_USE, "desks"),
        (Permission.WALLBOARD_READ, "wallboard"),
        (Permission.TICKET_READ_ALL, "tickets"),
        (Permission.RECORDING_SEARCH, "recordings"),
        (Permission.RECORDING_DECIDE, "requests"),
        (Permission.LOG_READ, "log"),
        (Permission.STATE_READ, "state"),
    ):
        if person.may(permission):
            watched.add(topic)
    return frozenset(watched)


def event(notice: Notice) -> str:
    """One event: its name is the topic's first word, its data the kind and the id."""
    name = notice.topic.partition(":")[0]
    data = json.dumps({"kind": notice.kind, "ref": notice.ref})
    return f"event: {name}\ndata: {data}\n\n"


async def stream(visit: Visit) -> Response:
    """GET /live."""
    return StreamingResponse(
        _events(visit),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(visit: Visit) -> AsyncIterator[str]:
    async with visit.parts.hub.subscribe(topics(visit.person)) as subscription:
        yield f"retry: {RETRY_MS}\n\n"
        # After a restart all pages come back in the same second; they shall not all ask in one.
        ask_at = time.monotonic() + HEARTBEAT_S * secrets.randbelow(1000) / 1000
        while True:
            left_s = ask_at - time.monotonic()
            if left_s <= 0:
                if not await run_in_threadpool(_still_signed_in, visit):
                    yield "event: ended\ndata: {}\n\n"
                    return
                yield ": still here\n\n"
                ask_at = time.monotonic() + HEARTBEAT_S
                continue
            try:
                notice = await subscription.next(left_s)
            except TimeoutError:
                continue
            if notice is None:
                return
            yield event(notice)


def _still_signed_in(visit: Visit) -> bool:
    with visit.parts.database.reading() as session:
        return sessions.find(session, visit.token, visit.parts.clock()) is not None
