"""The contract only grows: the lock of what was published, its comparer, and readers of old."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing import messages
from tests.rig import additive
from tests.unit.queueing.test_messages import EVERY

OUT, IN = messages.URGED, messages.REPLY


def test_the_models_only_add_to_what_was_published() -> None:
    """Protects: no program a department has written breaks. A new field is fine, and then locked
    by `make lock-contract`; anything named here needs a `.v2` beside it."""
    assert additive.broken(additive.published(), additive.today()) == []


def test_the_lock_is_of_today() -> None:
    """Protects: what was added once is published, and cannot be taken back later."""
    assert additive.published() == additive.today(), "make lock-contract"


Edit = Callable[[dict[str, Any]], Any]


def fields(contract: dict[str, Any], kind: str = OUT, model: str = "") -> Any:
    schema = contract[kind]["schema"]
    return (schema["$defs"][model] if model else schema)["properties"]


def root(contract: dict[str, Any], model: str = "") -> Any:
    return contract[IN]["schema"]["$defs"][model] if model else contract[OUT]["schema"]


BREACHES: dict[str, tuple[Edit, str]] = {
    "a type": (lambda c: c.pop(OUT), f"message-removed: {OUT}"),
    "a field": (lambda c: fields(c).pop("demand"), f"property-removed: {OUT}/demand"),
    "a field of a part": (
        lambda c: fields(c, model="Caller").pop("phone"),
        f"property-removed: {OUT}/caller/phone",
    ),
    "always there": (
        lambda c: root(c)["required"].remove("level"),
        f"no-longer-given: {OUT}/level",
    ),
    "null": (
        lambda c: fields(c).update(level={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        f"type-added: {OUT}/level",
    ),
    "a number": (lambda c: fields(c)["kind"].update(type="integer"), f"type-added: {OUT}/kind"),
    "longer": (lambda c: fields(c)["reason"].update(maxLength=5_000), f"bound-wider: {OUT}/reason"),
    "emptier": (lambda c: fields(c)["by"].update(minLength=0), f"bound-wider: {OUT}/by"),
    "pattern": (
        lambda c: fields(c)["department"].update(pattern=".*"),
        f"form-changed: {OUT}/department",
    ),
    "more is asked": (
        lambda c: (
            fields(c, IN, "Signed").update(room={"type": "string"}),
            root(c, "Signed")["required"].append("room"),
        ),
        f"newly-required: {IN}/room",
    ),
    "a reply": (lambda c: c[IN]["schema"]["oneOf"].pop(), f"type-removed: {IN}"),
    "less is taken": (
        lambda c: fields(c, IN, "Progress")["text"].update(maxLength=10),
        f"bound-narrower: {IN}/text",
    ),
    "a closed list": (
        lambda c: fields(c, IN, "Signed")["by"].update(enum=["张三"]),
        f"value-removed: {IN}/by",
    ),
}


@pytest.mark.parametrize(("edit", "rule"), BREACHES.values(), ids=BREACHES.keys())
def test_each_breach_is_named(edit: Edit, rule: str) -> None:
    """Protects: whoever breaks the contract reads which rule, and where."""
    changed = copy.deepcopy(additive.today())
    edit(changed)
    assert rule in additive.broken(additive.today(), changed)


def test_a_closed_list_of_ours_may_not_grow() -> None:
    """Protects: a reader that switches over our codes meets none it does not know."""
    old, new = copy.deepcopy(additive.today()), copy.deepcopy(additive.today())
    fields(old)["level"]["enum"] = ["ordinary", "major"]
    fields(new)["level"]["enum"] = ["ordinary", "major", "utmost"]
    assert additive.broken(old, new) == [f"value-added: {OUT}/level"]
    assert additive.broken(new, old) == []


def test_adding_is_free() -> None:
    """Protects: the contract can grow: optional fields, new types, replies and wider replies."""
    changed = copy.deepcopy(additive.today())
    fields(changed)["attachments"] = {"type": "array", "items": {"type": "string"}}
    fields(changed, IN, "Progress")["text"]["maxLength"] = 50_000
    fields(changed, IN, "Signed")["room"] = {"type": "string"}
    changed["cn.12333.workorder.later.v1"] = changed[OUT]
    assert additive.broken(additive.today(), changed) == []


def test_every_rule_is_tried() -> None:
    """Protects: a rule that nothing can trip is no rule."""
    tried = {rule.partition(":")[0] for _, rule in BREACHES.values()} | {"value-added"}
    assert tried == set(additive.RULES)


ADDED = st.dictionaries(
    st.text(min_size=1, max_size=12).map(lambda name: "later_" + name),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=4,
)


def known(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    """`value` as a program written from `schema` alone reads it: the fields it knows, each of a
    kind it knows; what it does not know it does not see."""
    kinds = dict(additive._kinds(schema, defs))
    if isinstance(value, dict):
        event = f" {value['event']}" if "event" in value else ""
        model = kinds["object" + event]
        assert set(model.get("required", ())) <= value.keys()
        return {
            name: known(value[name], one, defs)
            for name, one in model["properties"].items()
            if name in value
        }
    if isinstance(value, list):
        return [known(item, kinds["array"]["items"], defs) for item in value]
    names = {bool: "boolean", int: "integer", str: "string", type(None): "null"}
    one = kinds[names[type(value)]]
    if isinstance(value, str):
        assert one.get("minLength", 0) <= len(value) <= one.get("maxLength", len(value))
    return value


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
@given(more=ADDED, inner=ADDED, outer=ADDED)
def test_an_old_consumer_reads_a_new_message(
    message: messages.Message, more: Any, inner: Any, outer: Any
) -> None:
    """Protects: whatever fields a later version adds, a reader of the published schemas reads what
    it knows, and so does ours."""
    body = messages.encode(message, event_id="e1", source="urn:test", time_us=0)
    event = json.loads(body)
    data = {**more, **event["data"]}
    if data.get("caller"):
        data["caller"] = {**inner, **data["caller"]}
    newer = json.dumps({**outer, **event, "data": data}).encode()
    schema = additive.published()[event["type"]]["schema"]
    assert known(json.loads(newer)["data"], schema, schema.get("$defs", {})) == event["data"]
    assert messages.decode(newer).message == message
