"""What can go wrong between a committed row and a department's answer.

    QueueingError
    ├── NoTransaction      put() outside the caller's transaction
    ├── Unreadable         a body that is no message of ours
    ├── Rejected           a message that makes no sense now; it is parked, not tried again
    ├── TransportDown      the broker cannot be reached, or did not answer in time
    ├── TopologyMismatch   the broker has the queue with other properties
    ├── NotSent            a department's reply that the transport refused
    └── NotParked          a replay of what is not parked, or no longer

Every message says, Chinese first, what happened and what can be done. None carries what a message
says: names, telephone numbers and the matter stay out of logs.
"""


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

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"消息无法识别：{reason}。 The message cannot be read: {reason}.")


class Rejected(QueueingError):
    """A handler's word that this message makes no sense: unknown work order, illegal step…"""


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


class NotParked(QueueingError):
    """There is no parked message of this number, or it was replayed already."""

    def __init__(self, parked_id: int) -> None:
        super().__init__(
            f"没有待处理的滞留消息 {parked_id}，可能已重发。 "
            f"No message is parked under {parked_id}; it may have been replayed already."
        )
