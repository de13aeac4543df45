"""A morning at the hotline, made up: what the pages are looked at and tested with.

Everything goes through the same functions as real work (calls by `flow.intake`, recordings sealed
by `recordings.capture`, acts by `tickets.acts`): nothing here writes a state by hand but the call
rows, which the PBX would have written. Long names and texts are among it on purpose.
"""

import math
import struct
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.compose import parts
from gateway.flow import (
    attaching,
    custody,
    dispatching,
    intake,
    linking,
    listening,
    log,
    orders,
    playing,
)
from gateway.flow.control import Asking
from gateway.flow.refusal import Refused
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.settings import read
from gateway.tables import Base, DepartmentRow, TicketCallRow
from gateway.tickets import acts, views
from recordings import catalogue, certificate
from recordings.asking import Wanted
from recordings.capture import Capture
from recordings.certificate import Facts
from recordings.tables_retention import CertificateRow, PlanRow
from telephony.facts import Answered, Ended, Fact, Offered, Queued
from telephony.tables import AgentStateRow, CallLegRow, CallRow, LinkStateRow, QueueStateRow

PASSWORD = "correct horse battery"
SECOND = 1_000_000
MINUTE = 60 * SECOND
PEOPLE: tuple[tuple[str, str, Role, str | None, str | None], ...] = (
    ("wang", "王小梅", Role.AGENT, None, "PJSIP/8003"),
    ("ayi", "阿依古丽·买买提吐尔逊江·阿不都热合曼", Role.AGENT, None, "PJSIP/8004"),
    ("chen", "陈班长", Role.SUPERVISOR, None, None),
    ("zhou", "周授权", Role.AUTHORISER, None, None),
    ("sun", "孙经办", Role.OFFICER, "pension", None),
    ("qian", "钱经办", Role.OFFICER, "medical", None),
    ("he", "何局长", Role.LEADER, None, None),
    ("shen", "沈审计", Role.AUDITOR, None, None),
    ("guan", "关管理", Role.ADMINISTRATOR, None, None),
)
DEPARTMENTS = (
    ("employment", "就业服务中心"),
    ("labour", "劳动保障监察支队"),
    ("medical", "医疗保险经办中心"),
    ("pension", "养老保险经办处（含机关事业单位及城乡居民养老保险业务大厅）"),
)
STORY = (
    "来电人反映：本人于 2024 年 3 月由某电子厂离职，2024 年 5 月入职现单位，"
    "其间养老保险断缴 2 个月。窗口告知可以补缴，但提交材料三次均被退回，每次理由不同，"
    "第三次工作人员态度生硬，未给书面答复。"
)


FILES = (
    ("三次退件单照片.jpg", b"\xff\xd8\xff" + bytes(482_110)),
    (
        "滨海市某电子有限公司解除劳动合同证明书及离职前十二个月工资流水明细（加盖公章扫描件）_final_version_reviewed.pdf",
        b"%PDF-1.7\n" + bytes(3_400_000),
    ),
)


@dataclass
class Morning:
    """The parts, who is there, and the ids that scenes go on from."""

    parts: Parts
    people: dict[str, Person] = field(default_factory=dict)
    tickets: dict[str, int] = field(default_factory=dict)
    recordings: list[int] = field(default_factory=list)
    grant: int = 0
    play: int = 0
    numbers: int = 0


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        """Now, in µs since the epoch."""
        return self.now


def house(root: Path) -> Parts:
    """An empty house under `root`: database, keys, store, spool; nobody in it."""
    words = {"HOTLINE_KEYRING_PASSPHRASE": "correct horse battery"}
    made = parts(read({"HOTLINE_STATE": str(root), "HOTLINE_REGION": "滨海市", **words}))
    for place in (
        made.settings.pbxs[0].spool / "ready",
        Path(made.settings.storage.store),
        made.settings.keyring,
    ):
        place.mkdir(parents=True, exist_ok=True)
    Base.metadata.create_all(made.database.engine)
    custody.keep_ahead(made, None)
    return made


def people(made: Parts) -> Morning:
    """The house with its departments and one person of each role at least."""
    morning = Morning(made)
    with made.database.begin() as session:
        session.add_all(DepartmentRow(code=code, name=name) for code, name in DEPARTMENTS)
        session.flush()
        for login, name, role, department, extension in PEOPLE:
            morning.people[login] = accounts.add(
                session, login=login, name=name, role=role, password=PASSWORD, now=made.clock(),
                department=department, extension=extension,
            )  # fmt: skip
    return morning


def call(
    morning: Morning,
    number: str,
    at: int,
    *,
    agent: str = "PJSIP/8003",
    until: str = "ended",
    name: str = "",
    wait_s: int = 9,
    talk_s: int = 95,
) -> int:
    """A call as the PBX tells of it, as far as `until`; returns its ticket's id."""
    morning.numbers += 1
    linkedid = f"{at // SECOND}.{morning.numbers}"
    with morning.parts.database.begin() as session:
        row = CallRow(
            pbx="pbx1", linkedid=linkedid, direction="inbound", caller_number=number,
            caller_name=name, dialled="12333", queue="12333", state="queued", arrived_at=at,
            queued_at=at, recording_expected=False,
        )  # fmt: skip
        session.add(row)
        session.flush()
        _happens(session, row, Queued(**_of(row, at), queue="12333"))
        if until in ("offered", "talking", "ended"):
            row.state, row.last_agent = "offered", agent
            ring = at + wait_s * SECOND - 2 * SECOND
            session.add(CallLegRow(call_id=row.id, leg="l1", interface=agent, member="",
                                   offered_at=ring))  # fmt: skip
            _happens(session, row, Offered(**_of(row, ring), leg="l1", interface=agent, member=""))
        if until in ("talking", "ended"):
            talk(session, row, at + wait_s * SECOND, agent)
        if until == "ended":
            end(session, row, at + (wait_s + talk_s) * SECOND)
        if until == "abandoned":
            row.outcome, row.cause = "abandoned", "caller"
            row.wait_ms = wait_s * 1000
            end(session, row, at + wait_s * SECOND)
        return session.get_one(TicketCallRow, row.id).ticket_id


def answered(morning: Morning, ticket: int, agent: str = "PJSIP/8003") -> None:
    """The agent takes the call of that ticket now."""
    with morning.parts.database.begin() as session:
        talk(session, _call_of(session, ticket), morning.parts.clock(), agent)


def ended(morning: Morning, ticket: int) -> None:
    """The call of that ticket is over now."""
    with morning.parts.database.begin() as session:
        end(session, _call_of(session, ticket), morning.parts.clock())


def _call_of(session: Session, ticket: int) -> CallRow:
    link = session.scalars(select(TicketCallRow).where(TicketCallRow.ticket_id == ticket)).one()
    return session.get_one(CallRow, link.call_id)


def talk(session: Session, row: CallRow, at: int, agent: str) -> None:
    """The agent takes the call."""
    row.state, row.answered_at, row.outcome = "talking", at, "answered"
    row.first_agent, row.last_agent = row.first_agent or agent, agent
    row.wait_ms = (at - row.arrived_at) // 1000
    leg = session.scalars(select(CallLegRow).where(CallLegRow.call_id == row.id)).one()
    leg.answered_at, leg.result = at, "answered"
    fact = Answered(**_of(row, at), leg="l1", interface=agent, member="", waited_ms=row.wait_ms)
    _happens(session, row, fact)


def end(session: Session, row: CallRow, at: int) -> None:
    """The call is over."""
    row.state, row.ended_at = "ended", at
    row.cause = row.cause or "caller"
    row.talk_ms = (at - row.answered_at) // 1000 if row.answered_at else 0
    for leg in session.scalars(select(CallLegRow).where(CallLegRow.call_id == row.id)):
        leg.ended_at = at
    outcome = row.outcome or "abandoned"
    _happens(session, row, Ended(**_of(row, at), outcome=outcome, cause="caller"))


def _of(row: CallRow, at: int) -> dict[str, Any]:
    return {"pbx": row.pbx, "linkedid": row.linkedid, "at": at, "call_id": row.id}


def _happens(session: Session, row: CallRow, fact: Fact) -> None:
    session.flush()
    intake.take(session, [fact])


def record(morning: Morning, name: str, seconds: float = 6.0, *, stereo: bool = False) -> int:
    """A WAV as MixMonitor leaves it, found and sealed; returns the recording's id. In stereo the
    left side speaks first, then the right."""
    made = morning.parts
    path = made.settings.pbxs[0].spool / "ready" / f"{name}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2 if stereo else 1)
        file.setsampwidth(2)
        file.setframerate(8000)
        heard = [
            int(24000 * (_loud(at) if stereo else 0.25) * math.sin(at / (9 + at // 4000 % 5)))
            for at in range(int(8000 * seconds))
        ]
        for at, sample in enumerate(heard):
            first = at < len(heard) // 2
            both = struct.pack("<hh", sample * first, sample * (not first))
            file.writeframesraw(both if stereo else struct.pack("<h", sample))
    capture = Capture(
        made.settings.pbxs[0].spool, "pbx1", made.recipients, made.store, made.database.begin,
        made.clock, linking.captured,
    )  # fmt: skip
    captured = capture.once(settle_s=0)
    assert captured, "the WAV was not sealed"
    with made.database.reading() as session:
        row = catalogue.by_name(session, "pbx1", name)
        assert row is not None
        morning.recordings.append(row.id)
        return row.id


def _loud(at: int) -> float:
    """How loud the sample at `at` is, 0 … 1: words and pauses, as a waveform shows them."""
    return abs(math.sin(at / 2600) * math.sin(at / 9100)) * (0.6 + 0.4 * math.sin(at / 700))


FORM = {
    "kind": "complaint", "complaint_class": "attitude", "level": "major", "caller_name": "张建国",
    "caller_sex": "male", "caller_address": "滨海市高新区科技大道 88 号某电子有限公司",
    "subject_department": "养老保险经办处", "subject_window": "12 号窗口", "subject_staff": "李某",
    "summary": STORY, "demand": "书面答复能否补缴；当事人员道歉。",
    "evidence": "三次退件单照片，来电人提供。",
}  # fmt: skip


def destroyed(morning: Morning) -> None:
    """A month long ago that was destroyed, by its plan and its certificate: the rows alone."""
    now, day = morning.parts.clock(), 24 * 60 * MINUTE
    facts = Facts(
        plan=1, key="2024-09", digest="3f" * 32, proposed_at=now - 12 * day, stood_us=8 * day,
        recipient="age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        asked_by="guan", asked_at=now - 4 * day, confirmed_by="lin", confirmed_at=now - 3 * day,
        key_destroyed_at=now - 3 * day, removed_at=now - 3 * day, destroyed=41_207,
        recordings_sha256="9c" * 32, kept=13, kept_why={"hold": 4, "ticket": 9}, tried_again=1,
    )  # fmt: skip
    with morning.parts.database.begin() as session:
        session.add(
            PlanRow(key_id=facts.key, recipient=facts.recipient, state="certified",
                    made_at=facts.proposed_at, seen_at=now, boot="", boot_us=0)
        )  # fmt: skip
        session.flush()
        text = certificate.text(facts)
        line = log.note_now(
            session, "retention:plan:certify", actor="timers", origin="", obj="plan:1",
            outcome="ok", now=now - 3 * day,
            detail={"certificate_sha256": certificate.sha256(text)},
        )  # fmt: skip
        session.add(CertificateRow(plan_id=1, line=line, text=text, made_at=now - 3 * day))


def full(morning: Morning) -> Morning:
    """The morning as it stands at half past ten."""
    destroyed(morning)
    made, who = morning.parts, morning.people
    now = made.clock()
    wang, sun, qian = who["wang"], who["sun"], who["qian"]
    known = morning.tickets
    known["old"] = call(morning, "13800138000", now - 9 * 24 * 60 * MINUTE, name="张建国")
    known["replied"] = call(morning, "13912345678", now - 190 * MINUTE, name="李秀英")
    known["dispatched"] = call(morning, "13800138000", now - 120 * MINUTE, name="张建国")
    known["returned"] = call(morning, "05318888666612", now - 95 * MINUTE, name="")
    known["registered"] = call(
        morning, "18655501234", now - 60 * MINUTE,
        name="古丽扎尔·阿不都克里木·买买提艾力·吐尔逊娜依（代其父来电）",
    )  # fmt: skip
    for minutes, number in ((42, "13700000042"), (31, ""), (12, "02188886666")):
        call(morning, number, now - minutes * MINUTE, until="abandoned", wait_s=31)
    with made.database.begin() as session:
        _call_of(session, known["old"]).recording_expected = True  # and none ever came
        asked = {"kind": "policy", "summary": "咨询养老保险补缴条件"}
        acts.fill(session, known["old"], wang, asked, None, now)
        acts.answer(session, known["old"], wang, "已说明补缴条件与所需材料。", now)
        for key in ("replied", "dispatched", "returned"):
            form = FORM | ({"confidential": "1"} if key == "replied" else {})
            acts.fill(session, known[key], wang, form, None, now)
            acts.accept(session, known[key], wang, "滨海市", now)
        first = dispatching.dispatch(
            session, known["replied"], wang, ["pension"], "请核实并答复。", now
        )
        orders.act(session, first[0].number, sun, "sign", now)
        orders.act(
            session, first[0].number, sun, "reply", now, measures="对当事人员批评教育。",
            result="经核实，符合补缴条件，已通知来电人携材料到窗口办理。",
        )  # fmt: skip
        dispatching.dispatch(session, known["dispatched"], wang, ["pension", "medical"], STORY, now)
        back = dispatching.dispatch(session, known["returned"], wang, ["medical"], "请答复。", now)
        orders.act(
            session, back[0].number, qian, "return", now, reason="不属医保职责，应由养老处答复。"
        )
        asked = {"kind": "information", "summary": "查询父亲养老金到账情况"}
        acts.fill(session, known["registered"], wang, asked, None, now)
        acts.register(session, known["registered"], wang, now)
        session.add(
            LinkStateRow(
                pbx="pbx1", connected=True, since_at=now - 300 * MINUTE, unknown_events=3,
                last_packet_at=now - SECOND, link_session="s",
            )
        )  # fmt: skip
        wall(session, now)
    _attached(morning)
    _recorded(morning, now)
    return morning


def _attached(morning: Morning) -> None:
    """Files of the ticket that is with two departments."""
    asking = Asking(morning.parts, morning.people["wang"], "-")
    for name, content in FILES:
        attaching.attach(asking, morning.tickets["dispatched"], name, content)


def wall(session: Session, now: int) -> None:
    """Agents in every state, with account and without; a queue with callers, one with none."""
    states = (
        ("PJSIP/8003", "talking", "", 95), ("PJSIP/8004", "ringing", "", 4),
        ("PJSIP/8005", "idle", "", 610), ("PJSIP/8006", "holding", "", 41),
        ("PJSIP/8007", "after_call", "", 130), ("PJSIP/8008", "break", "meal", 1560),
        ("PJSIP/8009", "break", "机房检修，请勿派话", 4200), ("PJSIP/8010", "offline", "", 7200),
        ("PJSIP/8011", "idle", "", 12),
    )  # fmt: skip
    for interface, state, reason, since_s in states:
        session.add(
            AgentStateRow(
                pbx="pbx1", interface=interface, member=f"agent-{interface[-4:]}", state=state,
                reason=reason, since_at=now - since_s * SECOND,
            )
        )  # fmt: skip
    for queue, waiting, oldest_at in (("12333", 3, now - 74 * SECOND), ("policy", 0, None)):
        session.add(QueueStateRow(pbx="pbx1", queue=queue, waiting=waiting, oldest_at=oldest_at))


def _recorded(morning: Morning, now: int) -> None:
    made, who, known = morning.parts, morning.people, morning.tickets
    with made.database.reading() as session:
        names = {
            key: views.ticket(session, who["chen"], known[key]).calls[0].linkedid
            for key in ("replied", "dispatched", "returned", "registered")
        }
    for name in names.values():
        record(morning, name)
    record(morning, "1700000000.999", 2.0)  # its call is not known: stays unlinked
    with made.database.begin() as session:
        first, second, third = morning.recordings[:3]
        asked = [
            listening.ask(session, who["chen"], [one],
                         Wanted(purpose, reason, f"#{known['dispatched']}"),
                         origin="10.0.0.5", now=now)
            for one, purpose, reason in (
                (first, "complaint", "投诉反映态度问题，需核对当日通话原话。"),
                (second, "verify", "核对受理时答应的期限。"),
                (third, "supervision", "月度抽查。"),
            )
        ]  # fmt: skip
        ids = [one.id for one in asked if not isinstance(one, Refused)]
        granted = listening.decide(session, who["zhou"], ids[0], granted=True, note="",
                                   lasts_s=86400, origin="10.0.0.6", now=now)  # fmt: skip
        listening.decide(session, who["zhou"], ids[2], granted=False, note="请说明抽查依据。",
                         lasts_s=0, origin="10.0.0.6", now=now)  # fmt: skip
        assert granted is not None
        assert not isinstance(granted, Refused)
        morning.grant = granted.id
        begun = playing.begin(session, who["chen"], granted.id, first, origin="10.0.0.5", now=now)
        assert isinstance(begun, playing.Begun)
        morning.play = begun.play.id
