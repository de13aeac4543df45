"""`doctor`: each part by itself, on real parts: it works, or what to do; none stops the others."""

import asyncio
import random
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import carrying, compose, doctor, settings
from gateway.doctor import Finding
from gateway.flow import desks, log, witnessing
from gateway.parts import Parts
from gateway.people import machines
from gateway.tables import DepartmentRow
from recordings import logkeys, notes
from telephony.simulator import Simulator
from telephony.tables import CallRow
from tests.rig.postgres import Postgres
from tests.unit.gateway.house import cel_file, recording

PARTS = (
    "database",
    "keys",
    "log",
    "store",
    "spool",
    "pbx",
    "cel",
    "agents",
    "recordings",
    "kept",
    "checkpoints",
    "broker",
    "machines",
    "files",
)
SECRET = "s3cret"


def look(environ: dict[str, str]) -> dict[str, Finding]:
    """What `hotline doctor` finds, by part."""
    return {finding.part.split()[0]: finding for finding in doctor.examine(settings.read(environ))}


@contextmanager
def no_one_listens() -> Iterator[int]:
    """A port of the loopback on which nothing answers: taken, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def somebody_silent() -> Iterator[int]:
    """A port where a program accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A house as `init` makes it, and the PBX's side of it; the PBX itself is not there."""
    made = {"HOTLINE_STATE": str(tmp_path / "state")}
    with compose.opened(settings.read(made)) as parts:
        compose.prepare(parts)
        (parts.settings.pbxs[0].spool / "ready").mkdir()
        cel_file(parts.settings).parent.mkdir()
        cel_file(parts.settings).touch()
    return made


async def declared(parts: Parts) -> None:
    """The queues, as a gateway that serves has them."""
    async with carrying.transport(parts) as carrier:
        await desks.declare(parts.database, carrier)


def test_everything_works(environ: dict[str, str], amqp_url: str, postgres_url: str) -> None:
    """On real parts all of them work and say where they are; the PBX tells its version."""
    environ |= {"HOTLINE_BROKER_URL": amqp_url, "HOTLINE_DATABASE_URL": postgres_url}
    read = settings.read(environ)
    with compose.opened(read) as parts:
        compose.prepare(parts)
        assert "start the gateway" in look(environ)["broker"].says, "it is looked at, not made"
        asyncio.run(declared(parts))

    async def with_pbx() -> dict[str, Finding]:
        clock, rng = compose.clock, random.Random(1)
        async with Simulator(
            read.pbxs[0].spool, cel_file(read), secret=SECRET, clock=clock, rng=rng
        ) as pbx:
            environ["HOTLINE_PBX_URL"] = f"ami://hotline:{SECRET}@127.0.0.1:{pbx.port}"
            return await asyncio.to_thread(look, environ)

    found = asyncio.run(with_pbx())
    assert tuple(found) == PARTS
    assert {part: finding.says for part, finding in found.items() if not finding.works} == {}
    assert re.search(r"127\.0\.0\.1:\d+ \d", found["pbx"].says)
    assert SECRET not in str(found)


def a_file_instead(name: str) -> Callable[[dict[str, str], Path], None]:
    """Something else lies where the directory or file should be."""

    def harm(environ: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        environ[name] = str(tmp_path / "file" / "below")

    return harm


def no_keys(environ: dict[str, str], tmp_path: Path) -> None:
    """A keyring without this month's key."""
    environ["HOTLINE_KEYRING"] = str(tmp_path / "none")


def no_log_key(_: dict[str, str], tmp_path: Path) -> None:
    """What signs the log is gone."""
    (tmp_path / "state" / "keys" / "log.key").unlink()


def log_key_for_all(_: dict[str, str], tmp_path: Path) -> None:
    """A slip in the rights: anybody on the machine can sign."""
    (tmp_path / "state" / "keys" / "log.key").chmod(0o644)


def another_log_key(_: dict[str, str], tmp_path: Path) -> None:
    """A key of the same name, of somebody who would sign another log."""
    place = tmp_path / "state" / "keys"
    name = logkeys.known(place)[-1].split("+", 1)[0]
    (place / "log.key").write_text(notes.Signer(name, b"\x07" * 32).render() + "\n")


def wrong_passphrase(environ: dict[str, str], _: Path) -> None:
    """The keyring does not open."""
    environ["HOTLINE_KEYRING_PASSPHRASE"] = "not the one it was made with"


def nothing_outside(environ: dict[str, str], tmp_path: Path) -> None:
    """A place for checkpoints that was away for two days."""
    (tmp_path / "file").write_text("x")
    environ["HOTLINE_CHECKPOINTS"] = str(tmp_path / "file" / "below")
    read = settings.read(environ)
    with compose.opened(read) as made:
        with made.database.begin() as session:
            log.note(session, "log:log:read", actor="x", origin="-", obj="log", outcome="ok",
                     now=made.clock())  # fmt: skip
        two_days_ago = made.clock() - 2 * 86_400_000_000
        witnessing.tend(replace(made, clock=lambda: two_days_ago))


def store_not_mounted(environ: dict[str, str], tmp_path: Path) -> None:
    """Recordings are catalogued, and where they lie is nothing."""
    with compose.opened(settings.read(environ)) as parts, parts.database.begin() as session:
        row = recording(session)
        row.sealed_at = parts.clock()


def broken_key(_: dict[str, str], tmp_path: Path) -> None:
    """A public key that is none."""
    for path in (tmp_path / "state" / "keys" / "public").iterdir():
        path.write_text("age1nonsense\n")


def no_database(environ: dict[str, str], tmp_path: Path) -> None:
    """Nothing was set up yet."""
    environ["HOTLINE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'none' / 'x.db'}"


def empty_database(environ: dict[str, str], tmp_path: Path) -> None:
    """A file without our tables."""
    (tmp_path / "empty.db").touch()
    environ["HOTLINE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.db'}"


def no_sqlite(environ: dict[str, str], tmp_path: Path) -> None:
    """A file that is no database at all."""
    (tmp_path / "text.db").write_text("this is not a database, whatever its name says" * 99)
    environ["HOTLINE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'text.db'}"


def cel_unreadable(_: dict[str, str], tmp_path: Path) -> None:
    """A PBX with another cel_custom.conf."""
    (tmp_path / "state" / "cel" / "Master.csv").write_text("a,b,c\n")


def cel_missing(_: dict[str, str], tmp_path: Path) -> None:
    """A PBX that writes no CEL, or elsewhere."""
    (tmp_path / "state" / "cel" / "Master.csv").unlink()


def no_recording(environ: dict[str, str], tmp_path: Path) -> None:
    """A call was answered and recorded an hour ago, and no WAV ever came."""
    with compose.opened(settings.read(environ)) as parts, parts.database.begin() as session:
        at = parts.clock() - 3600 * 1_000_000
        session.add(
            CallRow(pbx="pbx1", linkedid="1795400000.1", direction="inbound", caller_number="",
                    caller_name="", dialled="12333", state="ended", arrived_at=at, ended_at=at,
                    outcome="answered", recording_expected=True)
        )  # fmt: skip


def no_key_to_fetch_with(environ: dict[str, str], _: Path) -> None:
    """A department that fetches its messages, whose only key ends in a week."""
    with compose.opened(settings.read(environ)) as parts, parts.database.begin() as session:
        session.add(DepartmentRow(code="sb", name="社保局", mode="pull"))
        session.flush()
        machines.make(session, "sb", 7, "operator", parts.clock())


@pytest.mark.parametrize(
    ("harm", "part", "to_do"),
    [
        (no_database, "database", "hotline init"),
        (empty_database, "database", "hotline db upgrade"),
        (no_sqlite, "database", "URL"),
        (no_keys, "keys", "hotline keys new"),
        (broken_key, "keys", "。 "),
        (wrong_passphrase, "keys", "passphrase is wrong"),
        (no_log_key, "log", "restore it from a backup"),
        (log_key_for_all, "log", "chmod"),
        (another_log_key, "log", "tell the auditor"),
        (nothing_outside, "checkpoints", "hotline audit places"),
        (store_not_mounted, "kept", "not mounted"),
        (a_file_instead("HOTLINE_STORE_URL"), "store", "make it, or chown it"),
        (a_file_instead("HOTLINE_SPOOL"), "spool", "make it, or chown it"),
        (a_file_instead("HOTLINE_CEL"), "cel", "HOTLINE_CEL"),
        (cel_unreadable, "cel", "cel_custom.conf"),
        (cel_missing, "cel", "HOTLINE_CEL"),
        (no_recording, "recordings", "pbx1/1795400000.1"),
        (no_key_to_fetch_with, "machines", "hotline department key sb"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_one_broken_part_says_what_to_do(
    environ: dict[str, str], tmp_path: Path, part: str, to_do: str,
    harm: Callable[[dict[str, str], Path], None],
) -> None:  # fmt: skip
    """It alone is found broken, by its name and with what to do; all others were looked at, too."""
    harm(environ, tmp_path)
    found = look(environ)
    assert tuple(found) == PARTS
    broken = {name for name, finding in found.items() if not finding.works}
    also = {"log"} if harm is no_keys else set()  # its key lies beside the keyring
    assert broken == {part, "pbx"} | also  # no PBX is set in these
    assert to_do in found[part].says
    assert "：None" not in found[part].says
    assert re.search(r"[\u4e00-\u9fff]", found[part].says)


def test_nothing_is_left_behind(environ: dict[str, str], tmp_path: Path) -> None:
    """Looking changes nothing: no file appears, in a house that works and in none at all."""

    def names() -> set[str]:
        # SQLite's own side files come and go with every reader.
        return {
            str(path) for path in tmp_path.rglob("*") if not path.name.endswith(("-wal", "-shm"))
        }

    before = names()
    look(environ)
    look({"HOTLINE_STATE": str(tmp_path / "nowhere")})
    assert names() == before


def test_a_pbx_that_is_not_there(environ: dict[str, str]) -> None:
    """Refused, unknown, silent: told with the address, within seconds, and without the secret."""
    with no_one_listens() as closed, somebody_silent() as silent:
        for host in (f"127.0.0.1:{closed}", f"127.0.0.1:{silent}", "pbx.invalid:5038"):
            environ["HOTLINE_PBX_URL"] = f"ami://hotline:{SECRET}@{host}"
            finding = look(environ)["pbx"]
            assert finding.works is False
            assert "None" not in finding.says
            assert SECRET not in finding.says
            assert re.search(r"[\u4e00-\u9fff].* [A-Z]", finding.says), finding.says


def test_a_pbx_that_refuses_the_account(environ: dict[str, str]) -> None:
    """A wrong secret is told apart from a PBX that is away."""
    read = settings.read(environ)

    async def with_pbx() -> Finding:
        clock, rng = compose.clock, random.Random(1)
        async with Simulator(
            read.pbxs[0].spool, cel_file(read), secret="another", clock=clock, rng=rng
        ) as pbx:
            environ["HOTLINE_PBX_URL"] = f"ami://hotline:{SECRET}@127.0.0.1:{pbx.port}"
            return (await asyncio.to_thread(look, environ))["pbx"]

    finding = asyncio.run(with_pbx())
    assert finding.works is False
    assert "manager.conf" in finding.says
    assert SECRET not in finding.says


def test_a_broker_that_is_not_there(environ: dict[str, str]) -> None:
    """Told in both languages, without its password; the database beside it works all the same."""
    with no_one_listens() as closed:
        environ["HOTLINE_BROKER_URL"] = f"amqp://u:{SECRET}@127.0.0.1:{closed}/"
        found = look(environ)
    assert (found["broker"].works, found["database"].works) == (False, True)
    assert re.search(r"[\u4e00-\u9fff].*broker", found["broker"].says)
    assert SECRET not in found["broker"].says


def test_a_database_server_that_is_not_there(environ: dict[str, str]) -> None:
    """PostgreSQL away, or without that database: told, without its password."""
    with no_one_listens() as closed:
        environ["HOTLINE_DATABASE_URL"] = f"postgresql://u:{SECRET}@127.0.0.1:{closed}/x"
        found = look(environ)
    assert (found["database"].works, found["keys"].works) == (False, True)
    assert SECRET not in str(found)


def test_a_database_that_was_never_made(
    environ: dict[str, str], postgres_cluster: Postgres
) -> None:
    """The server is there and the database is not."""
    url = postgres_cluster.fresh_database()
    environ["HOTLINE_DATABASE_URL"] = re.sub(r"hotline_\d+", "never_made", url)
    assert look(environ)["database"].works is False
    environ["HOTLINE_DATABASE_URL"] = url
    assert "hotline db upgrade" in look(environ)["database"].says
