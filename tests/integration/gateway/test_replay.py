"""`hotline pbx replay` as a person runs it: it plays to a gateway, ends, and leaves nothing."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import compose
from telephony.address import Address
from telephony.line import Line
from telephony.session import Timing
from telephony.tables import CallRow
from tests.rig.gateway import HOTLINE
from tests.unit.telephony.house import TRACES, Store, Taker

PLACE = re.compile(r"HOTLINE_PBX_URL=(\S+)\n +HOTLINE_SPOOL=(\S+)\n +HOTLINE_CEL=(\S+)\n")


@contextmanager
def replaying(home: Path, *words: str) -> Iterator[tuple["subprocess.Popen[str]", re.Match[str]]]:
    """The command, and what it said on standard error of where it is."""
    process = subprocess.Popen(
        [HOTLINE, "pbx", "replay", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(home)},
    )  # fmt: skip
    with process:
        try:
            assert process.stderr is not None
            said = "".join(process.stderr.readline() for _ in range(4))
            found = PLACE.search(said)
            assert found is not None, said
            yield process, found
        finally:
            process.kill()


def listened(url: str, store: Store, process: "subprocess.Popen[str]") -> Taker:
    """A line on it until the command has ended."""
    taker = Taker(store)

    async def take(batch: object) -> None:
        await asyncio.to_thread(taker.take, batch)  # type: ignore[arg-type]

    async def play() -> None:
        line = Line(Address.parse(url), pbx="p", on_batch=take, clock=compose.clock,
                    timing=Timing(pause_first_s=0.05))  # fmt: skip
        task = asyncio.create_task(line.run())
        await asyncio.to_thread(process.wait, 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    return taker


def test_it_plays_files_to_a_gateway_and_counts(tmp_path: Path) -> None:
    """Two files, five tellings, a doubled stretch: five calls, one JSON document, no directory."""
    files = [str(TRACES / "held.ami"), str(TRACES / "refused.ami")]
    store = Store(f"sqlite:///{tmp_path / 'x.sqlite'}")
    home = tmp_path / "tmp"
    home.mkdir()
    words = ["--calls", "5", "--speed", "50", "--rate", "50", "--fault", "twice@9:60", "--json"]
    with replaying(home, *files, *words) as (process, place):
        taker = listened(place[1], store, process)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        assert process.returncode == 0
    with store.begin() as session:
        calls = [row.outcome for row in session.query(CallRow)]
    assert calls == ["answered"] * 5
    assert not taker.board.live
    assert (told["done"], told["calls"], told["faults"]) == (True, 5, ["twice@9:60"])
    assert told["messages"] == 3 * 27 + 2 * 32
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl+C while it waits for a gateway: a word, no traceback, no directory, no listener."""
    with replaying(tmp_path, str(TRACES / "held.ami")) as (process, place):
        assert Path(place[2]).parent.exists()
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "nothing is left behind" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "words", "status", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 70_000, (), 1, "No recorded AMI stream"),
        (b"", (), 1, "No recorded AMI stream"),
        (b"Event: Newchannel\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\n\r\n", (), 1, "no timestamps"),
        (None, (), 1, "No such file"),
        ("held", ("--fault", "burn@3"), 1, "Not a fault"),
        ("held", ("--speed", "0"), 2, "Asked wrongly"),
        ("held", ("--calls", "x"), 2, "Asked wrongly"),
    ],
)
def test_what_cannot_be_played_is_said(
    tmp_path: Path, file: bytes | str | None, words: tuple[str, ...], status: int, said: str
) -> None:
    """A file that is no trace, or a plan that is none, ends at once with what to do."""
    path = TRACES / f"{file}.ami" if isinstance(file, str) else tmp_path / "some.ami"
    if isinstance(file, bytes):
        path.write_bytes(file)
    ended = subprocess.run([HOTLINE, "pbx", "replay", str(path), *words], capture_output=True,
                           text=True, timeout=20, check=False)  # fmt: skip
    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
