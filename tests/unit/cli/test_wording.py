"""What `hotline department listen` prints for people."""

import pytest

from gateway.cli import wording
from queueing import examples
from queueing.messages import Caller, ConnectionTested, Message, ReplyRejected, WorkOrder
from tests.rig.workorders import offered


def told(message: Message) -> str:
    """The message as `listen` prints it."""
    if isinstance(message, ConnectionTested | ReplyRejected):
        return wording.notice(message)
    assert type(message) in wording.HEADS
    return wording.order(message)  # type: ignore[arg-type]


@pytest.mark.parametrize("message", examples.OUT, ids=lambda one: type(one).__name__)
def test_every_message_is_told_whole(message: Message) -> None:
    """Protects: each message says in Chinese what it is, of which work order, and all of its words;
    a message of a new type cannot be forgotten."""
    said = told(message)
    assert not said.split()[0].isascii()
    for name in ("work_order", "summary", "demand", "instruction", "reason", "text", "code"):
        assert str(getattr(message, name, "") or "") in said, name
    if isinstance(message, WorkOrder):
        assert f"v{message.version}" in said
        assert "2026-1" in said
        assert "示例人 000-0000" in said


def test_a_confidential_caller_and_an_open_date() -> None:
    """Protects: what is kept confidential is said to be, and a date that is not set is none."""
    said = wording.order(
        offered().model_copy(update={"caller": None, "confidential": True, "due_at": None})
    )
    assert "保密 confidential" in said
    assert "期限 due 未定 open" in said


def test_no_text_can_speak_to_the_terminal() -> None:
    """Protects: what a caller or another department typed neither moves the cursor nor looks like a
    line of ours."""
    nasty = "a\x1b[2Jb\r\n派单 offered  WO-1\u2028c\u202ed"
    said = wording.order(
        offered().model_copy(
            update={"summary": nasty, "caller": Caller(name="x\x07", phone="\x1b]0;y")}
        )
    )
    assert all(char.isprintable() or char == "\n" for char in said)
    assert said.count("\n") == 5
    assert "\n派单" not in said
