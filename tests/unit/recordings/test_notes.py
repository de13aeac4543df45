"""Signed checkpoints: the specification's example, ours, and forgeries."""

import pytest

from recordings import notes
from recordings.errors import CheckpointInvalid
from recordings.notes import Checkpoint, Signer

SIGNER = Signer("hotline.example/log", bytes(range(32)))
OTHER = Signer("hotline.example/log", bytes(reversed(range(32))))
POINT = Checkpoint("hotline.example/log", 42, bytes(range(32)))


def test_what_is_signed_is_read() -> None:
    """A checkpoint survives signing and reading, and the private key survives its text."""
    signer = Signer.parse(SIGNER.render())
    assert notes.verify(signer.sign(POINT), [SIGNER.verifier_key]) == POINT
    assert SIGNER.sign(POINT).startswith("hotline.example/log\n42\n")


def test_the_specifications_key_and_note() -> None:
    """The example of c2sp.org/signed-note verifies with its key; its text is no checkpoint."""
    key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    note = (
        "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2"
        "ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    with pytest.raises(CheckpointInvalid, match="no checkpoint"):
        notes.verify(note, [key])
    with pytest.raises(CheckpointInvalid, match="signature does not fit"):
        notes.verify(note.replace("example message", "exemplary message"), [key])


def test_a_witness_beside_ours_is_ignored() -> None:
    """Signatures by keys nobody named to us neither help nor hurt."""
    ours, theirs = SIGNER.sign(POINT), OTHER.sign(POINT)
    both = ours + theirs.rpartition("\n\n")[2]
    assert notes.verify(both, [SIGNER.verifier_key]) == POINT
    with pytest.raises(CheckpointInvalid, match="No known key"):
        notes.verify(theirs, [SIGNER.verifier_key])


@pytest.mark.parametrize(
    "change",
    [("42", "43"), ("hotline.example/log\n", "hotline.example/other\n"), ("\n\n", "\n"),
     ("— ", "- "), ("42", "042")],
)  # fmt: skip
def test_altered_notes_are_refused(change: tuple[str, str]) -> None:
    """Whatever is changed in a note, it is no longer a checkpoint."""
    with pytest.raises(CheckpointInvalid):
        notes.verify(SIGNER.sign(POINT).replace(*change, 1), [SIGNER.verifier_key])


@pytest.mark.parametrize("text", ["", "x", "PRIVATE+KEY+a+b+c", "PRIVATE+KEY+n+00000000+AQ=="])
def test_malformed_keys(text: str) -> None:
    """A broken key file is named as such, and nothing else is raised."""
    with pytest.raises(CheckpointInvalid):
        Signer.parse(text)
    with pytest.raises(CheckpointInvalid):
        notes.verify(SIGNER.sign(POINT), [text])


def test_the_secret_does_not_show() -> None:
    """The log's signing key in a traceback would be in a log."""
    assert "secret" not in repr(SIGNER)
