"""What a person does with a ticket: each act reads the row, asks `lifecycle`, writes row and step.

Acts run in the caller's transaction and commit nothing. A refused act raises before it changes
anything. `version` counts what people type into the form, so that a call ending meanwhile does not
make a page stale. The first agent who took the call owns the ticket (首问负责); an agent acts on
their own tickets (`reach`), and takes one that nobody owns by acting on it; a supervisor on any.
Dispatching and what departments do is `flow.orders`.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, IllegalStep, NotFound, StaleTicket
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, TicketStepRow
from gateway.tickets import clocks, followup, lifecycle, numbering, recusal, words
from gateway.tickets.lifecycle import TRANSITIONS, TicketState
from gateway.tickets.reach import of_agent, within_reach

TEXT_MAX = 20_000  # characters of one field; a longer text is an attachment
_SHORT = {"caller_name": 120, "caller_phone": 80, "caller_id_number": 32}
_TEXTS = (
    "caller_name", "caller_phone", "caller_id_number", "caller_address", "subject_department",
    "subject_window", "subject_staff", "summary", "demand", "evidence",
)  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "channel": words.codes(words.CHANNELS),
    "kind": ("", *words.codes(words.KINDS)),
    "complaint_class": ("", *words.codes(words.COMPLAINT_CLASSES)),
    "level": words.codes(words.LEVELS),
    "caller_sex": ("", *words.codes(words.SEXES)),
}
_FIXED_BY_ACCEPTANCE = ("kind", "complaint_class", "level", "confidential")
FILLABLE: frozenset[str] = frozenset((*_TEXTS, *_CHOICES, "confidential"))


def editable(
    session: Session, ticket_id: int, who: Person, *, or_followed_up: bool = False
) -> TicketRow:
    """The ticket, locked for this transaction, that `who` may change, or else may follow up.

    Raises:
        NotFound: there is none, or it is another agent's.
        Forbidden: the role changes no tickets.
        Recused: it is about them.
    """
    if not who.may(Permission.TICKET_EDIT):
        raise Forbidden
    wanted = select(TicketRow).where(TicketRow.id == ticket_id)
    if not who.may(Permission.TICKET_READ_ALL):
        wanted = wanted.where(within_reach(who) if or_followed_up else of_agent(who))
    row = session.scalar(wanted.with_for_update(of=TicketRow))
    if row is None:
        raise NotFound
    recusal.check_handling(session, who, row.id)
    return row


def fill(
    session: Session,
    ticket_id: int,
    who: Person,
    fields: Mapping[str, str],
    version: int | None,
    now: int,
) -> TicketRow:
    """Write `fields` into the form; what is not named stays. The form saves itself through this.

    `version` is the one the page was made from, or None to overwrite whatever is there.

    Raises:
        BadInput: a field that does not exist or cannot hold its value; nothing was written.
        StaleTicket: the ticket has changed since `version`.
        IllegalStep: the ticket is finished, or its acceptance has fixed the field.
    """
    row = editable(session, ticket_id, who)
    if version is not None and version != row.version:
        raise StaleTicket
    values = _checked(fields)
    if row.state not in lifecycle.OPEN_STATES:
        raise IllegalStep("工单已办结，不能再改登记内容。 The ticket is finished and fixed.")
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if row.acceptance_no and (fixed := [n for n in _FIXED_BY_ACCEPTANCE if n in changed]):
        raise IllegalStep(
            f"受理后不能再改：{'、'.join(fixed)}。 Fixed by the acceptance: {', '.join(fixed)}."
        )
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.version += 1
        row.saved_at = now
        row.owner = row.owner or who.login
    session.flush()
    return row


def _checked(fields: Mapping[str, str]) -> dict[str, str | bool]:
    values: dict[str, str | bool] = {}
    wrong: dict[str, str] = {}
    for name, text in fields.items():
        if name == "confidential":
            values[name] = text in ("1", "on", "true", "yes")
        elif name in _CHOICES:
            values[name] = text
            if text not in _CHOICES[name]:
                listed = ", ".join(filter(None, _CHOICES[name]))
                wrong[name] = f"请从列表中选择。 Choose one of: {listed}."
        elif name in _TEXTS:
            values[name] = text.replace("\x00", "").replace("\r\n", "\n").strip()
            longest = _SHORT.get(name, TEXT_MAX)
            if len(text) > longest:
                wrong[name] = f"最多 {longest} 个字。 At most {longest} characters."
        else:
            wrong[name] = "没有这个栏目。 There is no such field."
    if wrong:
        raise BadInput(wrong)
    return values


def take(
    session: Session,
    row: TicketRow,
    actor: str,
    action: str,
    now: int,
    why: str = "",
    order: str = "",
) -> None:
    """Take one step of the lifecycle and write it into the story.

    Raises:
        IllegalStep: the table does not list it.
    """
    before = row.state
    row.state = lifecycle.step(TRANSITIONS, before, action)
    story(session, row, actor, action, now, before=before, why=why, order=order)
    if TicketState.REPLIED in (before, row.state):
        notices.tell(session, "desks", "follow-up", row.id)  # it waits for one, or no more


def story(
    session: Session, row: TicketRow, actor: str, action: str, now: int,
    *, before: str | None = None, why: str = "", order: str = "",
) -> None:  # fmt: skip
    """Write a line of the ticket's story; with no `before`, one that changed no state."""
    session.add(
        TicketStepRow(
            ticket_id=row.id, at=now, actor=actor, action=action,
            from_state=row.state if before is None else before, to_state=row.state,
            why=why, work_order=order,
        )
    )  # fmt: skip
    for topic in {f"person:{row.owner}", "tickets"}:
        notices.tell(session, topic, action, row.id)


def register(session: Session, ticket_id: int, who: Person, now: int) -> TicketRow:
    """Register (登记) a draft: its kind and what it is about must be there.

    Raises:
        BadInput: what is still missing, by field.
        IllegalStep: it is no draft.
    """
    row = editable(session, ticket_id, who)
    _require(row, "kind", "summary", *(["complaint_class"] if row.kind == "complaint" else []))
    row.owner = row.owner or who.login
    take(session, row, who.login, "register", now)
    return row


def _registered(session: Session, ticket_id: int, who: Person, now: int) -> TicketRow:
    row = editable(session, ticket_id, who)
    return register(session, ticket_id, who, now) if row.state == TicketState.DRAFT else row


def _require(row: TicketRow, *names: str) -> None:
    missing = {name: "必填。 Please fill in." for name in names if not getattr(row, name)}
    if missing:
        raise BadInput(missing)


def answer(session: Session, ticket_id: int, who: Person, text: str, now: int) -> TicketRow:
    """Answered on the call and the caller is content (即时办结); registers a draft first."""
    if not text.strip():
        raise BadInput({"answer": "请写明答复内容。 Write down what was answered."})
    row = _registered(session, ticket_id, who, now)
    row.answer = text.strip()
    row.closed_at = now
    take(session, row, who.login, "answer", now, why=row.answer)
    return row


def refuse(
    session: Session, ticket_id: int, who: Person, reason: str, refer_to: str, now: int
) -> TicketRow:
    """Not accepted (不予受理): the reason, and where the caller may go instead, are both told."""
    wrong = {
        name: "必填。 Please fill in."
        for name, text in (("reason", reason), ("refer_to", refer_to))
        if not text.strip()
    }
    if wrong:
        raise BadInput(wrong)
    row = _registered(session, ticket_id, who, now)
    row.refusal_reason, row.refer_to, row.closed_at = reason.strip(), refer_to.strip(), now
    take(session, row, who.login, "refuse", now, why=f"{row.refusal_reason} → {row.refer_to}")
    return row


def accept(session: Session, ticket_id: int, who: Person, region: str, now: int) -> TicketRow:
    """Accept (受理): number and promised date are set in the same act; registers a draft first.

    The date is the end of the 3rd (ordinary) or 7th (major) working day; it stays open, and the
    story says why, when the next year's holidays are not published yet.
    """
    row = _registered(session, ticket_id, who, now)
    lifecycle.step(TRANSITIONS, row.state, "accept")  # a refused step must not use up a number
    row.acceptance_no = numbering.acceptance_number(session, region, now)
    row.accepted_at = now
    why = ""
    try:
        row.due_at = clocks.after_working_days(now, clocks.ANSWER_DAYS[row.level])
    except clocks.YearNotPublished as error:
        why = str(error)
    take(session, row, who.login, "accept", now, why=why)
    return row


def close(session: Session, ticket_id: int, who: Person, note: str, now: int) -> TicketRow:
    """Close (办结) a replied ticket: the note says how the caller was told and what they said.

    Raises:
        Forbidden: `who` handled it, and the caller can be asked (`followup`).
    """
    if not note.strip():
        raise BadInput({"note": "请写明如何告知来电人。 Say how the caller was told."})
    row = editable(session, ticket_id, who, or_followed_up=True)
    followup.check_closing(session, row, who)
    row.closing_note, row.closed_at = note.strip(), now
    take(session, row, who.login, "close", now, why=row.closing_note)
    return row


def called_back(session: Session, ticket_id: int, who: Person, now: int) -> TicketRow:
    """The caller who gave up or was lost was called back; the ticket goes on as its agent's.

    Raises:
        IllegalStep: it does not ask for a call back.
    """
    row = editable(session, ticket_id, who)
    if row.call_back != "due":
        raise IllegalStep("该工单无需回拨。 This ticket does not ask to be called back.")
    row.call_back = "done"
    row.owner = row.owner or who.login
    story(session, row, who.login, "called-back", now)
    return row
