"""A message to a department, as its people read it in a terminal: Chinese first, English beside.

The caller is told as far as the message tells: whoever may read the work order may read this, and
where it is printed to is theirs to choose. It goes to no log. What somebody typed is shown without
control characters: it cannot move a terminal's cursor, nor look like a line of ours.
"""

from datetime import datetime

from gateway.tickets.clocks import CHINA
from gateway.tickets.words import COMPLAINT_CLASSES, KINDS, LEVELS, Words, names
from queueing.messages import (
    ConnectionTested,
    ReplyRejected,
    WorkOrder,
    WorkOrderChanged,
    WorkOrderExtended,
    WorkOrderOffered,
    WorkOrderRemarked,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)

HEADS = {
    WorkOrderOffered: "派单 offered",
    WorkOrderChanged: "变更 changed",
    WorkOrderUrged: "催办 urged",
    WorkOrderSupervised: "督办 supervised",
    WorkOrderExtended: "延期审批 extension decided",
    WorkOrderRemarked: "会办意见 remarked",
    WorkOrderWithdrawn: "撤回 withdrawn",
}


def order(message: WorkOrder | WorkOrderWithdrawn) -> str:
    """A work order, or its withdrawal: a line that says what it is, and one for each thing said."""
    head = f"{HEADS[type(message)]}  {message.work_order} v{message.version}"
    if isinstance(message, WorkOrderWithdrawn):
        return _lines(head, [("撤回原因 why", message.reason)])
    head += f"  {'主办 lead' if message.lead else '协办 assisting'}"
    head += f"  {_named(LEVELS, message.level)}  期限 due {_moment(message.due_at)}"
    kind = _named(KINDS, message.kind)
    if message.complaint_class:
        kind += f" / {_named(COMPLAINT_CLASSES, message.complaint_class)}"
    caller = "保密 confidential"
    if message.caller is not None:
        caller = f"{message.caller.name} {message.caller.phone}".strip() or "未留 none given"
    return _lines(
        head,
        [
            *_said(message),
            ("受理编号 accepted as", message.acceptance_no),
            ("诉求类别 kind", kind),
            ("内容 matter", message.summary),
            ("诉求 demand", message.demand),
            ("来电人 caller", caller),
        ],
    )


def notice(message: ConnectionTested | ReplyRejected) -> str:
    """A test message; or that a reply was not taken, and why."""
    if isinstance(message, ReplyRejected):
        head = f"回复未被采纳 reply not taken  {message.work_order or ''}".rstrip()
        return _lines(
            f"{head}  {message.code}",
            [("原因 why", message.reason), ("回复编号 its id", message.reply_id)],
        )
    return _lines("测试消息 test message", [("留言 text", message.text)])


def _said(message: WorkOrder) -> list[tuple[str, str]]:
    """What this message says beside the order."""
    if isinstance(message, WorkOrderOffered):
        forms = [("表单 form", f"{one.name}  {one.url}") for one in message.forms]
        return _files(message) + forms
    if isinstance(message, WorkOrderUrged):
        return [(f"第 {message.times} 次催办 urged, no. {message.times}", message.reason)]
    if isinstance(message, WorkOrderSupervised):
        return [("督办批示 instruction", message.instruction)]
    if isinstance(message, WorkOrderExtended):
        granted = "同意延期 granted" if message.granted else "不同意延期 not granted"
        return [(granted, message.reason)]
    if isinstance(message, WorkOrderChanged):
        said = [("改动 changed", ", ".join(message.changed)), ("变更原因 why", message.reason)]
        return said + _files(message)
    if isinstance(message, WorkOrderRemarked):
        part = f"（{message.part}/{message.parts}）" if message.parts > 1 else ""
        return [(f"{message.from_department} 的意见{part} remark", message.text)]
    return []


def _files(message: WorkOrderOffered | WorkOrderChanged) -> list[tuple[str, str]]:
    return [("附件 file", f"{one.name}  {one.url}") for one in message.attachments]


def _lines(head: str, said: list[tuple[str, str]]) -> str:
    return "\n".join([_plain(head), *(f"  {name}：{_plain(text)}" for name, text in said if text)])


def _plain(text: str) -> str:
    """On one line, with nothing that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)


def _named(words: Words, code: str) -> str:
    """A code of a closed list in both languages; one that is newer than this program, as it is."""
    return " ".join(names(words).get(code, (code,)))


def _moment(at: datetime | None) -> str:
    return "未定 open" if at is None else f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"
