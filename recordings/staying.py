"""What stays when a month's key goes: each such recording gets a header to this month's hold key.

What always holds: what has come to have to stay since two persons agreed stays as well, and what
was sealed to the key since then; what they agreed to keep is kept.  A recording that cannot be
re-wrapped leaves the plan where it is, before the key: the evidence comes first.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from recordings import keys, plan, proposals, register, retention, rewrap, sealed
from recordings.keys import Identity, Recipient
from recordings.means import Means, attempt
from recordings.plan import Extensions
from recordings.tables import RecordingRow
from recordings.tables_retention import ItemRow, PlanRow

_LATE = "late"  # sealed to the key after two persons agreed


def rewrap_all(means: Means, plan_id: int) -> None:
    """Give every recording that stays a header to a hold key."""
    with means.begin() as session:
        row = proposals.get(session, plan_id, lock=True)
        proposals.still_due(session, row, means.keyring, means.extensions, means.clock())
        keys.withdraw(means.public, row.key_id, disk=means.disk)
        key_id, waiting = row.key_id, renew(session, row, means.extensions)
    if waiting:
        old, new = means.keyring.of(key_id), _hold_key(means)
        for recording_id in waiting:
            attempt(
                means, plan_id, recording_id, lambda one: _rewrap_one(means, plan_id, one, old, new)
            )
    with means.begin() as session:
        row = proposals.get(session, plan_id, lock=True)
        if not renew(session, row, means.extensions):
            row.state = retention.step(row.state, "rewrap")


def renew(session: Session, row: PlanRow, extensions: Extensions) -> list[int]:
    """Keep also what has come to have to stay, or to be sealed to this key, since it was agreed to;
    all that waits to be re-wrapped."""
    query = select(ItemRow.recording_id, ItemRow.fate).where(ItemRow.plan_id == row.id)
    fixed = {one.recording_id: one.fate for one in session.execute(query)}
    waiting = []
    for item in plan.items(session, row.key_id, extensions):
        fate = fixed.get(item.recording_id)
        if fate is None:
            session.add(ItemRow(plan_id=row.id, recording_id=item.recording_id, fate="keep",
                                sealed_sha256=item.sealed_sha256, why=_LATE))  # fmt: skip
        elif fate == "destroy" and item.why:
            session.execute(
                update(ItemRow)
                .where(ItemRow.plan_id == row.id, ItemRow.recording_id == item.recording_id)
                .values(fate="keep", why=" ".join(item.why))
            )
        if fate != "destroy" or item.why:
            waiting.append(item.recording_id)
    session.flush()
    return waiting


def _hold_key(means: Means) -> Identity:
    """The hold key of this month, made where it is not there yet."""
    now = means.clock()
    name = keys.hold_key_at(now)
    if name not in means.keyring.key_ids():
        means.keyring.add([Identity(name, means.entropy(sealed.X25519_KEY))], now)
    made = means.keyring.of(name)
    with means.begin() as session:
        if name not in register.halves(session):
            half = Recipient(name, sealed.public_of(made.secret))
            register.enter(session, half, provider=means.keyring.provider,
                           not_before=means.keyring.not_before(name), now=now)  # fmt: skip
            means.note(session, "keys:pair:make", f"key:{name}", "ok", {"recipient": half.text})
    return made


def _rewrap_one(
    means: Means, plan_id: int, recording_id: int, old: Identity, new: Identity
) -> None:
    with means.begin() as session:
        row = session.get_one(RecordingRow, recording_id)
    done = rewrap.rewrap(means.stores, row, old, new, means.entropy)
    with means.begin() as session:
        row = session.get_one(RecordingRow, recording_id, with_for_update=True)
        rewrap.apply(row, done)
        item = session.get_one(ItemRow, (plan_id, recording_id))
        item.done_at, item.trouble = means.clock(), ""
        session.flush()
        means.on_rewrapped(session, row)
