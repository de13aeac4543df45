"""A department's work order for programs: where it is, what the hotline does with it while it is
out, and what an officer tells of it beside the answer.

The table in `routes` takes the endpoints in. What each needs to be told, `flow.pushing` decides.
"""

from datetime import datetime

from gateway.api import models as m
from gateway.api.endpoint import Answer, Call, Endpoint
from gateway.api.shapes import Model, when
from gateway.flow import changing, orders, pushing, whereabouts
from gateway.flow.changing import Wanted
from gateway.people.roles import Permission as P
from gateway.tickets.timeline import Timeline


class StepOut(Model):
    """One step of its way; `at` may be null of one that was reached, as a later one shows."""

    stage: str
    reached: bool
    at: datetime | None
    by: str


class GapOut(Model):
    """What keeps it: backlog, refused, parked, discarded, given-up or reply-parked; `event` is the
    message's (offered, urged …), empty of a reply."""

    kind: str
    event: str
    since: datetime | None
    attempts: int
    reason: str


class TimelineOut(Model):
    """The way of a work order: its steps in their order, the one it waits for, and its gaps."""

    number: str
    current: str | None
    steps: list[StepOut]
    gaps: list[GapOut]

    @classmethod
    def of(cls, number: str, found: Timeline) -> "TimelineOut":
        """Of a timeline."""
        steps = [StepOut(stage=one.stage, reached=one.reached, at=when(one.at), by=one.by)
                 for one in found.steps]  # fmt: skip
        gaps = [GapOut(kind=one.kind, event=one.event, since=when(one.since_at),
                       attempts=one.attempts, reason=one.reason) for one in found.gaps]  # fmt: skip
        return cls(number=number, current=found.current, steps=steps, gaps=gaps)


class PushIn(Model):
    """Why."""

    reason: str


class ChangeIn(Model):
    """What it is to be from now on; what is empty stays. `due` is a day (`2026-12-01`)."""

    reason: str
    question: str = ""
    demand: str = ""
    due: str = ""


class WishIn(Model):
    """More time is asked for: until which day (`2026-12-01`), and why."""

    until: str
    reason: str


class WordIn(Model):
    """How it goes, or a remark."""

    text: str


class ExtensionIn(Model):
    """An extension decided: until which day (`2026-12-01`), where it is granted."""

    granted: bool
    reason: str
    until: str = ""


def timeline(call: Call) -> Answer:
    """派单轨迹."""
    number = str(call.path["number"])
    found = whereabouts.of_order(call.session, call.person, number, call.now)
    return TimelineOut.of(number, found)


def change(call: Call) -> Answer:
    """变更."""
    body, number = call.body, str(call.path["number"])
    wanted = Wanted(body.question, body.demand, body.due)
    row = changing.change(call.session, number, call.person, wanted, call.now, reason=body.reason)
    return m.WorkOrderOut.of(row)


def ask_extension(call: Call) -> Answer:
    """申请延期."""
    return _told(call, "ask-extension", reason=call.body.reason, until=call.body.until)


def progress(call: Call) -> Answer:
    """办理进展."""
    return _told(call, "progress", result=call.body.text)


def remark(call: Call) -> Answer:
    """会办意见."""
    return _told(call, "remark", result=call.body.text)


def _told(call: Call, action: str, **said: str) -> Answer:
    row = orders.act(call.session, str(call.path["number"]), call.person, action, call.now, **said)
    return m.WorkOrderOut.of(row)


def urge(call: Call) -> Answer:
    """催办."""
    return _push(call, "urge")


def supervise(call: Call) -> Answer:
    """督办."""
    return _push(call, "supervise")


def extend(call: Call) -> Answer:
    """延期审批."""
    return _push(call, "extend" if call.body.granted else "not-extend", call.body.until)


def withdraw(call: Call) -> Answer:
    """撤回."""
    return _push(call, "withdraw")


def _push(call: Call, action: str, until: str = "") -> Answer:
    row = pushing.push(call.session, str(call.path["number"]), call.person, action, call.now,
                       reason=call.body.reason, until=until)  # fmt: skip
    return m.WorkOrderOut.of(row)


_W = "/api/v1/work-orders/{number}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", _W + "/timeline", timeline, (P.TICKET_READ_OWN, P.TICKET_READ_ALL),
             TimelineOut, "派单轨迹 · Where it is"),
    Endpoint("POST", _W + "/ask-extension", ask_extension, (P.ORDER_ACT,), m.WorkOrderOut,
             "申请延期 · Ask for more time", WishIn),
    Endpoint("POST", _W + "/progress", progress, (P.ORDER_ACT,), m.WorkOrderOut,
             "办理进展 · Say how it goes", WordIn),
    Endpoint("POST", _W + "/remark", remark, (P.ORDER_ACT,), m.WorkOrderOut,
             "会办意见 · Remark", WordIn),
    Endpoint("POST", _W + "/change", change, (P.TICKET_DISPATCH,), m.WorkOrderOut,
             "变更派单 · Change", ChangeIn),
    Endpoint("POST", _W + "/urge", urge, (P.ORDER_URGE,), m.WorkOrderOut, "催办 · Urge", PushIn),
    Endpoint("POST", _W + "/supervise", supervise, (P.ORDER_SUPERVISE,), m.WorkOrderOut,
             "督办 · Supervise", PushIn),
    Endpoint("POST", _W + "/extend", extend, (P.ORDER_DECIDE,), m.WorkOrderOut,
             "延期审批 · Decide an extension", ExtensionIn),
    Endpoint("POST", _W + "/withdraw", withdraw, (P.TICKET_DISPATCH,), m.WorkOrderOut,
             "撤回 · Withdraw", PushIn),
)  # fmt: skip
