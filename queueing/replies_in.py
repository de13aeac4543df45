"""What a department says to the hotline about a work order. Pure models, told apart by `event`.

    signed 签收   returned 退单   replied 反馈
    extension_asked 申请延期   progress 办理进展   remarked 会办意见

Always holds: a reply names its department, and whether it may speak for that one is proven
elsewhere (its routing key); what is given here is bounded and storable.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from queueing.fields import Long, OfWorkOrder, Short


class Reply(OfWorkOrder):
    """What every reply says: of which work order, and who at the department says it."""

    by: Short = Field(repr=False, description="经办人。 The officer.")


class Signed(Reply):
    """签收：部门承办。 The department has it."""

    event: Literal["signed"] = "signed"


class Returned(Reply):
    """退单：不属本部门。 Not this department's, and why."""

    event: Literal["returned"] = "returned"
    reason: Long = Field(repr=False, min_length=1, description="退单原因。 Why.")


class Replied(Reply):
    """反馈：查明的情况与所采取的措施。 What was found and what was done."""

    event: Literal["replied"] = "replied"
    result: Long = Field(repr=False, min_length=1, description="办理结果。 The result.")
    measures: Long = Field(
        repr=False, description="采取的措施，可为空。 What was done; may be empty."
    )


class ExtensionAsked(Reply):
    """申请延期：审批结果见 extended 消息。 More time is asked for; `extended` is the answer."""

    event: Literal["extension_asked"] = "extension_asked"
    until: AwareDatetime = Field(description="申请延至。 Until when.")
    reason: Long = Field(repr=False, min_length=1, description="延期原因。 Why.")


class Progress(Reply):
    """办理进展：不结束派单。 How it goes; the work order stays in hand."""

    event: Literal["progress"] = "progress"
    text: Long = Field(repr=False, min_length=1, description="进展情况。 How it goes.")


class Remarked(Reply):
    """会办意见：留给热线与其他承办部门。 A remark in joint handling, kept in the ticket's story."""

    event: Literal["remarked"] = "remarked"
    text: Long = Field(repr=False, min_length=1, description="会办意见。 The remark.")


DepartmentReply = Annotated[
    Signed | Returned | Replied | ExtensionAsked | Progress | Remarked,
    Field(discriminator="event"),
]
