"""Presence as rows and back: agents' states and queues, so that every process can show them.

Only rows that differ are written, in the transaction of the batch that made the difference. A pause
or an absence that ended becomes one row more, `agent_spell`, for figures: ringing, talking and hold
are on the calls' own legs. After a restart the rows say since when; what is, the PBX is asked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from telephony.agents import Agent, State
from telephony.prepared import Prepared, but
from telephony.presence import Presence, Waiting
from telephony.tables import (
    AgentSpellRow,
    AgentStateRow,
    Base,
    CallLegRow,
    CallRow,
    QueueStateRow,
)


def _new(row: type[Base]) -> Prepared:
    """New rows."""
    table = cast("Table", row.__table__)
    return Prepared(insert(table), but(table, "id"))


def _by_key(row: type[Base], *keys: str) -> Prepared:
    """Rows by their key."""
    table = cast("Table", row.__table__)
    values: dict[str, Any] = {name: bindparam(name) for name in but(table, *keys)}
    found = [table.c[key] == bindparam(f"this_{key}") for key in keys]
    return Prepared(update(table).where(*found).values(values))


_NEW_AGENT: Final = _new(AgentStateRow)
_NEW_SPELL: Final = _new(AgentSpellRow)
_NEW_QUEUE: Final = _new(QueueStateRow)
_AGENT: Final = _by_key(AgentStateRow, "pbx", "interface")
_QUEUE: Final = _by_key(QueueStateRow, "pbx", "queue")
_SPELLS: Final = {State.AFTER_CALL, State.BREAK, State.OFFLINE}


@dataclass(frozen=True, slots=True)
class Moved:
    """What a batch changed: interfaces of agents whose state is another, and whether a queue is."""

    agents: Collection[str] = ()
    queues: bool = False

    def __bool__(self) -> bool:
        return bool(self.agents) or self.queues


def load(session: Session, pbx: str) -> Presence:
    """What was known when the last batch was committed; who is on hold is on the calls' legs."""
    held: dict[str, set[str]] = {}
    for interface, leg in session.execute(
        select(CallLegRow.interface, CallLegRow.leg)
        .join(CallRow, CallRow.id == CallLegRow.call_id)
        .where(CallRow.pbx == pbx, CallRow.ended_at.is_(None), CallLegRow.held_at.is_not(None))
    ):
        held.setdefault(interface, set()).add(leg)
    agents = session.scalars(select(AgentStateRow).where(AgentStateRow.pbx == pbx))
    queues = session.scalars(select(QueueStateRow).where(QueueStateRow.pbx == pbx))
    return Presence(
        {
            row.interface: Agent(
                row.interface,
                row.member,
                State(row.state),
                row.reason,
                row.since_at,
                held=frozenset(held.get(row.interface, ())),
            )
            for row in agents
        },
        {row.queue: _unnamed(row) for row in queues},
    )


def _unnamed(row: QueueStateRow) -> Waiting:
    """As many callers as the row counts; who they are, the PBX will say."""
    return {f"?{n}": row.oldest_at or 0 for n in range(row.waiting)}


def write(session: Session, pbx: str, before: Presence, after: Presence) -> Moved:
    """Makes the rows of `before` those of `after`."""
    if after is before:
        return Moved()
    moved = [
        agent
        for name, agent in after.agents.items()
        if agent is not (old := before.agents.get(name))
        and (old is None or _row(agent) != _row(old))
    ]
    if moved:
        _write_agents(session, pbx, before.agents, moved)
    return Moved([agent.interface for agent in moved], _write_queues(session, pbx, before, after))


def _row(agent: Agent) -> tuple[str, State, str, int]:
    return agent.member, agent.state, agent.reason, agent.since


def _write_agents(
    session: Session, pbx: str, known: Mapping[str, Agent], moved: list[Agent]
) -> None:
    fresh = [_values(pbx, agent) for agent in moved if agent.interface not in known]
    _NEW_AGENT.run(session, fresh)
    old = [_values(pbx, agent) for agent in moved if agent.interface in known]
    _AGENT.run(session, [_keyed(row, "pbx", "interface") for row in old])
    spells = [
        {
            "pbx": pbx,
            "interface": agent.interface,
            "state": was.state.value,
            "reason": was.reason,
            "began_at": was.since,
            "ended_at": max(was.since, agent.since),
        }
        for agent in moved
        if (was := known.get(agent.interface)) is not None
        and was.state in _SPELLS
        and was.since
        and (was.state, was.reason) != (agent.state, agent.reason)
    ]
    _NEW_SPELL.run(session, spells)


def _keyed(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The row for `_by_key`."""
    return {f"this_{name}" if name in keys else name: value for name, value in row.items()}


def _values(pbx: str, agent: Agent) -> dict[str, Any]:
    return {
        "pbx": pbx,
        "interface": agent.interface,
        "member": agent.member,
        "state": agent.state.value,
        "reason": agent.reason,
        "since_at": agent.since,
    }


def _write_queues(session: Session, pbx: str, before: Presence, after: Presence) -> bool:
    gone = before.queues.keys() - after.queues.keys()
    if gone:
        session.execute(
            delete(QueueStateRow).where(QueueStateRow.pbx == pbx, QueueStateRow.queue.in_(gone))
        )
    fresh, old = [], []
    for queue, waiting in after.queues.items():
        row = _waiting(pbx, queue, waiting)
        if queue not in before.queues:
            fresh.append(row)
        elif row != _waiting(pbx, queue, before.queues[queue]):
            old.append(row)
    _NEW_QUEUE.run(session, fresh)
    _QUEUE.run(session, [_keyed(row, "pbx", "queue") for row in old])
    return bool(gone or fresh or old)


def _waiting(pbx: str, queue: str, waiting: Waiting) -> dict[str, Any]:
    return {
        "pbx": pbx,
        "queue": queue,
        "waiting": len(waiting),
        "oldest_at": min(waiting.values(), default=None),
    }
