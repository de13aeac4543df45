"""The contract with departments' systems, for people to read: the same document as /asyncapi.json.

Public, and says nothing that is ours alone: it names no department, host or person. Nothing is
written here that the document does not say; a table of fields is read out of its schemas.
"""

import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from gateway.console import render
from gateway.console.visit import Visit
from queueing import asyncapi

_KINDS = {
    "string": "文本 text",
    "integer": "整数 integer",
    "boolean": "是否 true/false",
    "object": "对象 object",
    "array": "列表 list",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message's `data`."""

    name: str
    kind: str
    always: bool
    said: str
    values: list[str]
    """Of a closed list."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message as the page shows it."""

    name: str
    title: str
    summary: str
    type: str
    fields: list[Field]
    whole: bool
    """Whether it carries the whole order, whose fields are then shown once, with the first."""
    example: str


def show(visit: Visit) -> Response:
    """GET /asyncapi."""
    told = asyncapi.document(version("hotline-gateway"))
    channels = {
        name: [_spoken(told, one) for one in channel["messages"]]
        for name, channel in told["channels"].items()
    }
    first, *later = channels["workorders"]
    again = [field for field in first.fields if any(field in one.fields for one in later)]
    channels["workorders"] = [first, *(_shorter(one, again) for one in later)]
    return render.page(visit, "pages/contract.html", document=told, spoken=channels)


def _shorter(message: Spoken, order: list[Field]) -> Spoken:
    """The message without the fields of a whole order, where it has all of them."""
    if any(field not in message.fields for field in order):
        return message
    rest = [field for field in message.fields if field not in order]
    return replace(message, fields=rest, whole=True)


def _spoken(told: dict[str, Any], name: str) -> Spoken:
    message = told["components"]["messages"][name]
    payload = message["payload"]["properties"]
    schema = _followed(told, payload["data"])
    example = json.dumps(message["examples"][0]["payload"], ensure_ascii=False, indent=2)
    return Spoken(
        name=name,
        title=message["title"],
        summary=message["summary"],
        type=payload["type"]["const"],
        fields=_fields(told, schema),
        whole=False,
        example=example,
    )


def _fields(told: dict[str, Any], schema: dict[str, Any], before: str = "") -> list[Field]:
    """The fields of an object, those of its parts after it as `caller.name`."""
    found = []
    for name, field in schema["properties"].items():
        kinds = [_followed(told, one) for one in field.get("anyOf", [field])]
        said = field.get("description", "") or f"固定为 {field.get('const', '')}。 Always this."
        shown = " / ".join(_kind(one) for one in kinds)
        always = name in schema.get("required", ())
        found.append(Field(before + name, shown, always, said, field.get("enum", [])))
        for part in kinds:
            if "properties" in part:
                found += _fields(told, part, f"{before}{name}.")
            if "$ref" in part.get("items", {}):
                found += _fields(told, _followed(told, part["items"]), f"{before}{name}[].")
    return found


def _followed(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = told["components"]["schemas"][name]
    return found


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("type") == "null":
        return "null"
    if schema.get("format") == "date-time":
        return "时间 RFC 3339"
    kind = _KINDS[schema["type"]]
    return f"{kind} ≤ {schema['maxLength']}" if "maxLength" in schema else kind
