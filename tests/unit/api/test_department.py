"""A department's program over HTTPS, from the work order to the answer, on both databases."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from gateway import bells, compose
from gateway.errors import TooBusy
from gateway.flow import pulling, state
from gateway.flow.pulling import Wish
from gateway.notices import Notice
from gateway.people import machines
from gateway.people.machines import Machine
from gateway.tables import DepartmentKeyRow, DepartmentRow, TicketRow, WorkOrderRow
from queueing import messages, outbox, telling
from queueing import pulling as lending
from queueing.embedded import Embedded
from queueing.messages import MAX_BYTES, Progress, Replied, Signed, WorkOrderChanged
from queueing.relay import Relay
from queueing.tables import OutboxRow, ParkedRow
from recordings.tables import AuditLineRow
from tests.rig.waiting import running, until
from tests.rig.workorders import offered
from tests.unit.api.scene import PULLS, Scene
from tests.unit.gateway import house
from tests.unit.gateway.test_exposition import read

WAITS = pulling.Waiting()
FETCH = {"max": 20, "lease_s": 60}


def carried(made: Scene) -> None:
    """Let the relay work until everything is sent."""
    database = made.parts.database
    transport = Embedded(database.begin, made.parts.clock)

    def waiting() -> int:
        with database.reading() as session:
            return session.query(OutboxRow).filter_by(state="waiting").count()

    async def scenario() -> None:
        await transport.declare([PULLS, "yanglao", "gongshang"])
        async with running(Relay(database.begin, transport, made.parts.clock).run()):
            await until(lambda: waiting() == 0)

    asyncio.run(scenario())


def sent(made: Scene) -> str:
    """A work order for the department that pulls, carried into its queue; its number."""
    made.machine()
    ticket = made.ids["ticket"]
    made.ask("8001", "POST", f"/tickets/{ticket}/register")
    made.ask("8001", "POST", f"/tickets/{ticket}/accept")
    answer = made.ask("8001", "POST", f"/tickets/{ticket}/dispatch", {"departments": [PULLS]})
    assert answer.status_code == 200, answer.text
    carried(made)
    return str(answer.json()[0]["number"])


def put(made: Scene, number: int) -> None:
    """Another work order of another ticket, to be sent."""
    with made.parts.database.begin() as session:
        outbox.put(session, offered(number, department=PULLS), department=PULLS,
                   ordering_key=f"t{number}", dedupe_key=f"k{number}", now=1)  # fmt: skip


def said(reply: Any, event_id: str = "e1") -> bytes:
    return messages.encode(reply, event_id=event_id, source="urn:x", time_us=house.NOW)


def about(number: str, **more: Any) -> dict[str, Any]:
    return {"work_order": number, "version": 1, "department": PULLS, "by": "张三", **more}


def test_a_work_order_is_fetched_answered_and_settled(anew: Scene) -> None:
    """Protects: the whole way without a broker: what was dispatched comes, is signed and answered,
    marked delivered when it is acked, and never comes again."""
    number = sent(anew)
    (message,) = anew.turn("/messages", FETCH).json()
    assert (message["times"], message["event"]["subject"]) == (1, number)
    assert messages.decode(json.dumps(message["event"]).encode()).message.work_order == number
    for event_id, reply in (
        ("e1", Signed(**about(number))),
        ("e2", Progress(**about(number, text="已联系"))),
        ("e3", Replied(**about(number, result="已补发", measures=""))),
    ):
        for receipt in ("applied", "duplicate"):
            answer = anew.turn("/replies", said(reply, event_id)).json()
            assert answer == {"receipt": receipt, "code": None, "reason": None}
    other = said(Signed(**about(number) | {"by": "李四"}))
    assert anew.turn("/replies", other).json()["code"] == "conflicting-repeat"
    assert anew.turn("/messages", FETCH).json() == []
    ended = {"id": message["id"], "lease": message["lease"], "outcome": "ack"}
    settled = anew.turn("/messages/settle", {"messages": [ended, ended]}).json()
    assert [one["settled"] for one in settled] == [True, False]
    assert "租约" in settled[1]["reason"]
    with anew.parts.database.reading() as session:
        order = session.scalars(select(WorkOrderRow).where(WorkOrderRow.number == number)).one()
        assert (order.state, order.signed_by, order.result) == ("replied", "张三", "已补发")
        assert order.delivered_at is not None
        ticket = session.get_one(TicketRow, order.ticket_id)
        assert ticket.state == "replied"


def test_a_corrected_demand_is_told_to_who_has_the_order(anew: Scene) -> None:
    """Protects: a ticket written to by a program, after it was dispatched, reaches the department
    as a change by hand does: whole, with what is new in it."""
    number = sent(anew)
    (offer,) = anew.turn("/messages", FETCH).json()
    wanted = {"fields": {"demand": "请书面答复"}}
    answer = anew.ask("8001", "PATCH", f"/tickets/{anew.ids['ticket']}", wanted)
    assert answer.status_code == 200, answer.text
    carried(anew)
    ended = {"id": offer["id"], "lease": offer["lease"], "outcome": "ack"}
    anew.turn("/messages/settle", {"messages": [ended]})
    (change,) = anew.turn("/messages", FETCH).json()
    said = messages.decode(json.dumps(change["event"]).encode()).message
    assert isinstance(said, WorkOrderChanged)
    assert (said.work_order, said.version, said.changed, said.demand) == (
        number, 2, ["demand"], "请书面答复",
    )  # fmt: skip


def test_a_reply_that_makes_no_sense_is_parked_and_its_sender_told(anew: Scene) -> None:
    """Protects: every way to be wrong is answered with its code and reason at once, is parked for
    a person to see, and comes as an event as well; nothing of it is done."""
    number = sent(anew)
    elsewhere = about(number) | {"department": "yanglao"}
    wrong: list[tuple[str, bytes]] = [
        ("unreadable", b"\xff"),
        ("unreadable", b"{}"),
        ("unknown-type", said(Signed(**about(number))).replace(b"reply.v1", b"nonesuch.v1")),
        ("bad-content", said(Signed(**about(number))).replace(b'"by"', b'"bye"')),
        ("too-large", b" " * (MAX_BYTES + 1)),
        ("wrong-department", said(Signed(**elsewhere))),
        ("unknown-work-order", said(Signed(**about("WO-0")))),
        ("illegal-step", said(Replied(**about(number, result="x", measures="")))),
    ]  # fmt: skip
    for code, body in wrong:
        answer = anew.turn("/replies", body)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["receipt"], told["code"]) == ("rejected", code)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in told["reason"])
    carried(anew)
    with anew.parts.database.reading() as session:
        kept = session.scalars(select(ParkedRow).order_by(ParkedRow.id)).all()
        assert [(row.code, row.department) for row in kept] == [(code, PULLS) for code, _ in wrong]
        order = session.scalars(select(WorkOrderRow).where(WorkOrderRow.number == number)).one()
        assert order.state == "offered"
    events = [one["event"] for one in anew.turn("/messages", FETCH).json()]
    assert [one["type"].split(".")[3] for one in events] == ["offered", "rejected"]
    assert events[1]["data"]["code"] == "unreadable", "the others of its kind wait behind it"


def test_two_programs_side_by_side(anew: Scene) -> None:
    """Protects: each message to one of them; what one gives back the other gets."""
    anew.machine()
    for number in range(1, 5):
        put(anew, number)
    carried(anew)
    first, second = (anew.turn("/messages", {"max": 2}).json() for _ in range(2))
    ids = [one["id"] for one in (*first, *second)]
    assert len(set(ids)) == 4
    assert anew.turn("/messages", FETCH).json() == []
    back = {"id": ids[0], "lease": first[0]["lease"], "outcome": "give_back"}
    assert anew.turn("/messages/settle", {"messages": [back]}).json()[0]["settled"]
    (again,) = anew.turn("/messages", FETCH).json()
    assert (again["id"], again["times"]) == (ids[0], 1)


def test_what_was_not_fetched_is_seen(anew: Scene) -> None:
    """Protects: what lies unfetched is counted with what was not sent, since when it lies there,
    until it is settled."""
    sent(anew)
    admin = anew.people["admin"]

    def seen() -> tuple[int, bool]:
        with anew.parts.database.reading() as session:
            found = state.overview(session, admin, anew.parts, anew.parts.clock())
        (queue,) = [one for one in found.queues if one.department == PULLS]
        return queue.waiting, queue.oldest_at is not None

    assert seen() == (1, True)
    (message,) = anew.turn("/messages", FETCH).json()
    assert seen() == (1, True)
    done = {"id": message["id"], "lease": message["lease"], "outcome": "ack"}
    anew.turn("/messages/settle", {"messages": [done]})
    assert seen() == (0, False)


def test_who_waits_is_woken_by_the_commit(anew: Scene) -> None:
    """Protects: a long poll ends when its message is committed, not at the next look: there is
    none. Settling wakes as well, for what waits behind in the same ticket."""
    anew.machine()
    put(anew, 1)
    with anew.parts.database.begin() as session:
        outbox.put(session, offered(1, version=2, department=PULLS), department=PULLS,
                   ordering_key="t1", dedupe_key="k1b", now=1)  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(anew.turn, "/messages", FETCH | {"wait_s": 20})
        time.sleep(0.5)
        began = time.monotonic()
        carried(anew)
        (first,) = waiting.result().json()
        assert time.monotonic() - began < 5
        waiting = pool.submit(anew.turn, "/messages", FETCH | {"wait_s": 20})
        time.sleep(0.5)
        began = time.monotonic()
        done = {"id": first["id"], "lease": first["lease"], "outcome": "ack"}
        anew.turn("/messages/settle", {"messages": [done]})
        (second,) = waiting.result().json()
        assert time.monotonic() - began < 5
    assert second["event"]["sequence"] == f"{2:010}"


def wish(wait_s: float, most: int = 1) -> Wish:
    return Wish(most, wait_s, 10)


async def there() -> bool:
    return False


def test_who_waits_asks_the_database_once(on_each: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: a poll that waits looks before and after it listens, and when it ends; not in
    between, whatever happens to others' queues."""
    anew = on_each
    anew.machine()
    looks: list[int] = []
    look = lending.look

    def counted(*args: Any, **named: Any) -> Any:
        looks.append(1)
        return look(*args, **named)

    monkeypatch.setattr(lending, "look", counted)

    async def scenario() -> None:
        asking = asyncio.create_task(
            pulling.pull(anew.parts, Machine(1, PULLS), wish(1), there, WAITS)
        )
        await asyncio.sleep(0.3)
        for _ in range(20):
            anew.parts.hub.publish([Notice(bells.QUEUE, "come", "department.jy")])
        assert await asking == []

    asyncio.run(scenario())
    assert len(looks) == 3


def test_a_lease_that_runs_out_wakes_who_waits(anew: Scene) -> None:
    """Protects: the message of a program that died is handed out when its lease ends, to somebody
    who has been waiting for it."""
    anew.machine()
    put(anew, 1)
    carried(anew)
    clock, ahead = anew.parts.clock, 0
    asked: list[int] = []

    async def scenario() -> None:
        nonlocal ahead
        (held,) = await pulling.pull(anew.parts, Machine(1, PULLS), wish(0), there, WAITS)
        object.__setattr__(anew.parts, "clock", lambda: clock() + ahead)
        ahead = 9_500_000
        began = time.monotonic()
        (again,) = await pulling.pull(anew.parts, Machine(1, PULLS), wish(20), there, WAITS)
        asked.append(round(time.monotonic() - began))
        assert (again.id, again.times) == (held.id, 2)

    asyncio.run(scenario())
    assert asked[0] <= 3


def test_who_has_hung_up_gets_nothing(anew: Scene) -> None:
    """Protects: a message is not lent to a connection that is gone: it would be out of sight until
    the lease ends."""
    anew.machine()
    gone = False

    async def hung_up() -> bool:
        return gone

    async def scenario() -> None:
        nonlocal gone
        asking = asyncio.create_task(
            pulling.pull(anew.parts, Machine(1, PULLS), wish(20), hung_up, WAITS)
        )
        await asyncio.sleep(0.3)
        gone = True
        put(anew, 1)
        await asyncio.to_thread(carried, anew)
        assert await asking == []

    asyncio.run(scenario())
    assert [one["times"] for one in anew.turn("/messages", FETCH).json()] == [1]


def test_only_so_many_wait_at_once(on_each: Scene) -> None:
    """Protects: a program gone wrong that asks again and again before it is answered fills neither
    the process nor the others' places; what is there it gets all the same, and places are given
    back."""
    anew = on_each
    anew.machine()

    async def scenario() -> None:
        waiting = pulling.Waiting()

        def ask(code: str, seconds: float) -> Any:
            return pulling.pull(anew.parts, Machine(1, code), wish(seconds), there, waiting)

        held = [asyncio.create_task(ask(PULLS, 20)) for _ in range(pulling.AT_ONCE)]
        await asyncio.sleep(0.5)
        with pytest.raises(TooBusy):
            await ask(PULLS, 20)
        assert await ask(PULLS, 0) == []
        anew.parts.hub.start_over()
        assert await asyncio.gather(*held) == [[]] * pulling.AT_ONCE
        assert await ask(PULLS, 0.1) == []

    asyncio.run(scenario())


def test_a_key_that_does_not_hold_opens_nothing(on_each: Scene) -> None:
    """Protects: no key, a wrong one, one that ran out, one that was revoked, a person's session:
    401 each, with what to do, and a line in the log; nothing was parked."""
    anew = on_each
    anew.machine()
    with anew.parts.database.begin() as session:
        now = anew.parts.clock()
        late = machines.make(session, PULLS, 1, "he", now - 2 * machines.DAY_US)
        ended = machines.make(session, PULLS, 1, "he", now)
        machines.revoke(session, PULLS, ended.id, now)
    for key, word in (("", "Bearer"), ("x", "Bearer"), (late.key, "过期"), (ended.key, "吊销"),
                      (anew.token("officer"), "Bearer")):  # fmt: skip
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        for path in ("/messages", "/messages/settle", "/replies"):
            answer = anew.client().post(f"/api/v1/department{path}", headers=headers, content=b"{}")
            assert answer.status_code == 401, (path, key)
            assert word in answer.json()["message"]
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    with anew.parts.database.reading() as session:
        assert session.query(ParkedRow).count() == 0
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
        assert (line.action, line.actor) == ("api:request:refuse", "-")
        assert line.obj == "POST /api/v1/department/replies"


def test_another_departments_messages_are_not_there(anew: Scene) -> None:
    """Protects: a key reads, settles and answers for its own department alone, and cannot tell
    whether others have anything."""
    number = sent(anew)
    (message,) = anew.turn("/messages", FETCH).json()
    other = anew.machine("jiuye")
    assert anew.turn("/messages", FETCH, key=other).json() == []
    ended = {"id": message["id"], "lease": message["lease"], "outcome": "ack"}
    answer = anew.turn("/messages/settle", {"messages": [ended]}, key=other).json()
    assert answer[0]["settled"] is False
    unknown = {"id": 999_999, "lease": 1, "outcome": "ack"}
    nobodys = anew.turn("/messages/settle", {"messages": [unknown]}, key=other).json()
    assert nobodys[0]["reason"] == answer[0]["reason"]
    speaks = anew.turn("/replies", said(Signed(**about(number))), key=other).json()
    assert speaks["code"] == "wrong-department"
    as_own = said(Signed(**about(number) | {"department": "jiuye"}))
    assert anew.turn("/replies", as_own, key=other).json()["code"] == "unknown-work-order"


def test_what_comes_over_https_is_counted(anew: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: who watches the house sees the departments that fetch beside those at the broker:
    their replies by what became of them, their messages by how each lease ended."""
    monkeypatch.setattr(telling, "LOOK_S", 0.05)
    number = sent(anew)
    here = TestClient(compose.application(anew.parts), client=("127.0.0.1", 1))
    here.headers["Authorization"] = f"Bearer {anew.keys[PULLS]}"
    wanted = {
        ("hotline_pull_total", (("outcome", "lent"),)): 1,
        ("hotline_pull_total", (("outcome", "ack"),)): 1,
        ("hotline_pull_total", (("outcome", "late"),)): 1,
        ("hotline_reply_total", (("receipt", "applied"), ("way", "https"))): 1,
        ("hotline_reply_total", (("receipt", "parked-unreadable"), ("way", "https"))): 1,
        ("hotline_reply_total", (("receipt", "applied"), ("way", "queue"))): 0,
    }
    with here as client:  # with what runs beside its requests
        (lent,) = client.post("/api/v1/department/messages", json=FETCH).json()
        for body in (said(Signed(**about(number))), b"?"):
            assert client.post("/api/v1/department/replies", content=body).status_code == 200
        ended = {"id": lent["id"], "lease": lent["lease"], "outcome": "ack"}
        client.post("/api/v1/department/messages/settle", json={"messages": [ended, ended]})
        deadline = time.monotonic() + 20
        while (found := read(client.get("/metrics").text)) and wanted.items() - found.items():
            assert time.monotonic() < deadline, wanted.items() - found.items()
            time.sleep(0.05)


def test_a_department_that_reads_the_broker_is_told_so(on_each: Scene) -> None:
    """Protects: a key it has from before opens nothing here: what is sent to it lies at the broker,
    and its replies come under its account there."""
    anew = on_each
    key = anew.machine("jiuye")
    with anew.parts.database.begin() as session:
        session.get_one(DepartmentRow, "jiuye").mode = "queue"
    for path, body in (("/messages", FETCH), ("/replies", said(Signed(**about("WO-0"))))):
        answer = anew.turn(path, body, key=key)
        assert (answer.status_code, "queue" in answer.json()["message"]) == (409, True), path
    ended = {"messages": [{"id": 1, "lease": 1, "outcome": "ack"}]}
    assert not anew.turn("/messages/settle", ended, key=key).json()[0]["settled"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/messages", {"max": 0}, "max"),
        ("/messages", {"max": 21}, "max"),
        ("/messages", {"wait_s": 26}, "wait_s"),
        ("/messages", {"lease_s": 9}, "lease_s"),
        ("/messages", {"lease_s": "long"}, "lease_s"),
        ("/messages/settle", {}, "messages"),
        ("/messages/settle", {"messages": []}, "messages"),
        ("/messages/settle", {"messages": [{"id": 1, "lease": 1}]}, "messages.0.outcome"),
        ("/messages/settle", {"messages": [{"id": 2**63, "lease": 1, "outcome": "ack"}]},
         "messages.0.id"),
        ("/messages/settle", {"messages": [{"id": 1, "lease": 1, "outcome": "done"}]},
         "messages.0.outcome"),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_told_by_its_name(
    there: Scene, path: str, body: dict[str, Any], field: str
) -> None:
    """Protects: a program's mistake is 400 with the field's name, and changes nothing."""
    answer = there.turn(path, body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_a_body_beyond_every_bound_is_refused(there: Scene) -> None:
    """Protects: megabytes of noise are neither kept nor judged."""
    answer = there.turn("/replies", b"x" * (2 << 20))
    assert answer.status_code == 400
    assert "1 MiB" in answer.json()["message"]


def test_a_key_is_kept_by_its_hash(there: Scene) -> None:
    """Protects: a copy of the database opens nothing."""
    key = there.machine()
    with there.parts.database.reading() as session:
        rows = session.scalars(select(DepartmentKeyRow)).all()
    assert key.startswith(machines.PREFIX)
    assert all(key not in str(vars(row)) for row in rows)
    assert key not in repr(machines.Made(1, key, 1))
