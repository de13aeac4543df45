"""The log taken out of the house, and checked there: an export, and a check that needs only it.

    lines.jsonl         every line, in order, byte for byte as it went into the tree
    checkpoints/*.note  the signed notes, one of them over all these lines
    log.pubs            the verifier keys: to be compared with those one was given on another way

What always holds: `verify_export` reads the directory and nothing else, in constant memory; and an
export says of itself how far it goes: lines that no checkpoint covers are a problem.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from recordings import checkpoints, disk, verifying
from recordings.errors import AuditError
from recordings.tally import Leaf, Tally, Verdict


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: so many lines, so many checkpoints."""

    lines: int
    checkpoints: int


def export(session: Session, out: Path, verifier_keys: Sequence[str], size: int) -> Exported:
    """Write the first `size` lines into the directory `out`, that must be empty or not there.

    Raises AuditError where something lies there already.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise AuditError(
            f"{out} 不是空目录，请另选。 {out} is not empty; choose another directory."
        )
    count, writing = 0, disk.Disk()
    with disk.whole(out / "lines.jsonl") as file:
        block = bytearray()
        for number, leaf, _ in verifying.leaves(session):
            if number >= size:
                break  # written since the newest checkpoint: the next export has it
            block += leaf + b"\n"
            count += 1
            if len(block) > 1 << 20:
                writing.write(file, bytes(block))
                block.clear()
        writing.write(file, bytes(block))
    kept = checkpoints.all_notes(session)
    (out / "checkpoints").mkdir()
    for note in kept:
        name = hashlib.sha256(note.encode()).hexdigest()[:16]
        with disk.whole(out / "checkpoints" / f"{name}.note") as file:
            writing.write(file, note.encode())
    with disk.whole(out / "log.pubs") as file:
        writing.write(file, "".join(f"{key}\n" for key in verifier_keys).encode())
    return Exported(count, len(kept))


def verify_export(
    directory: Path, verifier_keys: Sequence[str] = (), notes: Sequence[str] = ()
) -> Verdict:
    """Check an export by itself, and against `notes` kept elsewhere.

    Without `verifier_keys` the export's own are believed: whoever forged it forged them too, so
    give those the installation told at its beginning. Raises AuditError for what is no export.
    """
    try:
        keys = verifier_keys or (directory / "log.pubs").read_text(encoding="ascii").split()
        kept = [path.read_text(encoding="utf-8", errors="replace")
                for path in sorted((directory / "checkpoints").glob("*.note"))]  # fmt: skip
        origin = keys[-1].split("+", 1)[0] if keys else ""
        tally = Tally([*kept, *notes], keys, origin=origin)
        with (directory / "lines.jsonl").open("rb") as file:
            tally.count(_leaves(file))
    except (OSError, ValueError) as error:
        raise AuditError(
            f"{directory} 不是日志导出。 {directory} is no export of a log."
        ) from error
    if tally.covered < tally.size:
        tally.found(tally.covered, "没有检查点覆盖这些行 lines no checkpoint covers")
    return tally.verdict()


def _leaves(file: Iterator[bytes]) -> Iterator[Leaf]:
    for at, line in enumerate(file):
        leaf = line.removesuffix(b"\n")
        try:
            number = json.loads(leaf)["line"]
        except (ValueError, TypeError, KeyError):
            number = at  # whatever it is, it is not what was signed
        yield number, leaf, None
