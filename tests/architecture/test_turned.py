"""The import contracts bite: an import turned round, or a module nobody placed, fails."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "telephony", "queueing", "recordings")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code alone, where it may be spoiled."""
    to = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, to / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


def linted(at: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the code there."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=at, capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": str(at), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "turned"),
    [
        ("telephony/wire.py", "import gateway.compose"),
        ("recordings/store.py", "import queueing.messages"),
        ("gateway/tickets/acts.py", "import gateway.flow.orders"),
        ("gateway/errors.py", "import gateway.settings"),
        ("recordings/tree.py", "import recordings.audit"),
        ("queueing/messages.py", "import queueing.relay"),
    ],
)
def test_an_import_turned_round_is_found(copy: Path, place: str, turned: str) -> None:
    """One looks down only: one line the other way round and the check fails."""
    whole = (copy / place).read_text(encoding="utf-8")
    try:
        (copy / place).write_text(f"{whole}\n{turned}\n", encoding="utf-8")
        assert "BROKEN" in linted(copy).stdout
    finally:
        (copy / place).write_text(whole, encoding="utf-8")


@pytest.mark.parametrize("place", ["gateway/helpers.py", "recordings/utils.py"])
def test_a_module_that_nobody_placed_is_found(copy: Path, place: str) -> None:
    """The lists are exhaustive: a new module has to be given its floor."""
    (copy / place).write_text('"""Nobody has said where this belongs."""\n', encoding="utf-8")
    try:
        said = linted(copy)
        assert said.returncode != 0
        assert Path(place).stem in said.stdout
    finally:
        (copy / place).unlink()


def test_as_it_stands_every_contract_is_kept(copy: Path) -> None:
    """The same check on the code as it is: nothing broken, so the tests above mean something."""
    said = linted(copy)
    assert said.returncode == 0, said.stdout
