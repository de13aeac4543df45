"""Recordings sealed, sought and played, against the `age` program on the same file.

    seal        WAV on disk → sealed, synced, catalogued, in the log, gone from the spool: all that
                capture does; against `age -r` and `sync` of its output
    memory      the most a process held while it sealed that file, above what it held before
    first byte  of the last 64 KiB of a long recording; against the same of a short one
    play        all of it, by the open recording and by HTTP; against `age -d` to nowhere

Each in turn with its baseline, on the same file, warm in the page cache for both.
`python -m tests.bench.sealing [MIB]` runs these alone.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.bench.measure import Result, compare, resident, table, timed
from tests.bench.spool import MIB, Spool, wav
from tests.rig.needs import need

AGE = Path("/usr/bin/age")
SEAL, FIRST_BYTE, PLAY = 0.9, 1.5, 0.5
MEMORY = 32 * MIB
CHILD = "from tests.bench.sealing import child; child()"


def results(mib: int, rounds: int) -> Iterator[Result]:
    """All of them over a recording of `mib` MiB."""
    need(AGE, "apt-get install age")
    with tempfile.TemporaryDirectory() as at, closing(Spool(Path(at) / "house")) as spool:
        source = Path(at) / "call.wav"
        wav(source, mib)
        yield _seal(spool, source, Path(at), mib, rounds)
        yield _memory(source, Path(at) / "child", mib)
        yield _first_byte(spool, source, Path(at), mib)
        yield from _play(spool, source, Path(at), mib, rounds)


def _seal(spool: Spool, source: Path, at: Path, mib: int, rounds: int) -> Result:
    sealed = at / "call.age"

    def ours() -> float:
        name = spool.hand_over(source)
        took = timed(spool.capture)
        spool.forget(name)
        return took

    def theirs() -> float:
        command: list[str | Path] = [AGE, "-r", spool.recipient, "-o", sealed, source]

        def work() -> None:
            subprocess.run(command, check=True)
            subprocess.run(["sync", sealed], check=True)

        took = timed(work)
        sealed.unlink()
        return took

    name = f"WAV → sealed, synced, catalogued, {mib:,} MiB; beside it age and sync"
    return compare(name, ours, theirs, events=mib, calls=0, rounds=rounds, floor=SEAL, unit="MiB")


def _memory(source: Path, at: Path, mib: int) -> Result:
    """In a process of its own, that has sealed nothing before."""
    told = subprocess.run(
        [sys.executable, "-c", CHILD, at, source], check=True, capture_output=True, text=True
    )
    grown = int(told.stdout)
    name = f"memory while it seals {mib:,} MiB: {grown / MIB:.1f} MiB above idle, of 32"
    return Result(name, ratio=grown / MEMORY, ceiling=1.0)


def child() -> None:
    """Prints how many bytes more it held at the most while it sealed than before."""
    at, source = (Path(given) for given in sys.argv[1:])
    with closing(Spool(at)) as spool:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here (proc(5))
        idle = resident()
        spool.hand_over(source)
        spool.capture()
        sys.stdout.write(str(resident("VmHWM") - idle))


def _first_byte(spool: Spool, source: Path, at: Path, mib: int) -> Result:
    small = at / "short.wav"
    wav(small, 1)
    rows = [spool.catalogued(one) for one in (small, source)]
    took: list[list[float]] = [[], []]
    for _ in range(200):
        for which, row in enumerate(rows):
            took[which].append(timed(lambda row=row: spool.first_byte(row)))  # type: ignore[misc]
    for row in rows:
        spool.forget(row.name)
    short, long = (median(times) for times in took)
    name = f"first byte of the last range of {mib:,} MiB ({long * 1000:.2f} ms), against 1 MiB's"
    return Result(name, ratio=long / short, ceiling=FIRST_BYTE)


def _play(spool: Spool, source: Path, at: Path, mib: int, rounds: int) -> Iterator[Result]:
    row = spool.catalogued(source)
    file, key = at / "play.age", at / "key"
    spool.put_together(row, file)
    key.write_text(spool.identity)
    key.chmod(0o600)

    def theirs() -> float:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            return timed(
                lambda: subprocess.run([AGE, "-d", "-i", key, file], stdout=nowhere, check=True)
            )

    with spool.serving(row) as served:
        for what, ours in (("played, opened here", lambda: timed(lambda: spool.play(row))),
                           ("played over HTTP", lambda: timed(served.fetch))):  # fmt: skip
            name = f"{what}, {mib:,} MiB; beside it age -d"
            yield compare(
                name, ours, theirs, events=mib, calls=0, rounds=rounds, floor=PLAY, unit="MiB"
            )
    spool.forget(row.name)


def main() -> None:
    """These alone, over so many MiB."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    for one in results(mib, 5):
        sys.stdout.write(table([one]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
