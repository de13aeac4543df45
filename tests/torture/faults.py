"""What is done to the gateway and the PBX, when, and what became of it.

- **gateway killed**: -9 at any moment, back after up to five seconds; now and then twice in a row,
  the second while the first's gap is being filled.
- **gateway taken over**: from the first of these on there are two gateways on the one database. -9
  to the one that has the PBX; the other takes it; then the dead one comes back, and waits.
- **PBX restarted**: every other time -9, so that calls end without a word; else in order.
- **PBX stopped**: SIGSTOP for ten seconds, as a machine that hangs.

Each is measured from outside: until the link is up, and from login until the snapshot of live calls
is committed. A fault is due when the PBX's log holds so many calls; the order is the seed's.
"""

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.rig.asterisk import Pbx
from tests.rig.gateway import Gateway
from tests.torture.mix import PATIENCE_S, Desks
from tests.torture.watch import Watch, now

KILLED = "gateway killed"
TAKEN_OVER = "gateway taken over"
STOPPED_S = 10.0
BACK_S = 40.0
LOOK_S = 0.03
NOTICED_S = 8.0
"""How long after SIGCONT a link that was given up is still expected to come back."""


@dataclass(slots=True)
class Fault:
    """One fault, and what was measured. Times in µs and seconds; None: there was nothing."""

    kind: str
    due_at_call: int
    began_at: int = 0
    down_s: float = 0.0
    """How long the process was away, or stood still."""
    linked_at: int | None = None
    snapshot_s: float | None = None
    """From login until the snapshot of live calls was committed."""
    taken_over_s: float | None = None
    """From the kill until the other gateway was signed in."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What faults are done to."""

    pbx: Pbx
    house: Gateway
    beside: Gateway
    """The second gateway; it comes when no kill is left that the first has to get over alone."""
    desks: Desks
    watch: Watch
    chance: random.Random


def kill_gateway(on: Stage, fault: Fault) -> None:
    """-9, and back."""
    on.house.kill()
    time.sleep(on.chance.uniform(0.1, 5.0))
    on.house.start()
    fault.down_s = (now() - fault.began_at) / 1e6


def kill_holder(on: Stage, fault: Fault) -> None:
    """-9 to whoever has the PBX, beside another that waits for it; back once that one has it."""
    holder = on.watch.holder()
    dead, heir = (on.house, on.beside) if _pid(on.house) == holder else (on.beside, on.house)
    assert _pid(dead) == holder
    before, _ = on.watch.link()
    fault.began_at = now()
    dead.kill()
    deadline = time.monotonic() + BACK_S
    while not _new_link(on, before):
        assert time.monotonic() < deadline, f"{fault.kind}: nobody within {BACK_S} s"
        time.sleep(LOOK_S)
    assert on.watch.holder() == _pid(heir)
    fault.taken_over_s = (on.watch.link()[1] - fault.began_at) / 1e6
    dead.start()
    fault.down_s = (now() - fault.began_at) / 1e6


def joined(on: Stage, faults: Sequence[Fault]) -> "threading.Thread | None":
    """Starts the second gateway beside all else if `faults`, those to come, want it now."""
    kinds = {fault.kind for fault in faults}
    if on.beside.process is not None or TAKEN_OVER not in kinds or KILLED in kinds:
        return None
    joining = threading.Thread(target=on.beside.start, name="second gateway")
    joining.start()
    return joining


def _pid(house: Gateway) -> int:
    assert house.process is not None
    return house.process.pid


def kill_pbx(on: Stage, fault: Fault) -> None:
    """-9: the calls die with it, and the log has no end for them."""
    on.pbx.kill()
    _start_pbx(on, fault)


def restart_pbx(on: Stage, fault: Fault) -> None:
    """In order: every call is hung up and logged."""
    on.pbx.stop()
    _start_pbx(on, fault)


def stop_pbx(on: Stage, fault: Fault) -> None:
    """SIGSTOP, then SIGCONT."""
    on.pbx.signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    on.pbx.signal(signal.SIGCONT)
    fault.down_s = STOPPED_S


def _start_pbx(on: Stage, fault: Fault) -> None:
    on.desks.dropped()
    time.sleep(on.chance.uniform(0.2, 2.0))
    on.pbx.start()
    patience(on.pbx)
    fault.down_s = (now() - fault.began_at) / 1e6


def patience(pbx: Pbx) -> None:
    """What the torture's queues keep callers; a PBX forgets it when it is restarted."""
    pbx.cli(f"dialplan set global HOTLINE_PATIENCE {PATIENCE_S}")


FAULTS: dict[str, Callable[[Stage, Fault], None]] = {
    KILLED: kill_gateway,
    TAKEN_OVER: kill_holder,
    "PBX killed": kill_pbx,
    "PBX restarted": restart_pbx,
    "PBX stopped": stop_pbx,
}


def planned(
    chance: random.Random, calls: int, *, kills: int, turns: int, restarts: int, stops: int
) -> list[Fault]:
    """Every fault, spread over the calls; half of the kills that follow another do so at once. The
    last `turns` of the kills are take-overs."""
    kinds = [KILLED] * kills
    kinds += ["PBX killed", "PBX restarted"] * (restarts // 2) + ["PBX killed"] * (restarts % 2)
    kinds += ["PBX stopped"] * stops
    chance.shuffle(kinds)
    step = calls * 0.9 / max(1, len(kinds))
    faults = [Fault(kind, int(step * (n + 0.5))) for n, kind in enumerate(kinds)]
    for before, fault in itertools.pairwise(faults):
        if before.kind == fault.kind == KILLED and chance.random() < 0.5:
            fault.due_at_call = before.due_at_call
    for fault in [fault for fault in faults if fault.kind == KILLED][kills - turns :]:
        fault.kind = TAKEN_OVER
    return faults


def do(on: Stage, fault: Fault) -> None:
    """The fault, and the wait until the gateway has the PBX's live calls again; that is watched
    while the fault is still being done, as a PBX may be back long before its console says so."""
    before, _ = on.watch.link()
    fault.began_at = now()
    done = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        measured = beside.submit(_measure, on, fault, before, done)
        try:
            FAULTS[fault.kind](on, fault)
        finally:
            done.set()
        measured.result()


def _measure(on: Stage, fault: Fault, before: str, done: threading.Event) -> None:
    """When the link was back, and how long after that the snapshot was committed."""
    held = "stopped" in fault.kind
    deadline = None
    while not (link := _new_link(on, before)):
        if done.is_set():
            deadline = deadline or time.monotonic() + (NOTICED_S if held else BACK_S)
            if time.monotonic() > deadline:
                assert held, f"{fault.kind}: no link within {BACK_S} s"
                return  # it was back before anybody gave it up
        time.sleep(LOOK_S)
    fault.linked_at = on.watch.link()[1]
    deadline = time.monotonic() + BACK_S
    while not on.watch.taken(link):
        assert time.monotonic() < deadline, f"{fault.kind}: no snapshot within {BACK_S} s"
        time.sleep(LOOK_S)
    fault.snapshot_s = (now() - fault.linked_at) / 1e6


def _new_link(on: Stage, before: str) -> str:
    link, _ = on.watch.link()
    return link if link != before else ""
