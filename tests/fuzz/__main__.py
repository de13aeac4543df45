"""Looks for an input that breaks `wire` or `readers`, guided by which branches an input reaches.

`python -m tests.fuzz stream|values RUNS CORPUS`: RUNS inputs by atheris (libFuzzer), from the real
traces on; exit 0 when all held. An input that breaks something is written to `crash-…` in the
working directory. `make fuzz` runs ten million.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["telephony"]):
    import telephony.readers
    import telephony.wire

from tests.fuzz import oracle

TRACES = Path(__file__).resolve().parents[1] / "traces"
LONGEST = 500  # bytes: long enough to pass every bound of the oracle's small limits


def seeds() -> list[bytes]:
    """Messages of real calls, one at a time and in pairs."""
    found: list[bytes] = []
    for trace in sorted(TRACES.glob("*.ami")):
        messages = trace.read_bytes().split(b"\r\n\r\n")
        found += [b"\x07" + b"\r\n\r\n".join(messages[n : n + 2]) for n in range(0, 40, 9)]
    return found


def main(kind: str, runs: str, corpus: str) -> None:
    """Never returns: libFuzzer ends the process."""
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(seeds()):
        (folder / f"seed-{n:03}").write_bytes(seed[:LONGEST])
    target = {"stream": oracle.as_stream, "values": oracle.as_values}[kind]
    assert telephony.readers
    assert telephony.wire
    options = [f"-runs={runs}", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", corpus], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
