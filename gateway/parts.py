"""What the rooms above are handed: the adapters, made once by `compose`, in one frozen object."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.broadcast import Broadcast
from gateway.database import Database
from gateway.notices import Hub
from gateway.settings import Settings
from recordings.keys import Identities, Recipients
from recordings.store import DirectoryStore

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's parts. `identities` is None where this process may not open recordings."""

    settings: Settings
    database: Database
    clock: Clock
    hub: Hub
    broadcast: Broadcast
    store: DirectoryStore
    recipients: Recipients
    identities: Identities | None
