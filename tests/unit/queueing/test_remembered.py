"""What a department's program remembers: like a dict that only grows, and that outlives it."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queueing.errors import NotRemembered
from queueing.remembered import Remembered

NUMBERS = st.sampled_from(["WO-1", "WO-2", "派单'; DROP TABLE settled; --"])
VERSIONS = st.integers(1, 4) | st.integers(1, 2**31 - 1)
STEPS = st.lists(
    st.tuples(st.sampled_from(["settle", "fail", "again"]), NUMBERS, VERSIONS), max_size=8
)


@settings(max_examples=25, deadline=None)  # each step waits for the disk
@given(STEPS)
def test_it_is_a_dict_that_only_grows(steps: list[tuple[str, str, int]]) -> None:
    """Protects: the highest version counts whatever came after it, failures are counted by version
    until it is settled, and a new program knows all of it."""
    settled: dict[str, int] = {}
    failed: dict[tuple[str, int], int] = {}
    with tempfile.TemporaryDirectory() as place:
        remembered = Remembered(Path(place) / "sb.sqlite")
        for step, number, version in steps:
            if step == "settle":
                remembered[number] = version
                settled[number] = max(version, settled.get(number, 0))
                failed = {one: n for one, n in failed.items()
                          if one[0] != number or one[1] > version}  # fmt: skip
            elif step == "fail":
                failed[number, version] = failed.get((number, version), 0) + 1
                assert remembered.fail(number, version) == failed[number, version]
            else:
                remembered.close()
                remembered = Remembered(Path(place) / "sb.sqlite")
            assert remembered.get(number, 0) == settled.get(number, 0)
            assert remembered.failures(number, version) == failed.get((number, version), 0)
        remembered.close()


def test_two_programs_share_it(tmp_path: Path) -> None:
    """Protects: `reply` sees at once what `listen` has taken in."""
    with closing(Remembered(tmp_path / "f")) as one, closing(Remembered(tmp_path / "f")) as other:
        one["WO-1"] = 3
        assert other.get("WO-1", 0) == 3


@pytest.mark.parametrize("kind", ["noise", "directory", "nowhere"])
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, kind: str) -> None:
    """Protects: a spoiled memory is an error with what to do, never an empty memory."""
    path = tmp_path / "f"
    if kind == "noise":
        path.write_bytes(b"no database" * 100)
    if kind == "directory":
        path.mkdir()
    if kind == "nowhere":
        path = tmp_path / "none" / "f"
    with pytest.raises(NotRemembered, match=r"记忆文件.*check path"):
        Remembered(path)
