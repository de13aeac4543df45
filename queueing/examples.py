"""One example of every message, for the published document; nobody in them exists. Pure."""

from datetime import UTC, datetime
from typing import Any, Final

from queueing.messages import (
    Attachment,
    Caller,
    ConnectionTested,
    ExtensionAsked,
    Form,
    Message,
    Progress,
    Remarked,
    Replied,
    ReplyRejected,
    Returned,
    Signed,
    WorkOrderChanged,
    WorkOrderExtended,
    WorkOrderOffered,
    WorkOrderRemarked,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)

DEPARTMENT: Final = "sb"
AT_US: Final = 1_795_417_200_000_000
"""2026-11-23 15:00 in China."""

_ABOUT: Final[dict[str, Any]] = {"work_order": "WO-2026-000017-1", "department": DEPARTMENT}
_WHOLE: Final[dict[str, Any]] = {
    **_ABOUT,
    "acceptance_no": "（示范市）社保受理[2026] 000017号",
    "lead": True,
    "kind": "complaint",
    "complaint_class": "attitude",
    "level": "ordinary",
    "summary": "窗口排队两小时无人应答，请核实并答复。",
    "demand": "说明原因并整改",
    "due_at": datetime(2026, 11, 26, 15, 59, 59, tzinfo=UTC),
    "confidential": False,
    "caller": Caller(name="示例人", phone="000-0000"),
}
_LONGER: Final = datetime(2026, 12, 3, 15, 59, 59, tzinfo=UTC)

OUT: Final[tuple[Message, ...]] = (
    WorkOrderOffered(
        **_WHOLE,
        version=1,
        attachments=(
            Attachment(
                name="排队现场.jpg",
                media_type="image/jpeg",
                size=482_113,
                sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                url="https://hotline.example/api/v1/department/files/EXAMPLE",
                expires_at=_LONGER,
            ),
        ),
        forms=(
            Form(
                form="register",
                name="受理登记表 WO-2026-000017-1.html",
                media_type="text/html",
                url="https://hotline.example/api/v1/department/files/EXAMPLE-2",
                expires_at=_LONGER,
            ),
        ),
    ),
    WorkOrderUrged(**_WHOLE, version=2, by="8001", reason="来电人再次来电询问进展", times=1),
    WorkOrderSupervised(**_WHOLE, version=3, by="leader", instruction="请于本周内办结并反馈"),
    WorkOrderExtended(
        **(_WHOLE | {"due_at": _LONGER}), version=4, by="chen", granted=True, reason="同意延期一周"
    ),
    WorkOrderChanged(
        **(_WHOLE | {"demand": "说明原因、整改并书面答复"}),
        version=5,
        by="8001",
        reason="来电人补充诉求",
        changed=["demand"],
    ),
    WorkOrderRemarked(
        **_WHOLE,
        version=6,
        from_department="xx",
        by="李四",
        text="叫号系统当日有故障记录",
        part=1,
        parts=1,
    ),
    WorkOrderWithdrawn(**_ABOUT, version=7, reason="改派信息中心"),
    ReplyRejected(
        **_ABOUT,
        reply_id="sb-000217",
        reply_source="urn:department:sb",
        code="illegal-step",
        reason="当前不可办理：请先签收。 Not possible now: sign it first.",
        digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        size=412,
    ),
    ConnectionTested(department=DEPARTMENT, text="测试消息，不需回复。 A test message."),
)
IN: Final[tuple[Message, ...]] = (
    Signed(**_ABOUT, version=1, by="张三"),
    Returned(**_ABOUT, version=1, by="张三", reason="属医疗保障局职责"),
    Progress(**_ABOUT, version=1, by="张三", text="已调取窗口监控，正在核实"),
    ExtensionAsked(**_ABOUT, version=3, by="张三", until=_LONGER, reason="监控须外单位协助"),
    Remarked(**_ABOUT, version=3, by="张三", text="请信息中心一并核查叫号系统"),
    Replied(**_ABOUT, version=4, by="张三", result="情况属实", measures="已道歉并增设窗口"),
)
