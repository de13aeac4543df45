"""The robots: they do what people do, over the HTTP people use, and look before they speak.

One walk, `chain`: the agent sees the call, fills and accepts the ticket, dispatches it; the
department's program (its own queue, `queueing.department`) signs and replies; the supervisor asks,
the authoriser grants, the supervisor listens, the auditor finds it in a log that verifies. Each
step is told only after it was read back from the gateway.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway import bells
from gateway.demo.client import Client
from gateway.demo.stage import PASSWORD, Stage
from gateway.tables import WorkOrderRow
from queueing.department import Department
from queueing.embedded import Embedded
from queueing.tables import OutboxRow
from queueing.waiting import Bell
from recordings.tables import RecordingRow
from telephony.tables import LinkStateRow

T = TypeVar("T")
WITHIN_S = 30.0

MATTERS = (
    ("policy", "退休人员养老金 11 月调整后未到账，请核实发放时间。", ""),
    ("complaint", "窗口要求重复提交工伤认定材料，来电人请求一次性告知。", "quality"),
    ("information", "咨询工伤医疗费报销进度，受理已超过一个月。", ""),
)


class DidNotHappen(Exception):
    """A step that should have happened did not."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain and what was seen of it."""

    name: str
    happened: bool
    detail: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {"step": self.name, "happened": self.happened, **self.detail}


Tell = Callable[[Step], None]


async def until(name: str, look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` finds, as soon as it finds something.

    Raises:
        DidNotHappen: nothing within 30 seconds.
    """
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(0.1)
    raise DidNotHappen(name, f"{WITHIN_S:.0f} 秒内没有发生 · did not happen in time")


async def linked(house: Stage) -> None:
    """Wait until the gateway listens to the PBX."""

    async def connected() -> bool | None:
        with house.parts.database.reading() as session:
            state = session.get(LinkStateRow, house.parts.settings.pbxs[0].name)
        return True if state is not None and state.connected else None

    await until("电话系统", connected)


async def department(house: Stage) -> None:
    """A department's own program: takes each work order, signs it, and replies."""
    parts = house.parts
    queues = Embedded(parts.database.begin, parts.clock, reading=parts.database.reading)
    gongshang = Department("gongshang", queues, parts.clock)
    async with asyncio.TaskGroup() as group, aclosing(gongshang.orders()) as arriving:
        group.create_task(bells.listen(parts.hub, Bell(), queues.ring))
        async for order in arriving:
            await order.sign("何工")
            await asyncio.sleep(0.5)
            await order.reply("何工", "已核实，材料齐全，三个工作日内办结。", "已电话告知来电人")


async def chain(
    house: Stage, client: Client, interface: str, tell: Tell, rng: random.Random
) -> None:
    """One call, from the ring to the line in the log.

    Raises:
        DidNotHappen: where it stopped.
    """
    agent = await client.sign_in(interface.rpartition("/")[2], PASSWORD)
    ticket_id = await _call(client, agent, tell)
    await _fill(client, agent, ticket_id, tell, rng)
    recording_id = await _sealed(house, client, agent, ticket_id, tell)
    number = await _dispatched(house, client, agent, ticket_id, tell)
    await _replied(client, agent, ticket_id, number, tell)
    await _heard(client, ticket_id, recording_id, tell)


async def _detail(client: Client, agent: str, ticket_id: int) -> Any:  # noqa: ANN401 - JSON
    return (await client.json("GET", f"/tickets/{ticket_id}", agent)).data


async def _call(client: Client, agent: str, tell: Tell) -> int:
    async def ringing() -> int | None:
        desk = (await client.json("GET", "/desk", agent)).data
        found: int | None = desk["ringing"]
        return found

    async def talking() -> int | None:
        detail = await _detail(client, agent, ticket_id)
        return ticket_id if detail["calls"][0]["state"] == "talking" else None

    ticket_id = await until("来电", ringing)
    detail = await _detail(client, agent, ticket_id)
    tell(Step("来电", True, {"call": detail["calls"][0]["linkedid"]}))
    await until("来电", talking)
    return ticket_id


async def _fill(client: Client, agent: str, ticket_id: int, tell: Tell, rng: random.Random) -> None:
    kind, summary, complaint_class = rng.choice(MATTERS)
    fields = {"kind": kind, "summary": summary, "demand": "请尽快答复"}
    if kind == "complaint":
        fields["complaint_class"] = complaint_class
    answer = await client.json("PATCH", f"/tickets/{ticket_id}", agent, {"fields": fields})
    if answer.status != 200:
        raise DidNotHappen("工单", answer.body.decode())
    row = answer.data
    tell(Step("工单", row["owner"] != "", {"ticket": row["id"], "owner": row["owner"]}))


async def _sealed(house: Stage, client: Client, agent: str, ticket_id: int, tell: Tell) -> int:
    async def sealed() -> int | None:
        found = (await _detail(client, agent, ticket_id))["recordings"]
        return found[0]["id"] if found else None

    recording_id = await until("录音已加密", sealed)
    with house.parts.database.reading() as session:
        row = session.get_one(RecordingRow, recording_id)
    stored = await asyncio.to_thread(house.parts.store.read_at, row.object_key + ".header", 0, 21)

    async def gone() -> bool | None:
        left = list(house.parts.settings.pbxs[0].spool.rglob(f"{row.name}.wav"))
        return True if not left else None

    await until("录音已加密", gone)
    ok = stored == b"age-encryption.org/v1"
    tell(Step("录音已加密", ok, {"recording": row.id, "key": row.key_id, "ms": row.duration_ms}))
    return recording_id


async def _dispatched(house: Stage, client: Client, agent: str, ticket_id: int, tell: Tell) -> str:
    accepted = await client.json("POST", f"/tickets/{ticket_id}/accept", agent)
    if accepted.status != 200:
        raise DidNotHappen("已派单", accepted.body.decode())
    sent = await client.json(
        "POST", f"/tickets/{ticket_id}/dispatch", agent, {"departments": ["gongshang"]}
    )
    if sent.status != 200:
        raise DidNotHappen("已派单", sent.body.decode())
    number: str = sent.data[0]["number"]

    async def confirmed() -> bool | None:
        with house.parts.database.reading() as session:
            order = session.query(WorkOrderRow).filter_by(number=number).one()
            key = f"{number}/v{order.version}"
            row = session.query(OutboxRow).filter_by(dedupe_key=key).one()
        return True if row.state == "confirmed" else None

    await until("已派单", confirmed)
    told = {"number": accepted.data["acceptance_no"], "work_order": number}
    tell(Step("已派单", True, told))
    return number


async def _replied(client: Client, agent: str, ticket_id: int, number: str, tell: Tell) -> None:
    async def replied() -> Any | None:  # noqa: ANN401 - JSON
        detail = await _detail(client, agent, ticket_id)
        return detail if detail["ticket"]["state"] == "replied" else None

    detail = await until("部门已回复", replied)
    order = next(one for one in detail["work_orders"] if one["number"] == number)
    tell(Step("部门已回复", True, {"work_order": number, "result": order["result"]}))


async def _heard(client: Client, ticket_id: int, recording_id: int, tell: Tell) -> None:
    name = "授权收听已留痕"
    supervisor = await client.sign_in("supervisor", PASSWORD)
    body = {"recordings": [recording_id], "purpose": "verify", "ticket_no": f"#{ticket_id}",
            "reason": "核对来电内容"}  # fmt: skip
    asked = await client.json("POST", "/recording-requests", supervisor, body)
    authoriser = await client.sign_in("authoriser", PASSWORD)
    decided = await client.json(
        "POST", f"/recording-requests/{asked.data['id']}/decision", authoriser,
        {"granted": True, "lasts_s": 600},
    )  # fmt: skip
    grant = decided.data["grant"]["id"]
    play = await client.json(
        "POST", f"/recordings/{recording_id}/plays", supervisor, {"grant": grant}
    )
    cookie = await client.browser("supervisor", PASSWORD)
    path = f"/recordings/{recording_id}/audio?play={play.data['id']}"
    played = await client.browse(path, cookie)
    stranger = await client.browse(path, await client.browser("auditor", PASSWORD))
    if (played.status, played.body[:4], stranger.status) != (200, b"RIFF", 403):
        raise DidNotHappen(name, f"{played.status}, {stranger.status}")
    auditor = await client.sign_in("auditor", PASSWORD)
    lines = (await client.json("GET", "/log", auditor)).data
    mine = [line for line in lines if line["obj"] == f"recording:{recording_id}"]
    verdict = (await client.json("GET", "/log/verdict", auditor)).data
    acts = [(line["actor"], line["action"], line["outcome"]) for line in reversed(mine)]
    ok = ("supervisor", "recordings:recording:play", "ok") in acts and verdict["intact"]
    tell(Step(name, ok, {"bytes": len(played.body), "grant": grant, "lines": verdict["lines"],
                         "log_intact": verdict["intact"]}))  # fmt: skip
