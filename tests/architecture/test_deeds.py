"""The log's closed list of acts: what the code writes is listed, and what is listed is written."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.flow.deeds import ACTS

ACT = re.compile(r"[a-z]+:[a-z]+:[a-z]+")
ROOT = Path(__file__).resolve().parents[2]
LISTED = ROOT / "gateway" / "flow" / "deeds.py"
BUILT = {
    "gateway/flow/archiving.py": tuple(
        f"recordings:backup:{act}" for act in ("make", "drill", "restore")
    ),
    "gateway/flow/custodians.py": ("keys:export:ask", "keys:destroy:ask"),
    "gateway/flow/keeping.py": tuple(
        f"retention:plan:{act}" for act in ("propose", "stand", "void", "ask", "confirm")
    ),
    "gateway/cli/keeping.py": (
        "people:account:close",
        "people:account:password",
        "people:account:phone",
    ),
    "gateway/console/pages/sign_in.py": ("people:session:open", "people:session:close"),
}
"""Modules that put an act together out of parts, and what comes of it."""


def written() -> Iterator[tuple[str, str]]:
    """Every literal that has the form of an act, and where."""
    for path in (*(ROOT / "gateway").rglob("*.py"), *(ROOT / "recordings").glob("*.py")):
        if path == LISTED:
            continue
        place = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and ACT.fullmatch(value):
                yield value, place
        yield from ((act, place) for act in BUILT.get(place, ()))


def test_the_list_is_what_is_written() -> None:
    """An act that nobody listed would raise when it happens; one that nobody writes is a promise
    the log does not keep."""
    found = dict(written())
    assert {act: place for act, place in found.items() if act not in ACTS} == {}
    assert sorted(set(ACTS) - set(found)) == []
