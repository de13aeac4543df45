"""The log's signing key: made once with the installation, and every public half it ever had.

    log.key    the private half, as Go's note package writes it
    log.pubs   the verifier keys, oldest first: what checkpoints are checked with

What always holds: a key is made where there never was one, and at no other time.  One that is gone
afterwards is an error to be looked into, and never replaced in silence: whoever rewrote the log
would sign it anew with just that.  The name of a key is the log's origin.
"""

from pathlib import Path

from recordings import disk, notes
from recordings.errors import CheckpointInvalid, LogKeyMissing
from recordings.notes import Signer

SECRET, _PUBLIC = "log.key", "log.pubs"


def establish(directory: Path, name: str, secret: bytes) -> None:
    """Make the key where none ever was; `secret` is 32 bytes of chance.

    A key of before there was a `log.pubs` is taken over as it is.
    """
    if (directory / _PUBLIC).exists():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with disk.whole(directory / SECRET) as file:
            disk.Disk().write(file, (Signer(name, secret).render() + "\n").encode())
    except FileExistsError:
        pass  # made by an earlier version, or by another process in this moment
    line = load(directory).verifier_key + "\n"
    disk.rewrite(directory / _PUBLIC, line.encode(), 0o644)


def load(directory: Path) -> Signer:
    """The key; raises LogKeyMissing where it is gone or damaged."""
    try:
        return Signer.parse((directory / SECRET).read_text(encoding="ascii"))
    except (OSError, ValueError, CheckpointInvalid) as error:
        raise LogKeyMissing(
            f"日志签名密钥 {directory / SECRET} 不在或已损坏：请从备份恢复；"
            "确已丢失的，用 hotline audit checkpoint --after-restore 重新开始并告知审计员。 "
            "The key that signs the log is missing or damaged: restore it from a backup; if it is "
            "lost, start anew with hotline audit checkpoint --after-restore and tell the auditor."
        ) from error


def known(directory: Path) -> list[str]:
    """The verifier keys this log ever had, oldest first; none before it was established."""
    try:
        return (directory / _PUBLIC).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def begin_anew(directory: Path, secret: bytes) -> Signer:
    """A key under the log's next name (`…/2`, `…/3`): after a restore nothing may be signed
    under the old one that does not follow from what was (c2sp.org/tlog-checkpoint).

    Raises LogKeyMissing where there never was a key.
    """
    keys = known(directory)
    if not keys:
        raise LogKeyMissing("请先运行 hotline init。 Run hotline init first.")
    signer = Signer(notes.next_name(keys[-1].split("+", 1)[0]), secret)
    lines = "".join(f"{key}\n" for key in (*keys, signer.verifier_key))
    disk.rewrite(directory / _PUBLIC, lines.encode(), 0o644)
    disk.rewrite(directory / SECRET, (signer.render() + "\n").encode())
    return signer
