"""Places for checkpoints that are files: a directory elsewhere, and a maildir.

    <size>-<key id>.note    one checkpoint, as it was signed
    log-<key id>.pub        the verifier key it is checked with

What always holds: nothing that lies there is ever replaced or removed; what was put is on the disk;
and putting the same again is no error.  A directory serves one log.  Whoever can write there should
not be who can write the database: a mount of another machine, a WORM share, the auditor's account.
"""

import re
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from recordings import disk, notes
from recordings.errors import CheckpointInvalid, PlaceFailed
from recordings.notes import Checkpoint

_NAME = re.compile(r"(0|[1-9][0-9]{0,18})-[0-9a-f]{8}\.note")


def put(directory: Path, checkpoint: Checkpoint, note: str, verifier_key: str) -> None:
    """Lay a checkpoint there, and the key it is checked with.

    Raises PlaceFailed where the directory cannot be written to, or another note has that name.
    """
    key_id = verifier_key.split("+")[1]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _lay(directory / f"log-{key_id}.pub", verifier_key + "\n")
        _lay(directory / f"{checkpoint.size}-{key_id}.note", note)
    except OSError as error:
        raise PlaceFailed(
            f"写不进 {directory}（{error.strerror}），请检查挂载和权限。 "
            f"Cannot write to {directory}; check the mount and its rights."
        ) from error


def notes_in(directory: Path) -> list[str]:
    """All notes that lie there, greatest size first; none where it cannot be read."""
    try:
        named = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
        ordered = sorted(named, key=lambda path: -int(path.name.partition("-")[0]))
        return [path.read_text(encoding="utf-8", errors="replace") for path in ordered]
    except OSError:
        return []


def keys_in(directory: Path) -> list[str]:
    """The verifier keys that lie there."""
    try:
        files = sorted(directory.glob("log-*.pub"))
        return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]
    except OSError:
        return []


def latest(found: list[str], verifier_keys: list[str], origin: str) -> Checkpoint | None:
    """The first of `found` that is one of this log's, by a known key."""
    for note in found:
        try:
            checkpoint = notes.verify(note, verifier_keys)
        except CheckpointInvalid:
            continue
        if checkpoint.origin == origin:
            return checkpoint
    return None


def mail(maildir: Path, to: str, checkpoint: Checkpoint, note: str) -> None:
    """Leave the checkpoint as a message for whoever carries the mail.

    Raises PlaceFailed where the maildir cannot be written to.
    """
    message = EmailMessage(policy=SMTP)
    message["To"] = to
    message["From"] = "hotline-log@localhost"
    message["Subject"] = f"日志检查点 log checkpoint {checkpoint.origin} {checkpoint.size}"
    message.set_content(
        "请保存此邮件：它证明日志此时的内容。 Keep this message: it shows what the log held then.\n"
    )
    message.add_attachment(note, cte="base64", filename="checkpoint.note")
    name = f"{checkpoint.size}-{checkpoint.root.hex()[:16]}.eml"
    try:
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(parents=True, exist_ok=True)
        # A link gives the finished file its name: no reader of `new` sees a part of it.
        _lay(maildir / "new" / name, None, message.as_bytes())
    except OSError as error:
        raise PlaceFailed(
            f"写不进邮箱目录 {maildir}（{error.strerror}）。 Cannot write to the maildir {maildir}."
        ) from error


def _lay(path: Path, text: str | None, data: bytes = b"") -> None:
    data = data if text is None else text.encode()
    try:
        with disk.whole(path, 0o644) as file:
            disk.Disk().write(file, data)
    except FileExistsError:
        if text is not None and path.read_bytes() != data:
            raise PlaceFailed(
                f"{path.name} 已存在且内容不同：请立即告知审计员。 "
                f"{path.name} is there with another content: tell the auditor at once."
            ) from None
