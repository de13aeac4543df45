"""The way of a ticket and of a work order: two literal tables, pure (DOMAIN.md).

A ticket is a draft (待登记) from the moment its call enters the queue. Registered, it is answered
on the spot, refused with a reason and where to go instead, or accepted with a number. Accepted, it
goes to departments (dispatched). A department signs its work order, or returns it with a reason;
what was returned is dispatched again. When every department that has not returned its part has
replied, the ticket is replied; the caller is told, and it is closed.

A work order is offered, then signed or returned; signed, it is replied or still returned. A reply
before the signature is refused: who answers must first have taken responsibility. In hand, it may
be asked to last longer, and how it goes is told; a remark is taken until the end. Meanwhile the
hotline changes it (变更) or urges it (催办), a leader supervises it (督办), an extension is
decided, or it is withdrawn (撤回): it then stands as returned, with nothing that the department
returned, and its ticket waits to be dispatched again (改派). What has been replied is not pushed
any more.

An unlisted step raises `IllegalStep` and changes nothing (promise 9). Who may take a step, and what
a step needs to be told, is not here.
"""

from enum import StrEnum

from gateway.errors import IllegalStep


class TicketState(StrEnum):
    """Where a ticket stands."""

    DRAFT = "draft"
    REGISTERED = "registered"
    ANSWERED = "answered"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    RETURNED = "returned"
    SIGNED = "signed"
    REPLIED = "replied"
    CLOSED = "closed"


class OrderState(StrEnum):
    """Where a work order stands."""

    OFFERED = "offered"
    SIGNED = "signed"
    RETURNED = "returned"
    REPLIED = "replied"


Transitions = dict[tuple[str, str], str]

TRANSITIONS: Transitions = {
    (TicketState.DRAFT, "register"): TicketState.REGISTERED,
    (TicketState.REGISTERED, "answer"): TicketState.ANSWERED,
    (TicketState.REGISTERED, "refuse"): TicketState.REFUSED,
    (TicketState.REGISTERED, "accept"): TicketState.ACCEPTED,
    (TicketState.ACCEPTED, "dispatch"): TicketState.DISPATCHED,
    (TicketState.RETURNED, "dispatch"): TicketState.DISPATCHED,
    (TicketState.DISPATCHED, "sign"): TicketState.SIGNED,
    (TicketState.SIGNED, "sign"): TicketState.SIGNED,
    (TicketState.RETURNED, "sign"): TicketState.RETURNED,
    (TicketState.DISPATCHED, "return"): TicketState.RETURNED,
    (TicketState.SIGNED, "return"): TicketState.RETURNED,
    (TicketState.RETURNED, "return"): TicketState.RETURNED,
    (TicketState.DISPATCHED, "withdraw"): TicketState.RETURNED,
    (TicketState.SIGNED, "withdraw"): TicketState.RETURNED,
    (TicketState.RETURNED, "withdraw"): TicketState.RETURNED,
    (TicketState.SIGNED, "reply"): TicketState.REPLIED,
    (TicketState.REPLIED, "close"): TicketState.CLOSED,
}

ORDER_TRANSITIONS: Transitions = {
    (OrderState.OFFERED, "sign"): OrderState.SIGNED,
    (OrderState.OFFERED, "return"): OrderState.RETURNED,
    (OrderState.SIGNED, "return"): OrderState.RETURNED,
    (OrderState.SIGNED, "reply"): OrderState.REPLIED,
    (OrderState.SIGNED, "ask-extension"): OrderState.SIGNED,
    (OrderState.SIGNED, "progress"): OrderState.SIGNED,
    (OrderState.OFFERED, "remark"): OrderState.OFFERED,
    (OrderState.SIGNED, "remark"): OrderState.SIGNED,
    (OrderState.REPLIED, "remark"): OrderState.REPLIED,
}
"""What a department does with its work order."""

PUSHES: Transitions = {
    (OrderState.OFFERED, "change"): OrderState.OFFERED,
    (OrderState.SIGNED, "change"): OrderState.SIGNED,
    (OrderState.OFFERED, "urge"): OrderState.OFFERED,
    (OrderState.SIGNED, "urge"): OrderState.SIGNED,
    (OrderState.OFFERED, "supervise"): OrderState.OFFERED,
    (OrderState.SIGNED, "supervise"): OrderState.SIGNED,
    (OrderState.SIGNED, "extend"): OrderState.SIGNED,
    (OrderState.SIGNED, "not-extend"): OrderState.SIGNED,
    (OrderState.OFFERED, "withdraw"): OrderState.RETURNED,
    (OrderState.SIGNED, "withdraw"): OrderState.RETURNED,
}
"""What the hotline does with a department's work order."""

STATE_NAMES: dict[str, tuple[str, str]] = {
    TicketState.DRAFT: ("待登记", "Draft"),
    TicketState.REGISTERED: ("已登记", "Registered"),
    TicketState.ANSWERED: ("即时办结", "Answered"),
    TicketState.REFUSED: ("不予受理", "Refused"),
    TicketState.ACCEPTED: ("已受理", "Accepted"),
    TicketState.DISPATCHED: ("已派单", "Dispatched"),
    TicketState.RETURNED: ("已退单", "Returned"),
    TicketState.SIGNED: ("已签收", "Signed"),
    TicketState.REPLIED: ("已反馈", "Replied"),
    TicketState.CLOSED: ("办结", "Closed"),
}
ORDER_STATE_NAMES: dict[str, tuple[str, str]] = {
    OrderState.OFFERED: ("待签收", "Offered"),
    OrderState.SIGNED: ("在办", "In hand"),
    OrderState.RETURNED: ("已退回", "Returned"),
    OrderState.REPLIED: ("已反馈", "Replied"),
}
ACTION_NAMES: dict[str, tuple[str, str]] = {
    "open": ("来电建单", "Opened by a call"),
    "answer-call": ("接听", "Call answered"),
    "pass-on": ("转接", "Transferred"),
    "abandon": ("来电放弃，待回拨", "Abandoned, to be called back"),
    "lose": ("转接无人接听，待回拨", "Lost in a transfer, to be called back"),
    "called-back": ("已回拨", "Called back"),
    "place-callback": ("呼出回拨", "Call back placed"),
    "place-followup": ("呼出回访", "Follow-up call placed"),
    "place-contact": ("呼叫来电人", "Call to the caller placed"),
    "reach": ("呼出接通", "Reached"),
    "not-reach": ("呼出未接通", "Not reached"),
    "register": ("登记", "Register"),
    "answer": ("即时办结", "Answer now"),
    "refuse": ("不予受理", "Refuse"),
    "accept": ("受理", "Accept"),
    "dispatch": ("派单", "Dispatch"),
    "sign": ("签收", "Sign"),
    "return": ("退单", "Return"),
    "reply": ("反馈", "Reply"),
    "close": ("办结", "Close"),
    "attach": ("添加附件", "A file added"),
    "change": ("变更", "Change"),
    "urge": ("催办", "Urge"),
    "supervise": ("督办", "Supervise"),
    "extend": ("同意延期", "Extend"),
    "not-extend": ("不同意延期", "Refuse to extend"),
    "withdraw": ("撤回", "Withdraw"),
    "ask-extension": ("申请延期", "Ask for more time"),
    "progress": ("办理进展", "Progress"),
    "late": ("办结或撤回后来复", "Answered too late"),
    "remark": ("会办意见", "Remark"),
    "join": ("并入", "Joined to"),
    "joined": ("并入本单", "Joined by"),
}

OPEN_STATES: tuple[str, ...] = tuple(
    state
    for state in TicketState
    if state not in (TicketState.ANSWERED, TicketState.REFUSED, TicketState.CLOSED)
)


def step(table: Transitions, state: str, action: str) -> str:
    """The state that `action` leads to from `state`.

    Raises:
        IllegalStep: the table does not list it; the message says what may be done instead.
    """
    try:
        return table[state, action]
    except KeyError:
        names = STATE_NAMES if table is TRANSITIONS else ORDER_STATE_NAMES
        state_zh, state_en = names.get(state, (state, state))
        action_zh, action_en = ACTION_NAMES.get(action, (action, action))
        instead = [ACTION_NAMES[other] for other in legal(table, state)]
        raise IllegalStep(
            f"“{state_zh}”状态下不能“{action_zh}”，"
            f"现在可以：{'、'.join(zh for zh, _ in instead) or '无'}。 "
            f"Cannot {action_en.lower()} while {state_en.lower()}; "
            f"possible now: {', '.join(en.lower() for _, en in instead) or 'nothing'}."
        ) from None


def legal(table: Transitions, state: str) -> tuple[str, ...]:
    """The actions that `table` lists for `state`, in its order."""
    return tuple(action for (at, action) in table if at == state)
