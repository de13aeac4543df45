"""The small torture: sixty real calls on a real PBX while gateway and PBX die under them.

The thousand-call run is `make torture-telephony`; both are the same program.
"""

import json
from pathlib import Path

import pytest

from tests.rig.asterisk import asterisk
from tests.torture.telephony import torture

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]


def test_sixty_calls_while_everything_dies(tmp_path: Path) -> None:
    """The gateway killed, and again beside a second one that takes over; the PBX killed, and ten
    seconds of a PBX that stands still: each call on the PBX's log is one record and one ticket,
    each recording is there, each gap filled."""
    with asterisk(phones=None) as pbx:
        report = torture(tmp_path, pbx, calls=60, kills=2, turns=1, restarts=1, stops=1, seed=12333)
    assert report.failures == [], report.text()
    assert report.count["cel_calls"] >= 60
    assert len(report.acts) > 5
    assert json.loads(json.dumps(report.plain()))["failures"] == []
