"""Urging, supervising, extending and withdrawing a department's work order, for programs.

The table in `routes` takes the endpoints in. What each needs to be told, `flow.pushing` decides.
"""

from gateway.api import models as m
from gateway.api.endpoint import Answer, Call, Endpoint
from gateway.api.shapes import Model
from gateway.flow import pushing
from gateway.people.roles import Permission as P


class PushIn(Model):
    """Why."""

    reason: str


class ExtensionIn(Model):
    """An extension decided: until which day (`2026-12-01`), where it is granted."""

    granted: bool
    reason: str
    until: str = ""


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
    Endpoint("POST", _W + "/urge", urge, (P.ORDER_URGE,), m.WorkOrderOut, "催办 · Urge", PushIn),
    Endpoint("POST", _W + "/supervise", supervise, (P.ORDER_SUPERVISE,), m.WorkOrderOut,
             "督办 · Supervise", PushIn),
    Endpoint("POST", _W + "/extend", extend, (P.ORDER_DECIDE,), m.WorkOrderOut,
             "延期审批 · Decide an extension", ExtensionIn),
    Endpoint("POST", _W + "/withdraw", withdraw, (P.TICKET_DISPATCH,), m.WorkOrderOut,
             "撤回 · Withdraw", PushIn),
)  # fmt: skip
