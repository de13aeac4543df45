"""Carrying a plan out: one step at a time, each written down before the next (retention.py).

    confirmed → re-wrap what stays → begin → shred the key → remove the objects → certify

What always holds: a step done again after a crash ends the same; one recording's failure never
stops another's; nothing is destroyed that was not on the list two persons saw, nor anything that
has come to have to stay since.  `shredding` is committed before the key is touched: from then on a
hold on its recordings is refused (holds.py), so nobody is promised what is gone.  When to call
this, the gateway decides.
"""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from recordings import certificate, proposals, register, retention, rewrap, staying
from recordings.certificate import Facts
from recordings.errors import ObjectMissing, RecordingsError
from recordings.means import Means, attempt
from recordings.naming import PAYLOAD, PEAKS, header_of
from recordings.retention import State
from recordings.tables import RecordingRow
from recordings.tables_retention import FATES, CertificateRow, ItemRow, PlanRow


def run(means: Means, plan_id: int) -> State:
    """Step by step as far as it goes now; the state it stands in then.

    Raises NotYet or PlanInvalid where the plan may not go on, KeysError where the keyring does not
    open.
    """
    before, state = None, _state(means, plan_id)
    while state != before and state in _WORK:
        before = state
        _WORK[state](means, plan_id)
        state = _state(means, plan_id)
    return state


def _state(means: Means, plan_id: int) -> State:
    with means.begin() as session:
        return State(proposals.get(session, plan_id).state)


def _begin(means: Means, plan_id: int) -> None:
    """Look once more at everything; then there is no way back, and that is written down."""
    with means.begin() as session:
        row = proposals.get(session, plan_id, lock=True)
        proposals.still_due(session, row, means.keyring, means.extensions, means.clock())
        waiting = staying.renew(session, row, means.extensions)
        row.state = retention.step(row.state, "keep" if waiting else "begin")
        if not waiting:
            means.note(session, "retention:key:begin", f"key:{row.key_id}", "ok",
                       {"plan": row.id, "digest": row.digest})  # fmt: skip


def _shred(means: Means, plan_id: int) -> None:
    with means.begin() as session:
        key_id = proposals.get(session, plan_id).key_id
    means.keyring.destroy(key_id)
    if key_id in means.keyring.key_ids():
        raise RecordingsError(
            f"{key_id} 的私钥仍在钥匙环中，未销毁。 The keyring still has {key_id}: not destroyed."
        )
    with means.begin() as session:
        row = proposals.get(session, plan_id, lock=True)
        row.state, row.shredded_at = retention.step(row.state, "shred"), means.clock()
        register.destroyed(session, key_id, means.clock())
        means.note(session, "retention:key:destroy", f"key:{key_id}", "ok",
                   {"plan": row.id, "asked_by": row.asked_by,
                    "confirmed_by": row.confirmed_by})  # fmt: skip


def _remove(means: Means, plan_id: int) -> None:
    """Remove the objects of what was destroyed, and the old headers of what stays, everywhere."""
    with means.begin() as session:
        destroyed, kept = (list(session.scalars(_of(plan_id, fate))) for fate in FATES)
    done = [
        *(attempt(means, plan_id, i, lambda one: _remove_one(means, plan_id, one))
          for i in destroyed),
        *(attempt(means, plan_id, i, lambda one: _tidy_one(means, one)) for i in kept),
    ]  # fmt: skip
    if all(done):
        with means.begin() as session:
            row = proposals.get(session, plan_id, lock=True)
            row.state = retention.step(row.state, "remove")


def _remove_one(means: Means, plan_id: int, recording_id: int) -> None:
    with means.begin() as session:
        row = session.get_one(RecordingRow, recording_id)
    # Also the header that a re-wrap put and died over: no row names it, and its key lives on.
    names = [header_of(row.object_key, n) for n in range(1, row.header_version + 2)]
    for store in means.stores:
        for name in (*names, row.object_key + PAYLOAD, row.object_key + PEAKS):
            with suppress(ObjectMissing):
                store.remove(name)
    now = means.clock()
    with means.begin() as session:
        row = session.get_one(RecordingRow, recording_id, with_for_update=True)
        row.header, row.destroyed_at, row.destroyed_plan = b"", now, plan_id
        item = session.get_one(ItemRow, (plan_id, recording_id))
        item.done_at, item.trouble = now, ""
        means.note(session, "retention:recording:destroy", f"recording:{recording_id}", "ok",
                   {"plan": plan_id})  # fmt: skip


def _tidy_one(means: Means, recording_id: int) -> None:
    with means.begin() as session:
        row = session.get_one(RecordingRow, recording_id)
    if row.destroyed_at is None:
        rewrap.tidy(means.stores, row)


def _certify(means: Means, plan_id: int) -> None:
    with means.begin() as session:
        row = proposals.get(session, plan_id, lock=True)
        facts = _facts(session, row)
        written = certificate.text(facts)
        row.state = retention.step(row.state, "certify")
        line = means.note(
            session, "retention:plan:certify", f"plan:{plan_id}", "ok",
            {"key": row.key_id, "certificate_sha256": certificate.sha256(written),
             "destroyed": facts.destroyed, "kept": facts.kept,
             "recordings_sha256": facts.recordings_sha256, "digest": row.digest,
             "asked_by": row.asked_by, "confirmed_by": row.confirmed_by},
        )  # fmt: skip
        session.add(CertificateRow(plan_id=plan_id, line=line, text=written, made_at=means.clock()))


def _facts(session: Session, row: PlanRow) -> Facts:
    item = ItemRow
    destroyed = session.execute(
        select(item.recording_id, item.sealed_sha256)
        .where(item.plan_id == row.id, item.fate == "destroy")
        .order_by(item.recording_id)
        .execution_options(yield_per=2000)
    )
    count, listed = certificate.listed((one.recording_id, one.sealed_sha256) for one in destroyed)
    kept = session.execute(
        select(item.why, func.count())
        .where(item.plan_id == row.id, item.fate == "keep")
        .group_by(item.why)
        .order_by(item.why)
    ).all()
    tried_again, removed_at = session.execute(
        select(func.count().filter(item.tries > 0), func.max(item.done_at)).where(
            item.plan_id == row.id
        )
    ).one()
    return Facts(
        plan=row.id, key=row.key_id, recipient=row.recipient, digest=row.digest,
        proposed_at=row.made_at, stood_us=row.stood_us,
        asked_by=row.asked_by or "", asked_at=row.asked_at or 0,
        confirmed_by=row.confirmed_by or "", confirmed_at=row.confirmed_at or 0,
        key_destroyed_at=row.shredded_at or 0, removed_at=removed_at or 0,
        destroyed=count, recordings_sha256=listed,
        kept=sum(number for _, number in kept), kept_why={one.why: one[1] for one in kept},
        tried_again=tried_again,
    )  # fmt: skip


def _of(plan_id: int, fate: str) -> Select[int]:
    """The recordings of that fate, by ascending id, less those destroyed already."""
    wanted = select(ItemRow.recording_id).where(ItemRow.plan_id == plan_id, ItemRow.fate == fate)
    if fate == "destroy":
        wanted = wanted.where(ItemRow.done_at.is_(None))
    return wanted.order_by(ItemRow.recording_id)


_WORK: dict[State, Callable[[Means, int], None]] = {
    State.CONFIRMED: staying.rewrap_all,
    State.REWRAPPED: _begin,
    State.SHREDDING: _shred,
    State.SHREDDED: _remove,
    State.REMOVED: _certify,
}
