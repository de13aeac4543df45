"""What a broker has, compared with what it has to have: one line a difference. Pure.

`exported` is what `rabbitmqctl export_definitions` writes. Everything the layout asks for must be
there with the same properties, and no account of a department may do more than it says; a binding
that brings one department's work orders to another queue is told too. Queues, users and policies
that have nothing to do with us are not looked at. Each line says what to do.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from queueing import topology
from queueing.layout import GATEWAY, Layout, definitions

Exported = Mapping[str, Any]
Row = Mapping[str, Any]

_IMPORT = "hotline init, rabbitmqctl import_definitions"


def differences(exported: Exported, layout: Layout, vhost: str) -> list[str]:
    """Every difference, in both languages and with what to do; none where all is as agreed."""
    users = {topology.user_of(code): "" for code in layout.departments}
    wanted = definitions(layout, vhost=vhost, users={**users, GATEWAY: ""})
    if vhost not in _names(exported.get("vhosts", [])):
        return [
            f"没有虚拟主机 {vhost}：导入定义（{_IMPORT}）。 There is no vhost {vhost}: {_IMPORT}."
        ]
    here = {
        kind: [row for row in exported.get(kind, []) if row.get("vhost") == vhost]
        for kind in (
            *("exchanges", "queues", "bindings"),
            *("permissions", "topic_permissions", "policies"),
        )
    }
    if layout.kind == "quorum" and _release(exported) >= topology.COUNTS_NO_NACK:
        wanted |= topology.policies_since_4_3(vhost)
    return [
        *_exchanges(here["exchanges"], wanted["exchanges"]),
        *_queues(here["queues"], wanted["queues"]),
        *_bindings(here["bindings"], wanted["bindings"]),
        *_rights(here, wanted, _names(exported.get("users", []))),
        *_policies(here["policies"], wanted["policies"]),
    ]


def _release(exported: Exported) -> tuple[int, ...]:
    """Which RabbitMQ has written it; nothing where it does not say."""
    return topology.release(str(exported.get("rabbit_version", "")))


def queue_differs(name: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How a queue's arguments differ, and what to do."""
    parts = [
        f"{key}: {found.get(key, '—')} ≠ {wanted.get(key, '—')}"
        for key in sorted(found.keys() | wanted.keys())
        if found.get(key) != wanted.get(key)
    ]
    return (
        f"队列 {name} 的参数不符（{'；'.join(parts)}）：清空后删除，网关会重新声明。 Queue "
        f"{name} has other arguments ({'; '.join(parts)}): empty and delete it; "
        "the gateway declares it anew."
    )


def _names(rows: Iterable[Row]) -> set[str]:
    return {str(row.get("name")) for row in rows}


def _exchanges(found: Iterable[Row], wanted: Iterable[Row]) -> Iterator[str]:
    there = {row["name"]: row for row in found}
    for row in wanted:
        name, has = row["name"], there.get(row["name"])
        if has is None:
            yield f"没有交换机 {name}：启动网关或导入定义。 No exchange {name}: {_IMPORT}."
        elif (has.get("type"), has.get("durable")) != ("topic", True):
            yield (
                f"交换机 {name} 不是持久的 topic：删除后重新导入。 Exchange {name} is no durable "
                f"topic exchange: delete it, then {_IMPORT}."
            )


def _queues(found: Iterable[Row], wanted: Iterable[Row]) -> Iterator[str]:
    there = {row["name"]: row for row in found}
    for row in wanted:
        name, has = row["name"], there.get(row["name"])
        if has is None:
            yield f"没有队列 {name}：启动网关或导入定义。 No queue {name}: {_IMPORT}."
        elif not has.get("durable"):
            yield f"队列 {name} 不持久：删除后重新导入。 Queue {name} is not durable: delete it."
        elif dict(has.get("arguments", {})) != dict(row["arguments"]):
            yield queue_differs(name, has.get("arguments", {}), row["arguments"])


def _bindings(found: Iterable[Row], wanted: Iterable[Row]) -> Iterator[str]:
    has = {_bound(row) for row in found}
    must = {_bound(row) for row in wanted}
    for source, queue, key in sorted(must - has):
        yield (
            f"队列 {queue} 未绑定 {source}（{key}），派单到不了：重启网关或导入定义。 Queue "
            f"{queue} is not bound to {source} ({key}): restart the gateway, or {_IMPORT}."
        )
    for source, queue, key in sorted(has - must):
        if source in topology.EXCHANGES:
            yield (
                f"多出的绑定 {source}（{key}）→ {queue}，消息会多出一份：请解除。 A binding that "
                f"is not agreed: {source} ({key}) to {queue} gets a copy: remove it."
            )


def _bound(row: Row) -> tuple[str, str, str]:
    return str(row["source"]), str(row["destination"]), str(row["routing_key"])


def _policies(found: Iterable[Row], wanted: Iterable[Row]) -> Iterator[str]:
    there = {row["name"]: row for row in found}
    for row in wanted:
        name, has = row["name"], there.get(row["name"], {})
        given, must = has.get("definition", {}), row["definition"]
        missing = {key: value for key, value in must.items() if given.get(key) != value}
        if missing or has.get("pattern") != row["pattern"]:
            parts = ", ".join(f"{key}={value}" for key, value in sorted(missing.items()))
            what = parts or row["pattern"]
            yield (
                f"策略 {name} 不符（{what}）：重新导入定义。 The policy {name} is not as agreed "
                f"({what}): {_IMPORT}."
            )


def _rights(
    found: Mapping[str, list[dict[str, Any]]], wanted: Mapping[str, Any], users: set[str]
) -> Iterator[str]:
    """Of accounts that are there; a department without one shares, which is told elsewhere."""
    for kind, keys in (
        ("permissions", ("configure", "write", "read")),
        ("topic_permissions", ("write", "read")),
    ):
        has = {(row["user"], row.get("exchange", "")): row for row in found[kind]}
        for row in wanted[kind]:
            user, exchange = row["user"], row.get("exchange", "")
            given = has.get((user, exchange), {})
            if user in users and any(given.get(key) != row[key] for key in keys):
                at = f" {exchange}" if exchange else ""
                yield (
                    f"账号 {user} 的权限不符{at}：重新导入定义。 The account {user} has other "
                    f"rights{at}: {_IMPORT}."
                )
