"""The contract as an AsyncAPI 3.0 document, made from the models and the topology. Pure.

It describes a department's program: what it receives and what it sends, with every name it needs,
so that one can be written in any language from this document alone (deploy/departments).
Always holds: nothing in it is typed twice: names are `topology`'s, schemas the models', examples
`examples`' as they travel; it names no department, no host and no person.
The AMQP binding 0.3.0 has no place for queue arguments and rules: they stand in `x-` extensions.
CloudEvents are carried in structured mode: the body is the whole event. (The CloudEvents binding
is written for AMQP 1.0; on 0-9-1 the content type alone is taken from it.)
"""

import json
import re
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from queueing import examples, messages, topology
from queueing.messages import ConnectionTested, Message, Reply, ReplyRejected

_REF: Final = "#/components/schemas/{model}"
_BINDING: Final = "0.3.0"
_ANY: Final = "{department}"
_OWN: Final = {"department": {"description": "本部门代码。 Your department's code."}}

RULES: Final[tuple[tuple[str, str], ...]] = (
    (
        "不认识的字段忽略；不认识的消息类型直接确认（ack），不要拒收。",
        "Ignore fields you do not know; ack types you do not know.",
    ),
    (
        "同一派单以 version 最高者为准；不高于已办版本的是重复，确认即可。",
        "Of one work order the highest version counts; what is not higher was settled: ack it.",
    ),
    (
        "先发回复并等到发布确认（publisher confirm），再确认（ack）派单。",
        "Publish your answer, wait for its confirm, and only then ack the work order.",
    ),
    (
        "重发回复时沿用原来的 id：同一 id 只生效一次。",
        "Send an answer again under its first id: it takes effect once.",
    ),
    (
        "处理不了的消息用 basic.reject（requeue=false），热线会看到；不要用 basic.nack。",
        "What you cannot handle, basic.reject without requeue: the hotline sees it. Never nack.",
    ),
    (
        "发布时设 persistent、mandatory，user_id 填登录 RabbitMQ 的用户名。",
        "Publish persistent and mandatory, with user_id set to the user you signed in as.",
    ),
)
"""What a department's program keeps to, Chinese and English."""


def document(version: str) -> dict[str, Any]:
    """The whole document, ready for JSON; `version` is the product's."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:12333:department",
        "info": {
            "title": "12333 热线派单 · hotline work orders",
            "version": version,
            "description": "部门系统如何经 RabbitMQ 接收派单并回复。本文件从部门一方描述。 "
            "How a department's system takes work orders from RabbitMQ and answers them. "
            "It is told from the department's side.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"broker": _server()},
        "channels": {"workorders": _workorders(), "replies": _replies()},
        "operations": _operations(),
        "components": {
            "messages": {_name(one): _message(one) for one in (*examples.OUT, *examples.IN)},
            "schemas": _schemas(),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "每个部门一个 RabbitMQ 账号。 One RabbitMQ user a department.",
                }
            },
        },
        "x-rules": [{"zh": zh, "en": english} for zh, english in RULES],
        "x-limits": {
            "message-bytes": messages.MAX_BYTES,
            "queue-messages": topology.MAX_LENGTH,
            "deliveries": topology.DELIVERY_LIMIT,
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{host}",
        "protocol": "amqps",
        "protocolVersion": "0-9-1",
        "pathname": "/{vhost}",
        "description": "热线的 RabbitMQ。 The hotline's RabbitMQ.",
        "variables": {
            "host": {"description": "主机与端口，由热线告知。 Host and port, as told."},
            "vhost": {"default": "hotline", "description": "虚拟主机。 The virtual host."},
        },
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _workorders() -> dict[str, Any]:
    queue = topology.department_queue(_ANY)
    return {
        "address": queue,
        "title": "派单队列 · Work orders",
        "description": "本部门的队列，由热线建好；只读取，不要声明。 "
        "Your queue, made by the hotline: consume it and do not declare it.",
        "parameters": _OWN,
        "messages": _refs(examples.OUT),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": queue, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": _BINDING,
            }
        },
        "x-bound-to": {
            "exchange": topology.WORKORDERS,
            "keys": [topology.work_order_key(_ANY, messages.type_of(one)) for one in examples.OUT],
        },
        "x-queue-arguments": topology.ARGUMENTS,
    }


def _replies() -> dict[str, Any]:
    return {
        "address": topology.reply_key(_ANY),
        "title": "回复 · Replies",
        "description": "以此为路由键发布到交换机。 Publish to the exchange with this routing key.",
        "parameters": _OWN,
        "messages": _refs(examples.IN),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": topology.REPLIES,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> dict[str, Any]:
    return {
        "receiveWorkOrders": {
            "action": "receive",
            "channel": {"$ref": "#/channels/workorders"},
            "title": "接收派单 · Receive work orders",
            "summary": "逐条读取，手工确认，预取 1 条。 One by one, acked by hand, prefetch 1.",
            "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
        },
        "sendReplies": {
            "action": "send",
            "channel": {"$ref": "#/channels/replies"},
            "title": "发送回复 · Send replies",
            "summary": "每条都等发布确认。 Each with a publisher confirm.",
            "bindings": {
                "amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING}
            },
        },
    }


_SAID: Final = frozenset(str(one.event) for one in examples.IN if isinstance(one, Reply))


def _name(message: Message) -> str:
    """`WorkOrderUrged` → `urged`, `ExtensionAsked` → `extension_asked`; what the hotline passes on
    is told from what a department says: `workorder_remarked`."""
    if isinstance(message, Reply):
        return str(message.event)
    name = messages.type_of(message).split(".")[-2]
    return f"workorder_{name}" if name in _SAID else name


def _refs(of: tuple[Message, ...]) -> dict[str, Any]:
    return {_name(one): {"$ref": f"#/components/messages/{_name(one)}"} for one in of}


def _message(example: Message) -> dict[str, Any]:
    """One message: what it is, its envelope around its data, and an example as it travels."""
    said = " ".join(str(type(example).__doc__).split())
    ours = not isinstance(example, Reply)
    event_id = f"sb-{_name(example)}-1"
    if not isinstance(
        example, Reply | ReplyRejected | ConnectionTested
    ):  # of a version: named by it
        event_id = f"{example.work_order}/v{example.version}"
    source = "urn:12333:hotline" if ours else f"urn:12333:department:{example.department}"
    body = messages.encode(example, event_id=event_id, source=source, time_us=examples.AT_US)
    return {
        "name": _name(example),
        "title": re.split("[：；。]", said)[0],
        "summary": said,
        "contentType": "application/cloudevents+json",
        "correlationId": {"location": "$message.payload#/subject"},
        "payload": _payload(example),
        "examples": [{"name": _name(example), "payload": json.loads(body)}],
    }


def _payload(example: Message) -> dict[str, Any]:
    """The CloudEvents envelope; what a department may leave out is not required."""
    kind = messages.type_of(example)
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": {**text, "minLength": 1, "maxLength": 120,
                   "description": "此消息的编号，重发不变。 Its id, the same when sent again."},
            "source": {**text, "minLength": 1, "maxLength": 120,
                       "description": "谁发出。 Who says it."},
            "type": {"type": "string", "const": kind},
            "subject": {**text, "description": "派单编号。 The work order's number."},
            "time": {**text, "format": "date-time"},
            "datacontenttype": {"type": "string", "const": "application/json"},
            "dataschema": {"type": "string", "const": messages.SCHEMA + kind},
            "sequence": {**text, "description": "十位版本号，可按文本排序。 The version in ten "
                         "digits; it orders as text."},
            "traceparent": {**text, "description": "追踪标识（W3C Trace Context），可沿用于回复。 "
                            "The trace it belongs to; an answer may go on with it."},
            "data": {"$ref": _REF.format(model=type(example).__name__)},
        },
    }  # fmt: skip


def _schemas() -> dict[str, Any]:
    """The schema of every message's `data`, and of its parts."""
    models = [type(one) for one in (*examples.OUT, *examples.IN)]
    _, made = models_json_schema([(model, "serialization") for model in models], ref_template=_REF)
    schemas: dict[str, Any] = made["$defs"]
    return schemas
