"""The places in the navigation, and which of them a person sees; pure.

A place is shown to whoever may open it, in this order; its number is its keyboard shortcut. What
may really be opened, `routes` and `guard` say: this is only the sign on the door.
"""

from dataclasses import dataclass, replace

from gateway.people.accounts import Person
from gateway.people.roles import Permission


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. `needs`: any of these permissions shows it."""

    path: str
    zh: str
    en: str
    icon: str
    needs: frozenset[Permission]
    here: bool = False


def _any(*permissions: Permission) -> frozenset[Permission]:
    return frozenset(permissions)


PLACES: tuple[Place, ...] = (
    Place("/desk", "工作台", "Desk", "desk", _any(Permission.DESK_USE)),
    Place("/department", "部门工单", "Work orders", "department", _any(Permission.ORDER_READ_OWN)),
    Place(
        "/tickets",
        "工单",
        "Tickets",
        "tickets",
        _any(Permission.TICKET_READ_OWN, Permission.TICKET_READ_ALL),
    ),
    Place("/recordings", "录音", "Recordings", "recording", _any(Permission.RECORDING_SEARCH)),
    Place(
        "/requests",
        "调听申请",
        "Requests",
        "key",
        _any(Permission.RECORDING_ASK, Permission.RECORDING_DECIDE),
    ),
    Place("/wallboard", "坐席与队列", "Wallboard", "wall", _any(Permission.WALLBOARD_READ)),
    Place("/log", "日志", "Log", "log", _any(Permission.LOG_READ)),
    Place("/state", "运行状态", "State", "state", _any(Permission.STATE_READ)),
    Place("/alerts", "告警", "Alerts", "warn", _any(Permission.ALERT_READ)),
    Place(
        "/retention",
        "保存与销毁",
        "Keeping",
        "lock",
        _any(Permission.RETENTION_READ, Permission.HOLD_PLACE),
    ),
    Place("/parked", "搁置消息", "Parked", "inbox", _any(Permission.PARKED_REPLAY)),
)


def places(person: Person, path: str) -> list[Place]:
    """The places that `person` sees, the one that `path` lies in marked."""
    return [
        replace(place, here=path == place.path or path.startswith(place.path + "/"))
        for place in PLACES
        if any(person.may(permission) for permission in place.needs)
    ]


def home(person: Person) -> str:
    """Where `person` starts the day: the first place they see (every role sees one)."""
    return places(person, "")[0].path
