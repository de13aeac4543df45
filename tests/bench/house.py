"""The gateway's part that listens to a PBX, as the product composes it, fed by hand.

Real database, real migrations, a lease that is held, an account for every agent's phone: a batch
goes the way a running gateway takes it (`Switchboard`), and is committed when `take` returns.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import insert

from gateway import compose, migrations, settings
from gateway.lease import Lease, acquire
from gateway.parts import Parts
from gateway.switchboard import Switchboard
from gateway.tables import AccountRow
from telephony.batch import Batch, Connected
from telephony.wire import Wire
from tests.bench.load import AGENTS

SESSION: Final = "bench"


class House:
    """One PBX's switchboard over the database at `url`; `take` the bytes of a socket."""

    def __init__(self, state: Path, url: str) -> None:
        given = {"HOTLINE_STATE": str(state), "HOTLINE_DATABASE_URL": url}
        self.parts: Parts = compose.parts(settings.read(given))
        migrations.upgrade(self.parts.database)
        self._switchboard = Switchboard(self.parts, self.parts.settings.pbxs[0], self._furnish())
        self._switchboard._board = self._switchboard._load()
        self._wire = Wire(greeted=True)
        self._seq = 0
        self._give(Batch(SESSION, 0, compose.clock(), change=Connected()))

    def take(self, data: bytes) -> None:
        """Bytes as they came from the socket, to the commit of all they mean."""
        messages = tuple(self._wire.feed(data))
        self._give(Batch(SESSION, self._seq, compose.clock(), messages))

    def close(self) -> None:
        self.parts.database.dispose()

    def _give(self, batch: Batch) -> None:
        self._seq += 1
        self._switchboard._take(batch)

    def _furnish(self) -> Lease:
        with self.parts.database.begin() as session:
            session.execute(
                insert(AccountRow),
                [
                    {
                        "login": f"agent{agent}",
                        "name": agent,
                        "role": "agent",
                        "extension": f"PJSIP/{agent}",
                        "password_hash": "-",
                        "created_at": 0,
                    }
                    for agent in AGENTS
                ],
            )
            fence = acquire(session, "pbx:bench", "bench:bench", compose.clock())
        assert fence is not None
        return Lease("pbx:bench", fence)
