"""A proof convinces for its line alone, and is checked by programs that know nothing of ours."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recordings import audit, notes, proofs, tree
from recordings.errors import AuditError, CheckpointInvalid, ProofInvalid
from recordings.notes import Signer
from tests.unit.recordings.room import Room
from tests.unit.recordings.test_audit import KEYS, SIGNER, add

EXAMPLE = """c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJw==
"""


def test_the_specifications_example_is_read_and_written() -> None:
    """The text of c2sp.org/tlog-proof, its elisions made whole, goes through byte for byte."""
    read = proofs.parse(EXAMPLE)
    assert read.index == 73894
    assert read.extra == b"age-v1.2.1-darwin-arm64.tar.gz"
    assert len(read.path) == 2
    assert read.note.startswith("example.com/fancylog\n109482\n")
    assert proofs.encode(read.index, read.path, read.note, read.extra) == EXAMPLE


@pytest.fixture
def told(room: Room) -> list[str]:
    """The proofs of 21 lines under one checkpoint."""
    with room.begin() as session:
        add(session, 21)
        note = audit.checkpoint(session, SIGNER)
        found = [audit.prove(session, index) for index in range(21)]
        return [proofs.encode(one.index, one.path, note, one.leaf) for one in found]


def test_a_proof_holds_for_its_line_alone(told: list[str]) -> None:
    """With the line, the text and the log's key somebody else can check; another line's fails."""
    lines = [proofs.parse(text).extra for text in told]
    for at, text in enumerate(told):
        assert proofs.check(text, lines[at], KEYS).size == 21
        with pytest.raises(ProofInvalid):
            proofs.check(text, lines[at - 1], KEYS)
        with pytest.raises(ProofInvalid):
            proofs.check(text.replace(f"index {at}\n", f"index {at + 1}\n"), lines[at], KEYS)
    with pytest.raises(CheckpointInvalid):
        proofs.check(told[0], lines[0], [Signer(SIGNER.name, bytes(32)).verifier_key])


def test_somebody_elses_program_agrees(told: list[str], tmp_path: Path) -> None:
    """OpenSSL checks the signature; RFC 6962's recursion, written down from the other end, the
    path: neither knows our code."""
    text = told[13]
    head, body, signatures = text.split("\n\n")
    (tmp_path / "body").write_text(body + "\n")
    signature = base64.b64decode(signatures.strip().split(" ")[2])
    (tmp_path / "signature").write_bytes(signature[4:])
    public = base64.b64decode(KEYS[0].split("+", 2)[2])[1:]
    der = bytes.fromhex("302a300506032b6570032100") + public
    (tmp_path / "key.der").write_bytes(der)
    subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.der", "-keyform",
         "DER", "-in", "body", "-sigfile", "signature"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    _, extra, index, *path = head.split("\n")
    leaf = hashlib.sha256(b"\0" + base64.b64decode(extra.split()[1])).digest()

    def up(index: int, size: int, path: list[bytes]) -> bytes:
        """RFC 6962 2.1.1 read backwards: the last of the path stands beside the top."""
        if size == 1:
            assert path == []
            return leaf
        k = 1
        while k * 2 < size:
            k *= 2
        if index < k:
            return hashlib.sha256(b"\1" + up(index, k, path[:-1]) + path[-1]).digest()
        return hashlib.sha256(b"\1" + path[-1] + up(index - k, size - k, path[:-1])).digest()

    size, root = int(body.split("\n")[1]), body.split("\n")[2]
    found = up(int(index.split()[1]), size, [base64.b64decode(one) for one in path])
    assert base64.b64encode(found).decode() == root


OTHER = "c2sp.org/tlog-proof@v1\n{}index 6\n70000J00000P00000W000000cddegggi0000lnor0v{}=\n\ne"


@example(OTHER.format("", "y"))  # bits that no byte has
@example(OTHER.format("extra \n", "w"))
@given(st.text(max_size=300) | st.builds(lambda a, b: EXAMPLE[:a] + EXAMPLE[b:],
                                         st.integers(0, 400), st.integers(0, 400)))  # fmt: skip
def test_what_is_read_is_what_is_written(text: str) -> None:
    """Whatever parses re-serialises; whatever does not is a ProofInvalid, nothing else."""
    try:
        read = proofs.parse(text)
    except ProofInvalid:
        return
    assert proofs.encode(read.index, read.path, read.note, read.extra) == text


def test_proofs_in_the_tree_of_an_earlier_size(room: Room) -> None:
    """A line is proved under any checkpoint that covers it, also an old one; and each earlier log
    begins each later one."""
    marks = {}
    with room.begin() as session:
        for size in (3, 8, 13, 30):
            add(session, size - audit.head(session)[0])
            marks[size] = notes.verify(audit.checkpoint(session, SIGNER), KEYS).root
    with room.begin() as session:
        for size, root in marks.items():
            assert audit.root_at(session, size) == root
            for index in range(size):
                proof = audit.prove(session, index, size)
                assert proof.holds()
                assert proof.root == root
            for first in (one for one in marks if one <= size):
                path = audit.consistency(session, first, size)
                assert tree.consistent(first, size, path, marks[first], root)
        for bad in ((0, 3), (4, 3), (3, 31)):
            with pytest.raises(AuditError):
                audit.consistency(session, *bad)
        with pytest.raises(AuditError):
            audit.prove(session, 8, 8)
        with pytest.raises(AuditError):
            audit.prove(session, 8, 31)
