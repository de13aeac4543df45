"""The link to one PBX, held for ever: connects, hands over what is said, connects again.

Each connection is a fresh `client`, and `run` reconnects until it is cancelled. What was missed is
a recorded gap, and a snapshot of the PBX's channels and queues is asked for at once. What a batch
means runs in the event loop, and a batch that fails is offered again, in order, until it is taken.

The line decides nothing about calls and touches no database.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from telephony import session
from telephony.address import Address
from telephony.batch import Batch, Lost
from telephony.client import Client, Clock
from telephony.errors import LinkLost, LoginRefused, Overflow, Superseded, WireError
from telephony.handoff import Handoff
from telephony.session import Timing
from telephony.spill import Spill

log = logging.getLogger(__name__)

OnBatch = Callable[[Batch], Awaitable[None]]


class Line:
    """Keeps one PBX connected and its batches taken, until cancelled."""

    def __init__(
        self,
        address: Address,
        *,
        pbx: str,
        on_batch: OnBatch,
        clock: Clock,
        timing: Timing | None = None,
        tls: ssl.SSLContext | None = None,
        spill: Path | None = None,
    ) -> None:
        """`pbx`: its name, for the log; `tls`: a context other than the system's, for amis://;
        `spill`: the file for what is received and not taken, replayed if it is there already."""
        self._address = address
        self._pbx = pbx
        self._on_batch = on_batch
        self._clock = clock
        self._timing = timing or Timing()
        self._tls = tls
        self._spill = spill
        self._down = False
        self._heard_at: int | None = None
        self._client: Client | None = None
        self.connected = False
        self.trouble = ""
        """The last reason the link or a batch failed for; '' while all is well."""

    async def run(self) -> None:
        """Runs until cancelled; then waits (at most `flush_s`) until what came in is taken, and
        keeps the rest in the spill file.

        Raises `Superseded` as soon as `on_batch` does, `OSError` where there can be no spill file.
        """
        spill = await asyncio.to_thread(Spill, self._spill) if self._spill else None
        handoff = Handoff(asyncio.get_running_loop(), spill)
        consumer = asyncio.create_task(self._consume(handoff))
        keeper = asyncio.create_task(self._keep(handoff))
        superseded = False
        try:
            await asyncio.wait([keeper, consumer], return_when=asyncio.FIRST_COMPLETED)
            superseded = consumer.done()
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
            handoff.close()
            await asyncio.wait([consumer], timeout=self._timing.flush_s)
            consumer.cancel()
            await asyncio.to_thread(handoff.end, keep=not superseded)
        await (consumer if superseded else keeper)

    async def begin_anew(self) -> None:
        """Ends the connection; the next one brings a snapshot of all that is live. To be asked for
        when part of what was received could not be worked."""
        client = self._client
        if client is not None:
            client.let_go = True
            await asyncio.to_thread(client.disconnect)

    async def _keep(self, handoff: Handoff) -> None:
        """Connects again whenever the link ends, with growing pauses."""
        pause = self._timing.pause_first_s
        while True:
            client = Client(
                self._address,
                handoff,
                self._clock,
                connect_s=self._timing.connect_s,
                tls=self._tls,
            )
            self._client = client
            reason = "stopped"
            try:
                reason = await self._one(client)
            finally:
                await self._lose(client, handoff, reason)
            if client.accepted:
                pause = self._timing.pause_first_s
            await asyncio.sleep(self._timing.refused_s if reason == "refused" else pause)
            pause = min(pause * 2, self._timing.pause_most_s)

    async def _one(self, client: Client) -> str:
        """One connection from beginning to end; answers the reason of its end."""
        within_s = self._timing.answer_s
        try:
            await asyncio.to_thread(client.connect)
            queues = await session.begin(client, within_s)
            self.connected, self._down, self.trouble = True, False, ""
            log.info("PBX %s: connected", self._pbx)
            await session.look(client, within_s)
            return await session.watch(client, self._timing, self._clock, queues)
        except LoginRefused:
            return "refused"
        except LinkLost:
            # Taken in, and then an answer that never came while the connection stands.
            deaf = client.accepted and not client.over.is_set()
            return "silent" if deaf else session.why_over(client)
        except OSError:
            return session.why_over(client)

    async def _lose(self, client: Client, handoff: Handoff, reason: str) -> None:
        """Ends a connection for good and says so, once an outage."""
        await asyncio.to_thread(client.disconnect)
        self._heard_at = client.hearing.at or self._heard_at
        self.connected = False
        self.trouble = reason
        if not self._down:
            self._down = True
            # Our own errors say what to do; another's text may hold whatever the peer sent.
            why = f": {client.error}" if isinstance(client.error, WireError | Overflow) else ""
            log.warning("PBX %s: link down (%s)%s", self._pbx, reason, why)
            handoff.tell(client.link_session, self._clock(), Lost(reason, self._heard_at))

    async def _consume(self, handoff: Handoff) -> None:
        """Offers each batch until it is taken; order is never changed."""
        while (batch := await handoff.take()) is not None:
            pause = self._timing.pause_first_s
            while True:
                try:
                    await self._on_batch(batch)
                    await handoff.taken()
                    break
                except Superseded:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, no batch is dropped
                    # The kind only: a database error's text holds the row, a caller's number too.
                    kind = type(error).__name__
                    log.warning("PBX %s: batch not taken (%s), offered again", self._pbx, kind)
                    self.trouble = f"batch: {kind}"
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._timing.retry_most_s)
            if self.connected:
                self.trouble = ""
