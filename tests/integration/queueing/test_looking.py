"""`hotline doctor` at a real RabbitMQ: one thing made wrong, and it is told."""

import asyncio
import json

import pika  # type: ignore[import-untyped]
import pytest

from queueing import layout, looking, topology
from queueing.broker import RabbitMQ
from queueing.differences import differences
from queueing.layout import Layout
from queueing.topology import WORKORDERS
from tests.rig.rabbitmq import Broker
from tests.rig.waiting import closing

LAYOUT = Layout(("jy", "sb"), "quorum")


@pytest.fixture
def vhost(broker: Broker) -> str:
    made = broker.fresh_vhost()

    async def declare() -> None:
        async with closing(RabbitMQ(broker.url(made))) as ours:
            await ours.declare(LAYOUT.departments)

    asyncio.run(declare())
    policies = topology.definitions(LAYOUT.departments, LAYOUT.kind, made)["policies"]
    broker.import_definitions({"policies": policies})
    return made


def found(broker: Broker, vhost: str) -> list[str]:
    return asyncio.run(looking.troubles(broker.url(vhost), LAYOUT.queues()))


def exported(broker: Broker, vhost: str) -> list[str]:
    return differences(json.loads(broker.export_definitions().read_text()), LAYOUT, vhost)


def test_all_is_well(broker: Broker, vhost: str) -> None:
    """Protects: what the gateway declares, with the policies that are imported, is no difference,
    seen either way; and a look leaves no message behind."""
    assert found(broker, vhost) == []
    assert exported(broker, vhost) == []
    assert [broker.depth(vhost, queue.name) for queue in LAYOUT.queues()] == [0] * 4


def test_a_queue_is_missing_or_of_another_kind(broker: Broker, vhost: str) -> None:
    """Protects: told by name; a look does not make what is missing."""
    broker.delete_queue(vhost, "department.sb")
    for _ in range(2):
        (told,) = found(broker, vhost)
        assert "no queue department.sb" in told
    with pika.BlockingConnection(pika.URLParameters(broker.url(vhost))) as connection:
        connection.channel().queue_declare("department.sb", durable=True)
    (told,) = found(broker, vhost)
    assert "department.sb has other arguments" in told
    assert "inequivalent arg" in told


def test_a_binding_is_missing(broker: Broker, vhost: str) -> None:
    """Protects: an unbound department is seen in the exported definitions."""
    with pika.BlockingConnection(pika.URLParameters(broker.url(vhost))) as connection:
        connection.channel().queue_unbind("department.sb", WORKORDERS, "workorder.sb.#")
    (told,) = exported(broker, vhost)
    assert "department.sb is not bound" in told


def test_a_policy_is_missing(broker: Broker, vhost: str) -> None:
    """Protects: a house whose gateway has declared all, and where nothing was imported, is told."""
    broker.ask(f'rabbit_policy:delete(<<"{vhost}">>, <<"hotline">>, <<"test">>)')
    (told,) = exported(broker, vhost)
    assert "The policy hotline is not as agreed" in told


def test_rights_that_were_widened(broker: Broker, vhost: str) -> None:
    """Protects: an account that may read more than its own is seen in the exported definitions."""
    users = {"department.sb": layout.hashed("x", b"salt")}
    with broker.with_accounts(layout.definitions(LAYOUT, vhost=vhost, users=users)):
        assert exported(broker, vhost) == []
        rights = '<<"">>, <<".*">>, <<".*">>, <<"test">>'
        grant = "rabbit_auth_backend_internal:set_permissions"
        broker.ask(f'{grant}(<<"department.sb">>, <<"{vhost}">>, {rights})')
        (told,) = exported(broker, vhost)
        assert "department.sb has other rights" in told


def test_an_alarm_is_told(broker: Broker, vhost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: a broker that answers and takes nothing is not called well."""
    monkeypatch.setattr(looking, "TIMEOUT_S", 2.0)
    broker.alarm("memory", on=True)
    try:
        told = found(broker, vhost)
    finally:
        broker.alarm("memory", on=False)
    assert any("memory or disk alarm" in line for line in told)
    assert found(broker, vhost) == []
