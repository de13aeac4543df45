"""The errors a person or a program may meet, drawn as one tree.

    HotlineError 500
    ├── NotSignedIn 401      sign in first
    │   └── WrongPassword 401
    ├── Forbidden 403        the role does not allow it
    │   └── Recused          the matter is about this person
    ├── NotFound 404         not there, or not for this person's eyes
    ├── Gone 410             it was destroyed on time, and nothing brings it back
    ├── BadInput 400         fields to mend, each with its own message
    ├── Conflict 409
    │   ├── IllegalStep      the state machine refuses; nothing was changed
    │   ├── StaleTicket      somebody else saved first; nothing was overwritten
    │   └── ControlFailed    the PBX is not asked, away, or says no
    ├── TooLarge 413         more than is taken at once; nothing of it was read
    ├── NoRoom 507           the disk is full; nothing was kept, and nothing lost
    ├── LeaseLost 500        another process does this duty now; nothing was written
    ├── AccountLocked 429    too many wrong passwords
    ├── TooBusy 429          not possible just now; the same again works later
    └── BadSetting 500       the environment says something that cannot be used

Every message is Chinese first, English beside it, and says what to do. An error never carries a
telephone or identity number: it may end up in a log.
"""

import errno
from collections.abc import Mapping
from typing import Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How a system says that there is no room (errno(3)), or not for so large a file."""


class HotlineError(Exception):
    """The root: something the gateway refused or could not do. `status` is the HTTP status."""

    status = 500


class NotSignedIn(HotlineError):
    """Nobody is signed in, or the session has ended."""

    status = 401

    def __init__(self, message: str = "请先登录。 Please sign in first.") -> None:
        super().__init__(message)


class WrongPassword(NotSignedIn):
    """The login or the password is wrong; which of the two is not told."""

    def __init__(self) -> None:
        super().__init__(
            "账号或密码不正确，请重试。 The account or the password is wrong, please try again."
        )


class Forbidden(HotlineError):
    """The person's role, or a missing grant, does not allow this."""

    status = 403

    def __init__(
        self,
        message: str = "您的岗位没有这项权限，如确有需要请联系管理员。 "
        "Your role does not allow this; ask the administrator if you need it.",
    ) -> None:
        super().__init__(message)


class Recused(Forbidden):
    """The complaint is about this person (回避): not theirs to handle, decide or hear.

    `ticket_id`: they would have handled that ticket, and no line in the log says so yet.
    """

    def __init__(self, ticket_id: int | None = None) -> None:
        self.ticket_id = ticket_id
        super().__init__(
            "该事项涉及您本人，您须回避，请交由他人办理。 "
            "This matter is about you: leave it to somebody else."
        )


class NotFound(HotlineError):
    """There is no such thing, or this person may not know that there is."""

    status = 404

    def __init__(
        self,
        message: str = "没有找到，请核对编号后再试。 Not found; check the number and try again.",
    ) -> None:
        super().__init__(message)


class Gone(HotlineError):
    """What was here was destroyed on time (DESIGN §3, promise 7); the message names where that is
    certified."""

    status = 410


class BadInput(HotlineError):
    """Fields that cannot be taken as they are; what was typed is kept by whoever shows this.

    `fields` maps the name of a field to its message.
    """

    status = 400

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("；".join(f"{name}：{text}" for name, text in self.fields.items()))


class Conflict(HotlineError):
    """The request is well formed, but does not fit what is there now."""

    status = 409


class IllegalStep(Conflict):
    """A step that the state machine does not list for the present state (DESIGN §3, promise 9)."""


class StaleTicket(Conflict):
    """Somebody else saved the ticket in between; nothing was overwritten."""

    def __init__(self) -> None:
        super().__init__(
            "该工单刚被他人修改，请刷新后再保存，您填写的内容仍在页面上。 "
            "Somebody else has just changed this ticket; reload before saving."
        )


class ControlFailed(Conflict):
    """What was asked of the PBX did not happen, or nobody knows whether it did; says what to do."""


class AccountLocked(HotlineError):
    """Too many wrong passwords; the account rests for a while."""

    status = 429

    def __init__(self, minutes: int) -> None:
        super().__init__(
            f"密码错误次数过多，请 {minutes} 分钟后再试，或联系管理员。 "
            f"Too many wrong passwords; try again in {minutes} minutes."
        )


class TooBusy(HotlineError):
    """More than can be done now, such as more sign-ins at once than passwords can be judged."""

    status = 429

    def __init__(
        self,
        message: str = "登录人数过多，请几秒后再试。 "
        "Too many sign in at once; try again in a few seconds.",
    ) -> None:
        super().__init__(message)


class BadSetting(HotlineError):
    """A `HOTLINE_*` setting that cannot be used; the message names it and says what is expected."""


class TooLarge(HotlineError):
    """What was sent is more than is taken at once (`most` bytes)."""

    status = 413

    def __init__(self, most: int) -> None:
        mib = most >> 20
        super().__init__(
            f"提交的内容太大，最多 {mib} MiB，请缩小或分开后再提交。 "
            f"What was sent is too large: {mib} MiB at most; send less, or in parts."
        )


class NoRoom(HotlineError):
    """The disk is full: nothing of this was kept, and what was there before is as it was."""

    status = 507

    def __init__(self) -> None:
        super().__init__(
            "磁盘已满，文件未保存，已有内容不受影响；请管理员腾出空间后再传。 The disk is full and "
            "the file was not kept; have the administrator make room, then send it again."
        )


class LeaseLost(HotlineError):
    """Another process does this duty now: the transaction it is raised in must not be committed."""

    def __init__(self, duty: str) -> None:
        super().__init__(
            f"{duty} 已由另一个网关进程接管，本进程停止写入。 "
            f"Another gateway has taken over {duty}; this process writes no more."
        )
