"""Tickets: the list, one ticket with its story, and what a person does with it.

Every act posts the form as it stands along with itself: what is on the page is saved and the act
taken in one unit of work, or neither. The search is a POST, because a telephone number that is
looked for must not stand in an address (DESIGN §3, promise 10).
"""

from collections.abc import Callable

from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import render
from gateway.console.pages import desk, recusal
from gateway.console.visit import Visit, page_number
from gateway.errors import StaleTicket
from gateway.flow import changing, dispatching, files, filling, pushing
from gateway.flow.changing import Wanted
from gateway.numbers import natural
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow
from gateway.tickets import acts, views

STALE = (
    "他人刚改动了这张工单；您填写的内容还在本页，尚未保存。 "
    "Somebody else has just changed this ticket; what you typed is still here, not saved."
)

Act = Callable[[Session, int, Visit], object]


def listing(visit: Visit) -> Response:
    """GET /tickets and POST /tickets/search."""
    text, state = visit.field("text").strip()[:100], visit.field("state")
    with visit.parts.database.reading() as session:
        page = views.search(
            session,
            visit.person,
            text=text,
            state=state,
            page=page_number(visit.field("page")),
        )
        names = accounts.named(session, {row.owner for row in page.items})
    template = "parts/ticket_list.html" if visit.by_htmx else "pages/tickets.html"
    return render.page(visit, template, page=page, names=names, text=text, state_wanted=state)


def show(visit: Visit) -> Response:
    """GET /tickets/{ticket_id}: the matter, and its story."""
    with visit.parts.database.reading() as session:
        ticket_id = visit.number("ticket_id")
        context = desk.work_of(session, visit, ticket_id)
        context["matter"] = recusal.matter(session, visit, ticket_id)
        context["files"] = files.of_ticket(session, ticket_id)
    return render.page(visit, "pages/ticket.html", **{**context, "back": "ticket"})


def story(visit: Visit) -> Response:
    """GET /tickets/{ticket_id}/story: the story alone, fetched again when something happened."""
    with visit.parts.database.reading() as session:
        view = views.ticket(session, visit.person, visit.number("ticket_id"))
        names = accounts.named(session, {step.actor for step in view.steps})
    return render.page(visit, "parts/story.html", view=view, names=names)


def orders(visit: Visit) -> Response:
    """GET /tickets/{ticket_id}/orders: where its work orders are, fetched again now and then."""
    with visit.parts.database.reading() as session:
        view = views.ticket(session, visit.person, visit.number("ticket_id"))
        context = desk.orders_of(session, visit, view)
    return render.page(visit, "parts/orders.html", view=view, **context)


def save(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/fields: the form saves itself."""
    try:
        with visit.parts.database.begin() as session:
            row = fill(session, visit.number("ticket_id"), visit)
    except StaleTicket as error:
        stale = render.html("parts/saved.html", row=None, at=visit.now, problem=STALE)
        return HTMLResponse(stale, error.status)
    return HTMLResponse(render.html("parts/saved.html", row=row, at=visit.now, problem=""))


def fill(session: Session, ticket_id: int, visit: Visit) -> TicketRow:
    """Write what is on the page into the form; raises what `filling.fill` raises."""
    fields = dict(visit.fields(acts.FILLABLE))
    if "has_confidential" in visit.form:  # an unticked box is not sent
        fields.setdefault("confidential", "")
    version = visit.field("version")
    return filling.fill(
        session,
        ticket_id,
        visit.person,
        fields,
        (natural(version) or 0) if version else None,  # 0 is no ticket's: refused as stale
        visit.now,
    )


def _act(name: str, act: Act) -> Callable[[Visit], Response]:
    """The handler of one act: save the form, take the step, show where the ticket stands now."""

    def handler(visit: Visit) -> Response:
        ticket_id = visit.number("ticket_id")
        with visit.parts.database.begin() as session:
            if "version" in visit.form:
                fill(session, ticket_id, visit)
            act(session, ticket_id, visit)
        if visit.field("back") == "desk" and visit.person.may(Permission.DESK_USE):
            return desk.fragment(visit, ticket_id, done=name)
        return _go(visit, f"/tickets/{ticket_id}?done={name}")

    return handler


def _go(visit: Visit, path: str) -> Response:
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def _person(visit: Visit) -> tuple[Person, int]:
    return visit.person, visit.now


def _answer(session: Session, ticket_id: int, visit: Visit) -> object:
    return acts.answer(session, ticket_id, visit.person, visit.field("answer"), visit.now)


def _refuse(session: Session, ticket_id: int, visit: Visit) -> object:
    reason, refer_to = visit.field("reason"), visit.field("refer_to")
    return acts.refuse(session, ticket_id, visit.person, reason, refer_to, visit.now)


def _accept(session: Session, ticket_id: int, visit: Visit) -> object:
    region = visit.parts.settings.region
    return acts.accept(session, ticket_id, visit.person, region, visit.now)


def _close(session: Session, ticket_id: int, visit: Visit) -> object:
    return acts.close(session, ticket_id, visit.person, visit.field("note"), visit.now)


def _dispatch(session: Session, ticket_id: int, visit: Visit) -> object:
    lead = visit.field("lead")
    chosen = [lead, *(code for code in visit.several("assisting") if code != lead)]
    question = visit.field("question")
    return dispatching.dispatch(
        session, ticket_id, visit.person, [c for c in chosen if c], question, visit.now,
        public_url=visit.parts.settings.public_url,
    )  # fmt: skip


def _push(action: str) -> Act:
    def act(session: Session, ticket_id: int, visit: Visit) -> object:
        number, reason = visit.field("order"), visit.field("reason")
        return pushing.push(session, number, visit.person, action, visit.now, reason=reason,
                            until=visit.field("until"), of_ticket=ticket_id)  # fmt: skip

    return act


def _change(session: Session, ticket_id: int, visit: Visit) -> object:
    wanted = Wanted(visit.field("question"), visit.field("new_demand"), visit.field("due"))
    return changing.change(session, visit.field("order"), visit.person, wanted, visit.now,
                           reason=visit.field("reason"), of_ticket=ticket_id)  # fmt: skip


def _extend(session: Session, ticket_id: int, visit: Visit) -> object:
    action = "extend" if visit.field("granted") == "1" else "not-extend"
    return _push(action)(session, ticket_id, visit)


def _register(session: Session, ticket_id: int, visit: Visit) -> object:
    return acts.register(session, ticket_id, *_person(visit))


def _called_back(session: Session, ticket_id: int, visit: Visit) -> object:
    return acts.called_back(session, ticket_id, *_person(visit))


register = _act("registered", _register)
answer = _act("answered", _answer)
refuse = _act("refused", _refuse)
accept = _act("accepted", _accept)
dispatch = _act("dispatched", _dispatch)
close = _act("closed", _close)
change = _act("changed", _change)
urge = _act("urged", _push("urge"))
supervise = _act("supervised", _push("supervise"))
extend = _act("extended", _extend)
withdraw = _act("withdrawn", _push("withdraw"))
called_back = _act("called-back", _called_back)
