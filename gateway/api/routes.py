"""Every path under /api/v1 in one table, and its few lines each; recordings have a module apart.

What is sought may be a caller's number, so searches are POSTs: it stands in no URL.

Who may call what stands in the table; whose object it is, the rooms below decide. Handlers turn a
`Call` into one act or one read and its result into models, and do nothing else.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import departments as own_systems
from gateway.api import files, ledger, machine, matters, pushes, recordings
from gateway.api import models as m
from gateway.api.endpoint import Answer, Asked, Call, Endpoint, Listed, number, run
from gateway.api.shapes import Done
from gateway.errors import HotlineError
from gateway.flow import (
    breaks,
    calling,
    dispatching,
    filling,
    log,
    orders,
    signing,
    silence,
    wallboard,
    witnessing,
)
from gateway.flow.knocks import Knocks
from gateway.numbers import natural
from gateway.parts import Parts
from gateway.people import accounts, sessions
from gateway.people.roles import Permission as P
from gateway.tickets import acts, assigned, desks, views
from gateway.tickets.clocks import china


def judged(parts: Parts, body: m.SignIn) -> accounts.Judgement:
    """Whether the password fits: slow on purpose, so outside the transaction."""
    return accounts.judge(parts.database, body.login, body.password)


def sign_in(call: Call) -> Answer:
    """Open a session; failing is in the log as well."""
    login = call.body.login
    who = accounts.authenticate(call.session, call.prepared, call.now)
    if isinstance(who, HotlineError):
        signing.failed(call.session, login, at="account", origin=call.origin, now=call.now)
        return who
    log.note(call.session, "people:session:open", actor=login, origin=call.origin, obj="account",
             outcome="ok", now=call.now)  # fmt: skip
    opened = sessions.open_session(call.session, who, call.now, "bearer")
    return m.SessionOut(
        token=opened.token, expires_at=china(opened.expires_at), person=m.PersonOut.of(who)
    )


def sign_out(call: Call) -> Answer:
    """End this session."""
    sessions.close(call.session, call.token, call.now)
    log.note(call.session, "people:session:close", actor=call.person.login, origin=call.origin,
             obj="account", outcome="ok", now=call.now)  # fmt: skip
    return Done()


def desk(call: Call) -> Answer:
    """The agent's desk."""
    return m.DeskOut.of(desks.desk(call.session, call.person))


def presence(call: Call) -> Answer:
    """坐席与队列."""
    return m.PresenceOut.of(wallboard.board(call.session, call.person, call.now))


def departments(call: Call) -> Answer:
    """Where work orders can go."""
    return [m.DepartmentOut.of(row) for row in assigned.departments(call.session)]


def tickets(call: Call) -> Answer:
    """Search."""
    found = views.search(call.session, call.person, text=call.body.text,
                         state=call.body.state, page=call.body.page)  # fmt: skip
    return Listed([m.TicketOut.of(row) for row in found.items], found.incomplete)


def ticket(call: Call) -> Answer:
    """One, whole."""
    view = views.ticket(call.session, call.person, number(call, "id"))
    return m.TicketDetailOut.of(view, sorted(acts.FILLABLE))


def fill(call: Call) -> Answer:
    """Write fields."""
    row = filling.fill(call.session, number(call, "id"), call.person, call.body.fields,
                       call.body.version, call.now)  # fmt: skip
    return m.TicketOut.of(row)


def register(call: Call) -> Answer:
    """登记."""
    return m.TicketOut.of(acts.register(call.session, number(call, "id"), call.person, call.now))


def answer(call: Call) -> Answer:
    """即时办结."""
    row = acts.answer(call.session, number(call, "id"), call.person, call.body.answer, call.now)
    return m.TicketOut.of(row)


def refuse(call: Call) -> Answer:
    """不予受理."""
    row = acts.refuse(call.session, number(call, "id"), call.person, call.body.reason,
                      call.body.refer_to, call.now)  # fmt: skip
    return m.TicketOut.of(row)


def accept(call: Call) -> Answer:
    """受理."""
    row = acts.accept(call.session, number(call, "id"), call.person,
                      call.parts.settings.region, call.now)  # fmt: skip
    return m.TicketOut.of(row)


def dispatch(call: Call) -> Answer:
    """派单."""
    made = dispatching.dispatch(call.session, number(call, "id"), call.person,
                                call.body.departments, call.body.question, call.now,
                                public_url=call.parts.settings.public_url)  # fmt: skip
    return [m.WorkOrderOut.of(row) for row in made]


def close(call: Call) -> Answer:
    """办结."""
    row = acts.close(call.session, number(call, "id"), call.person, call.body.note, call.now)
    return m.TicketOut.of(row)


def called_back(call: Call) -> Answer:
    """已回拨."""
    return m.TicketOut.of(acts.called_back(call.session, number(call, "id"), call.person, call.now))


def place_call(call: Call) -> Answer:
    """回拨、回访、呼叫来电人."""
    return m.PlacedCallOut.of(call.prepared)


def pause_recording(call: Call) -> Answer:
    """录音暂停."""
    return m.RecordingPauseOut.of(call.prepared)


def resume_recording(call: Call) -> Answer:
    """录音继续."""
    return m.RecordingPauseOut.of(call.prepared)


def pause_agent(call: Call) -> Answer:
    """示忙."""
    return m.AgentPauseOut.of(call.prepared)


def ready(_: Call) -> Answer:
    """示闲."""
    return Done()


def pause_other(call: Call) -> Answer:
    """班长示忙."""
    return m.AgentPauseOut.of(call.prepared)


def ready_other(_: Call) -> Answer:
    """班长示闲."""
    return Done()


def _place(asked: Asked) -> object:
    return calling.place(asked.asking, number(asked, "id"))


def _pause(asked: Asked) -> object:
    login = str(asked.path.get("login", ""))
    return breaks.pause(asked.asking, asked.body.reason, login)


def _ready(asked: Asked) -> object:
    breaks.ready(asked.asking, str(asked.path.get("login", "")))
    return None


def work_orders(call: Call) -> Answer:
    """The department's own."""
    found = assigned.orders(call.session, call.person, call.query.get("state", ""))
    return [m.DeskOrderOut.of(view) for view in found]


def work_order_sign(call: Call) -> Answer:
    """签收."""
    return _order(call, "sign")


def work_order_reply(call: Call) -> Answer:
    """反馈."""
    return _order(call, "reply", result=call.body.result, measures=call.body.measures)


def work_order_return(call: Call) -> Answer:
    """退单."""
    return _order(call, "return", reason=call.body.reason)


def _order(call: Call, action: str, **said: str) -> Answer:
    row = orders.act(call.session, str(call.path["number"]), call.person, action, call.now, **said)
    return m.WorkOrderOut.of(row)


def lines(call: Call) -> Answer:
    """The log, newest first."""
    if not call.query.get("before"):
        _on_record(call, "log:log:read", "ok")
    found = log.lines(call.session, call.person, before=natural(call.query.get("before", "")),
                      action=call.query.get("action", ""),
                      actor=call.query.get("actor", ""))  # fmt: skip
    return [m.LineOut.of(row) for row in found]


def _on_record(call: Call, action: str, outcome: str) -> None:
    """Who reads the log, or checks it, is in it too; the call itself only reads."""
    with call.parts.database.begin() as session:
        log.note(session, action, actor=call.person.login, origin=call.origin, obj="log",
                 outcome=outcome, now=call.now)  # fmt: skip


def verify(call: Call) -> Answer:
    """Check the whole log."""
    verdict = witnessing.verdict(call.parts, call.session, call.person)
    _on_record(call, "log:log:verify", "ok" if verdict.ok else "failed")
    return m.VerdictOut(
        intact=verdict.ok,
        lines=verdict.size,
        root=verdict.root.hex(),
        faults=[problem.what for problem in verdict.problems],
    )


_T = "/api/v1/tickets"
_W = "/api/v1/work-orders"
_D = "/api/v1/desk"
_A = "/api/v1/agents"
_READ = (P.TICKET_READ_OWN, P.TICKET_READ_ALL)
_EDIT = (P.TICKET_EDIT,)
_ACT = (P.ORDER_ACT,)

ROUTES: tuple[Endpoint, ...] = (
    Endpoint("POST", "/api/v1/sessions", sign_in, None, m.SessionOut, "登录 · Sign in",
             m.SignIn, status=201, prepare=judged),
    Endpoint("DELETE", "/api/v1/sessions", sign_out, (), Done, "退出 · Sign out"),
    Endpoint("GET", "/api/v1/desk", desk, (P.DESK_USE,), m.DeskOut, "坐席工作台 · Agent's desk"),
    Endpoint("GET", "/api/v1/presence", presence, (P.WALLBOARD_READ,), m.PresenceOut,
             "坐席与队列 · Agents and queues"),
    Endpoint("GET", "/api/v1/departments", departments, (P.TICKET_DISPATCH,), m.DepartmentOut,
             "承办部门 · Departments", many=True),
    Endpoint("POST", _T + "/search", tickets, _READ, m.TicketOut, "查工单 · Search tickets",
             m.TicketsSought, many=True, reads=True, over_time=True),
    Endpoint("GET", _T + "/{id}", ticket, _READ, m.TicketDetailOut, "工单全貌 · One ticket"),
    Endpoint("PATCH", _T + "/{id}", fill, _EDIT, m.TicketOut, "填写 · Write fields",
             m.TicketFields),
    Endpoint("POST", _T + "/{id}/register", register, _EDIT, m.TicketOut, "登记 · Register"),
    Endpoint("POST", _T + "/{id}/answer", answer, _EDIT, m.TicketOut, "即时办结 · Answer now",
             m.Answer),
    Endpoint("POST", _T + "/{id}/refuse", refuse, _EDIT, m.TicketOut, "不予受理 · Refuse",
             m.Refusal),
    Endpoint("POST", _T + "/{id}/accept", accept, _EDIT, m.TicketOut, "受理 · Accept"),
    Endpoint("POST", _T + "/{id}/dispatch", dispatch, (P.TICKET_DISPATCH,), m.WorkOrderOut,
             "派单 · Dispatch", m.Dispatch, many=True),
    Endpoint("POST", _T + "/{id}/close", close, _EDIT, m.TicketOut, "办结 · Close", m.Closing),
    Endpoint("POST", _T + "/{id}/called-back", called_back, _EDIT, m.TicketOut,
             "已回拨 · Called back"),
    Endpoint("POST", _T + "/{id}/call", place_call, (P.CALL_PLACE,), m.PlacedCallOut,
             "呼出 · Place a call", status=201, act=_place),
    Endpoint("POST", _D + "/recording/pause", pause_recording, (P.RECORDING_PAUSE,),
             m.RecordingPauseOut, "录音暂停 · Pause the recording", m.Silence,
             act=lambda asked: silence.pause(asked.asking, asked.body.reason)),
    Endpoint("POST", _D + "/recording/resume", resume_recording, (P.RECORDING_PAUSE,),
             m.RecordingPauseOut, "录音继续 · Resume the recording",
             act=lambda asked: silence.resume(asked.asking)),
    Endpoint("POST", _D + "/pause", pause_agent, (P.AGENT_PAUSE_OWN,), m.AgentPauseOut,
             "示忙 · Pause", m.Pause, act=_pause),
    Endpoint("POST", _D + "/ready", ready, (P.AGENT_PAUSE_OWN,), Done, "示闲 · Ready",
             act=_ready),
    Endpoint("POST", _A + "/{login}/pause", pause_other, (P.AGENT_PAUSE_ANY,), m.AgentPauseOut,
             "替坐席示忙 · Pause an agent", m.Pause, act=_pause),
    Endpoint("POST", _A + "/{login}/ready", ready_other, (P.AGENT_PAUSE_ANY,), Done,
             "替坐席示闲 · An agent ready", act=_ready),
    Endpoint("GET", _W, work_orders, (P.ORDER_READ_OWN,), m.DeskOrderOut,
             "本部门派单 · Own work orders", many=True, query=("state",)),
    Endpoint("POST", _W + "/{number}/sign", work_order_sign, _ACT, m.WorkOrderOut, "签收 · Sign"),
    Endpoint("POST", _W + "/{number}/reply", work_order_reply, _ACT, m.WorkOrderOut,
             "反馈 · Reply", m.OrderReply),
    Endpoint("POST", _W + "/{number}/return", work_order_return, _ACT, m.WorkOrderOut,
             "退单 · Return", m.OrderReturn),
    *recordings.ENDPOINTS,
    *matters.ENDPOINTS,
    *pushes.ENDPOINTS,
    *own_systems.ENDPOINTS,
    *files.ENDPOINTS,
    Endpoint("GET", "/api/v1/log", lines, (P.LOG_READ,), m.LineOut, "审计日志 · The log",
             many=True, query=("before", "action", "actor")),
    Endpoint("GET", "/api/v1/log/verdict", verify, (P.LOG_READ,), m.VerdictOut,
             "核验日志 · Verify the log"),
    *ledger.ENDPOINTS,
)  # fmt: skip


def routes() -> Sequence[Route]:
    """The table as Starlette's routes."""
    knocks = Knocks()
    return [_route(endpoint, knocks) for endpoint in ROUTES]


def _route(endpoint: Endpoint, knocks: Knocks) -> Route:
    async def answered(request: Request) -> Response:
        return await (machine.run if endpoint.machine else run)(endpoint, request, knocks)

    return Route(endpoint.path, answered, methods=[endpoint.method])
