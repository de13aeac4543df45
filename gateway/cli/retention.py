"""The commands of keeping and destroying: the plan, holds, two persons' word, the run, the proof.

Who places, lifts or agrees says who they are (`--as`) and gives their password on standard input:
a shell on the machine is nobody's word. The plan, the run of what was agreed to and the certificate
need none: they decide nothing.
"""

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import HotlineError
from gateway.flow import keeping, signing, staying
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.tickets.clocks import china
from recordings import consent, plan, proposals
from recordings.plan import MonthPlan
from recordings.retention import State

OPERATOR = "operator"  # whoever may run the command on the machine
ORIGIN = "cli"
T = TypeVar("T")


def retention_plan(asked: argparse.Namespace) -> Result:
    """What goes when, and what stays longer and why."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        now = parts.clock()
        months = list(plan.months(session, staying.extensions(now), asked.month or ""))
        rows = [_row(session, month, now) for month in months]
    lines = [_line(row) for row in rows]
    return Result(True, "\n".join(lines) or "没有录音。 No recordings.", rows)


def _row(session: Session, month: MonthPlan, now: int) -> dict[str, Any]:
    made = month.plan
    agreed = consent.counts(session, made.id) if made and made.asked_by else {}
    return {
        "key": month.key_id,
        "recordings": month.recordings,
        "sealed_bytes": month.sealed_size,
        "due_at": month.due_at,
        "due": month.due(now),
        "staying": month.extended,
        "why": month.reasons,
        "plan": made.id if made else None,
        "state": made.state if made else None,
        "proposed_at": made.made_at if made else None,
        "stood_days": round(made.stood_us / 86_400_000_000, 2) if made else None,
        "asked_by": made.asked_by if made else None,
        "digest": made.digest or None if made else None,
        "agreed": agreed,
    }


def _line(row: dict[str, Any]) -> str:
    why = "，".join(
        f"{staying.WHY[code][0]} {staying.WHY[code][1]} {count}"
        for code, count in row["why"].items()
    )
    stays = f"；{row['staying']} 段延后 stay（{why}）" if row["staying"] else ""
    planned = ""
    if row["state"]:
        planned = f"；计划 plan {row['plan']} {row['state']}，已满 stood {row['stood_days']} d"
    if row["asked_by"]:
        planned += f"；{row['asked_by']} 已提请 asked，摘要 digest {row['digest'][:16]}"
    due = f"{china(row['due_at']):%Y-%m-%d}"
    return f"{row['key']}  {row['recordings']} 段，到期 due {due}{stays}{planned}"


def hold(asked: argparse.Namespace) -> Result:
    """Have a recording or a ticket's recordings kept."""

    def act(session: Session, who: Person, now: int) -> int:
        return keeping.hold(
            session, who, recording_id=asked.recording, ticket_id=asked.ticket, why=asked.why,
            origin=ORIGIN, now=now,
        ).id  # fmt: skip

    made = _as_person(asked.login, act)
    return Result(True, f"已保留 · held: {made}", {"hold": made})


def lift(asked: argparse.Namespace) -> Result:
    """End somebody else's hold."""

    def act(session: Session, who: Person, now: int) -> int:
        return keeping.lift(session, who, asked.hold, origin=ORIGIN, now=now).id

    made = _as_person(asked.login, act)
    return Result(True, f"已解除 · lifted: {made}", {"hold": made})


def agree(asked: argparse.Namespace) -> Result:
    """One of the two persons' words."""

    def act(session: Session, who: Person, now: int) -> dict[str, Any]:
        row = keeping.agree(session, who, asked.month, asked.digest or "", origin=ORIGIN, now=now)
        counts = consent.counts(session, row.id)
        return {"plan": row.id, "state": row.state, "digest": row.digest, **counts}

    data = _as_person(asked.login, act)
    told = f"销毁 {data.get('destroy', 0)} 段，保留 {data.get('keep', 0)} 段"
    if data["state"] == State.CONFIRMED:
        text = f"两人已确认，{told}：hotline retention run。 Both agree: now hotline retention run."
    else:
        text = (
            f"已提请，{told}；24 小时内请另一人确认：--digest {data['digest'][:16]} · "
            f"asked; somebody else confirms within 24 hours with --digest {data['digest'][:16]}"
        )
    return Result(True, text, data)


def run(asked: argparse.Namespace) -> Result:
    """Carry out what two persons agreed to, each month by itself."""
    with compose.opened(settings.read()) as parts:
        with parts.database.reading() as session:
            agreed = [
                (row.id, row.key_id)
                for row in plan.open_plans(session).values()
                if row.state in keeping.CARRIED_OUT and asked.only in (None, row.key_id)
            ]
        rows = [{"plan": number, "key": key_id, **_run(parts, number)} for number, key_id in agreed]
    done = all(row["state"] == State.CERTIFIED for row in rows)
    text = "\n".join(f"{row['key']}  {row['state']}  {row['trouble']}" for row in rows)
    nothing = "没有已确认的销毁计划。 There is no plan that two persons agreed to."
    return Result(done, text or nothing, rows)


def _run(parts: Parts, plan_id: int) -> dict[str, Any]:
    """Where that plan came to; a month's failure stops no other."""
    trouble = ""
    try:
        keeping.carry_out(parts, plan_id, OPERATOR)
    except keeping.REFUSALS as error:
        trouble = str(error)
    with parts.database.reading() as session:
        state = proposals.get(session, plan_id).state
        failed = keeping.failures(session, plan_id)
    told = "; ".join(f"录音 recording {one.recording_id}: {one.trouble}" for one in failed[:5])
    return {"state": state, "trouble": trouble or told, "failed": len(failed)}


def certificate(asked: argparse.Namespace) -> Result:
    """The certificates of a month, as they were made."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        found = keeping.attested(session, asked.plan)
        text, line = found.text, found.line
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    data = {"plan": asked.plan, "line": line, "certificate": text}
    return Result(True, text if not asked.out else f"已写入 · written: {asked.out}", data)


def _as_person(login: str, act: Callable[[Session, Person, int], T]) -> T:
    """Do it as the person whose password is typed; raises what is wrong with that first."""
    typed = sys.stdin
    password = getpass.getpass("密码 · password: ") if typed.isatty() else typed.readline()
    with compose.opened(settings.read()) as parts:
        now = parts.clock()
        judged = accounts.judge(parts.database, login, password.rstrip("\r\n"))
        with parts.database.begin() as session:
            who = accounts.authenticate(session, judged, now)
            if isinstance(who, HotlineError):
                signing.failed(session, login, at="cli", origin="cli", now=now)
        if isinstance(who, HotlineError):
            raise who
        with parts.database.begin() as session:
            return act(session, who, now)


_AS = arg("--as", dest="login", required=True, metavar="LOGIN",
          help="本人账号，密码从标准输入读取 · who you are; the password on stdin")  # fmt: skip

COMMANDS = (
    Command(
        "retention plan",
        "哪些录音何时到期、为何延后 · what goes when, and why some stays",
        retention_plan,
        (arg("--month", metavar="2026-11", help="只看一个月 · that month alone"),),
    ),
    Command(
        "retention hold",
        "保留录音，不得销毁 · have recordings kept",
        hold,
        (
            arg("--recording", type=int, metavar="ID", help="录音编号 · a recording"),
            arg("--ticket", type=int, metavar="ID", help="工单编号 · a ticket, all of it"),
            arg("--why", required=True, help="理由 · the reason"),
            _AS,
        ),
    ),
    Command(
        "retention lift",
        "解除他人下的保留令 · end a hold that somebody else placed",
        lift,
        (arg("hold", type=int, help="保留令编号 · the hold"), _AS),
    ),
    Command(
        "retention agree",
        "两名管理员先后同意销毁一个月 · two administrators agree to destroy a month",
        agree,
        (
            arg("month", metavar="2026-11", help="月份 · the month"),
            arg("--digest", metavar="HEX",
                help="第二人须填写所见摘要 · what the first one's command printed, by the second"),
            _AS,
        ),
    ),
    Command(
        "retention run",
        "执行两人已同意的销毁 · carry out what two persons agreed to",
        run,
        (arg("--only", metavar="2026-11", help="只执行一个月 · that month alone"),),
    ),
    Command(
        "retention certificate",
        "取出销毁证明 · the certificate of what was destroyed",
        certificate,
        (
            arg("plan", type=int, help="计划编号 · the plan's number"),
            arg("--out", type=Path, help="写入文件 · write to a file"),
        ),
    ),
)  # fmt: skip
