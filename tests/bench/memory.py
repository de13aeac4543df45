"""What the gateway holds after many calls, against what it held after the first of them."""

import gc
import tempfile
from contextlib import closing
from pathlib import Path

from tests.bench.house import House
from tests.bench.load import Tale, chunks, filtered, stream
from tests.bench.measure import Result, resident

CEILING = 1.05


def run(calls: int, warm: int) -> Result:
    """`calls` calls; held against memory after `warm` of them."""
    with (
        tempfile.TemporaryDirectory() as at,
        closing(House(Path(at), f"sqlite:///{at}/gateway.sqlite")) as house,
    ):
        tales = filtered()
        _take(house, tales, 0, warm)
        before = _held()
        for first in range(warm, calls, warm):
            _take(house, tales, first, min(warm, calls - first))
        ratio = _held() / before
    name = f"memory after {calls:,} calls, against after {warm:,} ({before / 2**20:.0f} MiB)"
    return Result(name, ratio=ratio, ceiling=CEILING)


def _take(house: House, tales: list[tuple[Tale, int]], first: int, calls: int) -> None:
    for chunk in chunks(stream(tales, calls, first=first, seed=first)):
        house.take(chunk)


def _held() -> int:
    gc.collect()
    return resident()
