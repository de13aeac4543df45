"""What we ask of the PBX on somebody's behalf: the way there, and what is said when it fails.

Each act (`calling`, `silence`, `breaks`) goes the same way: permission and state are checked, the
row and the log's line are committed, and only then the PBX is asked, outside any transaction. When
it says no, or nothing, that is committed as well and told to the person, with what they can do. So
whatever dies in between, what was asked is on record, and no page waits for a transaction.

An agent's acts go to the PBX that their phone belongs to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gateway.errors import ControlFailed, HotlineError
from gateway.flow import log
from gateway.parts import Parts
from gateway.people.accounts import Person
from telephony.address import Address
from telephony.control import Control
from telephony.errors import ActRefused, LinkLost, LoginRefused, NotAsked, TelephonyError
from telephony.tables import CallLegRow, CallRow

OFF = (
    "交换机控制未启用：请管理员设置 HOTLINE_PBX_CONTROL_URL。 "
    "Control of the PBX is off: the administrator sets HOTLINE_PBX_CONTROL_URL."
)
_NO_EXTENSION = (
    "您的账号没有分机，请管理员登记。 Your account has no extension; ask the administrator."
)
_SAID = {
    "Permission denied": "交换机账号没有这项权限，请管理员检查 manager.conf 的 write。 "
    "The PBX account lacks the right; see `write` in manager.conf.",
    "No such channel": "通话已经结束。 The call is over.",
    "Interface not found": "该分机不在任何队列中。 This extension is in no queue.",
}
_AWAY = (
    "交换机没有应答，请稍后再试；若话机已响，照常接听即可。 "
    "The PBX does not answer; try again later. If a phone rings all the same, take it up."
)
_LOGIN = (
    "交换机不接受控制账号，请管理员检查 manager.conf。 "
    "The PBX refuses the control account; see manager.conf."
)


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody who asks, from where, with what they may ask."""

    parts: Parts
    who: Person
    origin: str

    @property
    def pbx(self) -> str:
        """The PBX that this person's phone belongs to."""
        return self.who.pbx

    @property
    def interface(self) -> str:
        """This person's phone.

        Raises:
            ControlFailed: they have none.
        """
        if not self.who.extension:
            raise ControlFailed(_NO_EXTENSION)
        return self.who.extension


def enabled(parts: Parts, pbx: str) -> bool:
    """Whether anything can be asked of that PBX."""
    return _address(parts, pbx) is not None


def control_of(parts: Parts, pbx: str) -> Control:
    """The acts on that PBX.

    Raises:
        ControlFailed: it is not to be asked anything.
    """
    address = _address(parts, pbx)
    if address is None:
        raise ControlFailed(OFF)
    return Control(address)


def _address(parts: Parts, pbx: str) -> Address | None:
    return next((each.control for each in parts.settings.pbxs if each.name == pbx), None)


def at_phone(pbx: str, interface: str) -> ColumnElement[bool]:
    """The condition on `CallRow` for the live calls that this phone has."""
    has_it = (
        select(CallLegRow.id)
        .where(
            CallLegRow.call_id == CallRow.id,
            CallLegRow.interface == interface,
            CallLegRow.result == "answered",
            CallLegRow.ended_at.is_(None),
        )
        .exists()
    )
    return (CallRow.pbx == pbx) & CallRow.ended_at.is_(None) & has_it


def ask(
    asking: Asking, act: Callable[[], None], failed: Callable[[Session, str], None], line: "Line"
) -> None:
    """Does `act`; when it fails, `failed(session, kind)` undoes what was noted beforehand, in the
    transaction of the log's line. `kind`: refused, or unreached (it did not happen), or away (it
    may have happened).

    Raises:
        ControlFailed: it failed; the message is for the person.
    """
    try:
        act()
    except TelephonyError as error:
        with asking.parts.database.begin() as session:
            failed(session, kind(error))
            note(session, asking, line, outcome="failed", why=type(error).__name__)
        raise _told(error) from error


def kind(error: TelephonyError) -> str:
    """What an act that raised came to: refused, unreached, or away, as `ask` tells them apart."""
    if isinstance(error, NotAsked):
        return "unreached"
    sent = isinstance(error, LinkLost) and not isinstance(error, LoginRefused)
    return "away" if sent else "refused"


def _told(error: TelephonyError) -> HotlineError:
    if isinstance(error, LoginRefused):
        return ControlFailed(_LOGIN)
    if isinstance(error, LinkLost):
        return ControlFailed(_AWAY)
    if isinstance(error, ActRefused):
        return ControlFailed(_SAID.get(error.said.split(".")[0], str(error)))
    return ControlFailed(str(error))


@dataclass(frozen=True, slots=True)
class Line:
    """What the log says of an act: `action` is `control:subject:verb`."""

    action: str
    obj: str
    detail: dict[str, Any]


def note(
    session: Session, asking: Asking, line: Line, *, outcome: str = "ok", why: str = ""
) -> None:
    """The act's line in the log."""
    log.note(
        session,
        line.action,
        actor=asking.who.login,
        origin=asking.origin,
        obj=line.obj,
        outcome=outcome,
        now=asking.parts.clock(),
        detail={**line.detail, **({"why": why} if why else {})},
    )


def by_itself(
    session: Session, action: str, obj: str, why: str, now: int, *, outcome: str = "ok"
) -> None:
    """The line of an act that nobody asked for at that moment: a time was over, we started anew,
    a call was answered."""
    log.note(session, action, actor="gateway", origin=log.NOBODY, obj=obj, outcome=outcome, now=now,
             detail={"why": why})  # fmt: skip
