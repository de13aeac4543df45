"""A room two years on: what one month recorded, a clock to be believed, and two persons."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from recordings import audit, consent, destroy, plan, proposals
from recordings.clocked import Sighting
from recordings.keyring import FileKeyring
from recordings.means import Means
from recordings.place import Store
from recordings.plan import Extended, Extensions
from recordings.retention import State
from recordings.tables import RecordingRow
from recordings.tables_retention import CertificateRow, PlanRow
from tests.unit.recordings.room import NOW, PASSPHRASE, Room

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
MONTH_OVER = 1_796_054_400_000_000  # 2026-12-01 00:00 in China
DUE = MONTH_OVER + 730 * DAY


class Ageing:
    """`kept` are the recordings that something keeps, and why."""

    def __init__(self, room: Room, stores: Sequence[Store] = ()) -> None:
        self.room, self.kept, self.boot_us = room, dict[int, str](), 0
        self.means = Means(
            begin=room.begin,
            stores=tuple(stores) or (room.store,),
            keyring=FileKeyring(
                room.keyring / "keyring.age", lambda: PASSPHRASE, log_n=2, disk=room.disk
            ),
            public=room.public,
            extensions=Extensions(self._extended, lambda _session, _key: None),
            clock=room.clock,
            note=self._note,
            on_rewrapped=self._rewrapped,
            disk=room.disk,
        )

    def _extended(self, _session: Session, _key: str) -> Iterator[Extended]:
        for recording_id in sorted(self.kept):
            yield Extended(recording_id, self.kept[recording_id], None)

    def _note(
        self, session: Session, act: str, obj: str, outcome: str, detail: dict[str, Any]
    ) -> int:
        return audit.append(session, act, actor="timers", origin="", obj=obj, outcome=outcome,
                            at=self.room.now, detail=detail).id  # fmt: skip

    def _rewrapped(self, session: Session, row: RecordingRow) -> None:
        row.seal_line = self._note(session, "recordings:recording:rewrap", f"recording:{row.id}",
                                   "ok", {"sealed_sha256": row.sealed_sha256.hex()})  # fmt: skip

    def seen(self) -> Sighting:
        return Sighting(self.room.now, "boot", self.boot_us)

    def lives(self, us: int) -> None:
        """Time goes by, looked at every half hour."""
        with self.room.begin() as session:
            while us > 0:
                step = min(us, HOUR // 2)
                us -= step
                self.room.now, self.boot_us = self.room.now + step, self.boot_us + step
                proposals.look(session, self.seen())

    def proposed(self) -> int:
        """Two years and a little on, the month's plan is made."""
        self.room.now = max(self.room.now, DUE + HOUR)
        with self.room.begin() as session:
            (made,) = proposals.propose(
                session, self.means.keyring, self.means.extensions, self.seen()
            )
        return made.id

    def agreed(self) -> int:
        """The plan has stood, and two persons have agreed to it."""
        plan_id = self.proposed()
        self.lives(7 * DAY)
        self.agree(plan_id)
        return plan_id

    def agree(self, plan_id: int) -> None:
        with self.room.begin() as session:
            row = proposals.get(session, plan_id)
            digest = consent.ask(session, row, self.means.extensions, by="guan", now=self.room.now)
            consent.confirm(session, row, by="lin", digest=digest, now=self.room.now)

    def run(self, plan_id: int, **changed: Any) -> State:
        return destroy.run(replace(self.means, **changed), plan_id)

    def months(self) -> list[plan.MonthPlan]:
        with self.room.begin() as session:
            return list(plan.months(session, self.means.extensions))

    def certificate(self) -> str:
        with self.room.begin() as session:
            return session.query(CertificateRow).one().text

    def plan(self, plan_id: int) -> PlanRow:
        with self.room.begin() as session:
            return proposals.get(session, plan_id)


assert NOW < MONTH_OVER
