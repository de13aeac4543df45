"""The log's commands: whether it was altered, signing it, proofs of it, and taking it out.

What a checkpoint is worth lies in where it is kept: `audit checkpoint` brings it to the places of
HOTLINE_CHECKPOINTS as the timers do. Checking with keys that lie beside the log believes the
machine; `--key` believes what its owner was told at `hotline init`.
"""

import argparse
from pathlib import Path

from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.flow import log, witnessing
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tickets.clocks import china
from recordings import audit, checkpoints, deliveries, disk, ledger, logkeys, proofs, verifying
from recordings.tally import Verdict

OPERATOR = "operator"


def audit_verify(asked: argparse.Namespace) -> Result:
    """Check the whole log and every checkpoint known and given, or an export of it."""
    given = tuple(path.read_text(encoding="utf-8", errors="replace") for path in asked.checkpoint)
    if asked.export:
        return _told(ledger.verify_export(asked.export, asked.key, given), ())
    with compose.opened(settings.read()) as parts:
        known = witnessing.evidence(parts)
        keys = tuple(asked.key) or known.keys
        problems = known.problems
        if (
            asked.key
            and known.origin
            and not any(key.startswith(f"{known.origin}+") for key in asked.key)
        ):
            problems += ("现用密钥不在所给密钥之列 the key in use is none of those given",)
        with parts.database.reading() as session:
            verdict = verifying.verify(session, (*known.notes, *given), keys, origin=known.origin)
        told = _told(verdict, problems)
        _on_record(parts, told.done)
    return told


def _on_record(parts: Parts, intact: bool) -> None:
    """That the log was checked is a line in it; into an altered one nothing more is written."""
    with parts.database.begin() as session:
        if intact:
            _note(parts, "log:log:verify", "log", session)
        else:
            for role in (Role.LEADER, Role.AUDITOR):
                log.tell(session, role, "log-altered", "log",
                         "日志核验未通过，请勿再写入并保全现场。 The log did not verify.",
                         parts.clock())  # fmt: skip


def _told(verdict: Verdict, problems: tuple[str, ...]) -> Result:
    found = [f"{'' if problem.line is None else problem.line}  {problem.what}"
             for problem in verdict.problems]  # fmt: skip
    faults = [*found, *(f"  {problem}" for problem in problems)]
    head = f"共 {verdict.size} 行，{'已被改动' if faults else '完整'}"
    tail = f"{verdict.size} lines, {'ALTERED' if faults else 'intact'}"
    marks = f"{verdict.checkpoints} 个检查点相符 checkpoints fit"
    if verdict.set_aside:
        marks += f"，{verdict.set_aside} 个属恢复前 of before a restore, set aside"
    text = "\n".join([f"{head} · {tail}", f"root {verdict.root.hex()}", marks, *faults])
    data = {"intact": not faults, "lines": verdict.size, "root": verdict.root.hex(),
            "checkpoints": verdict.checkpoints, "set_aside": verdict.set_aside,
            "faults": faults}  # fmt: skip
    return Result(not faults, text, data)


def audit_checkpoint(asked: argparse.Namespace) -> Result:
    """Sign the log as it stands, and bring the note to its places."""
    with compose.opened(settings.read()) as parts:
        if asked.after_restore:
            note = witnessing.begin_anew(parts, asked.after_restore, OPERATOR, "cli")
        else:
            note = witnessing.sign(parts)
        if asked.out:
            _new_file(asked.out, note)
        signer = logkeys.load(parts.settings.keyring)
        troubles = [f"{place}  {trouble}" for place, trouble in witnessing.bring(parts, signer)
                    if trouble]  # fmt: skip
        with parts.database.begin() as session:
            _note(parts, "log:checkpoint:sign", "checkpoint:" + note.split("\n")[1], session)
    data = {"checkpoint": note, "out": str(asked.out) if asked.out else None, "troubles": troubles}
    return Result(not troubles, "\n".join([note, *troubles]), data)


def audit_prove(asked: argparse.Namespace) -> Result:
    """A proof that a line is in the log, as a text anybody can check (c2sp.org/tlog-proof)."""
    with compose.opened(settings.read()) as parts:
        with parts.database.reading() as session:
            size = asked.size or audit.head(session)[0]
            proof = audit.prove(session, asked.line, size)
        note = _note_of(parts, size) if asked.size else witnessing.sign(parts)
        with parts.database.reading() as session:
            size = int(note.split("\n")[1])
            proof = audit.prove(session, asked.line, size)
        with parts.database.begin() as session:
            _note(parts, "log:line:prove", f"line:{asked.line}", session)
    text = proofs.encode(proof.index, proof.path, note, proof.leaf)
    if asked.out:
        _new_file(asked.out, text)
    data = {"line": asked.line, "size": size, "leaf": proof.leaf.decode(), "proof": text}
    return Result(True, text, data)


def audit_consistency(asked: argparse.Namespace) -> Result:
    """The hashes that show that the log of one size begins that of another (RFC 6962 2.1.2)."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        path = audit.consistency(session, asked.first, asked.second)
        roots = [audit.root_at(session, size) for size in (asked.first, asked.second)]
    hashes = [one.hex() for one in path]
    lines = [f"{asked.first}  {roots[0].hex()}", f"{asked.second}  {roots[1].hex()}", *hashes]
    data = {"first": asked.first, "first_root": roots[0].hex(), "second": asked.second,
            "second_root": roots[1].hex(), "path": hashes}  # fmt: skip
    return Result(True, "\n".join(lines), data)


def audit_export(asked: argparse.Namespace) -> Result:
    """Sign, then write the whole log, its checkpoints and keys into an empty directory."""
    with compose.opened(settings.read()) as parts:
        with parts.database.begin() as session:
            _note(parts, "log:log:export", "log", session)
        witnessing.sign(parts)
        keys = logkeys.known(parts.settings.keyring)
        origin = keys[-1].split("+", 1)[0]
        with parts.database.reading() as session:
            last = checkpoints.newest(session, origin)
            size = last.size if last else 0
            made = ledger.export(session, asked.directory, keys, size)
    text = (f"{made.lines} 行，{made.checkpoints} 个检查点 · {made.lines} lines, "
            f"{made.checkpoints} checkpoints: {asked.directory}")  # fmt: skip
    return Result(True, text, {"lines": made.lines, "checkpoints": made.checkpoints})


def audit_places(asked: argparse.Namespace) -> Result:
    """Where checkpoints are brought, and how that goes."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        whole, _ = audit.head(session)
        found = [(place, deliveries.standing(session, place))
                 for place in parts.settings.checkpoints]  # fmt: skip
    lines, data = [f"日志共 {whole} 行 · the log has {whole} lines"], []
    for place, last in found:
        row, checkpoint = last or (None, None)
        said = (
            "从未送过 never brought"
            if row is None or checkpoint is None
            else (
                f"{checkpoint.size} 行 lines  "
                + (f"{china(row.sent_at):%Y-%m-%d %H:%M}" if row.sent_at else row.trouble)
            )
        )
        lines.append(f"{place.name}  {said}")
        data.append({"place": place.name, "size": checkpoint.size if checkpoint else None,
                     "sent_at": row.sent_at if row else None,
                     "trouble": row.trouble if row else ""})  # fmt: skip
    none = "没有设置 HOTLINE_CHECKPOINTS：检查点只在本机。 None set: checkpoints stay here."
    good = all(one["sent_at"] for one in data)
    return Result(good, "\n".join(lines if data else [*lines, none]), data)


def _note(parts: Parts, action: str, obj: str, session: Session) -> None:
    log.note(session, action, actor=OPERATOR, origin="cli", obj=obj, outcome="ok",
             now=parts.clock())  # fmt: skip


def _note_of(parts: Parts, size: int) -> str:
    origin = logkeys.load(parts.settings.keyring).name
    with parts.database.reading() as session:
        note = checkpoints.of_size(session, origin, size)
    if note is None:
        raise BadInput({"size": "没有该行数的检查点。 There is no checkpoint of this size."})
    return note


def _new_file(path: Path, text: str) -> None:
    """Write what is evidence: never over another file."""
    try:
        with disk.whole(path.absolute(), 0o644) as file:
            disk.Disk().write(file, text.encode())
    except FileExistsError:
        raise BadInput(
            {"out": f"{path} 已存在，请另选文件名。 {path} exists; choose another."}
        ) from None


COMMANDS = (
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
            arg("--key", action="append", default=[], metavar="VKEY",
                help="只信这把验证密钥 · believe this verifier key only"),
            arg("--export", type=Path, metavar="DIR",
                help="核验导出的目录，不需数据库 · check an export, without the database"),
        ),
    ),
    Command(
        "audit checkpoint",
        "签署日志现状 · sign the log as it stands",
        audit_checkpoint,
        (
            arg("--out", type=Path, help="写入新文件 · write to a new file"),
            arg("--after-restore", metavar="REASON",
                help="从备份恢复后重新开始，并说明原因 · begin anew after a restore, and say why"),
        ),
    ),
    Command(
        "audit prove",
        "证明某一行在日志中 · prove that a line is in the log",
        audit_prove,
        (
            arg("line", type=int, metavar="LINE", help="行号 · the line's number"),
            arg("--size", type=int, help="以该行数的检查点 · under the checkpoint of this size"),
            arg("--out", type=Path, help="写入新文件 .tlog-proof · write to a new file"),
        ),
    ),
    Command(
        "audit consistency",
        "证明前一检查点是后一检查点的开头 · prove that one checkpoint begins another",
        audit_consistency,
        (
            arg("first", type=int, metavar="FIRST", help="先前的行数 · the earlier size"),
            arg("second", type=int, metavar="SECOND", help="后来的行数 · the later size"),
        ),
    ),
    Command(
        "audit export",
        "导出日志供离线核验 · take the log out, to be checked offline",
        audit_export,
        (arg("directory", type=Path, metavar="DIR", help="空目录 · an empty directory"),),
    ),
    Command(
        "audit places",
        "检查点送往何处 · where checkpoints are brought",
        audit_places,
    ),
)  # fmt: skip
