"""How much a process holds while it seals a long recording: what it held before, and the ring."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.sealing import CHILD, MEMORY
from tests.bench.spool import MIB, wav

pytestmark = pytest.mark.alone


def test_a_long_recording_is_sealed_in_little_memory(tmp_path: Path) -> None:
    """A quarter of a gibibyte, sparse, by a process of its own whose peak is looked at."""
    source = tmp_path / "call.wav"
    wav(source, 1)
    with source.open("r+b") as file:
        file.truncate(256 * MIB)
    told = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "house", source],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(told.stdout) <= MEMORY
