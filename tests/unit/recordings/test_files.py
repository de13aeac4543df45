"""Opening and sealing by hand: what is killed over it leaves nothing, whatever the file system."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import keys, sealed
from recordings.errors import StoreError
from recordings.files import open_file, seal_file

SECRET = bytes(range(32))
PLAIN = os.urandom(300_000)
ROOT = Path(__file__).resolve().parents[3]
VICTIM = """
import os, signal, sys
from pathlib import Path
from recordings import disk, files
steps = []
for name in ("write", "sync", "sync_directory"):
    def step(self, *given, really=getattr(disk.Disk, name)):
        really(self, *given)
        steps.append(given)
        if len(steps) == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(disk.Disk, name, step)
files.open_file(*map(Path, sys.argv[2:]))
"""


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """A sealed file of several chunks, and the file of its key."""
    wav, sealed_file, key = tmp_path / "a.wav", tmp_path / "a.age", tmp_path / "key"
    wav.write_bytes(PLAIN)
    seal_file(wav, keys.encode_recipient(sealed.public_of(SECRET)), sealed_file)
    key.write_text(keys.render_identity_file(SECRET, 0))
    return sealed_file, key


@pytest.mark.parametrize("step", [1, 3, 5, 6])
def test_killed_while_opening_leaves_no_plaintext(
    given: tuple[Path, Path], tmp_path: Path, step: int
) -> None:
    """SIGKILL asks nobody: what was opened so far has no name that could stay behind."""
    (out := tmp_path / "into").mkdir()
    dead = subprocess.run([sys.executable, "-c", VICTIM, str(step), *given, out / "a.wav"],
                          cwd=ROOT, timeout=60, check=False)  # fmt: skip
    assert dead.returncode == -signal.SIGKILL
    assert list(out.iterdir()) == []


def no_unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows of no files without a name, as NFS."""
    really = os.open

    def opened(path: object, flags: int, *more: object) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really(path, flags, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", opened)


@pytest.mark.parametrize("plain_disk", [True, False])
def test_opened_whole_or_not_at_all_everywhere(
    given: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_disk: bool
) -> None:
    """Its owner's alone, never over something there, and nothing left of what does not verify."""
    if not plain_disk:
        no_unnamed(monkeypatch)
    (out := tmp_path / "into").mkdir()
    open_file(*given, out / "a.wav")
    assert (out / "a.wav").read_bytes() == PLAIN
    assert (out / "a.wav").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="not overwritten"):
        open_file(*given, out / "a.wav")
    given[0].write_bytes(given[0].read_bytes()[:-1])
    with pytest.raises(Exception, match="。 "):
        open_file(*given, out / "b.wav")
    assert [path.name for path in out.iterdir()] == ["a.wav"]
