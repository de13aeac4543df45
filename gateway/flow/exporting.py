"""Exporting: a recording leaves the house only sealed to the key its request names, with its sheet.

    a yes to export → its line → sealed anew in memory → the row, the sheet and the line of it
    → fetched, twice at most and for seven days, each time with its line before the first byte

Whoever it is about (回避) is asked at each of these steps. What lies in the exports' directory is
ciphertext for the recipient alone; a file without its row is nobody's and is tidied away, so that a
process killed in the middle leaves nothing that could be fetched. A recording is exported once
under a yes: asking again gives the same.
"""

import hashlib
import secrets
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Conflict, Forbidden, Gone, HotlineError, NotFound, Recused
from gateway.flow import tombs
from gateway.flow.linking import sealed_as
from gateway.flow.refusal import Refused, denied, note
from gateway.numbers import natural
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tickets import recusal
from recordings import exports, grants
from recordings.errors import GrantError, ObjectMissing, RecordingsError
from recordings.exports import Exported
from recordings.grants import Grant
from recordings.playback import Playback
from recordings.store import DirectoryStore
from recordings.tables import AuditLineRow, GrantRow, RecordingRow, RequestRow
from recordings.tables_grants import ExportRow

FETCHES = 2
KEPT_US = 7 * 86_400 * 1_000_000
ORPHANED_US = 86_400 * 1_000_000
MADE = "recordings:export:make"


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export as its holder sees it; `line` is the number of its line in the log."""

    row: ExportRow
    line: int | None

    def fetchable(self, now: int) -> bool:
        """Whether it may still be fetched."""
        kept = self.row.removed_at is None and now < self.row.made_at + KEPT_US
        return kept and self.row.fetches < FETCHES


def shelf(parts: Parts) -> DirectoryStore:
    """Where exports wait to be fetched."""
    return DirectoryStore(parts.settings.state / "exports")


def make(parts: Parts, who: Person, grant_id: int, recording_id: int, *, origin: str) -> ExportRow:
    """Seal the recording to the key that the request names; its units of work are its own.

    Raises:
        Forbidden: no yes to export it, or this process holds no private key.
        Gone: it was destroyed.
        Conflict: the recording is altered, missing, or its key is not here.
    """
    with parts.database.begin() as session:
        found = _permitted(session, who, grant_id, recording_id, origin, parts.clock())
    if isinstance(found, Refused):
        raise found.error
    if isinstance(found, ExportRow):
        return found
    key = f"{parts.clock()}-{secrets.token_hex(16)}.age"
    try:
        row, exported = _sealed(parts, found, key)
    except HotlineError as error:
        failed = {"why": type(error).__name__}
        with parts.database.begin() as session:
            note(
                session,
                who,
                "recordings:export:make",
                f"recording:{recording_id}",
                origin,
                parts.clock(),
                outcome="failed",
                grant=grant_id,
                detail=failed,
            )
        raise
    with parts.database.begin() as session:
        return _written(session, who, found, row, exported, key, origin, parts.clock())


def _permitted(
    session: Session, who: Person, grant_id: int, recording_id: int, origin: str, now: int
) -> Grant | ExportRow | Refused:
    try:
        if not who.may(Permission.RECORDING_EXPORT):
            raise Forbidden
        grant = grants.usable(session, grant_id, who.login, recording_id, now, kind="export")
        _not_about(session, who, grant_id, recording_id)
    except (GrantError, HotlineError) as error:
        return denied(
            session,
            who,
            "recordings:export:make",
            f"recording:{recording_id}",
            origin,
            now,
            error,
            grant=grant_id,
        )
    return _of_grant(session, grant_id, recording_id) or grant


def _not_about(session: Session, who: Person, grant_id: int, recording_id: int) -> None:
    grant = session.get_one(GrantRow, grant_id)
    request = session.get_one(RequestRow, grant.request_id)
    about = recusal.of_recordings(session, [recording_id], request.ticket_no, request.call_id)
    recusal.check(who, about)
    tombs.check(session, [recording_id])


def _of_grant(session: Session, grant_id: int, recording_id: int) -> ExportRow | None:
    return session.scalar(
        select(ExportRow).where(
            ExportRow.grant_id == grant_id, ExportRow.recording_id == recording_id
        )
    )


def _sealed(parts: Parts, grant: Grant, key: str) -> tuple[RecordingRow, Exported]:
    if parts.identities is None:
        raise Forbidden(
            "本进程不持有私钥，不能导出。 This process holds no private key and exports nothing."
        )
    try:
        with parts.database.reading() as session:
            row = session.get_one(RecordingRow, grant.recording_id)
            known = partial(sealed_as, session)
            opened = Playback(parts.store, parts.identities, known).open(row, grant)
        with closing(opened):
            made = exports.reseal(opened, grant.recipient, shelf(parts), key, secrets.token_bytes)
    except RecordingsError as error:
        raise Conflict(str(error)) from error
    return row, made


def _written(
    session: Session, who: Person, grant: Grant, row: RecordingRow, exported: Exported, key: str,
    origin: str, now: int,
) -> ExportRow:  # fmt: skip
    """The row and its line. Whoever was quicker under the same yes has made it already: then that
    one counts, and this file is nobody's."""
    held = session.get_one(GrantRow, grant.grant_id, with_for_update=True)
    if (before := _of_grant(session, grant.grant_id, row.id)) is not None:
        return before
    request = session.get_one(RequestRow, grant.request_id)
    sheet = exports.sheet(row, request, held, exported, now)
    made = ExportRow(
        grant_id=grant.grant_id, recording_id=row.id, person=who.login, recipient=grant.recipient,
        plain_sha256=exported.plain_sha256, sealed_sha256=exported.sealed_sha256,
        size=exported.size, object_key=key, sheet=sheet, made_at=now, fetches=0,
    )  # fmt: skip
    session.add(made)
    session.flush()
    note(
        session,
        who,
        "recordings:export:make",
        f"export:{made.id}",
        origin,
        now,
        grant=grant.grant_id,
        detail={
            "recording": row.id,
            "recipient": grant.recipient,
            "sheet_sha256": hashlib.sha256(sheet.encode()).hexdigest(),
            "sealed_sha256": exported.sealed_sha256.hex(),
        },
    )
    return made


def of(session: Session, who: Person, export_id: int) -> ExportView:
    """One's own export, with the number of its line.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    row = session.get(ExportRow, export_id)
    if row is None or row.person != who.login:
        raise NotFound
    line = session.scalar(
        select(AuditLineRow.id).where(
            AuditLineRow.obj == f"export:{export_id}", AuditLineRow.action == MADE
        )
    )
    return ExportView(row, line)


def fetch(
    session: Session, who: Person, export_id: int, *, origin: str, now: int
) -> ExportRow | Refused:
    """Count one fetch of the file; either way it is in the log once this is committed."""
    obj = f"export:{export_id}"
    row = session.get(ExportRow, export_id, with_for_update=True, populate_existing=True)
    try:
        if row is None or row.person != who.login:
            raise NotFound  # noqa: TRY301
        _not_about(session, who, row.grant_id, row.recording_id)
        if not ExportView(row, None).fetchable(now):
            raise Conflict(  # noqa: TRY301
                "该导出已被取走或已过期，请重新申请。 It was fetched or is over: ask again."
            )
    except (NotFound, Conflict, Gone, Recused) as error:
        return denied(session, who, "recordings:export:fetch", obj, origin, now, error)
    row.fetches += 1
    row.fetched_at = now
    note(session, who, "recordings:export:fetch", obj, origin, now, grant=row.grant_id,
         detail={"fetch": row.fetches})  # fmt: skip
    return row


def tidy(parts: Parts) -> int:
    """Remove the files that are over, and those without a row; returns how many were over."""
    now, store, closed = parts.clock(), shelf(parts), 0
    store.remove_partials(now - ORPHANED_US)
    with parts.database.begin() as session:
        rows = session.scalars(select(ExportRow).where(ExportRow.removed_at.is_(None))).all()
        for row in rows:
            if not ExportView(row, None).fetchable(now) and _untouched(row, now):
                with suppress(ObjectMissing):
                    store.remove(row.object_key)
                row.removed_at, closed = now, closed + 1
        kept = {row.object_key for row in rows if row.removed_at is None}
    for key in list(store.keys("")):
        made_at = natural(key.partition("-")[0])
        if key not in kept and made_at is not None and made_at < now - ORPHANED_US:
            store.remove(key)
    return closed


def _untouched(row: ExportRow, now: int) -> bool:
    """A fetch that has only begun may still be reading: the file goes an hour later."""
    return row.fetched_at is None or now > row.fetched_at + 3600 * 1_000_000
