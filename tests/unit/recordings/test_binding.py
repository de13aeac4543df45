"""A header says whose it is: others' programs skip that, we insist on it."""

import random
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from recordings import binding, keys, sealed
from recordings import header as headers
from recordings.errors import EvidenceAltered, HeaderForged
from tests.rig.needs import need

AGE = Path("/usr/bin/age")
SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))
MINE = binding.stanza(binding.AUDIO, "main", "1795400000.1")


def header(*beside: headers.Stanza, recipients: tuple[bytes, ...] = (SECRET,)) -> bytes:
    return sealed.make_header(
        b"k" * 16,
        [sealed.public_of(secret) for secret in recipients],
        random.Random(1).randbytes,
        beside=beside,
    )


@pytest.mark.parametrize("recipients", [(SECRET,), (SECRET, OTHER)])
def test_others_programs_open_it(tmp_path: Path, recipients: tuple[bytes, ...]) -> None:
    """age 1.1 and rage open a file whose header names its recording, with each of its keys."""
    need(AGE, "apt-get install age")
    file = header(MINE, recipients=recipients) + sealed.encrypt_all(b"RIFF", b"k" * 16, b"n" * 16)
    assert b"-> cn.12333/recording main 1795400000.1\n\n" in file
    for secret in recipients:
        (tmp_path / "key").write_text(keys.encode_identity(secret))
        opened = subprocess.run(
            [AGE, "-d", "-i", tmp_path / "key"], input=file, capture_output=True, check=True
        )
        assert opened.stdout == b"RIFF"
        identity = pyrage.x25519.Identity.from_str(keys.encode_identity(secret))
        assert pyrage.decrypt(file, [identity]) == b"RIFF"


def test_ours_parses_it_and_writes_it_again() -> None:
    """The stanza is one of the grammar: what parses serialises to the same bytes."""
    data = header(MINE)
    parsed, length = headers.parse(data)
    assert (parsed.encode(), length) == (data, len(data))
    assert sealed.unwrap(parsed, [SECRET]) == b"k" * 16


def test_it_cannot_be_changed_without_the_file_key() -> None:
    """The MAC covers it: a header made to name another recording is forged."""
    data = header(MINE).replace(b"1795400000.1", b"1795400000.2")
    with pytest.raises(HeaderForged):
        sealed.unwrap(headers.parse(data)[0], [SECRET])


@pytest.mark.parametrize(
    "said",
    [
        [binding.stanza(binding.AUDIO, "main", "1795400000.2")],
        [binding.stanza(binding.AUDIO, "branch", "1795400000.1")],
        [binding.stanza(binding.PEAKS, "main", "1795400000.1")],
        [MINE, MINE],
        [MINE, binding.stanza(binding.AUDIO, "main", "1795400000.2")],
        [MINE, binding.stanza(binding.PEAKS, "main", "1795400000.1")],
        [headers.Stanza((binding.AUDIO,), b"")],
        [headers.Stanza(MINE.args, b"x")],
    ],
)
def test_a_header_of_something_else_is_refused(said: list[headers.Stanza]) -> None:
    """Another recording, PBX or kind, two names at once, one that says more or less: all refused,
    also where a header without a name would pass."""
    parsed, _ = headers.parse(header(*said))
    for required in (True, False):
        with pytest.raises(EvidenceAltered):
            binding.check(parsed, binding.AUDIO, "main", "1795400000.1", required=required)


def test_a_header_without_a_name_is_an_older_one() -> None:
    """Sealed before there was a name in it, it is bound by the log; peaks always have one."""
    parsed, _ = headers.parse(header(headers.Stanza(("grease", "x"), b"y")))
    binding.check(parsed, binding.AUDIO, "main", "1795400000.1", required=False)
    with pytest.raises(EvidenceAltered):
        binding.check(parsed, binding.PEAKS, "main", "1795400000.1", required=True)
    named, _ = headers.parse(header(MINE))
    binding.check(named, binding.AUDIO, "main", "1795400000.1", required=True)
