"""Where a PBX keeps its event log: a file (cel_custom) or a table (cel_pgsql), read on alike."""

from collections.abc import Collection
from pathlib import Path

from telephony import cel_log, cel_table
from telephony.cel_log import Mark, Reading
from telephony.cel_table import Table

Source = Path | Table


def parse(text: str) -> Source:
    """Of a path, or of postgresql://…. Raises `CelUnreadable` for any other URL."""
    return Table.parse(text) if "://" in text else Path(text).absolute()


def begun(source: Source) -> bool:
    """Whether there is anything to read yet. A file comes with the PBX's first call."""
    return isinstance(source, Table) or source.exists()


def place(source: Source) -> str:
    """Where it is, for people; without who logs in."""
    return source.place if isinstance(source, Table) else str(source)


def read_on(
    source: Source,
    mark: Mark | None,
    inbound: Collection[str],
    *,
    settled_at: int,
    utc_offset_min: int = 0,
) -> Reading:
    """See `cel_log.read_on` and `cel_table.read_on`. Raises `CelUnreadable`, `OSError`."""
    if isinstance(source, Table):
        return cel_table.read_on(
            source, mark, inbound, settled_at=settled_at, utc_offset_min=utc_offset_min
        )
    return cel_log.read_on(
        source, mark, inbound, settled_at=settled_at, utc_offset_min=utc_offset_min
    )
