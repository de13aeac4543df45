"""What a call can do, played on a real PBX: one function a scenario, of the caller and the phones.

Each is played twice over: `python -m tests.rig.record` keeps what AMI said as a trace, and
tests/integration/telephony runs it live, board and database behind it. A scenario returns when the
call is over. The caller is SIPp with real audio; the phones are tests.rig.phone.
"""

from collections.abc import Callable

from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import phones
from tests.rig.scenarios import consultations, outward, queues, transfers
from tests.rig.scenarios.scene import Scene

SCENARIOS: dict[str, Callable[[Scene], None]] = {
    play.__name__.replace("_", "-"): play
    for theme in (queues, transfers, consultations, outward)
    for play in theme.SCENARIOS
}

PATIENCE: dict[str, int] = {"queue-timeout": 3, "overflow": 3}
"""Seconds each queue keeps a caller, where a scenario cannot wait for the shipped minute."""


def play(pbx: Pbx, name: str) -> None:
    """One scenario, on a PBX whose phones are otherwise off."""
    pbx.cli(f"dialplan set global HOTLINE_PATIENCE {PATIENCE.get(name, 60)}")
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks:
        scene = Scene(pbx, desks)
        try:
            SCENARIOS[name](scene)
        finally:
            for agent in scene.paused:
                pbx.cli(f"queue unpause member PJSIP/{agent} queue hotline")
