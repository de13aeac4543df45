"""Work orders to send in tests; nobody in them exists."""

from datetime import UTC, datetime

from queueing.messages import Caller, WorkOrderOffered


def offered(number: int = 1, *, version: int = 1, department: str = "sb") -> WorkOrderOffered:
    """The work order `WO-2026-<number>-1` for a department."""
    return WorkOrderOffered(
        work_order=f"WO-2026-{number:06}-1",
        version=version,
        department=department,
        acceptance_no=f"（某市）社保受理[2026] {number:06}号",
        lead=True,
        kind="投诉举报",
        complaint_class="服务态度",
        level="一般",
        summary="窗口排队两小时无人应答",
        demand="道歉并整改",
        due_at=datetime(2026, 11, 26, 9, 0, tzinfo=UTC),
        confidential=False,
        caller=Caller(name="测试人", phone="000-0000"),
    )
