"""The broker over TLS: its certificate is verified, and so is its name."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from queueing.broker import RabbitMQ
from queueing.errors import TransportDown
from queueing.topology import WORKORDERS
from tests.rig import releases
from tests.rig.rabbitmq import Broker, epmd, free_port, furnish
from tests.rig.waiting import closing

KEY = "workorder.sb.offered.v1"


def certified(at: Path, name: str) -> tuple[Path, Path]:
    """A key and a certificate for `name`, its own authority."""
    key, certificate = at / f"{name}.key", at / f"{name}.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


@pytest.fixture(scope="module")
def secured() -> Iterator[tuple[Broker, int]]:
    """A node that takes TLS for the name `localhost`, and the port of that."""
    release, port = releases.debian(), free_port()
    with release.directory() as directory:
        key, certificate = certified(directory, "localhost")
        release.own(key)
        files = f'{{certfile,"{certificate}"}},{{keyfile,"{key}"}}'
        said = (("ssl_listeners", f'[{{"127.0.0.1",{port}}}]'), ("ssl_options", f"[{files}]"))
        broker = Broker(directory, release, settings=said)
        furnish(broker)
        with epmd(release, broker.epmd_port):
            try:
                broker.start()
                yield broker, port
            finally:
                broker.kill()


def address(secured: tuple[Broker, int], ca: Path, host: str = "localhost") -> str:
    """The address of a fresh virtual host, with the authority that is trusted."""
    broker, port = secured
    return f"amqps://guest:guest@{host}:{port}/{broker.fresh_vhost()}?cafile={ca}"


def carried(url: str) -> str:
    """What becomes of one message published there."""

    async def scenario() -> str:
        async with closing(RabbitMQ(url, kind="classic")) as ours:
            await ours.declare(["sb"])
            return (await ours.publish(WORKORDERS, KEY, b"{}", "k")).verdict

    return asyncio.run(scenario())


def test_a_message_goes_over_tls(secured: tuple[Broker, int]) -> None:
    """Protects: what leaves the machine is encrypted, to whom we know."""
    assert carried(address(secured, secured[0].directory / "localhost.pem")) == "confirmed"


def test_another_authority_is_not_trusted(secured: tuple[Broker, int], tmp_path: Path) -> None:
    """Protects: who puts himself between us and the broker is found out, and told nothing."""
    _, other = certified(tmp_path, "localhost")
    with pytest.raises(TransportDown, match="CERTIFICATE_VERIFY_FAILED"):
        carried(address(secured, other))


def test_another_name_is_not_taken(secured: tuple[Broker, int]) -> None:
    """Protects: a certificate of the same authority for another machine is not enough."""
    ca = secured[0].directory / "localhost.pem"
    with pytest.raises(TransportDown, match="CERTIFICATE_VERIFY_FAILED"):
        carried(address(secured, ca, host="127.0.0.1"))


def test_plain_words_to_the_port_of_tls_are_refused(secured: tuple[Broker, int]) -> None:
    """Protects: a wrong setting ends in an error, and not in a connection that hangs."""
    broker, port = secured
    plain = replace(broker, port=port).url(broker.fresh_vhost())
    with pytest.raises(TransportDown):
        carried(plain)
