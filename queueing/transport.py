"""What the rest of queueing asks of a broker, and nothing more: publish, deliveries.

Always holds, for every transport: `confirmed` means that the message is in its queue for good; an
outcome that is not known is said to be `unknown`, and publishing again under the same dedupe key
is right; a delivery that is not settled comes again. Hence at least once, and order within a
queue as long as its consumer settles one before it takes the next.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal["confirmed", "unroutable", "refused", "unknown"]
"""confirmed: in its queue · unroutable: there is no such queue · refused: the queue would not
take it (full, or failing) · unknown: no answer came"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one publish; `detail` is for the operator."""

    verdict: Verdict
    detail: str = ""


class Delivery(Protocol):
    """One message in a consumer's hands. Settling one whose link was lost does nothing: it comes
    again, and is recognised by its key."""

    @property
    def body(self) -> bytes:
        """The message as it was published."""

    @property
    def routing_key(self) -> str:
        """The routing key it was published with."""

    @property
    def dedupe_key(self) -> str:
        """The same for every publish of the same message; empty when the publisher gave none."""

    @property
    def user(self) -> str | None:
        """The account it was sent under, as the broker proved it; empty when the sender did not
        say; None where the transport has no accounts: only the gateway itself writes there."""

    @property
    def lasting(self) -> bool:
        """Whether it was published to outlive a restart of the broker."""

    @property
    def death(self) -> str:
        """Why and where it was given up, when it comes from the parked queue; otherwise empty."""

    async def ack(self) -> None:
        """Done: it will not come again."""

    async def requeue(self) -> None:
        """Not now: it comes again, and counts against the delivery limit."""

    async def reject(self) -> None:
        """Never: it goes to the parked queue."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Several deliveries of one queue, in their order; each can be settled by itself."""

    deliveries: Sequence[Delivery]
    ack: Callable[[], Awaitable[None]]
    """All of them are done: said in one word. Settling one whose link was lost does nothing."""


class Transport(Protocol):
    """A broker, or what stands in for one."""

    async def declare(self, departments: Iterable[str]) -> None:
        """Have every queue of `topology` for these departments; more may follow later.

        Raises `TransportDown` or `TopologyMismatch`.
        """

    async def ready(self) -> bool:
        """Whether publishing has a chance now; connects when it has to. Never raises."""

    @property
    def blocked(self) -> bool:
        """Whether nothing new is to be published now; what was published is still answered."""

    async def answers(self) -> bool:
        """Whether the broker answers when it is asked, within seconds. Never raises."""

    async def send(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> Outcome:
        """Publish once and wait for the answer, however long it takes. `trace` goes with it as
        the header `traceparent`, where there are headers. `unknown` means that no
        answer can come any more. Never raises."""

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        """Publish once and wait for the answer, for a bounded time. Never raises."""

    def deliveries(self, queue: str) -> AsyncGenerator[Delivery, None]:
        """The queue's messages, for ever; lost links are mended inside. Close it when done."""

    def gathered(self, queue: str) -> AsyncGenerator[Gathered, None]:
        """As `deliveries`, several at once where several have come. All are settled before the next
        are asked for."""

    async def close(self) -> None:
        """Give every connection back."""
