"""Two custodians take a key out, or destroy it, each with an account of their own, all on record.

What always holds: each step is in the log before its effect leaves the house, and a refused one is
there too. A key goes out only as a file that both have to open (`recordings.split`); it is
destroyed no earlier than its own word allows, when nothing is sealed to it any more, and when no
copy of it is unaccounted for.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from gateway.errors import BadInput, Conflict, Forbidden, HotlineError
from gateway.flow import log
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from recordings import catalogue, custodians, keys, register, split
from recordings.disk import Disk, whole
from recordings.errors import RecordingsError
from recordings.keys import Keyring
from recordings.tables_keys import KeyActRow, KeyCopyRow

T = TypeVar("T")


def ask(parts: Parts, who: Person, act: str, key_id: str, *, reason: str, origin: str,
        recipients: list[str]) -> KeyActRow:  # fmt: skip
    """The first custodian asks for a key to be exported or destroyed.

    Raises:
        Forbidden: not a custodian. BadInput: no reason, no such key, or not two different
        recipients for an export.
    """

    def asked(session: Session) -> KeyActRow:
        wrong = {}
        if len(reason.strip()) < 4:
            wrong["reason"] = "请写明理由。 Say why."
        if key_id not in register.halves(session):
            wrong["key"] = f"没有登记过 {key_id}。 No key {key_id} is in the register."
        if act == "export" and (len(recipients) != 2 or len(set(recipients)) != 2):
            wrong["to"] = "须给出两位保管人各自的 age1… 公钥。 Two different age1… keys are needed."
        if wrong:
            raise BadInput(wrong)
        return custodians.ask(session, act, key_id, custodian=who.login, reason=reason.strip(),
                              recipients=recipients, now=parts.clock())  # fmt: skip

    return _act(parts, who, f"keys:{act}:ask", f"key:{key_id}", origin, asked)


def confirm(parts: Parts, who: Person, act_id: int, digest: str, origin: str) -> KeyActRow:
    """The second custodian confirms what `digest` names.

    Raises:
        Forbidden; ActUnknown, SameCustodian, ActExpired (recordings.custodians).
    """
    return _act(parts, who, "keys:act:confirm", f"key-act:{act_id}", origin,
                lambda session: custodians.confirm(session, act_id, custodian=who.login,
                                                   digest=digest, now=parts.clock()))  # fmt: skip


def export(parts: Parts, ring: Keyring, who: Person, act_id: int, out: Path, origin: str) -> Path:
    """Write the confirmed export to `out`, which must not exist; its copy is then on record.

    The copy is on record before the file is: one that is noted and was never written does no harm.

    Raises:
        Forbidden; ActUnknown, ActExpired; KeysError; FileExistsError.
    """
    if out.exists():
        raise FileExistsError(17, "exists", str(out))

    def noted(session: Session) -> tuple[str, list[str]]:
        act = custodians.usable(session, act_id, "export", parts.clock())
        custodians.copied(session, act, parts.clock())
        return act.key_id, json.loads(act.recipients)

    key_id, recipients = _act(parts, who, "keys:key:export", f"key-act:{act_id}", origin, noted)
    first, second = (keys.decode_recipient(one) for one in recipients)
    text = keys.render_identity_file(ring.of(key_id).secret, parts.clock()).encode()
    with whole(out) as file:
        Disk().write(file, split.closed(text, first, second, os.urandom))
    return out


def destroy(parts: Parts, ring: Keyring, who: Person, act_id: int, origin: str) -> str:
    """Destroy the key of a confirmed act; its name. Done again after a crash, it finishes.

    Raises:
        Forbidden; ActUnknown, ActExpired; KeysError; Conflict: it is too early, recordings are
        sealed to it, or a copy is not accounted for.
    """

    def judged(session: Session) -> str:
        act = custodians.usable(session, act_id, "destroy", parts.clock())
        refuse_destroying(session, ring, act.key_id, parts.clock())
        return act.key_id

    key_id = _act(parts, who, "keys:key:destroy", f"key-act:{act_id}", origin, judged)
    ring.destroy(key_id)
    (parts.settings.archive.public_keys / f"{key_id}.age-recipient").unlink(missing_ok=True)

    def gone(session: Session) -> None:
        now = parts.clock()
        register.destroyed(session, key_id, now)
        custodians.usable(session, act_id, "destroy", now).done_at = now

    _act(parts, who, "keys:key:destroyed", f"key:{key_id}", origin, gone)
    return key_id


def refuse_destroying(session: Session, ring: Keyring, key_id: str, now: int) -> None:
    """Raise Conflict unless the key's own time has come, nothing needs it and no copy is out."""
    if key_id in ring.key_ids() and now < ring.not_before(key_id):
        raise Conflict(
            f"{key_id} 未满法定两年保存期，不得销毁。 "
            f"The key of {key_id} has to be kept for two years after its month."
        )
    if catalogue.counts_by_key(session).get(key_id):
        raise Conflict(
            f"还有录音封于 {key_id}，不得单独销毁其密钥。 "
            f"Recordings are sealed to {key_id}: its key is not destroyed by itself."
        )
    if copies := custodians.unaccounted(session, key_id):
        raise Conflict(
            f"{key_id} 有 {copies} 份副本下落不明，须先由两人证明已销毁：hotline keys gone。 "
            f"{copies} copies of {key_id} are unaccounted for: two people attest with keys gone."
        )


def attest_gone(parts: Parts, who: Person, copy_id: int, origin: str) -> KeyCopyRow:
    """One custodian says that a copy is gone; it counts once a second one has said so.

    Raises:
        Forbidden; ActUnknown, SameCustodian.
    """
    return _act(parts, who, "keys:copy:attest", f"key-copy:{copy_id}", origin,
                lambda session: custodians.attest_gone(session, copy_id, custodian=who.login,
                                                       now=parts.clock()))  # fmt: skip


def _act(
    parts: Parts, who: Person, action: str, obj: str, origin: str, work: Callable[[Session], T]
) -> T:
    """`work` in one transaction with its line; what it refuses is undone, and on record as well."""
    try:
        if not who.may(Permission.KEY_CUSTODY):
            raise Forbidden
        with parts.database.begin() as session:
            done = work(session)
            _note(parts, session, who, action, obj, origin, "ok")
            return done
    except (RecordingsError, HotlineError) as refused:
        with parts.database.begin() as session:
            detail = type(refused).__name__
            _note(parts, session, who, action, obj, origin, "denied", detail)
        raise


def _note(parts: Parts, session: Session, who: Person, action: str, obj: str, origin: str,
          outcome: str, why: str = "") -> None:  # fmt: skip
    log.note(session, action, actor=who.login, origin=origin, obj=obj, outcome=outcome,
             now=parts.clock(), detail={"why": why} if why else None)  # fmt: skip
