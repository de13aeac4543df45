"""Before every page: who is here, may they, did the form come from our own page.

    session cookie → person → the page's permission → (unsafe methods) CSRF token → handler

In this order, in this one place; a handler is never reached otherwise. A refusal here of a page
that touches recordings is a line in the log, committed before the refusal is told (DESIGN §3,
promise 5), also when nobody is signed in (one line for an origin and minute, with a count: see
`knocks`); what a handler itself refuses, it logs itself, but for a ticket that is about whoever
would handle it: that refusal undoes the handler's transaction, and its line is written here. What
one may see of a single ticket, work order or recording is decided where the row is read.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from gateway.console import arriving, failures
from gateway.console.visit import (
    CSRF_FIELD,
    CSRF_HEADER,
    TOKEN_COOKIE,
    Visit,
    split_url,
)
from gateway.errors import Forbidden, HotlineError, NotSignedIn, Recused
from gateway.flow import log, objects, recusing
from gateway.flow.knocks import Knocks
from gateway.flow.recusing import Doing
from gateway.parts import Parts
from gateway.people import sessions
from gateway.people.roles import Permission
from gateway.people.sessions import Signed

SAFE = frozenset({"GET", "HEAD"})
PUBLIC: frozenset[Permission] | None = None
"""Anybody, also who is not signed in."""
SIGNED_IN: frozenset[Permission] = frozenset()
"""Anybody who is signed in, whatever the role."""

Handler = Callable[[Visit], Response]
Stream = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the routes table. `needs`: any one of these permissions opens it."""

    path: str
    method: str
    handler: Handler | Stream
    needs: frozenset[Permission] | None
    logged: bool = False  # a refusal by the guard is a line in the log
    act: str = "recordings:page:open"  # as what such a refusal is in the log
    most: int = arriving.FORM_MAX  # bytes of its form
    streams: bool = False  # the handler is a coroutine: it waits instead of working


class WrongToken(Forbidden):
    """The form carries no token of this session: an old page, or another site's form."""

    def __init__(self) -> None:
        super().__init__(
            "页面已过期，请刷新后重试。 This page is out of date; reload it and try again."
        )


def guarded(page: Page, knocks: Knocks) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that lets only the right visits through to `page.handler`."""

    async def endpoint(asked: Request) -> Response:
        request = Request(asked.scope, arriving.bounded(asked.receive, page.most))
        parts: Parts = request.app.state.parts
        visit = Visit(request, parts, None, FormData(), parts.clock())
        try:
            visit = await run_in_threadpool(_signed, visit)
            try:
                _permitted(page, visit)
                if request.method not in SAFE:
                    visit = _with(visit, form=await arriving.form(request, page.most))
                    _own_form(page, visit)
            except (Forbidden, NotSignedIn):
                if page.logged:
                    left_out = 0 if visit.signed else knocks.left_out(visit.origin, visit.now)
                    if left_out is not None:
                        await run_in_threadpool(_note, page, visit, left_out)
                raise
            return await _handled(page, visit)
        except HotlineError as error:
            return failures.told(visit, error)
        finally:
            await request.close()  # a file that came with the form lies on the disk until then

    return endpoint


async def _handled(page: Page, visit: Visit) -> Response:
    try:
        if page.streams:
            return await cast("Stream", page.handler)(visit)
        return await run_in_threadpool(cast("Handler", page.handler), visit)
    except Recused as error:
        if error.ticket_id is not None:
            await run_in_threadpool(_kept_out, visit, error.ticket_id)
        raise


def _with(visit: Visit, *, form: FormData) -> Visit:
    return Visit(visit.request, visit.parts, visit.signed, form, visit.now)


def _signed(visit: Visit) -> Visit:
    """The visit with its person, if the cookie is a session's."""
    token = visit.request.cookies.get(TOKEN_COOKIE, "")
    if not token:
        return visit
    with visit.parts.database.reading() as session:
        signed = sessions.find(session, token, visit.now)
    if signed is not None and signed.stale:
        with visit.parts.database.begin() as session:
            sessions.seen(session, signed.sign_in_id, visit.now)
    return Visit(visit.request, visit.parts, signed, visit.form, visit.now)


def _permitted(page: Page, visit: Visit) -> None:
    if page.needs is PUBLIC:
        return
    who = visit.person
    if page.needs and not any(who.may(permission) for permission in page.needs):
        raise Forbidden


def _own_form(page: Page, visit: Visit) -> None:
    """Refuse what another site's page sent in this person's name.

    The session's token in a header or hidden field is compared in constant time. Where there is no
    session yet (signing in), the browser's own word on where the form came from must be ours
    (OWASP CSRF Prevention: Fetch Metadata, then Origin); who sends neither is no browser.
    """
    if page.needs is PUBLIC:
        if not _same_site(visit.request):
            raise WrongToken
        return
    given = visit.request.headers.get(CSRF_HEADER) or visit.field(CSRF_FIELD)
    if not hmac.compare_digest(given.encode(), _csrf(visit.signed).encode()):
        raise WrongToken


def _same_site(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    named = split_url(origin).netloc
    return bool(named) and named == request.headers.get("Host")


def _csrf(signed: Signed | None) -> str:
    if signed is None:
        raise NotSignedIn
    return signed.csrf


def _kept_out(visit: Visit, ticket_id: int) -> None:
    with visit.parts.database.begin() as session:
        recusing.kept_out(Doing(session, visit.person, visit.origin, visit.now), ticket_id)


def _note(page: Page, visit: Visit, left_out: int) -> None:
    told = {"left_out": left_out} if left_out else {}
    with visit.parts.database.begin() as session:
        log.note(
            session,
            page.act,
            actor=visit.signed.person.login if visit.signed else log.NOBODY,
            origin=visit.origin,
            obj=objects.named(session, page.path, visit.request.path_params),
            outcome="denied",
            now=visit.now,
            detail={"page": page.path, "method": page.method, **told},
        )
