"""What can go wrong between a committed row and a department's answer.

    QueueingError
    ├── NoTransaction      put() outside the caller's transaction
    ├── Unreadable         a body that is no message of ours
    ├── Rejected           a message that makes no sense now; it is parked, not tried again
    ├── TransportDown      the broker cannot be reached, or did not answer in time
    ├── TopologyMismatch   the broker has the queue with other properties
    ├── NotSent            a department's reply that the transport refused
    ├── NotRemembered      the file in which a department's program remembers fails
    ├── LiveHouse          a rehearsal where real work orders travel
    └── NotParked          a replay of what is not parked, or no longer

Every message says, Chinese first, what happened and what can be done. None carries what a message
says: names, telephone numbers and the matter stay out of logs. What is wrong with a message has one
of the codes below as well: the list is closed, because departments' programs read it.
"""

from typing import Final, Literal

Code = Literal[
    "unreadable",
    "wrong-version",
    "unknown-type",
    "too-large",
    "bad-content",
    "wrong-department",
    "user-mismatch",
    "unknown-work-order",
    "illegal-step",
    "conflicting-repeat",
    "failed",
]

CODES: Final[dict[Code, tuple[str, str]]] = {
    "unreadable": ("无法识别", "not JSON, or no CloudEvents envelope"),
    "wrong-version": ("版本不符", "a version of this type that is not spoken here"),
    "unknown-type": ("类型不明", "a type that no department sends"),
    "too-large": ("超过长度", "longer than a message may be"),
    "bad-content": ("内容有误", "a field is missing or holds what it may not"),
    "wrong-department": ("部门不符", "it speaks for another department than its sender"),
    "user-mismatch": ("账号不符", "not sent under the department's own account (user-id)"),
    "unknown-work-order": ("没有此派单", "the department has no such work order"),
    "illegal-step": ("当前不可办理", "the work order does not stand so that this can be done"),
    "conflicting-repeat": ("编号重复", "this id was used before, with other content"),
    "failed": ("处理出错", "the hotline failed on it; a person looks"),
}
"""Why a reply is not taken: each code in Chinese and English."""


class QueueingError(Exception):
    """Root of everything this leaf raises."""


class NoTransaction(QueueingError):
    """`put` was called on a session with no open transaction: the message would stand alone."""

    def __init__(self) -> None:
        super().__init__(
            "发件箱只能在已开启的事务里写入。 "
            "The outbox takes a message only inside the transaction it belongs to."
        )


class Unreadable(QueueingError):
    """A body that is not one of our messages; `reason` names the place and never quotes it."""

    def __init__(self, reason: str, code: Code = "unreadable") -> None:
        self.reason = reason
        self.code: Code = code
        super().__init__(f"消息无法识别：{reason}。 The message cannot be read: {reason}.")


class Rejected(QueueingError):
    """A word that this message makes no sense: unknown work order, illegal step…"""

    def __init__(self, told: str, code: Code = "illegal-step") -> None:
        self.code: Code = code
        super().__init__(told)


class TransportDown(QueueingError):
    """The broker is not reachable or did not answer in time; work waits and is tried again."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"消息服务暂不可用，稍后自动重试：{why}。 "
            f"The broker is unavailable and will be tried again: {why}."
        )


class TopologyMismatch(QueueingError):
    """A queue or exchange exists with other properties than `topology` says."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"消息服务上的队列与约定不符，请按 deploy/rabbitmq 核对后重建：{why}。 "
            f"A queue on the broker differs from the agreed topology; see deploy/rabbitmq: {why}."
        )


class NotSent(QueueingError):
    """The transport took the reply in hand and refused it; the order stays unsettled."""

    def __init__(self, why: str) -> None:
        super().__init__(f"回复未能送出：{why}。 The reply was not sent: {why}.")


class NotRemembered(QueueingError):
    """The file in which a department's program remembers cannot be used; nothing was acked."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"记忆文件 {path} 无法使用（{why}），请检查路径、权限与磁盘；换用新文件，"
            "则可能再次收到已办的派单。 "
            f"The memory {path} cannot be used ({why}): check path, rights and disk; with a new "
            "file work orders may come again that were settled."
        )


class LiveHouse(QueueingError):
    """A rehearsal was asked for where it might meet a real work order; nothing was sent."""

    def __init__(self, why: str) -> None:
        super().__init__(f"检测未进行：{why}")


class NotParked(QueueingError):
    """There is no parked message of this number, or it was replayed or discarded already."""

    def __init__(self, parked_id: int) -> None:
        super().__init__(
            f"没有待处理的滞留消息 {parked_id}，可能已重发或作废。 No message is parked under "
            f"{parked_id}; it may have been replayed or discarded already."
        )
