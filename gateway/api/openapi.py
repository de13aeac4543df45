"""The OpenAPI 3.1 description of the JSON API, made from the table and the models it runs by."""

import re
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from gateway.api.endpoint import INCOMPLETE, Endpoint
from gateway.api.routes import ROUTES
from gateway.api.shapes import Fault

_REF = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """The whole description, ready for JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ROUTES:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    taken = {endpoint.body for endpoint in ROUTES if endpoint.body}
    given = {endpoint.answer for endpoint in ROUTES if endpoint.answer} | {Fault}
    modes = [(model, "validation") for model in taken] + [
        (model, "serialization") for model in given
    ]
    modes.sort(key=lambda pair: (pair[0].__name__, pair[1]))
    _, schemas = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "12333 热线网关 · hotline gateway",
            "version": version("hotline-gateway"),
            "description": "程序先登录取得令牌，再以 Bearer 携带。 Sign in first, then send the "
            "token as Bearer.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "departmentKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "部门程序的密钥，不是登录令牌。 A department's machine key "
                    "(hotline department key CODE), not a session's token.",
                },
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    fault = {"content": {"application/json": {"schema": {"$ref": _ref("Fault")}}}}
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {
            str(endpoint.status): {
                "description": "成功 · done",
                **({"headers": _MARKED} if endpoint.over_time else {}),
                "content": _content(endpoint),
            },
            **(_RANGED if endpoint.media == AUDIO else {}),
            **{str(code): {"description": text, **fault} for code, text in _FAULTS.items()},
        },
        "security": _security(endpoint),
    }
    if endpoint.body:
        schema = {"$ref": _ref(endpoint.body.__name__)}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if endpoint.takes:
        event = {"schema": {"type": "object", "description": _TAKEN}}
        operation["requestBody"] = {"required": True, "content": {endpoint.takes: event}}
    if endpoint.permission:
        operation["x-permissions"] = [str(permission) for permission in endpoint.permission]
    return operation


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.machine:
        return [{"departmentKey": []}]
    return [] if endpoint.permission is None else [{"bearer": []}]


def _content(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.answer is None:
        return {endpoint.media: {"schema": {"type": "string", "contentMediaType": endpoint.media}}}
    answer: dict[str, Any] = {"$ref": _ref(endpoint.answer.__name__)}
    if endpoint.many:
        answer = {"type": "array", "items": answer}
    return {"application/json": {"schema": answer}}


_TAKEN = "一条回复，格式见 /asyncapi.json。 One reply, a CloudEvent as /asyncapi.json has it."
AUDIO = "audio/wav"
_RANGED = {
    "206": {
        "description": "所求字节 · the bytes asked for by Range; several as multipart/byteranges",
        "content": {AUDIO: {"schema": {"type": "string", "contentMediaType": AUDIO}}},
    },
    "416": {"description": "没有这些字节 · there are no such bytes", "content": {}},
}
_MARKED = {
    INCOMPLETE: {
        "description": "true：电话中断尚未补齐，列表可能不全。 An interval without the PBX is not "
        "back-filled yet: the list may lack calls.",
        "required": True,
        "schema": {"type": "boolean"},
    }
}
_FAULTS = {
    400: "内容有误 · bad input",
    401: "未登录 · not signed in",
    403: "无权限 · forbidden",
    404: "没有找到 · not found",
    409: "当前状态不允许 · not in this state",
    410: "已销毁 · destroyed on time",
    429: "请稍后 · too many attempts",
}


def _ref(name: str) -> str:
    return _REF.format(model=name)


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    in_query = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in endpoint.query
    ]
    return in_path + in_query
