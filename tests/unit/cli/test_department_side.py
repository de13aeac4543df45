"""What the department's commands refuse before they speak to anybody: said, and what to do."""

import json
from pathlib import Path

import pytest

from gateway import settings
from gateway.cli import department_account
from tests.unit.cli.conftest import Hotline

ANSWER = ("department", "reply", "WO-1", "return", "--by", "张三")
WHOSE = ("--department", "sb")
GIVEN = (*WHOSE, "--version", "1", "--text", "x")
TYPED: dict[str, tuple[tuple[str, ...], str]] = {
    "whose": ((*ANSWER, "--text", "x"), "--department"),
    "a code": ((*ANSWER, "--text", "x", "--department", "../sb"), "部门代码"),
    "no text": ((*ANSWER, *WHOSE), "--text"),
    "no date": (("department", "reply", "WO-1", "extension", "--by", "x", *GIVEN), "--until"),
    "a date": (
        ("department", "reply", "WO-1", "extension", "--by", "x", "--until", "soon", *GIVEN),
        "2026-11-23T08:00",
    ),
    "not taken in": ((*ANSWER, *WHOSE, "--text", "x"), "--version"),
    "too long": ((*ANSWER, *WHOSE, "--version", "1", "--text", "长" * 20_001), "reason"),
    "no name": (("department", "reply", "WO-1", "return", "--by", "", *GIVEN), "by"),
    "no number": (("department", "reply", "", "return", "--by", "x", *GIVEN), "work_order"),
    "a program": (("department", "listen", "sb", "--exec", "none-such x"), "none-such"),
    "a quote": (("department", "listen", "sb", "--exec", "a 'b"), "a 'b"),
    "two places": (
        ("department", "check", "sb", "--url", "amqp://h/live amqp://h/check"),
        "一个",
    ),
    "its code": (("department", "listen", "sb/x"), "部门代码"),
}


@pytest.mark.parametrize("name", TYPED)
def test_what_cannot_be_said_is_refused_with_what_to_do(
    hotline: Hotline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Protects: nothing is sent half said; the field is named, and what was typed is not quoted
    from what is long."""
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://hotline:s3cret@127.0.0.1:1/x")
    typed, said = TYPED[name]
    ended = hotline(*typed, "--json")
    assert ended.status == 1
    assert said in json.dumps(ended.data, ensure_ascii=False)
    assert len(ended.out) < 1000
    assert "s3cret" not in ended.out + ended.err


def test_a_broker_that_is_away_is_told_and_the_command_can_be_said_again(
    hotline: Hotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: an answer that was not confirmed is not taken for sent."""
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://department.sb:s3cret@127.0.0.1:1/x")
    ended = hotline("department", "reply", "WO-1", "sign", "--by", "张三", "--version", "1")
    assert ended.status == 1
    assert "不会重复生效" in ended.err
    assert "s3cret" not in ended.out + ended.err


def test_the_address_of_its_own_account_comes_before_the_gateways(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: on the gateway's machine a department's command speaks as the department."""
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://hotline:y@127.0.0.1:1/hotline")
    before = department_account.address(settings.read(), "sb")
    (state / "rabbitmq").mkdir(parents=True)
    (state / "rabbitmq" / "sb.url").write_text("amqp://department.sb:x@127.0.0.1:2/hotline\n")
    after = department_account.address(settings.read(), "sb")
    assert (before, after) == (
        "amqp://hotline:y@127.0.0.1:1/hotline",
        "amqp://department.sb:x@127.0.0.1:2/hotline",
    )
