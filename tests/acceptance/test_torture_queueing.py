"""The torture of queueing, short: what `make torture-queueing` does at length."""

import pytest

from tests.rig import releases
from tests.torture.queueing.__main__ import killed

pytestmark = pytest.mark.alone


def test_a_broker_killed_again_and_again_loses_nothing() -> None:
    """Protects: kill -9 under load, both ways, five departments: all arrive, once in effect, and
    publishing goes on within 5 s of the port. How many come twice is for the long run to say."""
    row = killed(releases.newest(), "quorum", orders=300, kills=3)
    row.may_double = 1.0
    assert row.failures == []
