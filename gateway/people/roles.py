"""Who may do what: role × permission, one literal (DOMAIN.md, People).

A role is what somebody is, a permission what a route or an act asks for. The three last powers,
to decide about recordings, to read the log and to keep accounts and keys, are never one role's
(三员分立); whoever keeps the keys hears nothing. This module is pure and knows no object: whose
ticket it is, `tickets` decides.
"""

from enum import StrEnum


class Role(StrEnum):
    """One role for each person."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    AUTHORISER = "authoriser"
    OFFICER = "officer"
    LEADER = "leader"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


ROLE_NAMES: dict[Role, tuple[str, str]] = {
    Role.AGENT: ("坐席", "Agent"),
    Role.SUPERVISOR: ("班长/督导", "Supervisor"),
    Role.AUTHORISER: ("授权领导", "Authoriser"),
    Role.OFFICER: ("承办部门", "Department officer"),
    Role.LEADER: ("分管领导", "Leader"),
    Role.AUDITOR: ("审计", "Auditor"),
    Role.ADMINISTRATOR: ("系统管理员", "Administrator"),
}


class Permission(StrEnum):
    """What a route or an act may ask for."""

    DESK_USE = "desk:use"
    WALLBOARD_READ = "wallboard:read"
    TICKET_READ_OWN = "ticket:read-own"
    TICKET_READ_ALL = "ticket:read-all"
    TICKET_EDIT = "ticket:edit"
    TICKET_DISPATCH = "ticket:dispatch"
    ORDER_READ_OWN = "order:read-own"
    ORDER_ACT = "order:act"
    ORDER_URGE = "order:urge"
    ORDER_SUPERVISE = "order:supervise"
    ORDER_DECIDE = "order:decide"
    RECORDING_SEARCH = "recording:search"
    RECORDING_ASK = "recording:ask"
    RECORDING_DECIDE = "recording:decide"
    RECORDING_LISTEN = "recording:listen"
    RECORDING_EXPORT = "recording:export"
    RECORDING_BREAK_GLASS = "recording:break-glass"
    RECUSAL_NAME = "recusal:name"
    TICKET_JOIN = "ticket:join"
    LOG_READ = "log:read"
    ALERT_READ = "alert:read"
    CALL_PLACE = "call:place"
    RECORDING_PAUSE = "recording:pause"
    AGENT_PAUSE_OWN = "agent:pause-own"
    AGENT_PAUSE_ANY = "agent:pause-any"
    STATE_READ = "state:read"
    ACCOUNT_MANAGE = "account:manage"
    HOLD_PLACE = "hold:place"
    RETENTION_READ = "retention:read"
    KEY_CUSTODY = "key:custody"
    PARKED_REPLAY = "parked:replay"
    DEPARTMENT_TEST = "department:test"


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.AGENT: frozenset(
        {
            Permission.DESK_USE,
            Permission.TICKET_READ_OWN,
            Permission.TICKET_EDIT,
            Permission.TICKET_DISPATCH,
            Permission.ORDER_URGE,
            Permission.CALL_PLACE,
            Permission.RECORDING_PAUSE,
            Permission.AGENT_PAUSE_OWN,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            Permission.WALLBOARD_READ,
            Permission.TICKET_READ_ALL,
            Permission.TICKET_EDIT,
            Permission.TICKET_DISPATCH,
            Permission.ORDER_URGE,
            Permission.ORDER_DECIDE,
            Permission.RECORDING_SEARCH,
            Permission.RECORDING_ASK,
            Permission.RECORDING_LISTEN,
            Permission.RECORDING_EXPORT,
            Permission.RECORDING_BREAK_GLASS,
            Permission.RECUSAL_NAME,
            Permission.TICKET_JOIN,
            Permission.CALL_PLACE,
            Permission.AGENT_PAUSE_ANY,
        }
    ),
    Role.AUTHORISER: frozenset(
        {Permission.RECORDING_SEARCH, Permission.RECORDING_DECIDE, Permission.HOLD_PLACE}
    ),
    Role.OFFICER: frozenset({Permission.ORDER_READ_OWN, Permission.ORDER_ACT}),
    Role.LEADER: frozenset(
        {
            Permission.WALLBOARD_READ,
            Permission.TICKET_READ_ALL,
            Permission.ORDER_SUPERVISE,
            Permission.RECUSAL_NAME,
            Permission.TICKET_JOIN,
            Permission.ALERT_READ,
            Permission.HOLD_PLACE,
            Permission.RETENTION_READ,
        }
    ),
    Role.AUDITOR: frozenset(
        {Permission.LOG_READ, Permission.ALERT_READ, Permission.RETENTION_READ}
    ),
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.STATE_READ,
            Permission.ALERT_READ,
            Permission.PARKED_REPLAY,
            Permission.DEPARTMENT_TEST,
            Permission.ACCOUNT_MANAGE,
            Permission.RETENTION_READ,
            Permission.KEY_CUSTODY,
        }
    ),
}
