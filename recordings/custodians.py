"""Two custodians: what is done to a private key is asked for by one and confirmed by another.

    asked ──confirm, by somebody else, of the same digest, within a day──▶ confirmed ──▶ done
      └── after a day nothing happens any more

What always holds: the two are different people; who confirms names the digest of what they saw; a
confirmed act is done once, within its day. A copy that left the keyring stays on record until two
people have said that it is gone, and as long as one is not, the key's destruction would prove
nothing. Who is a custodian, and the doing itself, are the gateway's.
"""

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from recordings import keys
from recordings.errors import ActExpired, ActUnknown, SameCustodian
from recordings.tables_keys import ACTS, KeyActRow, KeyCopyRow

LASTS_US = 24 * 3600 * 1_000_000


def digest_of(act: str, key_id: str, reason: str, recipients: Sequence[str]) -> str:
    """What an act is known by: SHA-256 over its canonical JSON, in hex."""
    said = {"act": act, "key": key_id, "reason": reason, "recipients": list(recipients)}
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def ask(
    session: Session,
    act: str,
    key_id: str,
    *,
    custodian: str,
    reason: str,
    now: int,
    recipients: Sequence[str] = (),
    digest: str = "",
) -> KeyActRow:
    """The first custodian asks; `digest` where the act is known by something else's (a plan's).

    Raises ActUnknown for an act there is not, KeyInvalid for a name or recipient that is none.
    """
    if act not in ACTS:
        raise ActUnknown(f"没有这种操作：{act}。 There is no such act: {act}.")
    keys.checked(key_id)
    for recipient in recipients:
        keys.decode_recipient(recipient)
    row = KeyActRow(
        act=act,
        key_id=key_id,
        reason=reason,
        recipients=json.dumps(list(recipients)),
        digest=digest or digest_of(act, key_id, reason, recipients),
        asked_by=custodian,
        asked_at=now,
        expires_at=now + LASTS_US,
    )
    session.add(row)
    session.flush()
    return row


def confirm(session: Session, act_id: int, *, custodian: str, digest: str, now: int) -> KeyActRow:
    """The second custodian says yes to what `digest` names.

    Raises ActUnknown (also where the digest is another's or it was confirmed already),
    SameCustodian, ActExpired.
    """
    row = _act(session, act_id)
    if row.asked_by == custodian:
        raise SameCustodian(
            "须由另一位保管人确认。 The other custodian has to confirm; you asked for it yourself."
        )
    if row.confirmed_by is not None or row.digest != digest:
        raise ActUnknown(
            "内容与您看到的不符，或已确认过：请重新查看。 "
            "This is not what you saw, or it is confirmed already: look again."
        )
    _in_time(row, now)
    row.confirmed_by, row.confirmed_at = custodian, now
    session.flush()
    return row


def usable(session: Session, act_id: int, act: str, now: int) -> KeyActRow:
    """A confirmed act that may be done now, locked; raises ActUnknown or ActExpired."""
    row = _act(session, act_id)
    if row.act != act or row.confirmed_by is None or row.done_at is not None:
        raise ActUnknown(
            "这项操作尚未确认，或已执行。 This act is not confirmed yet, or is done already."
        )
    _in_time(row, now)
    return row


def copied(session: Session, act: KeyActRow, now: int) -> KeyCopyRow:
    """Note that a copy leaves by this act, which is done with it."""
    act.done_at = now
    row = KeyCopyRow(key_id=act.key_id, act_id=act.id, recipients=act.recipients, made_at=now)
    session.add(row)
    session.flush()
    return row


def unaccounted(session: Session, key_id: str) -> int:
    """How many copies of a key are not known to be gone."""
    query = select(func.count()).where(KeyCopyRow.key_id == key_id, KeyCopyRow.gone_at.is_(None))
    return session.scalar(query) or 0


def attest_gone(session: Session, copy_id: int, *, custodian: str, now: int) -> KeyCopyRow:
    """Say that a copy is gone: the first time one half of it, by another person the whole.

    Raises ActUnknown for a copy there is not or that is gone already, SameCustodian.
    """
    row = session.get(KeyCopyRow, copy_id, with_for_update=True)
    if row is None or row.gone_at is not None:
        raise ActUnknown("没有这份副本，或已销毁。 There is no such copy, or it is gone already.")
    if row.gone_by is None:
        row.gone_by = custodian
    elif row.gone_by == custodian:
        raise SameCustodian(
            "须由另一位保管人共同证明。 Another custodian has to attest it as well."
        )
    else:
        row.gone_with, row.gone_at = custodian, now
    session.flush()
    return row


def acts(session: Session, limit: int = 50) -> list[KeyActRow]:
    """What was asked for, newest first."""
    return list(session.scalars(select(KeyActRow).order_by(KeyActRow.id.desc()).limit(limit)))


def copies(session: Session) -> list[KeyCopyRow]:
    """All copies that ever left, newest first."""
    return list(session.scalars(select(KeyCopyRow).order_by(KeyCopyRow.id.desc())))


def _act(session: Session, act_id: int) -> KeyActRow:
    row = session.get(KeyActRow, act_id, with_for_update=True)
    if row is None:
        raise ActUnknown(f"没有第 {act_id} 号操作。 There is no act {act_id}.")
    return row


def _in_time(row: KeyActRow, now: int) -> None:
    if now >= row.expires_at:
        raise ActExpired(
            "已超过 24 小时，请重新提出。 More than 24 hours have passed: ask for it anew."
        )
