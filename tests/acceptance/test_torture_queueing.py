"""The torture of queueing, short: what `make torture-queueing` does at length."""

import pytest

from tests.rig import releases
from tests.rig.postgres import Postgres
from tests.rig.rabbitmq import Broker
from tests.torture.queueing import faults
from tests.torture.queueing.__main__ import befallen, killed, restarted
from tests.torture.queueing.relays import Load, side_by_side

pytestmark = pytest.mark.alone


def test_a_broker_killed_again_and_again_loses_nothing() -> None:
    """Protects: kill -9 under load, both ways, five departments: all arrive, once in effect, and
    publishing goes on within 5 s of the port. How many come twice is for the long run to say."""
    row = killed(releases.newest(), "quorum", orders=300, kills=3)
    row.may_double = 1.0
    assert row.failures == []


def test_a_new_password_is_taken_up_in_mid_run() -> None:
    """Protects: a secret is changed without a restart: everybody is thrown out, and work goes on
    within 5 s of the new secret's file."""
    name = "password changed"
    assert befallen(releases.debian(), "classic", name, faults.ALL[name], orders=150).failures == []


def test_idle_consumers_consume_again_after_a_restart() -> None:
    """Protects: an idle consumer that comes back connected and subscribed to nothing is noticed."""
    assert restarted(releases.debian(), "classic", 1).failures == []


def test_relays_side_by_side_skip_nothing_that_is_committed_late(
    postgres_cluster: Postgres, broker: Broker
) -> None:
    """Protects: processes of their own, one database, and a transaction that holds low ids open all
    the while: every row goes out once, of each ticket in its order."""
    load = Load(relays=3, tickets=200, versions=4, held_s=4)
    database = postgres_cluster.fresh_database()
    assert side_by_side(broker, database, "classic", load, "three relays").failures == []
