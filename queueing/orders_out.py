"""What the hotline says to a department about a work order (派单). Pure models.

    offered 派单   changed 变更   urged 催办   supervised 督办   extended 延期   remarked 会办意见
    withdrawn 撤回

Always holds: each but the last carries the whole order as it stands, so that the newest alone
suffices and an older one that comes late can be dropped unread (forms are named by the offer alone,
a file by the offer or when it is added); each has a version of its own, higher than any before;
a confidential order names no caller (DOMAIN: 保密: departments see the matter and not the person).
How they travel is `messages`' business.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from queueing.fields import Brief, Department, FieldName, Long, Model, OfWorkOrder, Perhaps, Short


class Caller(Model):
    """来电人，仅限部门可知的部分。 Who rang, as far as the department may know."""

    name: Perhaps = Field(repr=False, description="姓名，可为空。 The name; may be empty.")
    phone: Perhaps = Field(repr=False, description="电话，可为空。 The number; may be empty.")


class WorkOrder(OfWorkOrder):
    """派单全文，以最高版本为准。 The whole order as it stands; the highest version counts."""

    acceptance_no: Short = Field(description="受理编号。 The acceptance number.")
    lead: bool = Field(description="是否主办。 Whether this department leads.")
    kind: Short = Field(description="诉求类别代码。 The kind of matter, a code.")
    complaint_class: Short | None = Field(
        description="投诉类别代码，非投诉为空。 The class of a complaint, else null."
    )
    level: Short = Field(description="级别：ordinary 一般，major 重大。 Ordinary or major.")
    summary: Long = Field(repr=False, description="请部门答复的内容。 What is to be answered.")
    demand: Long = Field(repr=False, description="来电人的诉求。 What the caller asks for.")
    due_at: AwareDatetime | None = Field(
        description="答复期限；当年节假日未公布时为空。 When the answer is due; null while the "
        "holidays of the year it would fall in are not published."
    )
    confidential: bool = Field(
        description="来电人要求保密。 The caller asked to be kept confidential."
    )
    caller: Caller | None = Field(
        description="来电人；保密时为空。 Who rang; null where confidential."
    )

    @model_validator(mode="after")
    def _keeps_the_confidence(self) -> "WorkOrder":
        if self.confidential and self.caller is not None:
            raise ValueError("a confidential work order names no caller")
        return self


class Attachment(Model):
    """附件，凭链接与本部门密钥取用。 A file, fetched by its link with the department's key."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,120}$")] = Field(
        repr=False, description="文件名。 Its name."
    )
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+/-]{1,80}$")] = Field(
        description="媒体类型。 Its media type."
    )
    size: int = Field(ge=1, le=2**31 - 1, description="字节数。 Bytes.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="内容的 SHA-256，十六进制。 Of its content, hexadecimal."
    )
    url: Annotated[str, StringConstraints(pattern=r"^https?://[!#-\[\]-~]{1,290}$")] = Field(
        repr=False,
        description="取用地址，限本部门；派单退回或撤回后失效。 "
        "Where it is fetched, by this department alone, while the work order stands.",
    )
    expires_at: AwareDatetime = Field(description="链接到期。 When the link ends.")


class Form(Model):
    """表单，按取用时的登记记录生成。 A form, made of the record when it is fetched."""

    form: FieldName = Field(description="表单代码：register 受理登记表。 Which: the register form.")
    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,120}$")] = Field(
        repr=False, description="文件名。 Its name."
    )
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+/-]{1,80}$")] = Field(
        description="媒体类型。 Its media type."
    )
    url: Annotated[str, StringConstraints(pattern=r"^https?://[!#-\[\]-~]{1,290}$")] = Field(
        repr=False, description="取用地址，同附件。 Where it is fetched, as a file is."
    )
    expires_at: AwareDatetime = Field(description="链接到期。 When the link ends.")


class WorkOrderOffered(WorkOrder):
    """派单：请承办。 A work order for a department."""

    attachments: tuple[Attachment, ...] = Field(
        default=(),
        max_length=10,
        description="附件，可为空。 The matter's files; may be empty.",
    )
    forms: tuple[Form, ...] = Field(
        default=(),
        max_length=4,
        description="表单，可为空。 The matter's forms; may be empty.",
    )


class WorkOrderChanged(WorkOrder):
    """变更：派单内容有改动，以本消息为准。 The order was changed; what stands here counts."""

    by: Short = Field(repr=False, description="变更人。 Who changed it.")
    reason: Brief = Field(repr=False, description="变更原因。 Why.")
    changed: list[FieldName] = Field(
        min_length=1,
        max_length=20,
        description="改动的字段名，如 summary、due_at。 Names of the fields that were changed.",
    )
    attachments: tuple[Attachment, ...] = Field(
        default=(),
        max_length=3,
        description="新增的附件，原有的仍可取用；没有新增为空。 Files that were added, if any; "
        "those named before stand.",
    )


class WorkOrderUrged(WorkOrder):
    """催办：来电人或热线催促。 The caller or the hotline asks to hurry."""

    by: Short = Field(repr=False, description="催办人。 Who urges.")
    reason: Brief = Field(repr=False, description="催办原因。 Why.")
    times: int = Field(
        ge=1, le=2**31 - 1, description="第几次催办。 How often so far, this one included."
    )


class WorkOrderSupervised(WorkOrder):
    """督办：领导督促，并有批示。 A leader's push, with an instruction."""

    by: Short = Field(repr=False, description="督办领导。 The leader.")
    instruction: Brief = Field(repr=False, description="督办批示。 The instruction.")


class WorkOrderExtended(WorkOrder):
    """延期审批：同意时 due_at 为新期限。 An extension decided; `due_at` is as decided."""

    by: Short = Field(repr=False, description="审批人。 Who decided.")
    granted: bool = Field(description="是否同意延期。 Whether it is granted.")
    reason: Brief = Field(repr=False, description="审批意见。 Why.")


class WorkOrderRemarked(WorkOrder):
    """会办意见：同一工单另一承办部门的意见。 A remark of another department of the same ticket."""

    from_department: Department = Field(
        description="提出意见的部门代码。 The code of the department that remarks."
    )
    by: Short = Field(repr=False, description="经办人。 The officer.")
    text: Brief = Field(
        repr=False, description="会办意见；长的分几条依次发来。 The remark; a long one in parts."
    )
    part: int = Field(ge=1, le=2**31 - 1, description="第几部分。 Which part this is.")
    parts: int = Field(ge=1, le=2**31 - 1, description="共几部分。 Of how many.")


class WorkOrderWithdrawn(OfWorkOrder):
    """撤回（改派）：部门无须再办。 Taken back: the department need do nothing more."""

    reason: Long = Field(repr=False, description="撤回原因。 Why it is taken back.")


OutMessage = (
    WorkOrderOffered
    | WorkOrderChanged
    | WorkOrderUrged
    | WorkOrderSupervised
    | WorkOrderExtended
    | WorkOrderRemarked
    | WorkOrderWithdrawn
)
