"""Commands that check: what we hold against the PBX, and what has stopped."""

import argparse
from datetime import datetime

from gateway import compose, reconcile, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.flow import parking, standing, unrecorded
from gateway.flow.standing import Standing
from gateway.tickets.clocks import CHINA, china
from queueing import parked


def count(asked: argparse.Namespace) -> Result:
    """Count the PBX's own log against what we hold."""
    with compose.opened(settings.read()) as parts:
        until = moment(asked.until) if asked.until else parts.clock()
        data = reconcile.whole(parts, moment(asked.since), until)
    lines = [f"{name:16} {value}" for name, value in data.items() if name not in _APART]
    if len(data["pbxs"]) > 1:
        lines += [f"  {name}: CEL {own['cel_calls']} = {own['call_records']} = {own['tickets']}"
                  for name, own in data["pbxs"].items()]  # fmt: skip
    lines += [f"  {fault}: {', '.join(names)}" for fault, names in data["faults"].items()]
    lines += [f"  中断尚未补齐，数字可能不全 · figures touch an interval not yet back-filled: "
              f"{gap['pbx']} {gap['began']} – {gap['ended'] or ''}"
              for gap in data["incomplete"]]  # fmt: skip
    return Result(data["agrees"], "\n".join(lines), data)


_APART = ("faults", "incomplete", "pbxs")


def moment(text: str) -> int:
    """A time as people type it, in µs; China's where it names no zone.

    Raises:
        BadInput: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            {"time": f"时间应如 2026-11-23T08:00：{text!r}。 A time is like 2026-11-23T08:00."}
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=CHINA)
    return int(found.timestamp() * 1_000_000)


def pbx_status(asked: argparse.Namespace) -> Result:
    """Where each PBX stands, as the process that has its link last wrote."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        now = parts.clock()
        found = standing.of_all(session, parts, now)
    up = all(one.connected for one in found if one.here)
    return Result(up, "\n".join(_told(one, now) for one in found), [_plain(one) for one in found])


def _told(one: Standing, now: int) -> str:
    """A PBX for people."""
    if one.since_at is None or one.last_packet_at is None:
        link = "从未连接过 never connected"
    else:
        link = f"{'已连接 connected' if one.connected else '已断开 down'} {china(one.since_at)}"
        link += f"  最后收到 last heard {china(one.last_packet_at)}"
    oldest = "" if one.oldest_gap_at is None else f"，最早 oldest {china(one.oldest_gap_at)}"
    gaps = f"{one.lasting_gaps} 持续 lasting，{one.waiting_gaps} 待补齐 waiting for back-fill"
    behind = " 从未 never"
    if one.cel_read_at is not None:
        behind = f" {(now - one.cel_read_at) // 1_000_000} s 前 ago"
    lines = [
        f"{one.pbx}  {link}{'' if one.here else '  （此处未设置 not set here）'}",
        f"  值守 held by           {one.holder or '无人 nobody'}",
        f"  中断 gaps              {gaps}{oldest}",
        f"  待提交 not committed   {one.spill_bytes} 字节（本机文件）bytes (file on this machine)",
        f"  话单 CEL               读于 read{behind}，{one.cel_unreadable} 条不可读 unreadable",
        f"  未识别 unknown events  {one.unknown_events}",
        f"  无法处理 poison        {one.poison} 批 batches",
    ]
    if one.unrecorded:
        lines.append(f"  缺录音 unrecorded      {one.unrecorded} 通 calls：{unrecorded.WHAT_TO_DO}")
    return "\n".join(lines)


def _plain(one: Standing) -> dict[str, object]:
    """A PBX for programs; times as ISO 8601."""

    def moment(at: int | None) -> str | None:
        return None if at is None else china(at).isoformat()

    return {
        "pbx": one.pbx,
        "here": one.here,
        "connected": one.connected,
        "since": moment(one.since_at),
        "last_packet": moment(one.last_packet_at),
        "holder": one.holder or None,
        "gaps": {"lasting": one.lasting_gaps, "waiting": one.waiting_gaps,
                 "oldest": moment(one.oldest_gap_at)},
        "incomplete": one.open_gaps > 0,
        "spill_bytes": one.spill_bytes,
        "unknown_events": one.unknown_events,
        "poison": one.poison,
        "unrecorded": one.unrecorded,
        "cel_unreadable": one.cel_unreadable,
        "cel_read": moment(one.cel_read_at),
    }  # fmt: skip


def parked_list(asked: argparse.Namespace) -> Result:
    """Messages that stopped, and why."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [
            {"id": row.id, "direction": row.direction, "department": row.department,
             "code": parking.why(row), "times": row.times, "since": str(china(row.parked_at)),
             "reason": row.reason}
            for row in parked.unresolved(session)
        ]  # fmt: skip
    text = "\n".join(
        f"{row['id']:6} {row['code']:18} {row['department']:12} {row['since']} {row['reason']}"
        for row in rows
    )
    return Result(True, text or "没有搁置的消息。 Nothing is parked.", rows)


def parked_replay(asked: argparse.Namespace) -> Result:
    """Send a parked message again, or apply a parked reply after all; or all of a department."""
    if (asked.id is None) == (not asked.department):
        raise BadInput({"id": "请给出编号或 --department 之一。 Give a number or --department."})
    by = parking.By("operator", "cli")
    with compose.opened(settings.read()) as parts:
        if asked.id is not None:
            parking.replay(parts.database, asked.id, by, parts.clock)
            return Result(True, f"已重发 · replayed: {asked.id}", {"id": asked.id})
        found = parking.replay_all(
            parts.database, asked.department, by, parts.clock, of=asked.code or ""
        )
    lines = [f"已重发 · replayed: {found.done}"]
    lines += [f"{count} × {reason}" for reason, count in found.refused.items()]
    data = {"replayed": found.done, "refused": found.refused}
    return Result(not found.refused, "\n".join(lines), data)


def parked_discard(asked: argparse.Namespace) -> Result:
    """Give a parked message up: nothing more comes of it, and it stays with who and why."""
    with compose.opened(settings.read()) as parts:
        by = parking.By("operator", "cli")
        parking.discard(parts.database, asked.id, asked.reason, by, parts.clock)
    return Result(True, f"已作废 · discarded: {asked.id}", {"id": asked.id})


COMMANDS = (
    Command("parked list", "列出搁置的消息 · list the parked messages", parked_list),
    Command(
        "parked replay",
        "重发一条搁置的消息 · replay a parked message",
        parked_replay,
        (
            arg("id", type=int, nargs="?", help="编号，见 parked list · its number"),
            arg("--department", metavar="CODE", help="该部门全部 · all of this department"),
            arg("--code", help="只重发此原因 · with --department: of this reason alone"),
        ),
    ),
    Command(
        "parked discard",
        "作废一条搁置的消息，留存备查 · give a parked message up; it stays on record",
        parked_discard,
        (
            arg("id", type=int, help="编号，见 parked list · its number"),
            arg("--reason", required=True, help="作废原因 · why"),
        ),
    ),
    Command(
        "reconcile",
        "与交换机话单逐一核对 · count against the PBX's own log",
        count,
        (
            arg("--since", required=True, metavar="TIME", help="起 · from: 2026-11-23T08:00"),
            arg("--until", metavar="TIME", help="止，默认现在 · until, by default now"),
        ),
    ),
    Command("pbx status", "交换机链路状态 · where the link to the PBX stands", pbx_status),
)
