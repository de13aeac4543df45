"""The log's commands: whether it was altered, and signing it as it stands.

They read; what a checkpoint says is for whoever keeps it somewhere else.
"""

import argparse
from pathlib import Path

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from recordings import audit


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
        ),
    ),
    Command(
        "audit checkpoint",
        "签署日志现状 · sign the log as it stands",
        audit_checkpoint,
        (arg("--out", type=Path, help="写入文件 · write to a file"),),
    ),
)
