"""The literal of exchanges and queues, and the document made from it."""

import json
import re
from pathlib import Path

import pytest

from queueing import topology
from queueing.topology import Kind

SHIPPED = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "definitions.json"


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_every_queue_refuses_rather_than_drops(kind: Kind) -> None:
    """Protects: a full queue is heard of, and what is given up has somewhere to go."""
    for queue in topology.queues(["sb", "jy"], kind):
        assert queue.arguments["x-queue-type"] == kind
        assert "x-message-ttl" not in queue.arguments
        if queue.name != topology.PARKED:
            assert queue.arguments["x-overflow"] == "reject-publish"
            assert queue.arguments["x-dead-letter-exchange"] == topology.PARKED


def test_quorum_dead_letters_at_least_once() -> None:
    """Protects: a dead letter is not lost on its way (needs reject-publish: DESIGN §4)."""
    arguments = topology.ARGUMENTS["quorum"]
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-delivery-limit"] == topology.DELIVERY_LIMIT


def test_keys_name_their_department() -> None:
    """Protects: who speaks and who is spoken to can be read from the key alone."""
    key = topology.work_order_key("sb", "cn.12333.workorder.offered.v1")
    assert key == "workorder.sb.offered.v1"
    assert topology.department_of(key) == "sb"
    assert topology.department_of(topology.reply_key("jy")) == "jy"
    assert topology.department_of("something.else.v1") == ""
    assert topology.queue_for(topology.WORKORDERS, key) == "department.sb"
    assert topology.queue_for(topology.REPLIES, "reply.sb.v1") == topology.REPLIES


def test_the_shipped_definitions_are_the_literal() -> None:
    """Protects: deploy/rabbitmq/definitions.json is what the gateway would declare."""
    assert json.loads(SHIPPED.read_text()) == topology.definitions(["example"], vhost="hotline")
    newer = SHIPPED.with_name("policies-4.3.json")
    assert json.loads(newer.read_text()) == topology.policies_since_4_3("hotline")


def test_policies_bound_what_has_an_end_and_not_the_parked_queue() -> None:
    """Protects: a policy is for our own queues alone, of each queue one applies, and nothing is
    refused or dropped at the end of the line."""
    policies = [
        *topology.definitions([], vhost="h")["policies"],
        *topology.policies_since_4_3("h")["policies"],
    ]
    for policy in policies:
        bounded = [
            name
            for name in ("department.sb", "hotline.replies", "hotline.parked", "hotline.x", "other")
            if re.search(policy["pattern"], name)
        ]
        parked = ["hotline.parked"]
        wanted = (
            parked if policy["name"] == "hotline-parked" else ["department.sb", "hotline.replies"]
        )
        assert bounded == wanted
        assert ("max-length-bytes" in policy["definition"]) == (bounded != parked)
