"""`make torture-telephony`: real calls on a real PBX while gateway and PBX die, then the count.

    python -m tests.torture.telephony --calls 1000 --kills 20 --turns 8 --restarts 5 --stops 5

A real Asterisk, real SIP callers and phones, and `hotline serve` as a process of its own, on
SQLite with the queues in the database, or on PostgreSQL (`--postgresql`). For the last `--turns` of
the kills there are two of them on one database, and whichever has the PBX dies. When the last
caller has hung up, `hotline reconcile --json` has to agree: calls on CEL = call records = tickets,
none doubled, no recording missing but what the PBX never wrote; and what has a time was in time.
Exit 0 only when all of it holds.
The seed decides who does what and when; how the machine's own clock falls in between, nobody.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import Gateway, gateway, second
from tests.rig.postgres import postgres
from tests.torture import faults as fa
from tests.torture.callers import Callers
from tests.torture.mix import Desks
from tests.torture.report import Report
from tests.torture.watch import Watch, on_cel

RATE = 1.6
"""Calls a second: more than four agents can take, less than two cores can."""
SETTLE_S = 150.0
"""A recording the PBX died over is swept up after half a minute, a gap is filled in a quarter."""

Told = Callable[[str], None]


def torture(
    state: Path,
    pbx: Pbx,
    *,
    calls: int,
    kills: int,
    turns: int,
    restarts: int,
    stops: int,
    seed: int,
    more: Mapping[str, str] | None = None,
    rate: float = RATE,
    told: Told = lambda _: None,
) -> Report:
    """The whole of it; `more` are further HOTLINE_* settings of the gateway."""
    chance = random.Random(seed)
    began = time.monotonic()
    since = datetime.now(UTC).isoformat()
    faults = {"kills": kills, "turns": turns, "restarts": restarts, "stops": stops}
    asked = {"calls": calls, **faults}
    report = Report(seed, "PostgreSQL" if more else "SQLite", asked=asked)
    report.faults = fa.planned(chance, calls, **faults)
    with (
        gateway(state / "a", pbx, more or {}) as house,
        _beside(house, state / "b") as beside,
        Watch(house) as watch,
        _desks(pbx, chance) as on,
    ):
        stage = fa.Stage(pbx, house, beside, on, watch, random.Random(chance.random()))
        fa.patience(pbx)
        with Callers(pbx, random.Random(chance.random()), rate) as callers:
            _faults(stage, report.faults, told)
            _wait(stage, calls, told)
            callers.enough()
            told("the last callers …")
            callers.gone()
        report.acts = dict(sorted(on.acted.items()))
        _settle(stage, report, since, told)
    report.took_s = time.monotonic() - began
    return report


@contextmanager
def _beside(house: Gateway, state: Path) -> Iterator[Gateway]:
    """The second gateway: whoever needs it starts it."""
    beside = second(house, state)
    try:
        yield beside
    finally:
        beside.stop()


@contextmanager
def _desks(pbx: Pbx, chance: random.Random) -> Iterator[Desks]:
    pbx.phones(None)
    desks = Desks(pbx, random.Random(chance.random()))
    try:
        yield desks
    finally:
        desks.close()


def _faults(on: fa.Stage, faults: Sequence[fa.Fault], told: Told) -> None:
    """Each when it is due."""
    joining = None
    for number, fault in enumerate(faults):
        joining = joining or fa.joined(on, faults[number:])
        _wait(on, fault.due_at_call, told)
        if joining and fault.kind == fa.TAKEN_OVER:
            joining.join()
        told(f"{fault.kind} …")
        fa.do(on, fault)


def _wait(on: fa.Stage, calls: int, told: Told) -> None:
    """Until the PBX's log has begun so many calls."""
    while (count := on_cel(on.pbx.cel)) < calls:
        told(f"{count} calls")
        time.sleep(0.5)


def _settle(on: fa.Stage, report: Report, since: str, told: Told) -> None:
    """Until everything agrees and every gap is filled, or for as long as that may take."""
    began = time.monotonic()
    while True:
        status, report.count = on.house.hotline("reconcile", "--since", since)
        report.gaps, report.outcomes = on.watch.gaps(), on.watch.outcomes()
        report.settled_s = time.monotonic() - began
        open_gaps = sum(gap.backfilled_at is None for gap in report.gaps)
        told(f"counting, {report.settled_s:.0f} s: {report.count['faults']}, {open_gaps} gaps open")
        if (status == 0 and not open_gaps) or report.settled_s > SETTLE_S:
            return
        time.sleep(2)


class Progress:
    """A line with a bar on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, calls: int, cel: Path) -> None:
        self._calls, self._cel = calls, cel
        self._began = self._last = time.monotonic()
        self._turn = threading.Lock()

    def __call__(self, text: str) -> None:
        """What is going on."""
        with self._turn:
            now, tty = time.monotonic(), sys.stderr.isatty()
            if not tty and text[:1].isdigit() and now - self._last < 10:
                return
            self._last = now
            done = min(self._calls, on_cel(self._cel))
            bar = "█" * (30 * done // self._calls)
            line = f"{now - self._began:5.0f} s [{bar:30}] {done}/{self._calls}  {text}"
            sys.stderr.write(f"\r\x1b[K{line[:150]}" if tty else line[:300] + "\n")
            sys.stderr.flush()


def main(words: list[str]) -> int:
    """As the module says."""
    parser = argparse.ArgumentParser(prog="torture-telephony")
    usual = {"calls": 1000, "kills": 20, "turns": 8, "restarts": 5, "stops": 5, "seed": 1}
    for name, number in usual.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--rate", type=float, default=RATE, help="calls a second")
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    parser.add_argument("--report", type=Path, help="where to write the report, as JSON")
    asked = parser.parse_args(words)
    with ExitStack() as held:
        state = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="hotline-torture-")))
        more = {}
        if asked.postgresql:
            more = {"HOTLINE_DATABASE_URL": held.enter_context(postgres()).fresh_database()}
        pbx = held.enter_context(asterisk(phones=None))
        report = torture(
            state, pbx, calls=asked.calls, kills=asked.kills, turns=asked.turns,
            restarts=asked.restarts, stops=asked.stops, seed=asked.seed, more=more, rate=asked.rate,
            told=Progress(asked.calls, pbx.cel),
        )  # fmt: skip
    sys.stdout.write("\n" + report.text() + "\n")
    if asked.report:
        text = json.dumps(report.plain(), ensure_ascii=False, indent=1)
        asked.report.write_text(text, encoding="utf-8")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
