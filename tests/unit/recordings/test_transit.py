"""The transit provider: the contract of every keyring, and what only a service can get wrong."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from recordings.errors import KeyDestroyed, KeyInvalid, KeyringLocked
from recordings.keys import Keyring, encode_identity
from recordings.transit import TransitKeyring
from tests.rig.transit import Transit, serving
from tests.unit.recordings.keyring_contract import NOW, KeyringContract, identity


@pytest.fixture
def service() -> Iterator[Transit]:
    with serving() as transit:
        yield transit


def ring_of(service: Transit, tmp_path: Path, token: str = "s.correct") -> TransitKeyring:
    return TransitKeyring(service.url, lambda: token, tmp_path / "transit")


class TestTransit(KeyringContract):
    """The contract over the service."""

    @pytest.fixture
    def opened(self, service: Transit, tmp_path: Path) -> Callable[[], Keyring]:
        return lambda: ring_of(service, tmp_path)


@pytest.fixture
def ring(service: Transit, tmp_path: Path) -> TransitKeyring:
    """A keyring with one key in it, as a fresh process has it."""
    ring_of(service, tmp_path).add([identity("2026-11")], NOW)
    return ring_of(service, tmp_path)


def test_what_lies_on_the_disk_opens_nothing(ring: TransitKeyring, tmp_path: Path) -> None:
    """A stolen disk or backup holds the wrapped key alone."""
    del ring
    (file,) = (tmp_path / "transit").iterdir()
    text = file.read_text()
    assert text.startswith("vault:v1:")
    assert encode_identity(identity("2026-11").secret) not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_who_has_the_wrong_token_is_told(
    ring: TransitKeyring, service: Transit, tmp_path: Path
) -> None:
    """By the setting's name and never with the token; nothing is changed."""
    del ring
    wrong = ring_of(service, tmp_path, "s.stolen")
    for act in (lambda: wrong.of("2026-11"), lambda: wrong.add([identity("2026-12")], NOW),
                lambda: wrong.destroy("2026-11")):  # fmt: skip
        with pytest.raises(KeyringLocked, match="HOTLINE_TRANSIT_TOKEN") as told:
            act()
        assert "s.stolen" not in str(told.value)
    assert ring_of(service, tmp_path).of("2026-11") == identity("2026-11")
    assert list(service.keys) == ["hotline-2026-11"]


def test_a_sealed_service_is_told(ring: TransitKeyring, service: Transit) -> None:
    """Vault after a restart: somebody has to unseal it, and then it goes on."""
    service.sealed = True
    with pytest.raises(KeyringLocked, match="unseal"):
        ring.of("2026-11")
    service.sealed = False
    assert ring.of("2026-11") == identity("2026-11")


def test_a_service_that_is_away_is_told(tmp_path: Path) -> None:
    """No answer, or an answer that is none: the setting is named, and nothing hangs."""
    ring = TransitKeyring("http://127.0.0.1:1/v1/transit", lambda: "x", tmp_path)
    with pytest.raises(KeyringLocked, match="HOTLINE_TRANSIT_URL"):
        ring.add([identity("2026-11")], NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_key_deleted_at_the_service_is_destroyed(
    ring: TransitKeyring, service: Transit, tmp_path: Path
) -> None:
    """A wrapped file from a backup opens nothing once the engine's key is gone."""
    wrapped = (tmp_path / "transit" / "2026-11.wrapped").read_text()
    ring.destroy("2026-11")
    assert service.keys == {}
    (tmp_path / "transit" / "2026-11.destroyed").unlink()
    (tmp_path / "transit" / "2026-11.wrapped").write_text(wrapped)
    with pytest.raises(KeyDestroyed):
        ring_of(service, tmp_path).of("2026-11")


def test_a_service_that_keeps_the_key_is_no_destruction(
    ring: TransitKeyring, service: Transit
) -> None:
    """A policy that forbids deleting: told, and the key is not counted as gone."""
    service.keeps = True
    with pytest.raises(KeyringLocked, match="did not delete"):
        ring.destroy("2026-11")
    assert ring.of("2026-11") == identity("2026-11")


def test_a_damaged_file_is_told(ring: TransitKeyring, tmp_path: Path) -> None:
    """The service knows the key and cannot open the file: restore it."""
    file = tmp_path / "transit" / "2026-11.wrapped"
    file.write_text(file.read_text()[:-6] + "AAAAAA")
    with pytest.raises(KeyInvalid, match="backup"):
        ring.of("2026-11")


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Whoever sits in between gets no token: TLS is verified before anything is sent."""
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost",
            "-days", "1")  # fmt: skip
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        accepted, _ = listening.accept()
        with closing(accepted), suppress(OSError):
            context.wrap_socket(accepted, server_side=True).close()

    thread = threading.Thread(target=shake_hands)
    thread.start()
    try:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/v1/transit"
        ring = TransitKeyring(url, lambda: "x", tmp_path / "transit")
        with pytest.raises(KeyringLocked, match="SSLCertVerificationError"):
            ring.add([identity("2026-11")], NOW)
    finally:
        thread.join()
        listening.close()
