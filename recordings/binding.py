"""Which call a sealed file is of, said in its own header.

Pure.  An age header may hold stanzas of kinds its reader does not know, and its MAC covers them
all.  Ours holds one without a body that names the PBX and the recording: whoever lacks the file
key can neither change it nor put another recording's payload behind it.  The age and rage
programs skip it, as their specification asks.  Whether the file is the one that was catalogued is
not known here: playback.py compares hashes, and the log.

Source: FORMAT.md section 2; C2SP age specification, "Recipient stanza" (unknown types MUST be
ignored) and "Header MAC".
"""

from recordings.errors import EvidenceAltered
from recordings.header import Header, Stanza

AUDIO = "cn.12333/recording"
PEAKS = "cn.12333/peaks"
"""The two kinds of sealed files: the call itself, and the outline of its loudness."""


def stanza(kind: str, pbx: str, name: str) -> Stanza:
    """The stanza of a file of that kind; `pbx` and `name` are safe names (naming.py)."""
    return Stanza((kind, pbx, name), b"")


def check(header: Header, kind: str, pbx: str, name: str, *, required: bool) -> None:
    """Raise EvidenceAltered unless the header says it is this recording's.

    `required` False lets a header pass that says nothing: recordings sealed before there was
    such a stanza are bound by the log alone.
    """
    said = [one for one in header.stanzas if one.args[0] in (AUDIO, PEAKS)]
    if said != [stanza(kind, pbx, name)] and (said or required):
        raise EvidenceAltered(
            "封存文件属于另一段录音，已停止播放，请报审计。 "
            "The sealed file is another recording's; playback stopped: tell the auditor."
        )
