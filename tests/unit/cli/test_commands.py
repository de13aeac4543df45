"""Every command: help in both languages, one JSON document, an exit status that means it."""

import argparse
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli, compose, settings
from gateway.cli.command import Command
from telephony.tables import LinkStateRow
from tests.rig.gateway import HOTLINE
from tests.unit.cli.conftest import Hotline

BOTH = re.compile(r"[\u4e00-\u9fff].*[A-Za-z]{2}|[A-Za-z]{2}.*[\u4e00-\u9fff]", re.DOTALL)
LONG_RUNNING = {"serve", "demo", "pbx replay"}  # tried as processes, in tests/integration/gateway
LONG_RUNNING |= {"department listen"}  # the same, in tests/integration/queueing


def words_of(command: Command) -> str:
    """`audit verify`."""
    return command.words


@pytest.mark.parametrize("command", cli.COMMANDS, ids=words_of)
def test_help_in_both_languages(hotline: Hotline, command: Command) -> None:
    """Whoever reads one of the two languages learns what the command and each argument is for."""
    said = hotline(*command.words.split(), "--help")
    assert said.status == 0
    assert BOTH.search(command.help)
    assert " ".join(command.help.split()) in " ".join(said.out.split())
    for argument in command.arguments:
        assert BOTH.search(argument.options["help"]), argument.names


@pytest.mark.parametrize("group", ["", *cli.GROUPS])
def test_a_group_lists_its_commands(hotline: Hotline, group: str) -> None:
    """`hotline` and `hotline keys` with --help show what there is; alone they are asked wrongly."""
    said = hotline(*group.split(), "--help")
    assert said.status == 0
    for command in cli.COMMANDS:
        first, _, second = command.words.partition(" ")
        if group in ("", first):
            assert (second if group else first) in said.out
    alone = hotline(*group.split())
    assert (alone.status, alone.out) == (2, "")


def test_words_are_told_apart() -> None:
    """No command hides another of the same words."""
    words = [command.words for command in cli.COMMANDS]
    assert len(words) == len(set(words))


TRIED = {
    "init": ("init", "{state}"),
    "doctor": ("doctor",),
    "db upgrade": ("db", "upgrade"),
    "user add": ("user", "add", "8001", "--role", "agent"),
    "user close": ("user", "close", "admin"),
    "user password": ("user", "password", "admin"),
    "user phone": ("user", "phone", "admin", "PJSIP/8001"),
    "parked list": ("parked", "list"),
    "parked replay": ("parked", "replay", "1"),
    "parked discard": ("parked", "discard", "1", "--reason", "tried"),
    "department add": ("department", "add", "yanglao", "养老保险科"),
    "department list": ("department", "list"),
    "department credentials": ("department", "credentials", "yanglao"),
    "department key": ("department", "key", "yanglao"),
    "department test": ("department", "test", "yanglao"),
    "keys list": ("keys", "list"),
    "keys new": ("keys", "new", "--month", "2031-01"),
    "keys export": ("keys", "export", "2031-01", "--as", "admin", "--reason", "tried", "--to", "x"),
    "keys destroy": ("keys", "destroy", "2031-01", "--as", "admin", "--reason", "tried"),
    "keys confirm": ("keys", "confirm", "1", "--as", "admin", "--digest", "x"),
    "keys acts": ("keys", "acts"),
    "keys copies": ("keys", "copies"),
    "keys gone": ("keys", "gone", "1", "--as", "admin"),
    "keys check": ("keys", "check"),
    "keys rotate": ("keys", "rotate"),
    "keys enclose": ("keys", "enclose"),
    "keys passphrase": ("keys", "passphrase", "--new", "{words}"),
    "audit verify": ("audit", "verify"),
    "audit checkpoint": ("audit", "checkpoint"),
    "audit prove": ("audit", "prove", "0"),
    "audit consistency": ("audit", "consistency", "1", "1"),
    "audit export": ("audit", "export", "{out}"),
    "audit places": ("audit", "places"),
    "reconcile": ("reconcile", "--since", "2026-11-23T08:00"),
    "figures": ("figures",),
    "pbx status": ("pbx", "status"),
    "recording seal": ("recording", "seal", "{wav}", "--recipient", "{age}", "--out", "{out}"),
    "recording open": ("recording", "open", "{wav}", "--identity", "{wav}", "--out", "{out}"),
    "retention plan": ("retention", "plan"),
    "retention hold": ("retention", "hold", "--recording", "1", "--why", "x", "--as", "he"),
    "retention lift": ("retention", "lift", "1", "--as", "he"),
    "retention agree": ("retention", "agree", "2026-11", "--as", "admin"),
    "retention run": ("retention", "run"),
    "retention certificate": ("retention", "certificate", "1"),
}
TRIED |= {
    "recording backup": ("recording", "backup", "{backup}"),
    "recording drill": ("recording", "drill", "{backup}"),
    "recording restore": ("recording", "restore", "{backup}"),
    "recording scrub": ("recording", "scrub", "--all"),
    "recording verify": ("recording", "verify", "1"),
}
TRIED |= {
    "department check": ("department", "check", "sb", "--url", "amqp://x:y@127.0.0.1:1/check"),
    "department reply": ("department", "reply", "WO-1", "sign", "--by", "x", "--department", "sb"),
}
FAILS = {"doctor", "parked replay", "parked discard", "reconcile", "pbx status", "recording open",
         "keys export", "keys destroy", "keys confirm", "keys gone"}  # fmt: skip
FAILS |= {
    "department check",
    "department credentials",
    "department key",
    "department reply",
    "department test",
    "recording drill",
    "recording restore",
    "recording verify",
}
FAILS |= {f"retention {act}" for act in ("hold", "lift", "agree", "certificate")}
"""In a house with no PBX, no CEL, nothing parked and nobody but admin: what these look for is not
there."""
NEED_NO_DATABASE = {"init", "db upgrade", "keys list", "keys enclose", "recording seal"}


def arguments(state: Path, command: Command) -> list[str]:
    """The command as it is tried, its files beside `state`."""
    wav = state.parent / "x.wav"
    wav.write_bytes(b"RIFF")
    (state.parent / "backup").mkdir(exist_ok=True)
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    words = state.parent / "words"
    words.write_text("correct horse battery\n")
    places = {
        "words": words,
        "state": state,
        "wav": wav,
        "age": recipient,
        "out": state.parent / "out",
        "backup": state.parent / "backup",
    }
    return [word.format(**places) for word in TRIED[command.words]]


def test_every_command_is_tried() -> None:
    """A new command must be among those below."""
    assert {command.words for command in cli.COMMANDS} - LONG_RUNNING == set(TRIED)


@pytest.mark.parametrize(
    "command", [one for one in cli.COMMANDS if one.words in TRIED], ids=words_of
)
def test_json_is_one_document(
    ready: Hotline, state: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs read all of standard output as one document, done (0) or not (1), and people are
    told the same outcome."""
    typed = arguments(state, command)
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    said = ready(*typed, "--json")
    assert said.data is not None
    assert said.status == (1 if command.words in FAILS else 0), said.out
    if command.words in FAILS:
        assert "error" in said.data or command.words in ("doctor", "pbx status")


@pytest.mark.parametrize(
    "command", [one for one in cli.COMMANDS if one.words in TRIED], ids=words_of
)
@pytest.mark.parametrize("where", ["nowhere", "unreachable"])
def test_before_anything_is_set_up(
    hotline: Hotline, state: Path, command: Command, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a database, or with one that is away, a command says so: one document, no traceback,
    and never the password of the database."""
    if where == "unreachable":
        monkeypatch.setenv("HOTLINE_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/x")
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    said = hotline(*arguments(state, command), "--json")
    assert said.data is not None
    assert "s3cret" not in said.out + said.err
    free = NEED_NO_DATABASE - ({"init", "db upgrade"} if where == "unreachable" else set())
    assert (said.status == 0) == (command.words in free), said.out
    if command.words not in free | {"doctor", "recording open"}:
        assert BOTH.search(said.data["error"])


@pytest.mark.parametrize(
    "typed",
    [
        ("nonsense",),
        ("keys", "nonsense"),
        ("user", "add", "x"),
        ("user", "add", "x", "--role", "king"),
        ("reconcile",),
        ("department", "add", "x"),
        ("department", "reply", "WO-1", "shrug", "--by", "x"),
        ("department", "reply", "WO-1", "sign"),
        ("department", "check", "sb"),
        ("department", "check", "sb", "--url", "amqp://x", "--wait", "nan"),
        ("department", "add", "x", "y", "--mode", "fax"),
        ("parked", "replay", "all"),
        ("demo", "--port", "many"),
        ("keys", "list", "--jsn"),
        ("recording", "seal", "x", "--out", "y"),
    ],
)
def test_asked_wrongly_is_2(hotline: Hotline, typed: tuple[str, ...]) -> None:
    """A script tells a mistyped command (2) from one that could not be done (1)."""
    said = hotline(*typed)
    assert (said.status, said.out) == (2, "")
    assert "命令有误" in said.err
    assert "Asked wrongly" in said.err


@pytest.mark.parametrize("command", ["doctor", "keys list", "serve", "init"])
def test_an_unknown_setting_is_told(
    hotline: Hotline, state: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped HOTLINE_ variable would otherwise be as if it were not set: nothing starts."""
    monkeypatch.setenv("HOTLINE_SPOL", "/x")
    said = hotline(*command.split(), *([str(state)] if command == "init" else []), "--json")
    assert said.status == 1
    assert "HOTLINE_SPOL" in said.data["error"]
    assert not state.exists()


def test_help_needs_no_setting(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken environment does not keep anybody from reading how to mend it."""
    monkeypatch.setenv("HOTLINE_SPOL", "/x")
    assert hotline("--help").status == 0


def test_a_reader_who_leaves_is_no_error(state: Path, ready: Hotline) -> None:
    """`hotline … | head -1`: no traceback when the pipe is closed."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([HOTLINE, "keys", "list"], stdout=write, stderr=subprocess.PIPE,
                           env=os.environ | {"HOTLINE_STATE": str(state)}, check=False)  # fmt: skip
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_what_failed_is_not_on_standard_output(ready: Hotline) -> None:
    """For people, what could not be done stands on standard error alone."""
    said = ready("keys", "new", "--month", "2026-13")
    assert (said.status, said.out) == (1, "")
    assert BOTH.search(said.err)


def test_a_namespace_holds_what_was_typed() -> None:
    """Each argument of the table reaches its command under its own name."""
    asked = cli.parser().parse_args(["department", "add", "a", "b", "--mode", "queue", "--json"])
    assert isinstance(asked, argparse.Namespace)
    assert (asked.code, asked.name, asked.mode, asked.json) == ("a", "b", "queue", True)


def test_what_the_table_does_not_know_is_shown(ready: Hotline) -> None:
    """Late, repeated and unknown events are counted where an operator looks, for people and
    programs alike."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        session.add(
            LinkStateRow(
                pbx="pbx1", connected=True, since_at=1, last_packet_at=2, link_session="s",
                unknown_events=4711,
            )
        )  # fmt: skip
    assert "4711" in ready("pbx", "status").out
    (link,) = ready("pbx", "status", "--json").data
    assert link["unknown_events"] == 4711
