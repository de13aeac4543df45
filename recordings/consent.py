"""Two persons agree to a plan: the first asks, the second, who is another, confirms what was asked.

What is agreed to is fixed when it is asked: each recording of the key with its fate, and the digest
of all of them, which the second has to name.  What always holds: one person never agrees twice; a
word not answered within a day lapses; what is found to have to stay later stays (destroy.py), so
that no more is destroyed than two persons saw.  Who these persons are, the gateway knows.
"""

from itertools import islice

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from recordings import plan, retention
from recordings.errors import PlanInvalid, SamePerson
from recordings.plan import Digest, Extensions
from recordings.tables_retention import ItemRow, PlanRow

ANSWERED_WITHIN_US = 24 * 3600 * 1_000_000
_AT_ONCE = 2000


def ask(session: Session, row: PlanRow, extensions: Extensions, *, by: str, now: int) -> str:
    """Fix what the plan does and ask for a second person; the digest of it.

    Raises PlanInvalid unless the plan stands and nobody's word waits to be answered, NotYet while
    a copy of the key is out.
    """
    retention.step(row.state, "confirm")
    plan.refuse_copies(session, row.key_id)
    if row.asked_at is not None and now < row.asked_at + ANSWERED_WITHIN_US:
        raise PlanInvalid(
            f"{row.asked_by} 已提出，请另一人确认。 "
            f"{row.asked_by} asked already: somebody else has to confirm."
        )
    session.execute(delete(ItemRow).where(ItemRow.plan_id == row.id))
    digest = Digest(row.key_id, row.id)
    found = plan.items(session, row.key_id, extensions)
    while batch := list(islice(found, _AT_ONCE)):
        for item in batch:
            digest.add(item)
        session.execute(insert(ItemRow), [_fixed(row.id, item) for item in batch])
    row.digest, row.asked_by, row.asked_at = digest.text, by, now
    session.flush()
    return row.digest


def confirm(session: Session, row: PlanRow, *, by: str, digest: str, now: int) -> None:
    """The second person's word.

    Raises SamePerson, or PlanInvalid where nothing was asked, it has lapsed, or it is not what this
    person saw.
    """
    state = retention.step(row.state, "confirm")
    if row.asked_at is None or now >= row.asked_at + ANSWERED_WITHIN_US:
        raise PlanInvalid(
            "尚无人提出，或已过一天，请重新提出。 "
            "Nobody has asked, or a day has gone by: ask again first."
        )
    if row.asked_by == by:
        raise SamePerson("须由另一人确认。 Somebody else has to confirm.")
    if len(digest) < 12 or not row.digest.startswith(digest.lower()):
        raise PlanInvalid(
            "摘要与提出时不符，请重新核对计划。 The digest is not that of what was asked: "
            "look at the plan again."
        )
    row.state, row.confirmed_by, row.confirmed_at = state, by, now
    session.flush()


def counts(session: Session, plan_id: int) -> dict[str, int]:
    """How many recordings the plan destroys and keeps, as fixed."""
    found = session.execute(
        select(ItemRow.fate, func.count()).where(ItemRow.plan_id == plan_id).group_by(ItemRow.fate)
    )
    return {fate: count for fate, count in found}  # noqa: C416 - rows unpack


def _fixed(plan_id: int, item: plan.Item) -> dict[str, object]:
    return {
        "plan_id": plan_id,
        "recording_id": item.recording_id,
        "fate": item.fate,
        "sealed_sha256": item.sealed_sha256,
        "why": " ".join(item.why),
        "tries": 0,
        "trouble": "",
    }
