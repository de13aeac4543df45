"""The broker as it is against what it has to be, for `hotline doctor`. Changes nothing.

Through AMQP the queues, their arguments and an alarm are seen; bindings, accounts and rights only
in what `rabbitmqctl export_definitions FILE` wrote, which may be handed in.
"""

import asyncio
import json
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadSetting
from gateway.flow import broker_accounts
from gateway.settings import Settings
from gateway.tables import DepartmentRow
from queueing import differences, looking


def troubles(settings: Settings, session: Session, exported: Path | None) -> list[str]:
    """Everything that differs, each with what to do.

    Raises:
        TransportDown: the broker cannot be reached.
        BadSetting: the exported definitions cannot be read.
    """
    wanted = broker_accounts.laid_out(session, settings)
    found = asyncio.run(looking.troubles(settings.broker_url, wanted.queues()))
    if exported is not None:
        place = broker_accounts.vhost(settings)
        found += differences.differences(_read(exported), wanted, place)
    return found


def sharing(session: Session) -> list[str]:
    """Departments with a system of their own whose replies are known by their key alone."""
    of = select(DepartmentRow.code).where(
        DepartmentRow.mode == "queue", DepartmentRow.amqp_user.is_(None)
    )
    return list(session.scalars(of.order_by(DepartmentRow.code)))


def _read(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSetting(
            f"{file} 无法读取（{type(error).__name__}）：先 rabbitmqctl export_definitions。 "
            f"It cannot be read: run rabbitmqctl export_definitions {file} first."
        ) from error
    if not isinstance(found, dict):
        raise BadSetting(f"{file} 不是导出的定义。 This is no exported definitions file.")
    return found
