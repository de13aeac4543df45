"""The tickets that one batch of facts is about: read at once, changed in memory, written at once.

A busy PBX brings facts of many calls in one batch, and the batch is one transaction. Asked call by
call, the database would be asked a dozen times for each; here a batch costs as many statements as
there are kinds of change in it. What always holds:

- A call has one ticket; `open` makes those that are missing, and no second one.
- What a person changed meanwhile is not undone: an owner is written only where there is none, and
  whether to call back only where the ticket is as it was read.

It decides nothing: what a fact means for a ticket is `intake`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from gateway import notices
from gateway.people import accounts
from gateway.tables import Base
from gateway.tickets.lifecycle import TicketState
from telephony.facts import Answered, Ended, Fact, PassedOn, Queued
from telephony.prepared import Among, Prepared

NAME_MAX = 120  # as long as a form lets it be; the call keeps it whole

_CALL: Final = Base.metadata.tables["call"]
_TICKET: Final = Base.metadata.tables["ticket"]
_OPENED: Final = Base.metadata.tables["ticket_call"]
_STEP: Final = Base.metadata.tables["ticket_step"]

_MATTERS: Final = Prepared(
    select(
        *(_CALL.c.id, _CALL.c.pbx, _CALL.c.linkedid, _CALL.c.caller_number, _CALL.c.caller_name),
        *(_CALL.c.last_agent, _TICKET.c.id, _TICKET.c.state, _TICKET.c.owner, _TICKET.c.call_back),
    )
    .select_from(_CALL)
    .outerjoin(_OPENED, _OPENED.c.call_id == _CALL.c.id)
    .outerjoin(_TICKET, _TICKET.c.id == _OPENED.c.ticket_id)
    .where(Among(_CALL.c.id, "calls"))
)
_OWNED: Final = Prepared(
    update(_TICKET)
    .where(_TICKET.c.id == bindparam("ticket"), _TICKET.c.owner == "")
    .values(owner=bindparam("by"))
)
_CALL_BACK: Final = Prepared(
    update(_TICKET)
    .where(_TICKET.c.id == bindparam("ticket"), _TICKET.c.call_back == bindparam("read"))
    .values(call_back=bindparam("now"))
)
_DRAFT: Final = ("opened_at", "channel", "queue", "caller_phone", "caller_name")
_OPEN: Final = Prepared(insert(_TICKET).returning(_TICKET.c.id), _DRAFT)
_OPENS: Final = Prepared(insert(_OPENED), ("call_id", "ticket_id"))
_TELL: Final = Prepared(
    insert(_STEP), ("ticket_id", "at", "actor", "action", "from_state", "to_state")
)


@dataclass(slots=True)
class Matter:
    """A call and its ticket, as far as a fact can change them. `ticket_id` 0: there is none."""

    call_id: int
    pbx: str
    linkedid: str
    number: str
    name: str
    last_agent: str
    ticket_id: int = 0
    state: str = ""
    owner: str = ""
    call_back: str = ""
    fresh: bool = False
    """The ticket was opened in this batch, and its story not begun."""


class Bundle:
    """See the module. `facts`: all that the batch of one PBX brought, at least one."""

    def __init__(self, session: Session, facts: Sequence[Fact]) -> None:
        self.session = session
        session.flush()
        rows = _MATTERS.rows(session, calls=sorted({fact.call_id for fact in facts}))
        self._matters = {row[0]: _matter(row) for row in rows}
        self._read = {
            matter.ticket_id: (matter.owner, matter.call_back) for matter in self._matters.values()
        }
        talked = (fact for fact in facts if isinstance(fact, Answered | PassedOn))
        phones = {fact.interface for fact in talked}
        self._logins = accounts.logins_at(session, facts[0].pbx, phones)
        self._steps: list[dict[str, Any]] = []

    def matter(self, fact: Fact) -> Matter | None:
        """The call of that fact, if it has a ticket."""
        matter = self._matters.get(fact.call_id)
        return matter if matter is not None and matter.ticket_id else None

    def last_agent(self, fact: Fact) -> str:
        """The agent's phone that had this call last."""
        return self._matters[fact.call_id].last_agent

    def newly_known(self, facts: Iterable[Fact]) -> list[Matter]:
        """Calls that ended, or got their ticket: a recording may have waited for either."""
        ids = {fact.call_id for fact in facts if isinstance(fact, Queued | Ended)}
        return [self._matters[call_id] for call_id in sorted(ids)]

    def login(self, interface: str) -> str:
        """Whose phone that is; '' when nobody's."""
        return self._logins.get(interface, "")

    def open(self, queued: Iterable[Queued]) -> None:
        """A draft for each of these calls that has no ticket yet."""
        first = {
            fact.call_id: fact
            for fact in reversed([*queued])
            if not self._matters[fact.call_id].ticket_id
        }
        if not first:
            return
        drafts = [_draft(self._matters[call_id], fact) for call_id, fact in first.items()]
        tickets = [ticket for (ticket,) in _OPEN.made(self.session, drafts)]
        opened = dict(zip(first, tickets, strict=True))
        _OPENS.run(
            self.session,
            [{"call_id": call_id, "ticket_id": ticket} for call_id, ticket in opened.items()],
        )
        for call_id, ticket in opened.items():
            matter = self._matters[call_id]
            matter.ticket_id, matter.state, matter.fresh = ticket, TicketState.DRAFT.value, True
            matter.call_back = "none"
            self._read[ticket] = ("", "none")

    def story(
        self, matter: Matter, actor: str, action: str, at: int, before: str | None = None
    ) -> None:
        """One line of the ticket's story; with no `before`, one that changed no state."""
        self._steps.append(
            {
                "ticket_id": matter.ticket_id,
                "at": at,
                "actor": actor,
                "action": action,
                "from_state": matter.state if before is None else before,
                "to_state": matter.state,
            }
        )
        for topic in {f"person:{matter.owner}", "tickets"}:
            notices.tell(self.session, topic, action, matter.ticket_id)

    def write(self) -> None:
        """Everything that changed; whatever the session had read before is read anew."""
        owned, called_back = [], []
        for matter in self._matters.values():
            owner, call_back = self._read[matter.ticket_id]
            if matter.owner != owner:
                owned.append({"ticket": matter.ticket_id, "by": matter.owner})
            if matter.call_back != call_back:
                due = {"ticket": matter.ticket_id, "read": call_back, "now": matter.call_back}
                called_back.append(due)
        _OWNED.run(self.session, owned)
        _CALL_BACK.run(self.session, called_back)
        _TELL.run(self.session, self._steps)
        self.session.expire_all()


def _matter(row: Sequence[Any]) -> Matter:
    call_id, pbx, linkedid, number, name, agent, ticket_id, state, owner, call_back = row
    if ticket_id is None:
        return Matter(call_id, pbx, linkedid, number, name, agent or "")
    call = (call_id, pbx, linkedid, number, name, agent or "")
    return Matter(*call, ticket_id, state, owner, call_back)


def _draft(matter: Matter, fact: Queued) -> dict[str, Any]:
    """What is in a new ticket, by `_DRAFT`."""
    name = matter.name[:NAME_MAX] if matter.name != matter.number else ""
    return dict(zip(_DRAFT, (fact.at, "phone", fact.queue, matter.number, name), strict=True))
