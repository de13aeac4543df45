"""As much of JSON Schema 2020-12 as our description uses; an unknown keyword is an error."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Schema = dict[str, Any]
IGNORED = frozenset({"title", "description", "default"})
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "array": (list,), "object": (dict,), "null": (type(None),),
}  # fmt: skip


class Unfit(AssertionError):
    """A value does not fit its schema; the message says where."""


@dataclass(frozen=True, slots=True)
class At:
    """A value in its place: the schema it is held against, in which document."""

    value: Any
    schema: Schema
    root: Schema
    place: str

    def into(self, value: Any, schema: Schema, step: str = "") -> None:
        """Hold a part of the value against a part of the schema."""
        fits(value, schema, self.root, self.place + step)

    def like(self, schema: Schema) -> bool:
        """Whether the value fits `schema`."""
        try:
            self.into(self.value, schema)
        except Unfit:
            return False
        return True


def fits(value: Any, schema: Schema, root: Schema, place: str = "$") -> None:
    """Raise `Unfit` where `value` is not what `schema` (of the document `root`) describes."""
    at = At(value, schema, root, place)
    for keyword in schema.keys() - IGNORED:
        about, holds = KEYWORDS.get(keyword, (object, _unknown))
        if isinstance(value, about) and not holds(at, schema[keyword]):
            raise Unfit(f"{place}: {keyword} {schema[keyword]!r}")


def resolve(ref: str, root: Schema) -> Schema:
    """What a local `$ref` points at; KeyError where it points at nothing."""
    assert ref.startswith("#/"), ref
    found: Any = root
    for part in ref[2:].split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def _unknown(at: At, said: Any) -> bool:
    raise Unfit(f"{at.place}: this check knows no such keyword, {said!r}")


def _ref(at: At, said: str) -> bool:
    at.into(at.value, resolve(said, at.root))
    return True


def _type(at: At, said: str) -> bool:
    return isinstance(at.value, TYPES[said]) and isinstance(at.value, bool) == (said == "boolean")


def _properties(at: At, said: dict[str, Schema]) -> bool:
    for name in said.keys() & at.value.keys():
        at.into(at.value[name], said[name], f".{name}")
    return True


def _additional(at: At, said: bool | Schema) -> bool:
    more = at.value.keys() - at.schema.get("properties", {}).keys()
    if isinstance(said, bool):
        return said or not more
    for name in more:
        at.into(at.value[name], said, f".{name}")
    return True


def _items(at: At, said: Schema) -> bool:
    for number, one in enumerate(at.value):
        at.into(one, said, f"[{number}]")
    return True


def _format(at: At, said: str) -> bool:
    assert said == "date-time", said
    return datetime.fromisoformat(at.value).utcoffset() is not None


KEYWORDS: dict[str, tuple[type, Callable[[At, Any], bool]]] = {
    "$ref": (object, _ref),
    "type": (object, _type),
    "enum": (object, lambda at, said: at.value in said),
    "anyOf": (object, lambda at, said: any(at.like(one) for one in said)),
    "required": (dict, lambda at, said: set(said) <= set(at.value)),
    "properties": (dict, _properties),
    "additionalProperties": (dict, _additional),
    "items": (list, _items),
    "format": (str, _format),
}
"""Each keyword: the type of value it says something of, and whether it holds."""
