"""How a department's own program did in its rehearsal: a line for each rule of the contract. Pure.

Always holds: each line judges by what was heard alone; a line whose step was not begun is neither
kept nor broken.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from queueing import messages, rehearsal, topology
from queueing.errors import Unreadable
from queueing.lines import RULES, Line
from queueing.messages import Envelope, Reply
from queueing.rehearsal import Step

DECIDED: Final = ("signed", "returned")
ONCE: Final = (*DECIDED, "replied")
"""What takes effect at the hotline once, and is an illegal step the second time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply as it came, and during which step."""

    step: rehearsal.Name
    body: bytes
    key: str
    user: str
    lasting: bool


@dataclass(slots=True)
class Seen:
    """Everything the hotline's side saw."""

    readers: int = 0
    begun: list[rehearsal.Name] = field(default_factory=list)
    passed: list[rehearsal.Name] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    stopped: list[tuple[bytes, str]] = field(default_factory=list)
    """What came to the parked queue, and why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line; `held` None: it could not be tried."""

    name: Line
    held: bool | None

    @property
    def rule(self) -> str:
        """What is to hold, in both languages."""
        return RULES[self.name][0]

    @property
    def remedy(self) -> str:
        """What to do where it does not."""
        return " ".join(RULES[self.name][1:])


def verdicts(plan: list[Step], seen: Seen, code: str) -> list[Verdict]:
    """Every line, in the order of `RULES`."""
    case = _Case(plan, seen, code)
    return [Verdict(name, case.held(name)) for name in RULES]


def decided(seen: Seen, order: str) -> bool:
    """Whether this work order was signed or returned."""
    read = (_read(one.body) for one in seen.heard)
    return any(one.message.work_order == order and getattr(one.message, "event", "") in DECIDED
               for one in read if one is not None)  # fmt: skip


class _Case:
    """What was sent and what was heard, read for judging."""

    def __init__(self, plan: list[Step], seen: Seen, code: str) -> None:
        self._plan = {step.name: step for step in plan}
        self._seen = seen
        self._code = code
        self._answers = [(one.step, _read(one.body)) for one in seen.heard]
        self._of_all: dict[Line, Callable[[], bool]] = {
            "fits": self._fits,
            "account": lambda: all(one.user for one in seen.heard),
            "lasting": lambda: all(one.lasting for one in seen.heard),
        }
        self._of_step: dict[Line, Callable[[], bool]] = {
            "offered": self._signs_first_and_once,
            "again": lambda: not self._said_anew("again", "urged"),
            "unknown-type": lambda: (
                not self._about(self._plan["unknown-type"].last + rehearsal.STRANGE)
            ),
            "urged": lambda: not self._said_anew("urged", "withdrawn"),
            "withdrawn": lambda: not self._said_anew("withdrawn", None, every=True),
        }

    def held(self, name: Line) -> bool | None:
        """Whether this line holds; None where it could not be tried."""
        if name == "reads":
            return self._seen.readers > 0
        if name in ("fits", "account", "lasting"):
            return self._of_all[name]() if self._seen.heard else None
        if name not in self._seen.begun:
            return None
        if name == "noise":
            return name in self._seen.passed and self._why_stopped(name) == ["rejected"]
        through = name in self._seen.passed and not self._why_stopped(name)
        return through and self._of_step.get(name, lambda: True)()

    def _why_stopped(self, name: rehearsal.Name) -> list[str]:
        """Why messages of this step were parked, one word each."""
        sent = [body for _, body in self._plan[name].sent]
        return [why.split()[0] for body, why in self._seen.stopped if body in sent]

    def _about(self, order: str) -> list[tuple[rehearsal.Name, Envelope]]:
        """The readable answers about a work order, in the order they came."""
        return [(step, one) for step, one in self._answers
                if one is not None and one.message.work_order == order]  # fmt: skip

    def _signs_first_and_once(self) -> bool:
        """Each order that was answered, within the step that offered it."""
        for name in self._seen.passed:
            said = [one for step, one in self._about(self._plan[name].last) if step == name]
            events = {one.event_id: getattr(one.message, "event", "") for one in said}
            decided = [event for event in events.values() if event in DECIDED]
            if len(decided) != 1 or next(iter(events.values())) not in DECIDED:
                return False
        return True

    def _said_anew(
        self, begin: rehearsal.Name, end: rehearsal.Name | None, *, every: bool = False
    ) -> bool:
        """Whether between these steps the first order was answered under an id not used before:
        with what takes effect once, and had been said, or with anything."""
        names = list(self._plan)
        span = names[names.index(begin) : None if end is None else names.index(end)]
        ids: set[str] = set()
        events: set[str] = set()
        for step, one in self._about(self._plan["offered"].last):
            event = getattr(one.message, "event", "")
            new = one.event_id not in ids
            if step in span and new and (every or (event in ONCE and event in events)):
                return True
            ids.add(one.event_id)
            events |= {event, *(DECIDED if event in DECIDED else ())}
        return False

    def _fits(self) -> bool:
        """Every reply: readable, about what was sent, by this department, each id with one text."""
        known = {step.last for step in self._plan.values()}
        texts: dict[tuple[str, str], str] = {}
        for one, (_, read) in zip(self._seen.heard, self._answers, strict=True):
            if read is None or one.key != topology.reply_key(self._code):
                return False
            message = read.message
            same = texts.setdefault((read.source, read.event_id), read.digest) == read.digest
            ours = message.department == self._code and message.work_order in known
            versions = range(1, 4 if message.work_order == self._plan["offered"].last else 2)
            if not (same and ours and getattr(message, "version", 0) in versions):
                return False
        return True


def _read(body: bytes) -> Envelope | None:
    """A reply, if it is one."""
    try:
        envelope = messages.decode(body)
    except Unreadable:
        return None
    return envelope if isinstance(envelope.message, Reply) else None
