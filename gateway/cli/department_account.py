"""The department's side of the broker, for its commands: which address, and what is remembered.

They run on the department's machine with nothing but the address it was given
(`HOTLINE_BROKER_URL`), or on ours with the file that `hotline department credentials` wrote. They
never open the gateway's database; what is taken in is remembered in a file of the department's own.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway import rights
from gateway.cli.command import arg
from gateway.errors import BadInput, BadSetting
from gateway.flow import broker_accounts
from gateway.settings import Settings
from queueing import topology
from queueing.remembered import Remembered

CODE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"
DIRECTORY = "departments"
MEMORY = arg(
    "--memory", type=Path, metavar="FILE",
    help="记忆文件，默认在 HOTLINE_STATE 下 · where it remembers; by default below HOTLINE_STATE",
)  # fmt: skip


def checked(code: str) -> str:
    """The code, if it is one.

    Raises:
        BadInput: it is none.
    """
    if not re.fullmatch(CODE, code):
        raise BadInput({"code": "部门代码为字母、数字、-、_。 A code is letters, digits, -, _."})
    return code


def address(set_up: Settings, code: str) -> str:
    """The department's own address: the file we wrote for it, or the one this machine was given.

    Raises:
        BadInput: that is no code of a department.
        BadSetting: there is neither.
    """
    file = broker_accounts.address_file(set_up, checked(code))
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        if set_up.broker_url:
            return set_up.broker_url
    raise BadSetting(
        "请把 HOTLINE_BROKER_URL（或 HOTLINE_BROKER_URL_FILE）设为热线交给本部门的地址。 Set "
        "HOTLINE_BROKER_URL (or …_FILE) to the address that the hotline gave to the department."
    )


def speaker(set_up: Settings) -> str:
    """The department whose account the address names.

    Raises:
        BadInput: it names none.
    """
    user = unquote(urlsplit(set_up.broker_node).username or "")
    code = user.removeprefix(topology.user_of(""))
    if not user or code == user:
        told = "请用 --department 指明部门。 Say whose work order it is with --department."
        raise BadInput({"department": told})
    return code


def memory(set_up: Settings, named: Path | None, code: str) -> Remembered:
    """The department's memory: the file that was named, or its own below the state directory."""
    if named is None:
        rights.directory(set_up.state / DIRECTORY, "")
    return Remembered(named or set_up.state / DIRECTORY / f"{code}.sqlite")
