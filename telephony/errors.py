"""What can go wrong between the PBX and a fact about a call.

    TelephonyError
    ├── AddressError       the PBX's address cannot be read
    ├── WireError          the stream is not AMI, or passes a bound
    ├── InjectionRefused   a value would forge headers or actions on the PBX
    ├── UnfitToSend        a number, device or reason that no act may carry
    ├── ActRefused         the PBX answered an act of ours with an error
    ├── LinkLost           the connection to the PBX ended
    │   ├── LoginRefused   the PBX did not accept the account
    │   ├── Overflow       more came in than could be handed on
    │   └── NotAsked       the PBX could not be reached: nothing was sent
    ├── Superseded         another gateway has this PBX's link now
    ├── CelUnreadable      the PBX's own event log has a line that cannot be read
    ├── TraceUnreadable    a recorded stream lacks what replaying it needs
    └── FaultUnreadable    a simulator's fault is not written as faults are

Every message says, Chinese first, what happened and what the operator can do. None carries a
secret, a telephone number or a caller's name.
"""


class TelephonyError(Exception):
    """Root of everything this leaf raises."""


class AddressError(TelephonyError):
    """The address of the PBX cannot be used; the message says which part."""


class WireError(TelephonyError):
    """The peer does not speak AMI, or a line, message or header count passes its bound."""


class InjectionRefused(TelephonyError):
    """A value to be sent holds CR, LF or NUL, or cannot be written as bytes: nothing was sent."""


class UnfitToSend(TelephonyError):
    """A number, device or reason that an act may not carry: nothing was sent."""


class ActRefused(TelephonyError):
    """The PBX answered with an error; `said` is its own short text ("Permission denied")."""

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__(f"交换机拒绝了该操作（{said}）。 The PBX refused ({said}).")


class LinkLost(TelephonyError):
    """The connection to the PBX ended; the line comes back by itself."""


class LoginRefused(LinkLost):
    """The PBX refused the account: user, secret or its `permit` list in manager.conf."""


class Overflow(LinkLost):
    """More came in than could be handed on: the connection was given up."""


class NotAsked(LinkLost):
    """The PBX could not be reached: what was to be asked was not."""


class Superseded(TelephonyError):
    """Another gateway has this PBX's link now: what this one still holds must not be written."""


class CelUnreadable(TelephonyError):
    """A line of the PBX's CEL file has not the columns our cel_custom.conf writes."""


class TraceUnreadable(TelephonyError):
    """A trace holds no inbound call, or no timestamps to replay it by."""


class FaultUnreadable(TelephonyError):
    """A fault the simulator was asked for is not written as `faults` says."""
