"""Whether a schema of the contract only adds to the one that was published; and the lock itself.

Departments' programs are written from the published schemas and are not written anew when ours are.
What the hotline sends (`out`) must stay within what was published, and give all that was given;
what departments send (`in`) must be taken as it was. `broken` names the rule and the place of every
breach. `python -m tests.rig.additive` writes the lock anew, and refuses while anything is broken.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import queueing
from queueing import messages

LOCK = Path(queueing.__file__).parent / "contract" / "v1.json"
Direction = Literal["out", "in"]
Schema = dict[str, Any]

RULES = {
    "message-removed": "a type of message is gone",
    "property-removed": "a field is gone",
    "no-longer-given": "a field that was always there may be missing (out)",
    "newly-required": "a field that could be left out must be there (in)",
    "type-added": "a field may be of a kind readers do not expect, null included (out)",
    "type-removed": "a kind of value, or of reply, is not taken any more (in)",
    "value-added": "a closed list has a value readers do not know (out)",
    "value-removed": "a value is not taken any more (in)",
    "bound-wider": "a value may be longer, larger or smaller than was said (out)",
    "bound-narrower": "a value that was taken is too long, large or small (in)",
    "form-changed": "a pattern or format is another one",
}
UPPER, LOWER = ("maxLength", "maximum", "maxItems"), ("minLength", "minimum", "minItems")


def published() -> dict[str, Schema]:
    """What was published: by type, its `direction` and `schema`."""
    found: dict[str, Schema] = json.loads(LOCK.read_text(encoding="utf-8"))
    return found


def today() -> dict[str, Schema]:
    """The same of the models as they are."""
    return {
        name: {"direction": "in" if name == messages.REPLY else "out", "schema": schema}
        for name, schema in sorted(messages.json_schema().items())
    }


def broken(old: dict[str, Schema], new: dict[str, Schema]) -> list[str]:
    """Every breach as `rule: type/field`; empty when the new contract only adds."""
    found = [f"message-removed: {name}" for name in old if name not in new]
    for name in old.keys() & new.keys():
        before, after = old[name]["schema"], new[name]["schema"]
        found += _Pair(before, after, old[name]["direction"]).compare(before, after, name)
    return sorted(found)


class _Pair:
    """Two schemas under comparison, each with its own definitions."""

    def __init__(self, old: Schema, new: Schema, direction: Direction) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})
        self._out = direction == "out"

    def compare(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        before, after = dict(_kinds(old, self._old)), dict(_kinds(new, self._new))
        if self._out and after.keys() - before.keys():
            yield f"type-added: {place}"
        if not self._out and before.keys() - after.keys():
            yield f"type-removed: {place}"
        for kind in before.keys() & after.keys():
            yield from self._bounds(before[kind], after[kind], place)
            yield from self._values(before[kind], after[kind], place)
            yield from self._fields(before[kind], after[kind], place)
            if "items" in before[kind]:
                yield from self.compare(before[kind]["items"], after[kind]["items"], f"{place}[]")

    def _fields(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        had, has = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            if name not in after:
                yield f"property-removed: {place}/{name}"
            elif self._out and name in had - has:
                yield f"no-longer-given: {place}/{name}"
            else:
                yield from self.compare(before[name], after[name], f"{place}/{name}")
        if not self._out:
            yield from (f"newly-required: {place}/{name}" for name in sorted(has - had))

    def _bounds(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        narrow, wide = (new, old) if self._out else (old, new)
        endless = float("inf")
        above = any(narrow.get(name, endless) > wide.get(name, endless) for name in UPPER)
        below = any(narrow.get(name, -endless) < wide.get(name, -endless) for name in LOWER)
        if above or below:
            yield f"{'bound-wider' if self._out else 'bound-narrower'}: {place}"
        if any(old.get(name) != new.get(name) for name in ("pattern", "format")):
            yield f"form-changed: {place}"

    def _values(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        before, after = _listed(old), _listed(new)
        if self._out and before is not None and (after is None or after - before):
            yield f"value-added: {place}"
        if not self._out and after is not None and (before is None or before - after):
            yield f"value-removed: {place}"


def _listed(schema: Schema) -> set[str] | None:
    """The values of a closed list, as JSON; None where any is taken."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {json.dumps(value) for value in values}


def _kinds(schema: Schema, defs: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """The kinds of value a schema takes, each with its schema; replies are told by `event`."""
    if "$ref" in schema:
        yield from _kinds(defs[schema["$ref"].rpartition("/")[2]], defs)
        return
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _kinds(one, defs)
    if "type" in schema:
        event = schema.get("properties", {}).get("event", {}).get("const")
        yield (f"{schema['type']} {event}" if event else schema["type"]), schema


def main() -> str | None:
    """Write the lock, unless it would break what was published; then say how."""
    old = published() if LOCK.exists() else {}
    if breaches := broken(old, today()):
        return "\n  ".join(["不兼容，请改用 .v2 · not additive, make a .v2:", *breaches])
    LOCK.parent.mkdir(exist_ok=True)
    text = json.dumps(today(), ensure_ascii=False, indent=1, sort_keys=True)
    LOCK.write_text(text + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
