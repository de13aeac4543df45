"""Plans to destroy: made when a key is due, looked at while they stand, void where time lies.

Called again and again by who keeps the hours.  What always holds: one open plan a key; a plan is
made only where the rows and the keyring agree that it is time; what it stood is lived time
(clocked.py).  Nobody agrees to anything here (consent.py), and nothing is destroyed (destroy.py).
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings import clocked, keys, plan, retention, sealed
from recordings.clocked import Sighting, Standing, Void
from recordings.errors import KeysError, NotYet, PlanInvalid
from recordings.keys import Keyring
from recordings.plan import Extensions
from recordings.retention import State
from recordings.tables_retention import PlanRow

_STANDS = (State.PROPOSED, State.STANDING, State.CONFIRMED, State.REWRAPPED)


def get(session: Session, plan_id: int, *, lock: bool = False) -> PlanRow:
    """The plan; raises PlanInvalid where there is none."""
    row = session.get(PlanRow, plan_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise PlanInvalid(f"没有销毁计划 {plan_id}。 There is no plan {plan_id}.")
    return row


def of_key(session: Session, key_id: str) -> PlanRow:
    """The key's open plan; raises PlanInvalid where there is none."""
    row = plan.open_plans(session).get(key_id)
    if row is None:
        raise PlanInvalid(
            f"{key_id} 没有待办的销毁计划，见 hotline retention plan。 "
            f"There is no open plan for {key_id}: see `hotline retention plan`."
        )
    return row


def propose(
    session: Session, keyring: Keyring, extensions: Extensions, seen: Sighting
) -> list[PlanRow]:
    """Make a plan for each key that is due by its rows and by its own word, and has none."""
    held = set(keyring.key_ids())
    made = []
    for month in list(plan.months(session, extensions)):
        if month.plan is not None or not month.due(seen.wall) or month.key_id not in held:
            continue
        if keyring.not_before(month.key_id) > seen.wall:
            continue
        public = sealed.public_of(keyring.of(month.key_id).secret)
        row = PlanRow(key_id=month.key_id, recipient=keys.encode_recipient(public),
                      state=State.PROPOSED, made_at=seen.wall, seen_at=seen.wall, boot=seen.boot,
                      boot_us=seen.boot_us)  # fmt: skip
        session.add(row)
        made.append(row)
    session.flush()
    return made


def look(session: Session, seen: Sighting) -> tuple[list[PlanRow], list[PlanRow]]:
    """Let every plan stand a little longer; those that stand as of now, and those now void."""
    ready, voided = [], []
    rows = session.scalars(
        select(PlanRow).where(PlanRow.state.in_(_STANDS)).order_by(PlanRow.id).with_for_update()
    )
    for row in rows.all():
        before = Standing(row.made_at, row.stood_us, Sighting(row.seen_at, row.boot, row.boot_us))
        after = clocked.stood(before, seen)
        if isinstance(after, Void):
            void(row, f"clock:{after.why}")
            voided.append(row)
            continue
        row.stood_us, row.seen_at = after.stood_us, after.last.wall
        row.boot, row.boot_us = after.last.boot, after.last.boot_us
        if row.state == State.PROPOSED and row.stood_us >= retention.STANDS_US:
            row.state = retention.step(row.state, "stand")
            ready.append(row)
    session.flush()
    return ready, voided


def void(row: PlanRow, why: str) -> None:
    """Give a plan up; raises PlanInvalid where its key is being destroyed already."""
    row.state = retention.step(row.state, "void")
    row.voided = why


def still_due(
    session: Session, row: PlanRow, keyring: Keyring, extensions: Extensions, now: int
) -> None:
    """Raise NotYet unless rows, key and standing agree that it is time, now as when it was made,
    and no copy of the key is out."""
    plan.refuse_copies(session, row.key_id)
    month = next(plan.months(session, extensions, row.key_id), None)
    by_rows = month is None or month.due(now)
    try:
        by_key = keyring.not_before(row.key_id) <= now
    except KeysError as error:
        raise NotYet(str(error)) from error
    believed = row.made_at <= now and row.seen_at <= now + clocked.BACKWARDS_US
    if not (by_rows and by_key and believed and row.stood_us >= retention.STANDS_US):
        raise NotYet(
            f"{row.key_id} 未到销毁时间，或计划未满七天。 "
            f"It is not time to destroy {row.key_id}, or its plan has not stood for seven days."
        )
