"""`hotline demo`: the whole chain in one process, told only where it truly happened, and gone."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.rig.gateway import HOTLINE

STEPS = ("来电", "工单", "录音已加密", "已派单", "部门已回复", "授权收听已留痕")
pytestmark = pytest.mark.timeout(180)


def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with nothing set, whose temporary directory is looked into afterwards."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "home").mkdir()
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp"), "LANG": "C.UTF-8",
            "HOME": str(tmp_path / "home")}  # fmt: skip


def left_in(tmp_path: Path) -> list[str]:
    """Whatever a run has left behind."""
    return [str(path) for path in tmp_path.rglob("*") if path.name not in ("tmp", "home")]


def alone(process: subprocess.Popen[str]) -> bool:
    """Whether nobody is left of the process's group."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def started(tmp_path: Path, *words: str) -> "subprocess.Popen[str]":
    """The demonstration as a process group of its own, in an empty directory."""
    return subprocess.Popen([HOTLINE, "demo", *words], env=environment(tmp_path), text=True,
                            cwd=tmp_path / "home", stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True)  # fmt: skip


def test_once_plays_one_call_through_all_of_it(tmp_path: Path) -> None:
    """Exit status 0, one document, every step happened in order, with what each one saw; and no
    file, no directory and no process is left."""
    process = started(tmp_path, "--once", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    said = json.loads(out)
    assert said["done"] is True
    assert tuple(step["step"] for step in said["steps"]) == STEPS
    assert all(step["happened"] for step in said["steps"])
    by_name = {step["step"]: step for step in said["steps"]}
    assert by_name["录音已加密"]["ms"] > 2000
    assert by_name["已派单"]["number"].startswith("(示范市)社保受理[")
    assert by_name["授权收听已留痕"]["log_intact"] is True
    assert left_in(tmp_path) == []
    assert alone(process)


def test_once_says_no_number_of_a_caller(tmp_path: Path) -> None:
    """For people each step is a line with its mark; the caller's number is in none (promise 10)."""
    process = started(tmp_path, "--once")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    ticked = [line.split()[1] for line in out.splitlines() if "✓" in line]
    assert tuple(ticked) == STEPS
    assert not re.search(r"1[38]\d{9}|王秀英", out + err)


def test_a_step_that_does_not_happen_is_a_failure(tmp_path: Path) -> None:
    """Where a WAV cannot be sealed, the demonstration does not say that all is well: 1, and where
    it stopped. (A file stands where the store's directory should be.)"""
    breaking = (
        "import sys\n"
        "from gateway import cli, compose\n"
        "prepare = compose.prepare\n"
        "def broken(made):\n"
        "    prepare(made)\n"
        "    made.settings.storage.store.rmdir()\n"
        "    made.settings.storage.store.write_text('in the way')\n"
        "compose.prepare = broken\n"
        "from gateway.demo import robots\n"
        "robots.WITHIN_S = 8.0\n"
        "sys.exit(cli.main(['demo', '--once', '--json']))\n"
    )
    python = HOTLINE.with_name("python")
    ended = subprocess.run([python, "-c", breaking], env=environment(tmp_path), text=True,
                           timeout=120, cwd=tmp_path / "home", capture_output=True,
                           check=False)  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout, ended.stderr
    said = json.loads(ended.stdout)
    assert said["done"] is False
    assert [step["happened"] for step in said["steps"]] == [True, True, False]
    assert said["steps"][-1]["step"] == "录音已加密"
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of a call: it ends within ten seconds, cleanly, and not a file is left."""
    process = started(tmp_path, "--port", "0")
    assert process.stdout is not None
    port = ""
    for line in process.stdout:
        port = port or "".join(re.findall(r"http://127\.0\.0\.1:(\d+)", line))
        if "☎" in line:
            break
    time.sleep(1.5)
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    assert list((tmp_path / "tmp").iterdir())
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in err) == (0, False), out + err
    assert left_in(tmp_path) == []
    assert alone(process)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """A port in use is said in both languages, with status 1, and nothing is left of the try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = started(tmp_path, "--port", str(taken.getsockname()[1]), "--json")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert "Traceback" not in err
    assert "Cannot listen" in json.loads(out)["error"]
    assert left_in(tmp_path) == []
