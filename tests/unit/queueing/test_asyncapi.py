"""The published document: generated, valid by AsyncAPI's own parser, and enough to write from."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

from gateway import compose
from queueing import asyncapi, messages, topology
from tests.rig import node
from tests.unit.api.schema import IGNORED, resolve
from tests.unit.gateway import house
from tests.unit.queueing.test_contract import known

PASSED_OVER = {"asyncapi-latest-version"}
"""Said of every document that is not of the newest AsyncAPI: ours is 3.0, as the issue asks."""


@pytest.fixture(scope="module")
def document() -> Any:
    """As others get it: through JSON."""
    return json.loads(json.dumps(asyncapi.document("1.2.3")))


def test_asyncapis_own_parser_finds_nothing_wrong(document: Any) -> None:
    """Protects: others' tools read it; neither an error nor a warning nor a hint is passed over."""
    said = [one for one in node.diagnostics(document) if one["code"] not in PASSED_OVER]
    assert said == []


def test_the_parser_does_find_what_is_wrong(document: Any) -> None:
    """Protects: the test above can fail."""
    wrong = json.loads(json.dumps(document))
    wrong["operations"]["sendReplies"]["action"] = "shout"
    del wrong["components"]["messages"]["signed"]
    assert {one["severity"] for one in node.diagnostics(wrong)} & {0}


def test_every_message_is_in_it(document: Any) -> None:
    """Protects: a model that is added is published; none is described that does not exist."""
    said = {one["payload"]["properties"]["type"]["const"]
            for one in document["components"]["messages"].values()}  # fmt: skip
    assert said == set(messages.TYPES)
    replies = {one.model_fields["event"].default for one in get_args(get_args(
        messages.DepartmentReply)[0])}  # fmt: skip
    assert set(document["channels"]["replies"]["messages"]) == replies


def test_every_example_is_a_message(document: Any) -> None:
    """Protects: what a programmer copies from the document is taken, and fits its own schema."""
    schemas = document["components"]["schemas"]
    for name, message in document["components"]["messages"].items():
        (example,) = message["examples"]
        envelope = messages.decode(json.dumps(example["payload"]).encode())
        assert envelope.type == message["payload"]["properties"]["type"]["const"]
        data = example["payload"]["data"]
        assert known(data, message["payload"]["properties"]["data"], schemas) == data, name
        assert set(message["payload"]["required"]) <= set(example["payload"])
        assert set(example["payload"]) <= set(message["payload"]["properties"])


def test_its_names_are_the_topologys(document: Any) -> None:
    """Protects: who takes every name from the document reaches the real queue and exchange."""
    channels = document["channels"]
    (own,) = [queue for queue in topology.queues(["sb"], "quorum") if queue.name.endswith(".sb")]
    orders, replies = channels["workorders"], channels["replies"]
    assert orders["address"].replace("{department}", "sb") == own.name
    assert orders["bindings"]["amqp"]["queue"]["name"] == orders["address"]
    assert orders["x-bound-to"]["exchange"] == own.exchange
    assert replies["bindings"]["amqp"]["exchange"]["name"] == topology.REPLIES
    key = replies["address"].replace("{department}", "sb")
    assert topology.department_of(key) == "sb"
    keys = [one.replace("{department}", "sb") for one in orders["x-bound-to"]["keys"]]
    assert {topology.queue_for(own.exchange, one) for one in keys} == {own.name}


def test_every_reference_leads_somewhere(document: Any) -> None:
    """Protects: nothing is named that is not in the document."""

    def refs(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for one in value.values() for ref in refs(one)]
        return [ref for one in value for ref in refs(one)] if isinstance(value, list) else []

    found = refs(document)
    assert len(found) > 20
    for ref in found:
        assert resolve(ref, document)


def test_schemas_stay_within_what_every_tool_reads(document: Any) -> None:
    """Protects: AsyncAPI's schema object is of draft 07: no keyword of a later one slips in."""
    allowed = IGNORED | {
        "type", "properties", "required", "anyOf", "$ref", "const", "enum", "format", "pattern",
        "minLength", "maxLength", "minimum", "maximum", "items", "minItems",
        "maxItems",
    }  # fmt: skip

    def check(schema: dict[str, Any]) -> None:
        assert schema.keys() <= allowed, schema.keys() - allowed
        inner = [schema["items"]] if "items" in schema else []
        for one in (*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *inner):
            check(one)

    for schema in document["components"]["schemas"].values():
        check(schema)


def test_it_is_served_to_anybody_as_json_and_as_a_page(tmp_path: Path) -> None:
    """Protects: a department's programmer needs no account; both say the same names."""
    with house.house(tmp_path) as parts:
        client = TestClient(compose.application(parts), base_url="http://hotline.test")
        told = client.get("/asyncapi.json")
        assert told.json() == asyncapi.document(told.json()["info"]["version"])
        page = client.get("/asyncapi")
    assert page.status_code == 200
    wanted = [*told.json()["components"]["messages"], topology.REPLIES, "reply.{department}.v1"]
    wanted += [words for rule in asyncapi.RULES for words in rule]
    assert [text for text in wanted if text not in page.text] == []
