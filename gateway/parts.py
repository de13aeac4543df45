"""What the rooms above are handed: the adapters, made once by `compose`, in one frozen object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.broadcast import Broadcast
from gateway.database import Database
from gateway.notices import Hub
from gateway.settings import Settings
from recordings.keys import Keyring, Recipients
from recordings.place import Store

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's parts. `identities` is None where this process may not open recordings."""

    settings: Settings
    database: Database
    clock: Clock
    hub: Hub
    broadcast: Broadcast
    store: Store
    places: Mapping[str, Store]
    """Each place that keeps recordings, by its name in `recordings.tables_store`; `store` reads
    from any of them."""
    recipients: Recipients
    identities: Keyring | None
