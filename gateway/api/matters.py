"""Whom a matter is about (回避), and which tickets are one matter, for programs.

The table in `routes` takes the endpoints in. A refusal because the matter is about whoever asks is
on record before it is told.
"""

from gateway.api.endpoint import Answer, Call, Endpoint, number
from gateway.api.shapes import Model, RowId
from gateway.errors import BadInput
from gateway.flow import recusing
from gateway.flow.recusing import Doing
from gateway.flow.refusal import Refused
from gateway.people.roles import Permission as P
from gateway.tickets import joining, recusal, views


class RecusalIn(Model):
    """Who is recused: an account's login, or whoever talked in a call."""

    login: str = ""
    call: RowId | None = None


class RecusalOver(Model):
    """Whose recusal is lifted."""

    login: str


class Joining(Model):
    """The ticket to join: `#7`, an acceptance number or a work order's."""

    into: str


class RecusalOut(Model):
    """Somebody the matter is about: by which ticket; `because` is named, call or found."""

    login: str
    ticket_id: int
    because: str


class MatterOut(Model):
    """Whom the matter is about, and the tickets that are one with this one."""

    ticket: int
    recused: list[RecusalOut]
    joined: list[int]


def show(call: Call) -> Answer:
    """Who is recused."""
    view = views.ticket(call.session, call.person, number(call, "id"))
    return _matter(call, view.row.id)


def name(call: Call) -> Answer:
    """Name somebody, or the agents of a call."""
    body, ticket_id = call.body, number(call, "id")
    if bool(body.login) == bool(body.call):
        raise BadInput({"login": "账号与通话填其一。 Give either a login or a call."})
    if body.call:
        return _done(call, recusing.name_call(_doing(call), ticket_id, body.call))
    return _done(call, recusing.name(_doing(call), ticket_id, body.login))


def lift(call: Call) -> Answer:
    """Lift a recusal."""
    return _done(call, recusing.lift(_doing(call), number(call, "id"), call.body.login))


def join(call: Call) -> Answer:
    """Join two tickets."""
    return _done(call, recusing.join(_doing(call), number(call, "id"), call.body.into))


def _doing(call: Call) -> Doing:
    return Doing(call.session, call.person, call.origin, call.now)


def _done(call: Call, done: list[str] | Refused) -> Answer:
    return done if isinstance(done, Refused) else _matter(call, number(call, "id"))


def _matter(call: Call, ticket_id: int) -> MatterOut:
    about = recusal.listed(call.session, [ticket_id])
    return MatterOut(
        ticket=ticket_id,
        recused=[RecusalOut.model_validate(one) for one in about],
        joined=joining.others(call.session, ticket_id),
    )


_T = "/api/v1/tickets/{id}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", _T + "/recusals", show, (P.RECUSAL_NAME,), MatterOut,
             "回避与并单 · Recusals of a ticket"),
    Endpoint("POST", _T + "/recusals", name, (P.RECUSAL_NAME,), MatterOut,
             "指定回避 · Name who is recused", RecusalIn),
    Endpoint("POST", _T + "/recusals/lift", lift, (P.RECUSAL_NAME,), MatterOut,
             "解除回避 · Lift a recusal", RecusalOver),
    Endpoint("POST", _T + "/join", join, (P.TICKET_JOIN,), MatterOut, "并单 · Join tickets",
             Joining),
)  # fmt: skip
