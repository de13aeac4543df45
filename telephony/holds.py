"""Who is on hold, asked of the PBX after a gap: the question for one channel, and its answer. Pure.

No list of Asterisk's says it: neither CoreShowChannels nor the device's state. What does is
`CHANNEL(rtp,hold)`, whether the phone has put the other side on hold; for PJSIP alone. It is read
with Getvar. Not with Status, whose `Variables` would read it of all channels at once: Status keeps
a channel locked while it waits for that channel's SIP thread, and a phone that holds in the same
moment makes both wait for ever (decision 0015).

An answer bears nothing of the question but its ActionID. So that says whose channel was asked
about, and the answer, journalled like an event, can be understood without its question.
"""

from typing import Final

from telephony import events as ev
from telephony.message import Message
from telephony.outgoing import is_outgoing

VARIABLE: Final = "CHANNEL(rtp,hold)"
_MARK: Final = "hold"
_TECHNOLOGY: Final = "PJSIP/"


def question(listed: Message) -> str | None:
    """The ActionID to ask by of a channel that CoreShowChannels listed; None of what is no agent's
    phone: a caller's own hold is no state of ours."""
    uniqueid, linkedid = listed.get("Uniqueid"), listed.get("Linkedid")
    channel = listed.get("Channel")
    theirs = uniqueid == linkedid and not is_outgoing(uniqueid)
    if theirs or not uniqueid or not linkedid or not channel.startswith(_TECHNOLOGY):
        return None
    return f"{_MARK} {linkedid} {uniqueid} {channel}"


def asked(answer: Message) -> bool:
    """Whether this answers such a question."""
    return answer.get("ActionID").startswith(f"{_MARK} ")


def understood(answer: Message, at: int) -> ev.Event | None:
    """What it says; None where the channel was gone, or the PBX cannot tell."""
    kind = {"1": ev.Held, "0": ev.Resumed}.get(answer.get("Value"))
    _, *names = answer.get("ActionID").split(" ", 3)
    if kind is None or len(names) != 3 or not all(names):
        return None
    linkedid, uniqueid, channel = names
    party = ev.Party(
        ev.storable(uniqueid, ev.ID_WIDTH),
        ev.storable(linkedid, ev.ID_WIDTH),
        ev.storable(channel, ev.NUMBER_WIDTH),
    )
    return kind(at, party)
