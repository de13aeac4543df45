"""The log for programs of an auditor: its newest checkpoint, and proofs that are checked elsewhere.

Nothing is signed here: a proof leads to a checkpoint that the timers signed and brought outside.
The table in `routes` takes the endpoints in.
"""

from datetime import datetime

from gateway.api.endpoint import Answer, Call, Endpoint
from gateway.api.shapes import Model, when
from gateway.errors import BadInput
from gateway.flow import attesting, log
from gateway.numbers import natural
from gateway.people.roles import Permission as P
from recordings import audit, proofs
from recordings.errors import LineUnknown


class CheckpointOut(Model):
    """The newest signed note (c2sp.org/tlog-checkpoint); null where none was signed yet."""

    note: str | None
    size: int | None
    signed_at: datetime | None


class ProofOut(Model):
    """That a line is in the log; `proof` is a text after c2sp.org/tlog-proof, its extra data the
    line itself."""

    line: int
    size: int
    proof: str


class ConsistencyOut(Model):
    """That the log of `first` lines begins that of `second`: hashes in hex (RFC 6962 2.1.2)."""

    first: int
    first_root: str
    second: int
    second_root: str
    path: list[str]


def checkpoint(call: Call) -> Answer:
    """The newest there is."""
    row = attesting.newest(call.session, call.parts)
    if row is None:
        return CheckpointOut(note=None, size=None, signed_at=None)
    return CheckpointOut(note=row.note, size=row.size, signed_at=when(row.signed_at))


def proof(call: Call) -> Answer:
    """Of the line that is asked for, under the newest checkpoint."""
    line, row = _number(call, "line"), attesting.newest(call.session, call.parts)
    if row is None or line >= row.size:
        raise BadInput(
            {"line": "该行还没有检查点，请一小时后再试。 No checkpoint covers this line yet."}
        )
    made = audit.prove(call.session, line, row.size)
    _on_record(call, f"line:{line}")
    text = proofs.encode(made.index, made.path, row.note, made.leaf)
    return ProofOut(line=line, size=row.size, proof=text)


def consistency(call: Call) -> Answer:
    """Of two sizes the log had."""
    first, second = _number(call, "first"), _number(call, "second")
    try:
        path = audit.consistency(call.session, first, second)
        roots = [audit.root_at(call.session, size).hex() for size in (first, second)]
    except LineUnknown as error:
        raise BadInput({"first": str(error)}) from error
    return ConsistencyOut(first=first, first_root=roots[0], second=second, second_root=roots[1],
                          path=[one.hex() for one in path])  # fmt: skip


def _number(call: Call, name: str) -> int:
    found = natural(call.query.get(name, ""))
    if found is None:
        raise BadInput({name: "请给出行号或行数。 Give a line's number, or a size."})
    return found


def _on_record(call: Call, obj: str) -> None:
    with call.parts.database.begin() as session:
        log.note(session, "log:line:prove", actor=call.person.login, origin=call.origin, obj=obj,
                 outcome="ok", now=call.now)  # fmt: skip


ENDPOINTS = (
    Endpoint("GET", "/api/v1/log/checkpoint", checkpoint, (P.LOG_READ,), CheckpointOut,
             "最新检查点 · The newest checkpoint"),
    Endpoint("GET", "/api/v1/log/proof", proof, (P.LOG_READ,), ProofOut,
             "一行的证明 · Proof of a line", query=("line",)),
    Endpoint("GET", "/api/v1/log/consistency", consistency, (P.LOG_READ,), ConsistencyOut,
             "两个检查点的延续证明 · Consistency of two sizes", query=("first", "second")),
)  # fmt: skip
