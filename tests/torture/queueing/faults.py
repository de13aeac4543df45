"""What may befall a broker while work orders go through it. Each returns when it is over."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pika  # type: ignore[import-untyped]

from queueing import topology
from tests.rig.proxy import Proxy
from tests.rig.rabbitmq import Broker
from tests.torture.queueing import account


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens: a broker, one virtual host, one department, and the wire to the hotline."""

    broker: Broker
    vhost: str
    department: str
    wire: Proxy


Fault = Callable[[Scene], None]

LASTS_S = 6.0
"""Of what has a length."""


def killed(at: Scene) -> None:
    """-9, and started again: the port is there when it returns."""
    at.broker.restart()


def frozen(at: Scene) -> None:
    """SIGSTOP, and resumed."""
    at.broker.freeze()
    time.sleep(LASTS_S)
    at.broker.thaw()


def short_of_memory(at: Scene) -> None:
    """The memory alarm: the broker reads from no publisher."""
    _alarm(at.broker, "memory")


def short_of_disk(at: Scene) -> None:
    """The disk alarm."""
    _alarm(at.broker, "disk")


def _alarm(broker: Broker, resource: str) -> None:
    broker.alarm(resource, on=True)
    time.sleep(LASTS_S)
    broker.alarm(resource, on=False)


def emptied_and_deleted(at: Scene) -> None:
    """The queue removed by an operator, once nothing lies in it: what lay there would be gone."""
    queue = topology.department_queue(at.department)
    deadline = time.monotonic() + 30
    while at.broker.depth(at.vhost, queue) and time.monotonic() < deadline:
        time.sleep(0.05)
    at.broker.delete_queue(at.vhost, queue)


def unbound(at: Scene) -> None:
    """The queue's binding removed by an operator."""
    connection = pika.BlockingConnection(pika.URLParameters(at.broker.url(at.vhost)))
    connection.channel().queue_unbind(
        topology.department_queue(at.department),
        topology.WORKORDERS,
        f"workorder.{at.department}.#",
    )
    connection.close()


def password_changed(at: Scene) -> None:
    """A new password at the broker, everybody disconnected, and two seconds later the new one in
    the hotline's secret."""
    with account.changing(at.broker):
        at.broker.disconnect_all()
        time.sleep(2)


def half_open(at: Scene) -> None:
    """The hotline's connections carry nothing any more, and nobody has closed them."""
    at.wire.swallow()
    time.sleep(0.5)  # so that something is on its way into nowhere


ALL: dict[str, Fault] = {
    "frozen": frozen,
    "memory alarm": short_of_memory,
    "disk alarm": short_of_disk,
    "queue deleted": emptied_and_deleted,
    "queue unbound": unbound,
    "password changed": password_changed,
    "half-open": half_open,
}
"""Beside being killed."""

NOTICED_S: dict[str, float] = {"half-open": 25.0}
"""In which time work has to go on, where it is not the usual one: three missed heartbeats."""
