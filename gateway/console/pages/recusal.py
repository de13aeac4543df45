"""Recusal on a ticket's page (回避): naming, lifting, joining, and the panel that shows them."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from gateway.console.visit import Visit
from gateway.errors import BadInput
from gateway.flow import recusing
from gateway.flow.recusing import Doing
from gateway.flow.refusal import Refused
from gateway.numbers import natural
from gateway.people import accounts
from gateway.people.roles import Permission
from gateway.tickets import joining, recusal
from gateway.tickets.recusal import Named


@dataclass(frozen=True, slots=True)
class Matter:
    """Whom the ticket's matter is about, with their names, and the tickets that are one with it."""

    about: list[Named]
    names: dict[str, str]
    others: list[int]


def matter(session: Session, visit: Visit, ticket_id: int) -> Matter | None:
    """What the panel shows; None for who may neither name nor join."""
    if not visit.person.may(Permission.RECUSAL_NAME):
        return None
    about = recusal.listed(session, [ticket_id])
    names = accounts.named(session, {one.login for one in about})
    return Matter(about, names, joining.others(session, ticket_id))


def name(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/recusals: somebody, or the agents of a call."""
    login, call = visit.field("login").strip(), visit.field("call")
    if call and not login:
        return _done(
            visit, lambda at, of: recusing.name_call(at, of, natural(call) or 0), "recused"
        )
    if not login:
        raise BadInput({"login": "请填账号，或选择通话。 Give a login, or choose a call."})
    return _done(visit, lambda at, of: recusing.name(at, of, login), "recused")


def lift(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/recusals/lift."""
    login = visit.field("login")
    return _done(visit, lambda at, of: recusing.lift(at, of, login), "recusal-lifted")


def join(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/join."""
    into = visit.field("into")
    return _done(visit, lambda at, of: recusing.join(at, of, into), "joined")


def _done(visit: Visit, act: Callable[[Doing, int], list[str] | Refused], said: str) -> Response:
    ticket_id = visit.number("ticket_id")
    with visit.parts.database.begin() as session:
        done = act(Doing(session, visit.person, visit.origin, visit.now), ticket_id)
    if isinstance(done, Refused):
        raise done.error
    path = f"/tickets/{ticket_id}?done={said}"
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)
