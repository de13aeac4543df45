"""What may befall a broker while work orders go through it. Each returns when it is over."""

import time
from collections.abc import Callable

import pika  # type: ignore[import-untyped]

from queueing import topology
from tests.rig.rabbitmq import Broker

Fault = Callable[[Broker, str, str], None]
"""Does its harm to a broker, in one virtual host, to one department's queue."""

LASTS_S = 6.0
"""Of what has a length."""


def killed(broker: Broker, _vhost: str, _department: str) -> None:
    """-9, and started again: the port is there when it returns."""
    broker.restart()


def frozen(broker: Broker, _vhost: str, _department: str) -> None:
    """SIGSTOP, and resumed."""
    broker.freeze()
    time.sleep(LASTS_S)
    broker.thaw()


def short_of_memory(broker: Broker, _vhost: str, _department: str) -> None:
    """The memory alarm: the broker reads from no publisher."""
    _alarm(broker, "memory")


def short_of_disk(broker: Broker, _vhost: str, _department: str) -> None:
    """The disk alarm."""
    _alarm(broker, "disk")


def _alarm(broker: Broker, resource: str) -> None:
    broker.alarm(resource, on=True)
    time.sleep(LASTS_S)
    broker.alarm(resource, on=False)


def emptied_and_deleted(broker: Broker, vhost: str, department: str) -> None:
    """The queue removed by an operator, once nothing lies in it: what lay there would be gone."""
    queue = topology.department_queue(department)
    deadline = time.monotonic() + 30
    while broker.depth(vhost, queue) and time.monotonic() < deadline:
        time.sleep(0.05)
    broker.delete_queue(vhost, queue)


def unbound(broker: Broker, vhost: str, department: str) -> None:
    """The queue's binding removed by an operator."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url(vhost)))
    connection.channel().queue_unbind(
        topology.department_queue(department), topology.WORKORDERS, f"workorder.{department}.#"
    )
    connection.close()


ALL: dict[str, Fault] = {
    "frozen": frozen,
    "memory alarm": short_of_memory,
    "disk alarm": short_of_disk,
    "queue deleted": emptied_and_deleted,
    "queue unbound": unbound,
}
"""Beside being killed."""
