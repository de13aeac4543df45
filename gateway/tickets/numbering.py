"""Numbers that people are told: acceptance numbers and work-order numbers.

An acceptance number counts within its year, without gaps and without doubles, because the counter
is raised in the transaction that accepts the ticket: `(地区)社保受理[2026] 000123号` (DOMAIN.md,
Words). The year is that of China Standard Time.
"""

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.tables import CounterRow
from gateway.tickets.clocks import china


def next_value(session: Session, name: str) -> int:
    """Raise the counter `name` by one and return it; 1 the first time."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # The first of a year is made by whoever comes first; who comes at the same time waits here.
    session.execute(insert(CounterRow).values(name=name, value=0).on_conflict_do_nothing())
    row = session.scalars(
        select(CounterRow)
        .where(CounterRow.name == name)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    row.value += 1
    session.flush()
    return row.value


def acceptance_number(session: Session, region: str, now: int) -> str:
    """The next acceptance number (受理编号) of the year that `now` lies in."""
    year = china(now).year
    value = next_value(session, f"acceptance:{year}")
    return f"({region})社保受理[{year}] {value:06d}号"


def work_order_number(session: Session, now: int) -> str:
    """The next work-order number: `WO-2026-000123`, in ASCII because other programs carry it."""
    year = china(now).year
    value = next_value(session, f"work-order:{year}")
    return f"WO-{year}-{value:06d}"
