"""What the line hands over at once: a batch of messages, or a change of the link.

A batch is the unit of one transaction (DESIGN §3.2). `link_session` and `seq` name it for ever, so
that the same batch, offered again after a failure, is known. A batch with neither messages nor a
change says only that the PBX was heard. Pure data, no behaviour.
"""

from dataclasses import dataclass

from telephony.events import Event
from telephony.message import Message
from telephony.wire import END


@dataclass(frozen=True, slots=True)
class Connected:
    """The PBX accepted us; what follows is live. A snapshot of its channels and queues
    is asked for."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The link is down. `reason`: a word of `tables.GAP_REASONS`; `last_packet_at`: None when this
    process never heard the PBX."""

    reason: str
    last_packet_at: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What came in together. `received_at`: µs since the epoch, when the last of it was read; after
    a break in reading, up to when it surely was all that had been said (`hearing`)."""

    link_session: str
    seq: int
    received_at: int
    messages: tuple[Message, ...] = ()
    change: Connected | Lost | None = None
    events: tuple[Event, ...] | None = None
    """What of the messages concerns calls; None: they have not been read yet."""

    @property
    def raw(self) -> bytes:
        """The messages' bytes as the journal keeps them."""
        return b"".join(message.raw + END for message in self.messages)
