"""Acceptance numbers have no gap and no double, also when many are taken in the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from gateway import migrations
from gateway.database import Database
from gateway.tickets import numbering


def test_the_first_numbers_of_a_year_are_taken_at_once(database_url: str) -> None:
    """New Year's morning: eight agents accept in the same instant, on a counter not there yet."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    together = Barrier(8)

    def take(_: int) -> int:
        together.wait()
        with database.begin() as session:
            return numbering.next_value(session, "acceptance:2027")

    try:
        migrations.upgrade(database)
        with ThreadPoolExecutor(8) as agents:
            assert sorted(agents.map(take, range(8))) == list(range(1, 9))
    finally:
        database.dispose()
