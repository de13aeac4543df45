"""The command as people type it: a place of its own, what it printed, how it ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from tests.rig.passwords import quick_passwords  # noqa: F401 - for every test here


@dataclass(frozen=True, slots=True)
class Said:
    """How one command ended: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document on standard output; ValueError where there is more or less."""
        return json.loads(self.out)


Hotline = Callable[..., Said]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOTLINE_STATE: an empty place, and no other setting."""
    place = tmp_path / "state"
    monkeypatch.setenv("HOTLINE_STATE", str(place))
    return place


@pytest.fixture
def hotline(state: Path, capsys: pytest.CaptureFixture[str]) -> Hotline:
    """`hotline("keys", "new")` in that place."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        try:
            status = cli.main(words)
        except SystemExit as left:
            status = int(left.code or 0)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture
def ready(hotline: Hotline, state: Path) -> Hotline:
    """The same, after `hotline init`."""
    assert hotline("init", str(state)).status == 0
    return hotline
