"""The judge of a department's program: a good one is passed, and each fault fails its own line."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from queueing import asyncapi, messages, rehearsal, verdicts
from queueing.errors import Unreadable
from queueing.lines import RULES
from queueing.messages import Replied, Signed, WorkOrder, WorkOrderOffered
from queueing.verdicts import Heard, Seen

PLAN = rehearsal.steps("sb", "r1", 7)
LINES = list(RULES)
NAMES = [step.name for step in PLAN]


class Program:
    """A department's program without faults; a test gives it one."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.key, self.user, self.lasting = "reply.sb.v1", "department.sb", True
        self.signs = 1
        self.fresh: Iterator[int] | None = None
        self.remembers = True
        self.resigns = False
        self.dies_of_type = ""
        self.strict = False
        self.noise = "rejected in department.sb (1)"
        self.alters: Callable[[dict[str, Any]], None] = lambda _: None

    def answers(self, body: bytes) -> list[bytes]:
        """What it says to this message; LookupError: why it is parked; EOFError: stuck."""
        try:
            message = messages.decode(body).message
        except Unreadable as problem:
            if problem.code == "unknown-type":
                if self.dies_of_type:
                    raise LookupError(self.dies_of_type) from None
                return []
            raise LookupError(self.noise) from None
        if self.strict and b"later" in body:
            raise LookupError("rejected in department.sb (1)")
        version = getattr(message, "version", 0)
        if self.remembers and version <= self.seen.get(message.work_order or "", 0):
            return []
        self.seen[message.work_order or ""] = version
        if not isinstance(message, WorkOrderOffered) and not (
            self.resigns and message.work_order is not None
        ):
            return []
        about: dict[str, Any] = {
            "work_order": message.work_order,
            "version": version,
            "department": "sb",
        }
        said: list[Any] = [Signed(**about, by="张三")] * self.signs
        if isinstance(message, WorkOrder):
            said.append(Replied(**about, by="张三", result="情况属实", measures=""))
        return [self.written(one) for one in said]

    def written(self, reply: Any) -> bytes:
        """A reply under the id it has, unless ids are made up."""
        event_id = f"{reply.work_order}/{reply.version}/{reply.event}"
        if self.fresh is not None:
            event_id += f"/{next(self.fresh)}"
        event = json.loads(messages.encode(reply, event_id=event_id, source="s", time_us=7))
        self.alters(event)
        return json.dumps(event).encode()


def held(program: Program, *, reads: bool = True) -> dict[str, bool | None]:
    """Each line of its rehearsal."""
    seen = Seen(readers=int(reads))
    for step in PLAN if reads else []:
        seen.begun.append(step.name)
        try:
            for _, body in step.sent:
                try:
                    for said in program.answers(body):
                        heard = Heard(step.name, said, program.key, program.user, program.lasting)
                        seen.heard.append(heard)
                except LookupError as why:
                    seen.stopped.append((body, str(why.args[0])))
        except EOFError:
            break
        if not verdicts.decided(seen, step.last):
            break
        seen.passed.append(step.name)
    return {one.name: one.held for one in verdicts.verdicts(PLAN, seen, "sb")}


def wrong(found: dict[str, bool | None]) -> set[str]:
    """The lines that do not hold."""
    return {name for name, how in found.items() if how is False}


def test_a_program_that_keeps_the_rules_is_passed() -> None:
    """Protects: every line holds, and every line was tried."""
    assert held(Program()) == dict.fromkeys(LINES, True)


def test_one_that_repeats_itself_under_one_id_is_passed() -> None:
    """Protects: forgetting is no fault where the id is the same: the hotline knows it again."""
    program = Program()
    program.remembers, program.signs = False, 2
    assert wrong(held(program)) == set()


def fault(**changed: Any) -> Program:
    """A program with these faults."""
    program = Program()
    for name, value in changed.items():
        setattr(program, name, value)
    return program


def other(**said: Any) -> Callable[[dict[str, Any]], None]:
    """Writes something else into what it says."""
    return lambda event: event["data"].update(said)


FAULTS: dict[str, tuple[Program, set[str]]] = {
    "signs twice": (fault(signs=2, fresh=itertools.count()), {"offered"}),
    "forgets": (fault(remembers=False, fresh=itertools.count()), {"again"}),
    "signs an urge": (fault(resigns=True, fresh=itertools.count()), {"urged", "withdrawn"}),
    "rejects a type": (fault(dies_of_type="rejected in q (1)"), {"unknown-type"}),
    "nacks a type": (fault(dies_of_type="delivery_limit in q (20)"), {"unknown-type"}),
    "strict": (fault(strict=True), {"unknown-field"}),
    "no user-id": (fault(user=""), {"account"}),
    "transient": (fault(lasting=False), {"lasting"}),
    "another's key": (fault(key="reply.jy.v1"), {"fits"}),
    "another's name": (fault(alters=other(department="jy")), {"fits"}),
    "a version of its own": (fault(alters=other(version=9)), {"fits"}),
    "dies of noise": (fault(noise="delivery_limit in q (20)"), {"noise"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_own_line(name: str) -> None:
    """Protects: the line that fails names what is wrong, and no other is blamed for it."""
    program, lines = FAULTS[name]
    assert wrong(held(program)) == lines


def test_an_id_that_says_two_things_does_not_fit() -> None:
    """Protects: other words under one id are a conflict at the hotline, and are found here."""
    count = itertools.count()
    program = fault(signs=2, alters=lambda event: event["data"].update(by=f"{next(count)}"))
    assert wrong(held(program)) == {"fits"}


def test_noise_that_is_acked_is_lost() -> None:
    """Protects: what cannot be read must come to the hotline's eyes."""
    program = Program()
    program.answers = lambda body: (  # type: ignore[method-assign]
        [] if b'"time"' not in body else Program.answers(program, body)
    )
    assert wrong(held(program)) == {"noise"}


@pytest.mark.parametrize("at", range(len(PLAN)), ids=NAMES)
def test_where_it_is_stuck_the_rest_is_not_tried(at: int) -> None:
    """Protects: a program that stops is told where, and is not blamed for what was never sent."""
    program = Program()

    def stuck(body: bytes) -> list[bytes]:
        if body == PLAN[at].sent[0][1]:
            raise EOFError
        return Program.answers(program, body)

    program.answers = stuck  # type: ignore[method-assign]
    found = held(program)
    # `again` sends first what `offered` sent last: it is stuck there already
    step = 0 if NAMES[at] == "again" else at
    assert wrong(found) == {NAMES[step]}
    assert all(found[name] is None for name in NAMES[step + 1 :])


def test_without_a_reader_nothing_is_tried() -> None:
    """Protects: a program that was not started is told so, and nothing else is claimed."""
    assert held(Program(), reads=False) == dict.fromkeys(LINES, None) | {"reads": False}


def test_every_line_says_what_to_do_and_which_rule() -> None:
    """Protects: both languages in each line, and no rule named that the contract does not have."""
    for rule, zh, english in RULES.values():
        assert " · " in rule
        assert not zh.isascii()
        assert english.isascii()
        named, in_chinese = (
            {int(one) for one in re.findall(r"\d", said[said.find(mark) :] if mark in said else "")}
            for said, mark in ((english, "(rule"), (zh, "约定 "))
        )
        assert named == in_chinese
        assert named <= set(range(1, len(asyncapi.RULES) + 1))


def test_two_runs_share_no_work_order_and_everything_sent_is_meant() -> None:
    """Protects: a second run is no repetition of the first; only the noise cannot be read, and only
    one type is unknown."""
    first, second = (rehearsal.steps("sb", run, 7) for run in ("a", "b"))
    assert not {one.last for one in first} & {one.last for one in second}
    codes = []
    for step in first:
        for kind, body in step.sent:
            try:
                assert messages.type_of(messages.decode(body).message) == kind
            except Unreadable as problem:
                codes.append((step.name, problem.code))
    assert codes == [("unknown-type", "unknown-type"), ("noise", "unreadable")]
