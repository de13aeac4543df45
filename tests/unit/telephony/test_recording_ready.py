"""The shipped post-process: a finished recording appears in ready/ whole; nothing else moves."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "asterisk" / "recording-ready"
DAY = "2026/11/23"


def ready(spool: Path, day: str, name: str) -> int:
    return subprocess.run([SCRIPT, spool, day, name], check=False, capture_output=True).returncode


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / DAY).mkdir(parents=True)
    (tmp_path / DAY / "1795396457.0.wav").write_bytes(b"RIFF")
    return tmp_path


def test_a_finished_recording_is_moved_by_rename(spool: Path) -> None:
    """Whoever watches ready/ never sees half a file: it is the very same inode."""
    before = (spool / DAY / "1795396457.0.wav").stat().st_ino
    assert ready(spool, DAY, "1795396457.0") == 0
    assert (spool / "ready" / "1795396457.0.wav").stat().st_ino == before
    assert not (spool / DAY / "1795396457.0.wav").exists()


def test_no_recording_is_no_error(spool: Path) -> None:
    """A call that left no file must not fill the PBX's log with alarms."""
    assert ready(spool, DAY, "1795396457.9") == 0
    assert list(spool.glob("ready/*")) == []


def test_a_recording_already_there_is_not_overwritten(spool: Path) -> None:
    """Evidence is never replaced by another file of the same name."""
    (spool / "ready").mkdir()
    (spool / "ready" / "1795396457.0.wav").write_bytes(b"first")
    ready(spool, DAY, "1795396457.0")
    assert (spool / "ready" / "1795396457.0.wav").read_bytes() == b"first"
    assert (spool / DAY / "1795396457.0.wav").exists()


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (DAY, "../../../etc/passwd"),
        (DAY, "a;touch x"),
        (DAY, ""),
        (DAY, ".hidden"),
        ("../../etc", "1795396457.0"),
        ("2026/11/23/..", "1795396457.0"),
    ],
)
def test_anything_but_a_day_and_an_id_is_refused(spool: Path, day: str, name: str) -> None:
    """Even called with a caller's data it moves nothing but a recording."""
    assert ready(spool, day, name) == 2
    assert not (spool / "ready").exists()
