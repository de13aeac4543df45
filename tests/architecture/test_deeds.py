"""The log's closed list of acts: what the code writes is listed, and what is listed is written."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.flow.deeds import ACTS
from tests.rig.on_record import WITNESSES

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


def test_each_act_has_a_test_that_writes_it() -> None:
    """A listed act that no run ever wrote would be a word, not a deed: of each, the test is named
    that fails where it is not written, and that test is there."""
    assert sorted(WITNESSES) == sorted(ACTS)
    for act, node in WITNESSES.items():
        path, _, name = node.partition("[")[0].partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        assert name in names, f"{act}: {node}"
