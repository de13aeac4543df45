"""The JSON that programs send and get: one model each, and how a row becomes one.

One door to the modules of its nouns. `shapes` says what holds for all of them; those about
recordings are `evidence`'s.
"""

from gateway.api.calls import CallOut, PlacedCallOut, RecordingPauseOut, Silence
from gateway.api.lines import LineOut, VerdictOut
from gateway.api.presence import (
    AgentOut,
    AgentPauseOut,
    DeskOut,
    LinkOut,
    Pause,
    PresenceOut,
    QueueOut,
    RateOut,
)
from gateway.api.sign_in import PersonOut, SessionOut, SignIn
from gateway.api.tickets import (
    Answer,
    Closing,
    Dispatch,
    Refusal,
    StepOut,
    TicketDetailOut,
    TicketFields,
    TicketOut,
    TicketsSought,
)
from gateway.api.work_orders import (
    DepartmentOut,
    DeskOrderOut,
    OrderReply,
    OrderReturn,
    WorkOrderOut,
)

__all__ = [
    "AgentOut",
    "AgentPauseOut",
    "Answer",
    "CallOut",
    "Closing",
    "DepartmentOut",
    "DeskOrderOut",
    "DeskOut",
    "Dispatch",
    "LineOut",
    "LinkOut",
    "OrderReply",
    "OrderReturn",
    "Pause",
    "PersonOut",
    "PlacedCallOut",
    "PresenceOut",
    "QueueOut",
    "RateOut",
    "RecordingPauseOut",
    "Refusal",
    "SessionOut",
    "SignIn",
    "Silence",
    "StepOut",
    "TicketDetailOut",
    "TicketFields",
    "TicketOut",
    "TicketsSought",
    "VerdictOut",
    "WorkOrderOut",
]
