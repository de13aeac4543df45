"""Several PBXs in one house: how they are set, and that nothing of one is taken for the other's."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import compose, doctor, lease, notices, reconcile, settings
from gateway.console import live
from gateway.errors import BadInput, BadSetting, NotFound
from gateway.flow import intake, standing
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.switchboard import Switchboard
from gateway.tables import AccountRow, TicketRow
from gateway.tickets import desks, views
from recordings.capture import Capture
from recordings.tables import RecordingRow
from telephony import journal, links, marks
from telephony.batch import Batch, Connected, Lost
from telephony.cel_log import Mark, Reading
from telephony.facts import Answered, Queued
from telephony.spill import Spill, name
from telephony.tables import CallLegRow, CallRow
from telephony.wire import Wire
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, PASSWORD, S
from tests.unit.recordings.room import wav

BOTH = {
    "HOTLINE_PBXS": "north, south-2",
    "HOTLINE_PBX_URL_NORTH": "ami://h:s3cret@10.0.0.1",
    "HOTLINE_PBX_URL_SOUTH_2": "amis://h:s3cret@10.0.0.2",
    "HOTLINE_INBOUND": "from-pstn",
    "HOTLINE_INBOUND_NORTH": "from-telecom from-mobile",
    "HOTLINE_CEL_UTC_OFFSET": "480",
    "HOTLINE_CEL_SOUTH_2": "postgresql://reader:s3cret@10.0.0.2/asterisk_cel",
}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path, HOTLINE_PBXS="north,south") as made:
        yield made


def test_each_has_its_own_and_shares_what_is_said_once(tmp_path: Path) -> None:
    """As an operator writes two of them; no secret prints."""
    read = settings.read({"HOTLINE_STATE": str(tmp_path), **BOTH})
    north, south = read.pbxs
    assert (north.name, south.name) == ("north", "south-2")
    assert north.address is not None
    assert south.address is not None
    assert (north.address.host, south.address.tls) == ("10.0.0.1", True)
    assert north.inbound == {"from-telecom", "from-mobile"}
    assert south.inbound == {"from-pstn"}
    assert (north.cel_utc_offset_min, south.cel_utc_offset_min) == (480, 480)
    assert north.spool == tmp_path / "pbx" / "north" / "spool"
    assert "s3cret" not in repr(read)


def test_a_secret_of_one_of_them_may_lie_in_a_file(tmp_path: Path) -> None:
    """`…_NORTH_FILE`, and the names themselves."""
    (tmp_path / "url").write_text("ami://h:s@10.0.0.1\n")
    (tmp_path / "names").write_text("north\n")
    read = settings.read(
        {
            "HOTLINE_PBXS_FILE": str(tmp_path / "names"),
            "HOTLINE_PBX_URL_NORTH_FILE": str(tmp_path / "url"),
        }
    )
    assert read.pbxs[0].address is not None


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"HOTLINE_PBXS": "North"}, "North"),
        ({"HOTLINE_PBXS": "a,a"}, "HOTLINE_CEL_A"),
        ({"HOTLINE_PBXS": "a-b,a_b"}, "a_b"),
        ({"HOTLINE_PBXS": "file"}, "HOTLINE_"),
        ({"HOTLINE_PBXS": "utc-offset"}, "HOTLINE_CEL_UTC_OFFSET"),
        ({"HOTLINE_PBXS": "b,utc-offset-b"}, "HOTLINE_CEL_UTC_OFFSET_B"),
        ({"HOTLINE_PBX_URL_WEST": "ami://h:s@1.2.3.4"}, "HOTLINE_PBX_URL_WEST"),
        ({"HOTLINE_PBX_URL": "ami://h:s@1.2.3.4"}, "HOTLINE_PBX_URL"),
        ({"HOTLINE_SPOOL": "/x"}, "HOTLINE_SPOOL"),
        ({"HOTLINE_PBX_NAME": "x"}, "HOTLINE_PBX_NAME"),
        ({"HOTLINE_PBX_URL_SOUTH_2": "ami://h:s3cret@10.0.0.1"}, "HOTLINE_PBX_URL_NORTH"),
        ({"HOTLINE_SPOOL_NORTH": "/x", "HOTLINE_SPOOL_SOUTH_2": "/x/y"}, "HOTLINE_SPOOL_NORTH"),
        ({"HOTLINE_CEL_NORTH": BOTH["HOTLINE_CEL_SOUTH_2"]}, "HOTLINE_CEL_NORTH"),
        ({"HOTLINE_CEL_NORTH": "mysql://h/x"}, "HOTLINE_CEL_NORTH"),
        ({"HOTLINE_CEL_UTC_OFFSET_NORTH": "+08:00"}, "HOTLINE_CEL_UTC_OFFSET_NORTH"),
        ({"HOTLINE_WRAP_UP_NORTH": "45s"}, "HOTLINE_WRAP_UP_NORTH"),
        ({"HOTLINE_WRAP_UP": "1801"}, "HOTLINE_WRAP_UP"),
        ({"HOTLINE_WRAP_UP": "policy=9 policy=8"}, "HOTLINE_WRAP_UP"),
        ({"HOTLINE_WRAP_UP": "45"}, "HOTLINE_PBX_CONTROL_URL"),
    ],
)
def test_a_mistake_is_named(more: dict[str, str], named: str) -> None:
    """A name that means two things, a setting of nobody's, two PBXs in one place: refused, with the
    variable's name, in both languages, and without the secret."""
    with pytest.raises(BadSetting) as refused:
        settings.read(BOTH | more)
    assert named in str(refused.value)
    assert "。 " in str(refused.value)
    assert "s3cret" not in str(refused.value)


def agent(parts: Parts, login: str, pbx: str) -> Person:
    with parts.database.begin() as session:
        return accounts.add(session, login=login, name=login, role=Role.AGENT, password=PASSWORD,
                            now=NOW, extension="PJSIP/8003", pbx=pbx)  # fmt: skip


def answered_at(session: Session, pbx: str) -> TicketRow:
    """A call at `pbx`, with the same linkedid as the other PBX's, taken by the same extension."""
    row = CallRow(pbx=pbx, linkedid="1795400000.1", direction="inbound", caller_number="1",
                  caller_name="", dialled="", state="talking", arrived_at=NOW,
                  last_agent="PJSIP/8003")  # fmt: skip
    session.add(row)
    session.flush()
    session.add(CallLegRow(call_id=row.id, leg="1", interface="PJSIP/8003", member="",
                           result="answered"))  # fmt: skip
    fact = {"pbx": pbx, "linkedid": row.linkedid, "at": NOW, "call_id": row.id}
    queued = Queued(**fact, queue="hotline")  # type: ignore[arg-type]
    taken = Answered(**fact, leg="1", interface="PJSIP/8003", member="", waited_ms=0)  # type: ignore[arg-type]
    intake.take(session, [queued, taken])
    ticket = house.ticket_of(session, row.id)
    assert ticket is not None
    return ticket


def test_the_same_extension_at_two_pbxs_is_two_agents(parts: Parts) -> None:
    """Whose call it is, whose ticket, who is told and what each may read: by PBX and extension."""
    wang, li = agent(parts, "wang", "north"), agent(parts, "li", "south")
    with parts.database.begin() as session:
        north, south = answered_at(session, "north"), answered_at(session, "south")
        assert (north.owner, south.owner) == ("wang", "li")
        for who, own, other in ((wang, north, south), (li, south, north)):
            current = desks.desk(session, who).current
            assert current is not None
            assert current.row.id == own.id
            with pytest.raises(NotFound):
                views.ticket(session, who, other.id)
        told = {n.topic for n in notices.take(session) if n.topic.startswith("agent:")}
    assert live.topics(wang) & told == {"agent:north:PJSIP/8003"}
    assert live.topics(li) & told == {"agent:south:PJSIP/8003"}


def test_an_extension_is_taken_once_at_each_pbx(parts: Parts) -> None:
    """And an agent can be given another phone, if nobody has that."""
    agent(parts, "wang", "north")
    agent(parts, "li", "south")
    with pytest.raises(BadInput), parts.database.begin() as session:
        accounts.set_phone(session, "li", "north", "PJSIP/8003")
    with parts.database.begin() as session:
        moved = accounts.set_phone(session, "li", "north", "PJSIP/8004")
        assert (moved.pbx, moved.extension) == ("north", "PJSIP/8004")
        assert accounts.logins_at(session, "south", {"PJSIP/8003"}) == {}
        assert accounts.set_phone(session, "li", "north", "").extension is None


def test_an_agent_of_a_pbx_that_is_gone_is_found_by_the_doctor(parts: Parts) -> None:
    """Nobody would be told of their calls; it says who, and which command mends it."""
    agent(parts, "wang", "north")
    with parts.database.begin() as session:
        session.scalars(select(AccountRow)).one().pbx = "pbx1"
    found = {one.part.split()[0]: one for one in doctor.examine(parts.settings)}["agents"]
    assert not found.works
    assert "wang" in found.says
    assert "hotline user phone" in found.says


def test_recordings_of_the_same_name_are_two(parts: Parts) -> None:
    """Two PBXs may hand out the same unique id at the same second."""
    for exchange, seconds in zip(parts.settings.pbxs, (1, 2), strict=True):
        ready = exchange.spool / "ready"
        ready.mkdir()
        (ready / "1795400000.1.wav").write_bytes(wav(seconds))
        work = Capture(exchange.spool, exchange.name, parts.recipients, parts.store,
                       parts.database.begin, parts.clock)  # fmt: skip
        assert len(work.once(settle_s=0)) == 1
    with parts.database.reading() as session:
        rows = session.scalars(select(RecordingRow).order_by(RecordingRow.pbx)).all()
        assert [(row.pbx, row.name, row.duration_ms) for row in rows] == [
            ("north", "1795400000.1", 1000), ("south", "1795400000.1", 2000),
        ]  # fmt: skip
        assert rows[0].object_key != rows[1].object_key


def heard(parts: Parts, pbx: str, *steps: tuple[int, Connected | Lost]) -> None:
    with parts.database.begin() as session:
        for seq, (at, change) in enumerate(steps):
            links.note(session, pbx, Batch("s", seq, at, change=change))


def test_where_each_stands(parts: Parts) -> None:
    """Link, holder, gaps, spill, poison, CEL: each PBX's own, as the duties wrote it."""
    now = parts.clock()
    messages = tuple(Wire(greeted=True).feed(b"Event: X\r\nA: b\r\n\r\n"))
    batch = Batch("s", 9, now, messages)
    heard(parts, "north", (now - 90 * S, Connected()), (now - 60 * S, Lost("silent", None)),
          (now - 50 * S, Connected()), (now - 9 * S, Lost("closed", None)))  # fmt: skip
    with parts.database.begin() as session:
        lease.acquire(session, "pbx:north", "seat:host/123", now)
        journal.set_aside(session, "north", batch, "KeyError in x:1", now)
        marks.keep(session, "north", Reading([], Mark(1, 2, "x"), 5, 3, lost=False), now - 7 * S)
    folder = parts.settings.state / "spill"
    spilt = Spill(folder / name("north", 1))
    spilt.append([batch, batch])
    with parts.database.reading() as session:
        north, south = standing.of_all(session, parts, now)
    assert (north.holder, north.connected) == ("host/123", False)
    assert (north.lasting_gaps, north.waiting_gaps, north.open_gaps) == (1, 1, 2)
    assert north.spill_bytes == (folder / name("north", 1)).stat().st_size - 16
    assert (north.poison, north.cel_unreadable, north.cel_read_at) == (1, 3, now - 7 * S)
    assert (south.since_at, south.holder, south.spill_bytes, south.poison) == (None, "", 0, 0)
    for _ in range(2):
        spilt.next()
        spilt.done()
    with parts.database.reading() as session:
        assert standing.of_all(session, parts, now)[0].spill_bytes == 0
    spilt.close()


@pytest.mark.parametrize(
    ("began", "ended", "touches"),
    [(-20, -10, False), (-20, 5, True), (2, 3, True), (5, None, True), (20, None, False)],
)
def test_an_open_interval_is_told_where_it_touches(
    parts: Parts, began: int, ended: int | None, touches: bool
) -> None:
    """Figures of a span say which PBX was not heard in it; those of another span do not."""
    at = NOW + began * S
    heard(parts, "south", (NOW - 99 * S, Connected()), (at, Lost("closed", at)))
    if ended is not None:
        heard(parts, "south", (NOW + ended * S, Connected()))
    for exchange in parts.settings.pbxs:
        path = house.cel_file_of(exchange)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    said = reconcile.whole(parts, NOW, NOW + 10 * S)
    assert [gap["pbx"] for gap in said["incomplete"]] == ["south"] * touches
    assert said["agrees"] is not touches
    assert said["pbxs"]["north"]["incomplete"] == []


def test_lists_say_that_calls_may_be_missing(parts: Parts) -> None:
    """Until the interval is back-filled, and no longer."""
    wang = agent(parts, "wang", "north")

    def said() -> tuple[bool, bool]:
        with parts.database.reading() as session:
            found = views.search(session, wang)
            return found.incomplete, desks.desk(session, wang).incomplete

    assert said() == (False, False)
    heard(parts, "north", (NOW, Connected()), (NOW + S, Lost("closed", None)))
    assert said() == (True, True)
    heard(parts, "north", (NOW + 2 * S, Connected()))
    assert said() == (True, True)
    with parts.database.begin() as session:
        (gap,) = links.incomplete(session)
        gap.backfilled_at = NOW + 3 * S
    assert said() == (False, False)


def test_one_that_cannot_work_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where north's spill should be lies something else: north is begun again and again; south goes
    on from its first beginning, and the process never hears of it."""
    begun: list[str] = []
    run = Switchboard.run

    async def counted(self: Switchboard) -> None:
        begun.append(self._pbx)
        await run(self)

    monkeypatch.setattr(Switchboard, "run", counted)
    monkeypatch.setattr(compose, "PBX_AGAIN_S", 0.05)
    where = {"HOTLINE_PBX_URL_NORTH": "ami://h:s@127.0.0.1:1",
             "HOTLINE_PBX_URL_SOUTH_2": "ami://h:s@127.0.0.1:2"}  # fmt: skip
    (tmp_path / "spill" / "north.1").mkdir(parents=True)

    async def play(made: Parts) -> None:
        tasks = [asyncio.create_task(compose.pbx(made, one)) for one in made.settings.pbxs]
        deadline = time.monotonic() + 30
        while begun.count("north") < 3 or "south-2" not in begun:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    with house.house(tmp_path, **(BOTH | where)) as made:
        asyncio.run(play(made))
    assert begun.count("south-2") == 1
