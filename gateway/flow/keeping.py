"""Two years and then gone: who sees it, who holds, who agrees, and what the hours bring.

The plans are made and looked at by the timers; two administrators agree to one, each by their own
account; then it is carried out, and tried again by the timers where something failed. Every act
has its line in the log. What the rules are, `recordings.retention` says; why something stays,
`flow.staying`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime_ns
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import Conflict, Forbidden, HotlineError, NotFound
from gateway.flow import linking, log, staying
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow
from recordings import audit, consent, destroy, holds, plan, proposals
from recordings import certificate as certificates
from recordings.clocked import Sighting
from recordings.errors import RecordingsError, RetentionError
from recordings.means import Means
from recordings.plan import MonthPlan
from recordings.retention import State
from recordings.tables import RecordingRow
from recordings.tables_retention import CertificateRow, HoldRow, ItemRow, PlanRow

BOOT = Path("/proc/sys/kernel/random/boot_id")
CERTIFY = "retention:plan:certify"
TIMERS = "timers"  # the actor of what nobody asked for
CARRIED_OUT = (State.CONFIRMED, State.REWRAPPED, State.SHREDDING, State.SHREDDED, State.REMOVED)
REFUSALS = (RecordingsError, HotlineError)
"""What carrying a plan out may be refused with; another plan goes on."""


@dataclass(frozen=True, slots=True)
class View:
    """What is kept, by month; the holds; what failed; the certificates, latest first."""

    months: list[MonthPlan]
    holds: Sequence[HoldRow]
    troubles: list[ItemRow]
    certificates: list[CertificateRow]


def view(session: Session, who: Person, now: int) -> View:
    """Everything about keeping and destroying.

    Raises:
        Forbidden: the role does not look at it.
    """
    if not who.may(Permission.HOLD_PLACE):
        _may(who, Permission.RETENTION_READ)
    made = select(CertificateRow).order_by(CertificateRow.plan_id.desc()).limit(100)
    return View(
        months=list(plan.months(session, staying.extensions(now))),
        holds=holds.standing(session, now),
        troubles=failures(session),
        certificates=list(session.scalars(made)),
    )


def failures(session: Session, plan_id: int | None = None) -> list[ItemRow]:
    """What could not be done yet of the plans (or of that one) that are carried out."""
    failed = (
        select(ItemRow)
        .join(PlanRow, PlanRow.id == ItemRow.plan_id)
        .where(ItemRow.trouble != "", PlanRow.state.in_(CARRIED_OUT))
        .order_by(ItemRow.plan_id, ItemRow.recording_id)
        .limit(100)
    )
    return list(session.scalars(failed if plan_id is None else failed.where(PlanRow.id == plan_id)))


def certificate(session: Session, who: Person, plan_id: int) -> CertificateRow:
    """One certificate, as it was made.

    Raises:
        Forbidden: the role does not look at it.
        NotFound, Conflict: as `attested`.
    """
    if not who.may(Permission.RECORDING_SEARCH):  # whoever finds what was destroyed, sees why
        _may(who, Permission.RETENTION_READ)
    return attested(session, plan_id)


def attested(session: Session, plan_id: int) -> CertificateRow:
    """The certificate of that plan, held against its line in the log.

    Raises:
        NotFound: there is none of that plan.
        Conflict: the log does not say that this is the text which was certified.
    """
    row = session.get(CertificateRow, plan_id)
    if row is None:
        raise NotFound(f"没有 {plan_id} 号销毁证明。 There is no certificate of plan {plan_id}.")
    said = {
        "action": CERTIFY, "object": f"plan:{plan_id}", "outcome": "ok",
        "certificate_sha256": certificates.sha256(row.text),
    }  # fmt: skip
    if not audit.line_holds(session, row.line, said):
        raise Conflict(
            "销毁证明与日志不符，可能被改动，未显示；请报审计。 This certificate is not what the "
            "log says was certified: it is not shown; tell the auditor."
        )
    return row


def hold(
    session: Session, who: Person, *, recording_id: int | None, ticket_id: int | None, why: str,
    origin: str, now: int,
) -> HoldRow:  # fmt: skip
    """Have a recording, or all of a ticket, kept until somebody else lifts it.

    Raises:
        Forbidden: the role does not hold.
        NotFound: no such recording or ticket.
        Conflict: it is too late, or a part is missing.
    """
    _may(who, Permission.HOLD_PLACE)
    if recording_id is not None and session.get(RecordingRow, recording_id) is None:
        raise NotFound
    if ticket_id is not None and session.get(TicketRow, ticket_id) is None:
        raise NotFound
    of = [recording_id] if recording_id is not None else []
    of += staying.of_ticket(session, ticket_id) if ticket_id is not None else []
    with _refusals():
        row = holds.place(session, of=of, ticket_id=ticket_id, why=why, by=who.login, now=now)
    held = f"ticket:{ticket_id}" if ticket_id is not None else f"recording:{recording_id}"
    log.note(session, "retention:hold:place", actor=who.login, origin=origin, obj=held,
             outcome="ok", now=now, detail={"hold": row.id})  # fmt: skip
    return row


def lift(session: Session, who: Person, hold_id: int, *, origin: str, now: int) -> HoldRow:
    """End somebody else's hold.

    Raises:
        Forbidden: the role does not hold.
        Conflict: who placed it does not lift it; there is none.
    """
    _may(who, Permission.HOLD_PLACE)
    with _refusals():
        row = holds.lift(session, hold_id, by=who.login, now=now)
    log.note(session, "retention:hold:lift", actor=who.login, origin=origin, obj=f"hold:{hold_id}",
             outcome="ok", now=now)  # fmt: skip
    return row


def agree(
    session: Session, who: Person, key_id: str, digest: str, *, origin: str, now: int
) -> PlanRow:
    """The word of one of two custodians: without a digest it asks, with one it confirms what the
    other asked.

    Raises:
        Forbidden: the role keeps no keys.
        Conflict: the plan is not at that step, or two different persons are needed.
    """
    _may(who, Permission.KEY_CUSTODY)
    with _refusals():
        row = proposals.get(session, proposals.of_key(session, key_id).id, lock=True)
        if digest:
            consent.confirm(session, row, by=who.login, digest=digest, now=now)
        else:
            consent.ask(session, row, staying.extensions(now), by=who.login, now=now)
    log.note(session, f"retention:plan:{'confirm' if digest else 'ask'}", actor=who.login,
             origin=origin, obj=f"plan:{row.id}", outcome="ok", now=now,
             detail={"key": key_id, "digest": row.digest})  # fmt: skip
    return row


def seen(now: int) -> Sighting:
    """The machine's clocks, looked at once."""
    boot = BOOT.read_text(encoding="ascii").strip()
    return Sighting(now, boot, clock_gettime_ns(CLOCK_BOOTTIME) // 1000)


def look(parts: Parts, sighting: Sighting) -> list[str]:
    """What the timers do: let plans stand or fall, propose what is due, carry on what was agreed
    to; what is worth telling."""
    if parts.identities is None:
        return []
    told: list[str] = []
    with parts.database.begin() as session:
        ready, voided = proposals.look(session, sighting)
        made = proposals.propose(
            session, parts.identities, staying.extensions(sighting.wall), sighting
        )
        for act, outcome, rows in (("propose", "ok", made), ("stand", "ok", ready),
                                   ("void", "failed", voided)):  # fmt: skip
            for row in rows:
                told.append(f"plan {row.id} of {row.key_id}: {act} {row.voided}".strip())
                log.note(session, f"retention:plan:{act}", actor=TIMERS, origin="",
                         obj=f"plan:{row.id}", outcome=outcome, now=sighting.wall,
                         detail={"key": row.key_id, "why": row.voided})  # fmt: skip
        agreed = [row.id for row in plan.open_plans(session).values() if row.state in CARRIED_OUT]
    return told + [one for plan_id in sorted(agreed) if (one := _carried(parts, plan_id))]


def _carried(parts: Parts, plan_id: int) -> str:
    try:
        return f"plan {plan_id}: {carry_out(parts, plan_id, TIMERS)}"
    except REFUSALS as error:
        return f"plan {plan_id}: {error}"


def carry_out(parts: Parts, plan_id: int, actor: str) -> State:
    """Carry an agreed plan out as far as it goes now; the state it stands in then.

    Raises:
        Forbidden: this process holds no private key.
        NotYet, PlanInvalid, KeysError: as `recordings.destroy.run`.
    """
    if parts.identities is None:
        raise Forbidden("本进程不持有私钥。 This process holds no private key.")
    means = Means(
        begin=parts.database.begin,
        stores=tuple(parts.places.values()),
        keyring=parts.identities,
        public=parts.settings.archive.public_keys,
        extensions=staying.extensions(parts.clock()),
        clock=parts.clock,
        note=_noting(actor, parts.clock),
        on_rewrapped=lambda session, row: linking.rewrapped(session, row, actor, parts.clock()),
    )
    return destroy.run(means, plan_id)


def _noting(
    actor: str, clock: Callable[[], int]
) -> Callable[[Session, str, str, str, dict[str, Any]], int]:
    """Lines of which the number is needed at once: a certificate names its own."""

    def note(session: Session, act: str, obj: str, outcome: str, detail: dict[str, Any]) -> int:
        line = audit.append(session, act, actor=actor, origin="", obj=obj, outcome=outcome,
                            at=clock(), detail=detail)  # fmt: skip
        notices.tell(session, "log", "line")
        return line.id

    return note


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RetentionError as error:
        raise Conflict(str(error)) from error


def _may(who: Person, needed: Permission) -> None:
    if not who.may(needed):
        raise Forbidden
