"""How every JSON request runs: who asks, may they, is the body well formed, one transaction.

A handler gets a `Call` and returns models or plain data; it never sees HTTP. Those few that answer
with bytes are handed to `sending`. A refusal that must be on record (`refusal.Refused`) is
committed first and answered then. A 403 on anything that touches recordings is in the log (DESIGN
§3, promise 5), as is every other refusal of a permission, and of a ticket that is about whoever
would handle it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway import sending
from gateway.api.shapes import Fault, storable
from gateway.errors import BadInput, Forbidden, HotlineError, NotFound, NotSignedIn, Recused
from gateway.flow import log, objects, recusing
from gateway.flow.control import Asking
from gateway.flow.knocks import Knocks
from gateway.flow.recusing import Doing
from gateway.flow.refusal import Refused
from gateway.numbers import natural
from gateway.parts import Parts
from gateway.people import sessions
from gateway.people.accounts import Person
from gateway.people.roles import Permission

BODY_MAX = 1 << 20  # bytes; the largest form is a few kilobytes

NOBODY = Person(0, log.NOBODY, "", cast("Any", None))


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it."""

    session: Session
    parts: Parts
    person: Person
    token: str
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Any
    origin: str
    now: int
    prepared: Any = None  # what the endpoint's `prepare` found before the transaction


@dataclass(frozen=True, slots=True)
class Listed:
    """A list over time, and whether calls may be missing from it: an interval without the PBX is
    not back-filled yet. Told in the header `INCOMPLETE`, so that the list itself stays one."""

    rows: Sequence[BaseModel]
    incomplete: bool


INCOMPLETE = "Hotline-Incomplete"
Answer = BaseModel | Sequence[BaseModel] | Listed | Refused | HotlineError
Handler = Callable[[Call], Answer]
Sender = Callable[[sending.Asking], Response]
"""Answers with bytes of its own, in units of work of its own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that an act outside of any transaction answers: the PBX is asked by it."""

    asking: Asking
    path: Mapping[str, Any]
    body: Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table: how it is called, who may, what goes in and out.

    `permission` None: anybody, also who is not signed in; an empty tuple: whoever is signed in.
    """

    method: str
    path: str
    handler: Handler | Sender | Callable[..., Awaitable[object]]
    permission: tuple[Permission, ...] | None
    answer: type[BaseModel] | None
    summary: str
    body: type[BaseModel] | None = None
    many: bool = False
    status: int = 200
    query: tuple[str, ...] = ()
    prepare: Callable[[Parts, Any], Any] | None = None  # slow work, before the transaction opens
    act: Callable[[Asked], object] | None = None  # asks the PBX, in units of work of its own
    over_time: bool = False  # its rows come of calls: it answers with `Listed`
    media: str = ""  # of this type is what the handler, a `Sender`, answers with
    reads: bool = False  # a POST that only asks: what is sought stands in the body, not in the URL
    machine: bool = False  # for departments' programs with a key, and for nobody else (`machine`)
    most: int = BODY_MAX  # bytes of its body
    takes: str = ""  # of this type is its body, which the handler reads as it came

    @property
    def logged(self) -> bool:
        """Whether who asks without being signed in is on record: recordings, the log, and what
        is a department's."""
        return self.machine or self.path.startswith(("/api/v1/recording", "/api/v1/log"))

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET" and not self.reads


async def run(endpoint: Endpoint, request: Request, knocks: Knocks) -> Response:
    """Answer `request` by `endpoint`; every error becomes its status and a `Fault`."""
    try:
        if endpoint.media:
            return await run_in_threadpool(_sent, endpoint, request)
        raw = await read(request, endpoint.most) if endpoint.body else b""
        answer, told = await run_in_threadpool(_run, endpoint, request, raw)
    except NotSignedIn as error:
        await on_record(endpoint, request, knocks)
        return fault(error)
    except HotlineError as error:
        return fault(error)
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse(answer, endpoint.status, {"Cache-Control": "no-store", **told})


def fault(error: HotlineError) -> JSONResponse:
    """The error as JSON."""
    fields = error.fields if isinstance(error, BadInput) else {}
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    body = Fault(message=str(error), fields=fields).model_dump(mode="json")
    return JSONResponse(body, error.status, headers)


async def read(request: Request, most: int = BODY_MAX) -> bytes:
    """The body, of at most so many bytes.

    Raises:
        BadInput: it is longer than any that is meant.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most:
            mib = most >> 20
            raise BadInput({"body": f"请求过大，最多 {mib} MiB。 Too large; {mib} MiB at most."})
    return bytes(raw)


def origin_of(request: Request) -> str:
    """The address a request came from."""
    return request.client.host if request.client else log.NOBODY


def bearer(request: Request) -> str:
    """The token of `Authorization: Bearer …`, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def signed_in(parts: Parts, request: Request) -> Person:
    """Whose token this request carries.

    Raises:
        NotSignedIn: none, or one that has ended.
    """
    token, now = bearer(request), parts.clock()
    with parts.database.reading() as session:
        found = sessions.find(session, token, now, "bearer") if token else None
    if found is None:
        raise NotSignedIn
    if found.stale:
        with parts.database.begin() as session:
            sessions.seen(session, found.sign_in_id, now)
    return found.person


def refused(endpoint: Endpoint, request: Request, who: Person, **detail: int) -> None:
    """Write into the log that `who` was refused this, by the object's id where there is one."""
    parts = cast("Parts", request.app.state.parts)
    with parts.database.begin() as session:
        path = objects.named(session, endpoint.path, request.path_params)
        log.note(session, "api:request:refuse", actor=who.login, origin=origin_of(request),
                 obj=f"{endpoint.method} {path}", outcome="denied", now=parts.clock(),
                 detail=detail)  # fmt: skip


async def on_record(endpoint: Endpoint, request: Request, knocks: Knocks) -> None:
    """Who is not signed in and asks for recordings has a line, as many as `knocks` allows."""
    if not endpoint.logged:
        return
    parts = cast("Parts", request.app.state.parts)
    left_out = knocks.left_out(origin_of(request), parts.clock())
    if left_out is not None:
        told = {"left_out": left_out} if left_out else {}
        await run_in_threadpool(lambda: refused(endpoint, request, NOBODY, **told))


def _permitted(endpoint: Endpoint, request: Request) -> Person:
    """Who asks, if they may; a refusal of who is signed in is on record."""
    parts = cast("Parts", request.app.state.parts)
    if endpoint.permission is None:
        return NOBODY
    who = signed_in(parts, request)
    if endpoint.permission and not any(who.may(one) for one in endpoint.permission):
        refused(endpoint, request, who)
        raise Forbidden
    return who


def _sent(endpoint: Endpoint, request: Request) -> Response:
    parts, who = cast("Parts", request.app.state.parts), _permitted(endpoint, request)
    asking = sending.Asking(request, parts, who, origin_of(request), parts.clock())
    return cast("Sender", endpoint.handler)(asking)


def _run(endpoint: Endpoint, request: Request, raw: bytes) -> tuple[Any, dict[str, str]]:
    """What JSON can hold, and the headers that go with it."""
    parts = cast("Parts", request.app.state.parts)
    who = _permitted(endpoint, request)
    try:
        return _done(endpoint, request, raw, who)
    except Recused as error:
        if error.ticket_id is not None:
            with parts.database.begin() as session:
                doing = Doing(session, who, origin_of(request), parts.clock())
                recusing.kept_out(doing, error.ticket_id)
        raise


def _done(
    endpoint: Endpoint, request: Request, raw: bytes, who: Person
) -> tuple[Any, dict[str, str]]:
    parts = cast("Parts", request.app.state.parts)
    origin = origin_of(request)
    body = parsed(endpoint, raw)
    prepared = endpoint.prepare(parts, body) if endpoint.prepare else None
    if endpoint.act:
        path = storable(request.path_params)
        prepared = endpoint.act(Asked(Asking(parts, who, origin), path, body))
    work = parts.database.begin if endpoint.writes else parts.database.reading
    with work() as session:
        path, query = storable(request.path_params), storable(dict(request.query_params))
        call = Call(session, parts, who, bearer(request), path, query, body, origin,
                    parts.clock(), prepared)  # fmt: skip
        answer = cast("Handler", endpoint.handler)(call)
        if not isinstance(answer, Refused | HotlineError):
            answered = plain(answer)
    if isinstance(answer, Refused):
        raise answer.error
    if isinstance(answer, HotlineError):
        raise answer
    if isinstance(answer, Listed):
        return answered, {INCOMPLETE: "true" if answer.incomplete else "false"}
    return answered, {}


def plain(answer: BaseModel | Sequence[BaseModel] | Listed) -> Any:  # noqa: ANN401 - what JSON can hold
    """An answer as JSON has it."""
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json")
    rows = answer.rows if isinstance(answer, Listed) else answer
    return [one.model_dump(mode="json") for one in rows]


def parsed(endpoint: Endpoint, raw: bytes) -> BaseModel | None:
    """The body as the endpoint's model, if it takes one.

    Raises:
        BadInput: it does not fit; every field that does not, with what is wrong.
    """
    if endpoint.body is None:
        return None
    try:
        return endpoint.body.model_validate_json(raw or b"{}")
    except ValidationError as error:
        faults = {
            ".".join(str(part) for part in one["loc"]) or "body": f"格式不对。 {one['msg']}."
            for one in error.errors(include_input=False, include_url=False)
        }
        raise BadInput(faults) from None


def number(call: Call | Asked | sending.Asking, name: str) -> int:
    """A number out of the path.

    Raises:
        NotFound: it is none, or larger than any id.
    """
    path = call.request.path_params if isinstance(call, sending.Asking) else call.path
    found = natural(str(path[name]))
    if found is None:
        raise NotFound
    return found
