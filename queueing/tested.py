"""A message that asks for nothing but to arrive. A pure model.

Always holds: it is of no work order, is known by its own id, and needs no answer; a program that
reads it has shown that its account, its queue and its reading of the envelope are right.
"""

from pydantic import Field

from queueing.fields import Department, Model, Short


class ConnectionTested(Model):
    """测试消息：确认收到即可，不需回复。 A test message: ack it; it needs no answer."""

    department: Department = Field(description="承办部门代码。 The department's code.")
    work_order: None = Field(
        default=None, description="不属任何派单，恒为空。 Of no work order: always null."
    )
    text: Short = Field(description="发送人留言。 What the sender wrote.")
