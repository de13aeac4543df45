"""The short fuzzing run of every `make test`; the long one is `make fuzz`, of ten million."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import oracle

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("kind", "runs"), [("stream", 4_000), ("values", 10_000)])
def test_a_guided_run_finds_nothing(kind: str, runs: int, tmp_path: Path) -> None:
    """A change to the wire or the readers that a few thousand inputs can break is seen at once."""
    pytest.importorskip("atheris", reason="没有适合此系统的 atheris no atheris for this system")
    said = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", kind, str(runs), str(tmp_path / "corpus")],
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert said.returncode == 0, said.stderr[-3000:]
    done = re.search(r"Done ([0-9]+) runs", said.stderr)  # the last mutations may go beyond
    assert done is not None, said.stderr[-3000:]
    assert int(done[1]) >= runs


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_values_any_headers(data: bytes) -> None:
    """The same oracle without the guide, so that it runs wherever the tests do."""
    oracle.as_values(data)
    oracle.as_stream(data)


@given(
    st.text(
        st.one_of(st.sampled_from("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\n:\0 "), st.characters())
    )
)
def test_the_oracle_sees_a_forged_header(text: str) -> None:
    """A test that cannot fail protects nothing: of all line ends, CR LF alone makes a header."""
    name = text.encode("utf-8", "replace").decode()
    raw = f"Event: X\r\nA: {name}Forged: 1\r\n\r\n".encode()
    (message, *_) = oracle._read([raw]) or (None,)
    if message is not None and "\r\n" not in name and not name.endswith("\r"):
        assert message.get("Forged") == ""
        assert oracle._messages(raw)[0] == message.raw
