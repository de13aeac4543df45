"""The environment is read once, mistakes are named, and secrets do not print."""

from pathlib import Path

import pytest

from gateway import settings
from gateway.errors import BadSetting


def test_everything_lies_under_state_by_default(tmp_path: Path) -> None:
    """One directory to back up, one to remove."""
    read = settings.read({"HOTLINE_STATE": str(tmp_path)})
    for place in (read.pbxs[0].spool, read.pbxs[0].cel, read.storage.store, read.keyring):
        assert isinstance(place, Path)
        assert place.is_relative_to(tmp_path)
    assert str(tmp_path) in read.database_url
    assert (read.host, read.port) == ("127.0.0.1", 12333)


def test_secrets_do_not_print() -> None:
    """A settings object in a log or a traceback gives nothing away."""
    read = settings.read(
        {
            "HOTLINE_PBX_URL": "ami://hotline:s3cret@pbx.example:5038",
            "HOTLINE_DATABASE_URL": "postgresql://u:s3cret@db.example/hotline",
            "HOTLINE_BROKER_URL": "amqp://u:s3cret@mq.example/",
        }
    )
    assert "s3cret" not in repr(read) + read.database_place + read.broker_place
    assert read.pbxs[0].address is not None
    assert read.pbxs[0].address.secret == "s3cret"
    assert read.database_place.endswith("//db.example/hotline")


def test_a_file_can_hold_any_setting(tmp_path: Path) -> None:
    """Mounted secrets: `…_FILE` names a file, its last newline is not part of it."""
    (tmp_path / "url").write_text("amqps://u:p@mq.example/\n")
    read = settings.read({"HOTLINE_BROKER_URL_FILE": str(tmp_path / "url")})
    assert read.broker_url == read.broker_now() == "amqps://u:p@mq.example/"


def test_a_broker_secret_that_changes_is_taken_up(tmp_path: Path) -> None:
    """A password is changed without a restart: the file is read again, and a file that is gone or
    half written leaves what was known."""
    file = tmp_path / "url"
    file.write_text("amqp://u:old@mq.example/")
    read = settings.read({"HOTLINE_BROKER_URL_FILE": str(file)})
    file.write_text("amqp://u:new@mq.example/")
    assert read.broker_now() == "amqp://u:new@mq.example/"
    file.write_text("amq")
    assert read.broker_now() == "amqp://u:old@mq.example/"
    file.unlink()
    assert read.broker_now() == "amqp://u:old@mq.example/"
    assert settings.read({"HOTLINE_BROKER_URL": "amqp://u:p@x/"}).broker_now() == "amqp://u:p@x/"


def test_the_nodes_of_a_cluster_stand_in_one_setting() -> None:
    """Each is checked, the first names account and virtual host, and no password is shown."""
    nodes = "amqps://u:p@one.example/hotline  amqps://u:p@two.example/hotline"
    read = settings.read({"HOTLINE_BROKER_URL": nodes})
    assert read.broker_node == "amqps://u:p@one.example/hotline"
    assert read.broker_place == "amqps://one.example/hotline amqps://two.example/hotline"
    with pytest.raises(BadSetting, match="HOTLINE_BROKER_URL"):
        settings.read({"HOTLINE_BROKER_URL": "amqps://u:p@one.example/ two.example"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOTLINE_DATBASE_URL", "sqlite:///x"),
        ("HOTLINE_DATABASE_URL", "mysql://x"),
        ("HOTLINE_BROKER_URL", "http://x"),
        ("HOTLINE_PBX_URL", "ami://no-user:5038"),
        ("HOTLINE_PBX_URL", "ami://u:p@host:99999999"),
        ("HOTLINE_LISTEN", "12333"),
        ("HOTLINE_LISTEN", "127.0.0.1:99999"),
        ("HOTLINE_CEL_UTC_OFFSET", "+08:00"),
        ("HOTLINE_STORE_URL", "s3://bucket"),
        ("HOTLINE_BROKER_URL_FILE", "/nowhere/at/all"),
    ],
)
def test_a_mistake_is_named(name: str, value: str) -> None:
    """A typing mistake in a name or a value is told with the variable's name, in both languages."""
    with pytest.raises(BadSetting) as refused:
        settings.read({name: value})
    assert name in str(refused.value)
    assert "。 " in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["hotline.example", "http://hotline.example", "ftp://x", "https://", "https://u:p@x", "http://[",
     "https://x/?a=1", "https://" + "x" * 200],
)  # fmt: skip
def test_where_departments_reach_us_is_safe(tmp_path: Path, url: str) -> None:
    """Protects: a link to a caller's file goes over TLS, and holds nobody's password."""
    with pytest.raises(BadSetting, match="PUBLIC_URL"):
        settings.read({"HOTLINE_STATE": str(tmp_path), "HOTLINE_PUBLIC_URL": url})
    sound = {"HOTLINE_STATE": str(tmp_path), "HOTLINE_PUBLIC_URL": "https://hotline.example/x/"}
    assert settings.read(sound).public_url == "https://hotline.example/x"
