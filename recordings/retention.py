"""When recordings may be destroyed, and in which steps: the rules, with no clock and no I/O.

A recording is kept for 730 days at least, counted from the latest of three moments: the end of what
was recorded (the PBX's clock), the end of the call, and the sealing (the gateway's clock).  What is
destroyed is a month's key and with it whatever it opens, in the backups too; so a month is due when
each of its recordings is, and not before its key says so itself (keys.not_before_at), which no
change of a row can move.

The way of a plan to destroy one key:

- it is proposed as soon as the key is due, and has to stand for seven days that were lived through
  (clocked.py); then two persons must agree to it;
- confirmed, whatever has to stay is given a header to a hold key (re-wrapped).  One that cannot be
  re-wrapped stops the plan here: the evidence comes first;
- re-wrapped, everything is looked at once more: what has to stay since then takes the plan a step
  back.  Otherwise `shredding` is written down before anything is done, for there is no way back;
- the key is shredded, then the objects are removed, then the certificate is made.  An object that
  cannot be removed holds up its certificate alone: nothing opens it any more.

A plan may be made void until `shredding`.  An unlisted step raises PlanInvalid and changes nothing.
Source: DOMAIN.md (Recordings: kept at least two years), DESIGN.md promise 7.
"""

from enum import StrEnum

from recordings.errors import PlanInvalid

FLOOR_US = 730 * 86_400_000_000
"""Two years: in code and not a setting."""
STANDS_US = 7 * 86_400_000_000
"""How long a plan has to stand."""


class State(StrEnum):
    """Where a plan stands."""

    PROPOSED = "proposed"
    STANDING = "standing"
    CONFIRMED = "confirmed"
    REWRAPPED = "rewrapped"
    SHREDDING = "shredding"
    SHREDDED = "shredded"
    REMOVED = "removed"
    CERTIFIED = "certified"
    VOID = "void"


STEPS: dict[tuple[State, str], State] = {
    (State.PROPOSED, "stand"): State.STANDING,
    (State.STANDING, "confirm"): State.CONFIRMED,
    (State.CONFIRMED, "rewrap"): State.REWRAPPED,
    (State.REWRAPPED, "keep"): State.CONFIRMED,
    (State.REWRAPPED, "begin"): State.SHREDDING,
    (State.SHREDDING, "shred"): State.SHREDDED,
    (State.SHREDDED, "remove"): State.REMOVED,
    (State.REMOVED, "certify"): State.CERTIFIED,
    (State.PROPOSED, "void"): State.VOID,
    (State.STANDING, "void"): State.VOID,
    (State.CONFIRMED, "void"): State.VOID,
    (State.REWRAPPED, "void"): State.VOID,
}

OVER = (State.CERTIFIED, State.VOID)
"""Of these a key may have any number; of the others one."""
GONE = (State.SHREDDING, State.SHREDDED, State.REMOVED, State.CERTIFIED)
"""Nothing that such a plan destroys can be kept any more."""


def due_at(*, recorded_end: int, call_end: int | None, sealed_at: int) -> int:
    """From when on (µs UTC) a recording may be destroyed, by what the catalogue says of it."""
    return max(recorded_end, call_end or 0, sealed_at) + FLOOR_US


def step(state: str, act: str) -> State:
    """The state that `act` leads to; raises PlanInvalid where the table does not list it."""
    try:
        return STEPS[State(state), act]
    except KeyError:
        raise PlanInvalid(
            f"销毁计划处于“{state}”，不能进行“{act}”。 The plan is {state}: it cannot {act} now."
        ) from None
