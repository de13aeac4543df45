"""Every page of the console in one table: path, method, handler, and who may.

This is the only list. What is not here does not exist, and every row says whom it lets in: one of
the permissions named, whoever is signed in, or anybody. `logged` rows touch recordings: a refusal
there is a line in the log. Tests read this table and try every row with every role.
"""

from gateway.console import live, player
from gateway.console.guard import PUBLIC, SIGNED_IN, Handler, Page
from gateway.console.pages import (
    alerts,
    contract,
    control,
    department,
    desk,
    exports,
    files,
    log,
    parked,
    recordings,
    recusal,
    retention,
    sign_in,
    state,
    ticket,
    wallboard,
)
from gateway.people.roles import Permission

READ_TICKET = frozenset({Permission.TICKET_READ_OWN, Permission.TICKET_READ_ALL})
EDIT = frozenset({Permission.TICKET_EDIT})
DISPATCH = frozenset({Permission.TICKET_DISPATCH})
URGE = frozenset({Permission.ORDER_URGE})
SUPERVISE = frozenset({Permission.ORDER_SUPERVISE})
DECIDE_ORDER = frozenset({Permission.ORDER_DECIDE})
DESK = frozenset({Permission.DESK_USE})
WALLBOARD = frozenset({Permission.WALLBOARD_READ})
READ_ORDER = frozenset({Permission.ORDER_READ_OWN})
ACT_ORDER = frozenset({Permission.ORDER_ACT})
SEARCH = frozenset({Permission.RECORDING_SEARCH})
ASK = frozenset({Permission.RECORDING_ASK})
DECIDE = frozenset({Permission.RECORDING_DECIDE})
LISTEN = frozenset({Permission.RECORDING_LISTEN})
LOG = frozenset({Permission.LOG_READ})
ALERT = frozenset({Permission.ALERT_READ})
STATE = frozenset({Permission.STATE_READ})
PARKED = frozenset({Permission.PARKED_REPLAY})
DEPARTMENT_TEST = frozenset({Permission.DEPARTMENT_TEST})
RETENTION = frozenset({Permission.RETENTION_READ})
HOLD = frozenset({Permission.HOLD_PLACE})
CALL = frozenset({Permission.CALL_PLACE})
SILENCE = frozenset({Permission.RECORDING_PAUSE})
EXPORT = frozenset({Permission.RECORDING_EXPORT})
GLASS = frozenset({Permission.RECORDING_BREAK_GLASS})
RECUSE = frozenset({Permission.RECUSAL_NAME})
JOIN = frozenset({Permission.TICKET_JOIN})
PAUSE_OWN = frozenset({Permission.AGENT_PAUSE_OWN})
PAUSE_ANY = frozenset({Permission.AGENT_PAUSE_ANY})


def _asks(path: str, handler: Handler, needs: frozenset[Permission]) -> Page:
    """A row of what is asked of the PBX: a refusal is a line in the log as well."""
    return Page(path, "POST", handler, needs, logged=True, act="control:page:open")


def _of_matter(path: str, handler: Handler, needs: frozenset[Permission]) -> Page:
    """A row about whom a ticket is about: a refusal is a line in the log as well."""
    return Page(TICKET + path, "POST", handler, needs, logged=True, act="tickets:page:open")


def _keeps(path: str, method: str, handler: Handler, needs: frozenset[Permission]) -> Page:
    """A row about keeping and destroying: a refusal is a line in the log as well."""
    return Page(path, method, handler, needs, logged=True, act="retention:page:open")


TICKET, ORDER, RECORDING = "/tickets/{ticket_id}", "/department/orders/{number}", "/recordings"

ROUTES: tuple[Page, ...] = (
    Page("/", "GET", sign_in.home, SIGNED_IN),
    Page("/sign-in", "GET", sign_in.show, PUBLIC),
    Page("/sign-in", "POST", sign_in.sign_in, PUBLIC),
    Page("/sign-out", "POST", sign_in.sign_out, SIGNED_IN),
    Page("/live", "GET", live.stream, SIGNED_IN, streams=True),
    Page("/desk", "GET", desk.show, DESK),
    Page("/desk/live", "GET", desk.live, DESK),
    Page("/desk/work/{ticket_id}", "GET", desk.work, DESK),
    Page("/desk/presence", "GET", wallboard.own, DESK),
    Page("/wallboard", "GET", wallboard.show, WALLBOARD),
    Page("/tickets", "GET", ticket.listing, READ_TICKET),
    Page("/tickets/search", "POST", ticket.listing, READ_TICKET),
    Page(TICKET, "GET", ticket.show, READ_TICKET),
    Page(TICKET + "/story", "GET", ticket.story, READ_TICKET),
    Page(TICKET + "/orders", "GET", ticket.orders, READ_TICKET),
    Page(TICKET + "/fields", "POST", ticket.save, EDIT),
    Page(TICKET + "/attachments", "POST", files.add, EDIT, most=files.MOST),
    Page(TICKET + "/attachments/{attachment_id}", "GET", files.take, READ_TICKET),
    Page(TICKET + "/register", "POST", ticket.register, EDIT),
    Page(TICKET + "/answer", "POST", ticket.answer, EDIT),
    Page(TICKET + "/refuse", "POST", ticket.refuse, EDIT),
    Page(TICKET + "/accept", "POST", ticket.accept, EDIT),
    Page(TICKET + "/dispatch", "POST", ticket.dispatch, DISPATCH),
    Page(TICKET + "/close", "POST", ticket.close, EDIT),
    Page(TICKET + "/called-back", "POST", ticket.called_back, EDIT),
    Page(TICKET + "/change", "POST", ticket.change, DISPATCH),
    Page(TICKET + "/urge", "POST", ticket.urge, URGE),
    Page(TICKET + "/supervise", "POST", ticket.supervise, SUPERVISE),
    Page(TICKET + "/extend", "POST", ticket.extend, DECIDE_ORDER),
    Page(TICKET + "/withdraw", "POST", ticket.withdraw, DISPATCH),
    _of_matter("/recusals", recusal.name, RECUSE),
    _of_matter("/recusals/lift", recusal.lift, RECUSE),
    _of_matter("/join", recusal.join, JOIN),
    _asks(TICKET + "/call", control.place, CALL),
    _asks("/desk/recording/pause", control.silence_begins, SILENCE),
    _asks("/desk/recording/resume", control.silence_ends, SILENCE),
    _asks("/desk/pause", control.pause, PAUSE_OWN),
    _asks("/desk/ready", control.ready, PAUSE_OWN),
    _asks("/agents/{login}/pause", control.pause_agent, PAUSE_ANY),
    _asks("/agents/{login}/ready", control.ready_agent, PAUSE_ANY),
    Page("/department", "GET", department.show, READ_ORDER),
    Page("/department/list", "GET", department.listing, READ_ORDER),
    Page(ORDER + "/sign", "POST", department.sign, ACT_ORDER),
    Page(ORDER + "/reply", "POST", department.reply, ACT_ORDER),
    Page(ORDER + "/return", "POST", department.give_back, ACT_ORDER),
    Page(ORDER + "/ask-extension", "POST", department.ask_extension, ACT_ORDER),
    Page(ORDER + "/progress", "POST", department.progress, ACT_ORDER),
    Page(ORDER + "/remark", "POST", department.remark, ACT_ORDER),
    Page(ORDER + "/files/{attachment_id}", "GET", files.take_at_desk, READ_ORDER),
    Page(ORDER + "/form", "GET", files.form_at_desk, READ_ORDER),
    Page(RECORDING, "GET", recordings.listing, SEARCH, logged=True),
    Page(RECORDING + "/search", "POST", recordings.listing, SEARCH, logged=True),
    Page(RECORDING + "/ask", "POST", recordings.ask, ASK, logged=True),
    Page(RECORDING + "/break-glass", "POST", recordings.glass, GLASS, logged=True),
    Page(RECORDING + "/{recording_id}", "GET", recordings.listen, LISTEN, logged=True),
    Page(RECORDING + "/{recording_id}/peaks", "GET", player.outline, LISTEN, logged=True),
    Page(RECORDING + "/{recording_id}/audio", "GET", player.audio, LISTEN, logged=True),
    Page(RECORDING + "/{recording_id}/plays", "POST", recordings.begin, LISTEN, logged=True),
    Page(RECORDING + "/{recording_id}/exports", "POST", exports.make, EXPORT, logged=True),
    Page("/exports/{export_id}", "GET", exports.show, EXPORT, logged=True),
    Page("/exports/{export_id}/sheet", "GET", exports.sheet, EXPORT, logged=True),
    Page("/exports/{export_id}/proof", "GET", exports.proof, EXPORT, logged=True),
    Page("/exports/{export_id}/file", "GET", exports.file, EXPORT, logged=True),
    Page("/requests", "GET", recordings.requests, ASK | DECIDE, logged=True),
    Page("/requests/{request_id}/decide", "POST", recordings.decide, DECIDE, logged=True),
    Page("/grants/{grant_id}/end", "POST", recordings.end, ASK | DECIDE, logged=True),
    _keeps("/retention", "GET", retention.show, RETENTION | HOLD),
    _keeps("/retention/certificates/{plan_id}", "GET", retention.certificate, RETENTION | SEARCH),
    _keeps("/retention/holds", "POST", retention.hold, HOLD),
    _keeps("/retention/holds/{hold_id}/lift", "POST", retention.lift, HOLD),
    Page("/log", "GET", log.show, LOG),
    Page("/log/verify", "POST", log.verify, LOG),
    Page("/alerts", "GET", alerts.show, ALERT),
    Page("/alerts/{alert_id}/seen", "POST", alerts.see, ALERT),
    Page("/state", "GET", state.show, STATE),
    Page("/state/departments/{code}/test", "POST", state.test, DEPARTMENT_TEST),
    Page("/parked", "GET", parked.show, PARKED),
    Page("/parked/replay", "POST", parked.replay_all, PARKED),
    Page("/parked/{parked_id}/replay", "POST", parked.replay, PARKED),
    Page("/parked/{parked_id}/discard", "POST", parked.discard, PARKED),
    Page("/asyncapi", "GET", contract.show, PUBLIC),
)
