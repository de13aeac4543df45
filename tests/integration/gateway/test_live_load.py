"""Pops under a little load, through real processes: `python -m tests.bench.live` in short."""

import asyncio
from pathlib import Path

import pytest

from tests.bench.live import measured

CALLS_A_SECOND, SECONDS, PAGES = 5, 3, 20
SOON_MS = 3_000
"""No floor: what a pop may take on a machine that is busy with something else."""


@pytest.mark.alone
def test_each_pop_reaches_its_page_and_no_other(tmp_path: Path) -> None:
    """AMI socket → `hotline serve` → twenty signed-in pages: every ring and answer at the page of
    its agent, once, soon, and nowhere else."""
    found = asyncio.run(measured(SECONDS, CALLS_A_SECOND, PAGES, 1, tmp_path))
    assert found.pops == 2 * 2 * CALLS_A_SECOND * SECONDS  # rings and answers, at both servers
    assert (found.missing, found.stray) == (0, 0)
    assert found.ours[0] < SOON_MS
