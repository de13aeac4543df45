"""Commands that check: the log, what we hold against the PBX, and what has stopped."""

import argparse
from datetime import datetime
from pathlib import Path

from gateway import compose, reconcile, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.flow import log
from gateway.tickets.clocks import CHINA, china
from queueing import inbox, parked
from queueing.tables import ParkedRow
from recordings import audit
from telephony.tables import LinkStateRow


def audit_verify(asked: argparse.Namespace) -> Result:
    """Check the whole log, and every checkpoint given."""
    notes = tuple(path.read_text(encoding="utf-8", errors="replace") for path in asked.checkpoint)
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        trusted = (compose.signer(parts.settings).verifier_key,) if notes else ()
        verdict = audit.verify(session, notes, trusted)
    faults = [f"{'' if problem.line is None else problem.line}  {problem.what}"
              for problem in verdict.problems]  # fmt: skip
    head = f"共 {verdict.size} 行，{'完整' if verdict.ok else '已被改动'}"
    tail = f"{verdict.size} lines, {'intact' if verdict.ok else 'ALTERED'}"
    text = "\n".join([f"{head} · {tail}", f"root {verdict.root.hex()}", *faults])
    data = {"intact": verdict.ok, "lines": verdict.size, "root": verdict.root.hex(),
            "checkpoints": verdict.checkpoints, "faults": faults}  # fmt: skip
    return Result(verdict.ok, text, data)


def audit_checkpoint(asked: argparse.Namespace) -> Result:
    """Sign the log as it stands; keep what is printed somewhere else."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        signer = compose.signer(parts.settings)
        note = audit.checkpoint(session, signer)
    if asked.out:
        asked.out.write_text(note, encoding="utf-8")
    return Result(True, note, {"checkpoint": note, "out": str(asked.out) if asked.out else None})


def count(asked: argparse.Namespace) -> Result:
    """Count the PBX's own log against what we hold."""
    with compose.opened(settings.read()) as parts:
        until = _moment(asked.until) if asked.until else parts.clock()
        counted = reconcile.reconcile(parts, parts.settings.pbx_name, _moment(asked.since), until)
    data = counted.plain()
    lines = [f"{name:16} {value}" for name, value in data.items() if name != "faults"]
    lines += [f"  {fault}: {', '.join(names)}" for fault, names in counted.faults.items()]
    return Result(counted.agrees, "\n".join(lines), data)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            {"time": f"时间应如 2026-11-23T08:00：{text!r}。 A time is like 2026-11-23T08:00."}
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=CHINA)
    return int(moment.timestamp() * 1_000_000)


def pbx_status(asked: argparse.Namespace) -> Result:
    """Where the link to the PBX stands, as the process that holds it last wrote."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [
            {"pbx": row.pbx, "connected": row.connected, "since": str(china(row.since_at)),
             "last_packet": str(china(row.last_packet_at)), "unknown_events": row.unknown_events}
            for row in session.query(LinkStateRow).order_by(LinkStateRow.pbx)
        ]  # fmt: skip
    text = "\n".join(
        f"{row['pbx']}  {'已连接 connected' if row['connected'] else '已断开 down'} {row['since']}"
        f"  最后收到 last heard {row['last_packet']}  未识别 unknown {row['unknown_events']}"
        for row in rows
    )
    up = bool(rows) and all(row["connected"] for row in rows)
    return Result(up, text or "从未连接过。 Never connected.", rows)


def parked_list(asked: argparse.Namespace) -> Result:
    """Messages that stopped, and why."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [
            {"id": row.id, "direction": row.direction, "department": row.department,
             "times": row.times, "since": str(china(row.parked_at)), "reason": row.reason}
            for row in parked.unresolved(session)
        ]  # fmt: skip
    text = "\n".join(
        f"{row['id']:6} {row['direction']:4} {row['department']:12} {row['since']} {row['reason']}"
        for row in rows
    )
    return Result(True, text or "没有搁置的消息。 Nothing is parked.", rows)


def parked_replay(asked: argparse.Namespace) -> Result:
    """Send a parked message again, or apply a parked reply after all."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        now = parts.clock()
        row = session.get(ParkedRow, asked.id)
        if row is not None and row.direction == "in":
            inbox.replay(session, asked.id, compose.on_reply(parts), now)
        else:
            parked.replay(session, asked.id, now)
        log.note(session, "queueing:message:replay", actor="operator", origin="cli",
                 obj=f"parked:{asked.id}", outcome="ok", now=now)  # fmt: skip
    return Result(True, f"已重发 · replayed: {asked.id}", {"id": asked.id})


COMMANDS = (
    Command("parked list", "列出搁置的消息 · list the parked messages", parked_list),
    Command(
        "parked replay",
        "重发一条搁置的消息 · replay a parked message",
        parked_replay,
        (arg("id", type=int, help="编号，见 parked list · its number"),),
    ),
    Command(
        "audit verify",
        "核验日志是否被改动 · check whether the log was altered",
        audit_verify,
        (
            arg(
                "checkpoint",
                type=Path,
                nargs="*",
                help="存放在别处的检查点 · checkpoints kept elsewhere",
            ),
        ),
    ),
    Command(
        "audit checkpoint",
        "签署日志现状 · sign the log as it stands",
        audit_checkpoint,
        (arg("--out", type=Path, help="写入文件 · write to a file"),),
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
