"""The broker's accounts: one for the gateway, one for each department with a system of its own.

Everything lies in `<state>/rabbitmq/`, its owner's alone: an address with its password for each
account (`<name>.url`), and `definitions.json` for `rabbitmqctl import_definitions`, which holds
hashes only; `policies-4.3.json` besides, for quorum queues from that release on. A password is made
once and stays until a new one is asked for: written again, the files are the same. An account of
another name that the gateway was given is its administrator's, and is left out. That a department's
replies must come under its account (`amqp_user`) is not said by making files: a house that shares
one account would park every reply from then on. It is said by `require`, which is `hotline
department credentials`.
"""

import hashlib
import json
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import rights
from gateway.errors import BadInput
from gateway.flow import log
from gateway.settings import Settings
from gateway.tables import DepartmentRow
from queueing import layout, topology
from queueing.layout import GATEWAY, Layout
from recordings import disk

DIRECTORY = "rabbitmq"
DEFINITIONS = "definitions.json"
NEWER = "policies-4.3.json"  # beside it, for whom it is not too new


def laid_out(session: Session, settings: Settings) -> Layout:
    """What the broker has to have for the departments there are."""
    codes = session.scalars(select(DepartmentRow.code).order_by(DepartmentRow.code))
    return Layout(tuple(codes), settings.queues)


def vhost(settings: Settings) -> str:
    """The virtual host the gateway's address names; where none is set, the one we propose."""
    if not settings.broker_url:
        return layout.VHOST
    return unquote(urlsplit(settings.broker_node).path.removeprefix("/")) or "/"


def write(session: Session, settings: Settings) -> Path:
    """Write the addresses that are not there yet, and the definitions; the latter's path."""
    place = settings.state / DIRECTORY
    rights.directory(place, "")
    own = session.scalars(select(DepartmentRow.code).where(DepartmentRow.mode == "queue"))
    users = {topology.user_of(code): code for code in own}
    if _gateway_is_ours(settings):
        users[GATEWAY] = GATEWAY
    hashes = {user: _hashed(user, _password(settings, user, name)) for user, name in users.items()}
    wanted = laid_out(session, settings)
    document = layout.definitions(wanted, vhost=vhost(settings), users=hashes)
    disk.rewrite(place / DEFINITIONS, _readable(document), 0o600)
    if settings.queues == "quorum":
        newer = topology.policies_since_4_3(vhost(settings))
        disk.rewrite(place / NEWER, _readable(newer), 0o600)
    return place / DEFINITIONS


def require(session: Session, settings: Settings, code: str, *, anew: bool, now: int) -> str:
    """From now on this department's replies must come under its own account; its definitions.

    The fragment makes the account with its password, kept unless `anew`, and its rights.

    Raises:
        BadInput: there is no such department, or it has no system of its own.
    """
    row = session.get(DepartmentRow, code, with_for_update=True)
    if row is None:
        raise BadInput({"code": "没有这个部门。 There is no such department."})
    if row.mode != "queue":
        raise BadInput(
            {"code": f"{code} 不经 RabbitMQ，不需要账号。 {code} uses no broker: no account."}
        )
    if anew:
        _file(settings, code).unlink(missing_ok=True)
    row.amqp_user = user = topology.user_of(code)
    write(session, settings)
    log.note(session, "people:department:credentials", actor="operator", origin="cli",
             obj=f"department:{code}", outcome="ok", now=now, detail={"anew": anew})  # fmt: skip
    hashes = {user: _hashed(user, _password(settings, user, code))}
    fragment = layout.accounts([layout.right_of(code)], hashes, vhost(settings))
    return _readable(fragment).decode()


def address_file(settings: Settings, code: str) -> Path:
    """Where the department's address with its password lies."""
    return _file(settings, code)


def _gateway_is_ours(settings: Settings) -> bool:
    return not settings.broker_url or urlsplit(settings.broker_node).username == GATEWAY


def _password(settings: Settings, user: str, name: str) -> str:
    """The account's password, made and written down where there is none."""
    file, known = _file(settings, name), ""
    with suppress(OSError):
        known = unquote(urlsplit(file.read_text(encoding="utf-8").strip()).password or "")
    if name == GATEWAY and settings.broker_url:
        known = unquote(urlsplit(settings.broker_node).password or "") or known
    password = known or secrets.token_urlsafe(24)
    given = urlsplit(settings.broker_node or "amqp://localhost:5672")
    host = given.netloc.rpartition("@")[2]
    word, path = quote(password, safe=""), quote(vhost(settings), safe="")
    url = f"{given.scheme}://{user}:{word}@{host}/{path}"
    if not file.exists() or file.read_text(encoding="utf-8").strip() != url:
        disk.rewrite(file, f"{url}\n".encode(), 0o600)
    return password


def _file(settings: Settings, name: str) -> Path:
    return settings.state / DIRECTORY / f"{name}.url"


def _hashed(user: str, password: str) -> str:
    """The same hash for the same password: its salt need only differ between accounts, because a
    password of 144 bits of chance is in no table."""
    return layout.hashed(password, hashlib.sha256(f"{user}:{password}".encode()).digest()[:4])


def _readable(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
