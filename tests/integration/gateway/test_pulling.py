"""A department that pulls: its lines of curl at the installed gateway, and beside a broker."""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway import carrying, cli
from gateway.flow import attaching, dispatching, lending, pulling, pushing
from gateway.flow.control import Asking
from gateway.flow.pulling import Settlement, Wish
from gateway.parts import Parts
from gateway.people import accounts, machines
from gateway.people.accounts import Person
from gateway.people.machines import Machine
from gateway.people.roles import Role
from gateway.tables import AccountRow, DepartmentRow, WorkOrderRow
from gateway.tickets import acts
from gateway.tickets.clocks import china
from queueing import outbox
from queueing.broker import RabbitMQ
from queueing.pulling import Lent
from queueing.tables import EmbeddedRow, OutboxRow, ParkedRow
from tests.rig.gateway import Gateway
from tests.rig.rabbitmq import free_port
from tests.rig.waiting import running, until
from tests.rig.workorders import offered
from tests.unit.api.scene import FORM
from tests.unit.gateway import house

README = Path(__file__).resolve().parents[3] / "deploy" / "departments" / "README.md"


def printed(after: str) -> str:
    """The first block of commands after these words of the page."""
    told = README.read_text(encoding="utf-8").split(after, 1)[1]
    found = re.search(r"```sh\n(.*?)```", told, re.DOTALL)
    assert found
    return found[1]


def dispatched(parts: Parts, public_url: str = "", gives: Person | None = None) -> str:
    """A ticket's work order for `sb`, with a file that somebody `gives`; its number."""
    with parts.database.begin() as session:
        row = session.scalars(select(AccountRow).where(AccountRow.login == "8001")).one()
        agent, now = accounts.person(row), parts.clock()
        ticket = house.queued(session, house.call(session))
        acts.fill(session, ticket.id, agent, FORM, None, now)
        acts.register(session, ticket.id, agent, now)
        acts.accept(session, ticket.id, agent, "示范市", now)
    if gives is not None:
        attaching.attach(Asking(parts, gives, "-"), ticket.id, "证明.pdf", b"%PDF-1.7 x")
    with parts.database.begin() as session:
        (order,) = dispatching.dispatch(session, ticket.id, agent, ["sb"], "", now,
                                        public_url=public_url)  # fmt: skip
        return order.number


def documents(text: str) -> Iterator[Any]:
    """JSON after JSON."""
    while text := text.strip():
        found, end = json.JSONDecoder().raw_decode(text)
        text = text[end:]
        yield found


def test_the_lines_of_curl_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects: whoever copies them waits for a work order, is answered when it is sent, signs it
    and settles it."""
    state = tmp_path / "state"
    served = Gateway(state, {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0"})
    with house.house(state) as parts:
        with parts.database.begin() as session:
            house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
        monkeypatch.setenv("HOTLINE_STATE", str(state))
        for line in printed("pulls").splitlines():
            capsys.readouterr()
            assert cli.main(line.partition("#")[0].split()[1:]) == 0
        key = capsys.readouterr().out.strip()
        served.start()
        try:
            number = f"WO-{china(parts.clock()).year}-000001"
            asking = subprocess.Popen(
                ["bash", "-euc", printed("curl is enough")], cwd=tmp_path, stdout=subprocess.PIPE,
                env={"PATH": os.environ["PATH"], "HOTLINE": served.url, "KEY": key,
                     "ORDER": number},
            )  # fmt: skip
            time.sleep(1.5)
            began = time.monotonic()
            assert dispatched(parts) == number
            out, _ = asking.communicate(timeout=30)
            assert asking.returncode == 0, out
            assert time.monotonic() - began < 10
            (message,), receipt, (settled,) = documents(out.decode())
            assert message["event"]["data"]["work_order"] == number
            assert receipt == {"receipt": "applied", "code": None, "reason": None}
            assert settled["settled"]
            with parts.database.reading() as session:
                order = session.scalars(select(WorkOrderRow)).one()
                assert (order.state, order.signed_by) == ("signed", "张三")
                assert session.query(EmbeddedRow).count() == 0
        finally:
            served.stop()
        assert (tmp_path / "key.header").stat().st_mode & 0o777 == 0o600


def test_the_lines_that_fetch_a_file_do_what_they_say(tmp_path: Path) -> None:
    """Protects: whoever copies them has the file as it was sent, and the register form; once the
    work order is withdrawn they fail and leave nothing that looks like the file."""
    state = tmp_path / "state"
    served = Gateway(state, {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0"})
    with house.house(state) as parts:
        with parts.database.begin() as session:
            agent = house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
            session.add(DepartmentRow(code="sb", name="社保局", mode="pull"))
            session.flush()
            pulling.open_queue(session, "sb")
            key = machines.make(session, "sb", 30, "operator", parts.clock()).key
        served.start()
        try:
            dispatched(parts, served.url, agent)
            told = offers(parts)
            (file,), (form,) = told["attachments"], told["forms"]
            (tmp_path / "key.header").write_text(f"Authorization: Bearer {key}")
            given = {"PATH": os.environ["PATH"], "URL": file["url"], "SHA256": file["sha256"],
                     "FORM_URL": form["url"]}  # fmt: skip
            lines = ["bash", "-euc", printed("## 附件与表单")]
            subprocess.run(lines, cwd=tmp_path, env=given, check=True, capture_output=True)
            assert (tmp_path / "附件.pdf").read_bytes() == b"%PDF-1.7 x"
            assert "社保局" in (tmp_path / "受理登记表.html").read_text(encoding="utf-8")
            (tmp_path / "附件.pdf").unlink()
            with parts.database.begin() as session:
                pushing.push(session, told["work_order"], agent, "withdraw", parts.clock(),
                             reason="改派")  # fmt: skip
            again = subprocess.run(lines, cwd=tmp_path, env=given, check=False,
                                   capture_output=True)  # fmt: skip
            assert (again.returncode, b"410" in again.stderr) == (22, True)
            assert not (tmp_path / "附件.pdf").exists()
        finally:
            served.stop()


def offers(parts: Parts) -> dict[str, Any]:
    """What the department is told by the one message there is."""
    with parts.database.reading() as session:
        told: dict[str, Any] = json.loads(session.query(OutboxRow).one().body)["data"]
        return told


@pytest.fixture
def beside(tmp_path: Path, database_url: str, request: pytest.FixtureRequest) -> Iterator[Parts]:
    """A house with a broker's address, or that of none; `sb` pulls, `jy` reads the broker."""
    nobody = f"amqp://x:x@127.0.0.1:{free_port()}/%2F"
    url = nobody if request.param == "away" else request.getfixturevalue("amqp_url")
    more = {"HOTLINE_DATABASE_URL": database_url, "HOTLINE_BROKER_URL": url}
    with house.house(tmp_path, HOTLINE_BROKER_QUEUES="classic", **more) as parts:
        with parts.database.begin() as session:
            session.add(DepartmentRow(code="sb", name="社保局", mode="pull"))
            session.add(DepartmentRow(code="jy", name="就业局", mode="queue"))
            session.flush()
            pulling.open_queue(session, "sb")
        yield parts


def put(parts: Parts, department: str, number: int) -> None:
    with parts.database.begin() as session:
        outbox.put(session, offered(number, department=department), department=department,
                   ordering_key=f"t{number}", dedupe_key=f"k{number}", now=1)  # fmt: skip


def states(parts: Parts) -> list[str]:
    with parts.database.reading() as session:
        return [row.state for row in session.query(OutboxRow).order_by(OutboxRow.id)]


async def there() -> bool:
    return False


async def fetched(parts: Parts) -> list[Lent]:
    return await pulling.pull(parts, Machine(1, "sb"), Wish(20, 10, 60), there, pulling.Waiting())


@pytest.mark.parametrize("beside", ["there"], indirect=True)
def test_each_message_goes_where_its_department_reads(beside: Parts) -> None:
    """Protects: with a broker, who pulls finds its messages in the database and the other's go to
    the broker; one that is refused there is parked for a person to see; a department that is added
    later is met."""

    async def scenario() -> None:
        theirs = RabbitMQ(beside.settings.broker_url, kind="classic")
        async with running(carrying.relay(beside)):
            put(beside, "sb", 1)
            put(beside, "jy", 2)
            (lent,) = await fetched(beside)
            assert lent.dedupe_key == "k1"
            async with (
                asyncio.timeout(20),
                aclosing(theirs.deliveries("department.jy")) as arriving,
            ):
                delivery = await anext(arriving)
                assert delivery.dedupe_key == "k2"
                await delivery.ack()
            await until(lambda: states(beside) == ["confirmed"] * 2)
            with beside.database.begin() as session:
                done = Settlement(lent.id, lent.lease, "reject")
                assert pulling.settle(session, Machine(1, "sb"), [done], beside.clock()) == [True]
            await until(lambda: parked(beside) == [("dead", "sb")])
        await theirs.close()

    asyncio.run(scenario())


def parked(parts: Parts) -> list[tuple[str, str]]:
    with parts.database.reading() as session:
        return [(row.direction, row.department) for row in session.query(ParkedRow)]


@pytest.mark.parametrize("beside", ["away"], indirect=True)
def test_a_broker_that_is_away_holds_up_nobody_who_pulls(beside: Parts) -> None:
    """Protects: their messages arrive while the others' wait, and nothing is parked."""

    async def scenario() -> None:
        async with running(carrying.out(beside), lending.carry(beside)):
            put(beside, "jy", 1)
            put(beside, "sb", 2)
            assert [one.dedupe_key for one in await fetched(beside)] == ["k2"]
            await until(lambda: states(beside) == ["waiting", "confirmed"])
        assert parked(beside) == []

    asyncio.run(scenario())
