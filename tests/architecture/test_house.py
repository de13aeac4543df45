"""The house's rules that import-linter cannot say: homes of libraries, purity, the one commit.

Import directions themselves are contracts in pyproject.toml, exhaustive, run by `make check`.
"""

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "telephony", "queueing", "recordings")
FILES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "__pycache__" not in path.parts
)

HOMES: dict[str, tuple[str, ...]] = {
    "asterisk": ("telephony/client.py",),
    "aio_pika": (
        "queueing/broker.py",
        "queueing/link.py",
        "queueing/looking.py",
        "queueing/publishing.py",
        "queueing/readable.py",
    ),
    "aiormq": ("queueing/link.py", "queueing/looking.py", "queueing/readable.py"),
    "pamqp": ("queueing/readable.py",),
    "cryptography": ("recordings/sealed.py", "recordings/notes.py", "recordings/passphrase.py"),
    "obstore": ("recordings/bucket.py",),
    "argon2": ("gateway/people/accounts.py",),
    "chinese_calendar": ("gateway/tickets/clocks.py",),
    "alembic": ("gateway/migrations",),
    "jinja2": ("gateway/console",),
    "starlette": (
        "gateway/console",
        "gateway/api",
        "gateway/compose.py",
        "gateway/sending.py",
        "gateway/saving.py",
    ),
    "uvicorn": ("gateway/serve.py",),
    "pydantic": (
        *("queueing/rejected.py", "queueing/tested.py"),
        *("queueing/messages.py", "queueing/fields.py", "queueing/orders_out.py"),
        *("queueing/replies_in.py", "queueing/asyncapi.py", "gateway/api"),
    ),
}
"""Each third-party library with one home: where it may be imported, and nowhere else."""

PURE = (
    "telephony/wire.py", "telephony/message.py", "telephony/events.py",
    "telephony/facts.py", "telephony/call.py",
    "queueing/differences.py", "queueing/layout.py",
    "queueing/messages.py", "queueing/suspects.py", "queueing/topology.py", "queueing/window.py",
    "queueing/fields.py", "queueing/orders_out.py", "queueing/rejected.py",
    "queueing/tested.py", "queueing/replies_in.py",
    "queueing/asyncapi.py", "queueing/examples.py",
    "queueing/tracing.py", "queueing/rehearsal.py", "queueing/lines.py", "queueing/verdicts.py",
    "recordings/bech32.py", "recordings/header.py", "recordings/sealed.py", "recordings/wav.py",
    "recordings/passphrase.py", "recordings/ring.py",
    "recordings/naming.py", "recordings/ranges.py", "recordings/tree.py", "recordings/notes.py",
    "recordings/lines.py", "recordings/place.py", "recordings/proofs.py", "recordings/tally.py",
    "gateway/people/roles.py", "gateway/tickets/words.py", "gateway/tickets/lifecycle.py",
    "gateway/tickets/clocks.py", "gateway/tickets/forms.py", "gateway/tickets/file_kinds.py",
    "recordings/binding.py", "recordings/seeking.py", "recordings/peaks.py",
    "recordings/conditions.py", "gateway/ranged.py",
)  # fmt: skip
WORLD = {
    "asyncio", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlalchemy", "subprocess",
    "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
"""What a pure module knows nothing of: clocks, chance, disk, network, database."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library: str) -> None:
    """A library that is to be replaced, or goes bad, is met in one place."""
    strangers = [
        place
        for path in FILES
        if any(name == library or name.startswith(library + ".") for name in imports(path))
        for place in [str(path.relative_to(ROOT))]
        if not place.startswith(HOMES[library])
    ]
    assert strangers == []


@pytest.mark.parametrize("place", PURE)
def test_pure_modules_stay_pure(place: str) -> None:
    """What decides can be run a million times with no clock, no chance and no I/O."""
    found = [name for name in imports(ROOT / place) if name in WORLD or name.split(".")[0] in WORLD]
    assert found == []


def test_there_is_one_commit() -> None:
    """One transaction per act, committed in one place: nothing else commits or rolls back."""
    committing = [
        str(path.relative_to(ROOT))
        for path in FILES
        if {"commit", "rollback"} & set(calls(path)) - {""}
    ]
    assert committing == ["gateway/database.py"]


def test_every_module_says_what_it_is_for() -> None:
    """A newcomer reads the first paragraph of a file and knows whether to read on."""
    silent = [
        str(path.relative_to(ROOT))
        for path in FILES
        if "versions" not in path.parts
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_make_test_requires_every_real_part() -> None:
    """A part that is missing is a failure of `make test`, and not a test passed over."""
    said = subprocess.run(["make", "-pnq", "test"], cwd=ROOT, capture_output=True, text=True,
                          check=False, env={"PATH": os.environ["PATH"]})  # fmt: skip
    assert "test: HOTLINE_TEST_REQUIRE = all\n" in said.stdout


def test_no_path_of_a_machine_is_committed() -> None:
    """What was made on one machine names nothing that is only there."""
    marks = ("/" + "work/main", "/" + "work/shared", "/" + "root/")
    named = [
        str(path.relative_to(ROOT))
        for folder in (*ROOMS, "tests", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".md", ".conf", ".sh", ".toml", ""}
        and any(mark in path.read_text(encoding="utf-8", errors="replace") for mark in marks)
    ]
    assert named == []
