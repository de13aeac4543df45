"""What a department is told of a reply that was not taken. A pure model.

Always holds: it is of no work order's version, and known by its own id; what was refused is named
by the sender's id and source, where they could be read, and by its size and hash, and is never
quoted; its reason is in both languages.
"""

from typing import Final

from pydantic import Field

from queueing.errors import Code
from queueing.fields import Department, Long, Model, Perhaps

SHA256: Final = r"^[0-9a-f]{64}$"


class ReplyRejected(Model):
    """回复未被采纳及原因；请改正后以新编号重发。 A reply was not taken, and why: send it again
    under a new id once it is right."""

    department: Department = Field(description="承办部门代码。 The department's code.")
    work_order: Perhaps | None = Field(
        description="所涉派单，无法识别时为空。 The work order it names; null where not readable."
    )
    reply_id: Perhaps = Field(description="原消息编号，可为空。 The reply's id; may be empty.")
    reply_source: Perhaps = Field(
        description="原消息来源，可为空。 The reply's source; may be empty."
    )
    code: Code = Field(description="原因代码，见列表。 Why: one of a closed list.")
    reason: Long = Field(description="原因说明。 Why, in words.")
    digest: str = Field(pattern=SHA256, description="原消息的 SHA-256。 SHA-256 of the body.")
    size: int = Field(ge=0, le=2**62, description="原消息字节数。 How many bytes it had.")
