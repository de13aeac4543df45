"""A PBX's CEL file at a glance, whole and at once: for tests. The gateway reads on from a mark,
through rotations and torn lines (`cel_log`).
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from telephony import cel
from telephony.cel import CelEvent


def read(path: Path) -> Iterator[CelEvent]:
    """The file's events, in its order; a line that is still being written is left out."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for row in csv.reader(line for line in file if line.endswith("\n")):
            yield cel.event_of(row, 0)
