"""The keys as the house keeps them: made ahead, entered in the register, looked after.

A pair is made in this order: private half into the keyring, public half beside capture, then the
register and the log; what dies in between, the next round finishes. What always holds: a half that
the register does not know, or a private half that the keyring has lost, is told within one round
of the timers; nothing is ever made in the place of a key that was lost, for that is a person's
decision (`hotline keys rotate`). Who may take a key out or destroy it: `flow.custodians`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from gateway.flow import log
from gateway.parts import Parts
from gateway.people.roles import Role
from recordings import keys, pairs, register
from recordings.errors import KeysError
from recordings.keys import Keyring, Recipient

WARN_AHEAD_US = 14 * 86_400_000_000
TIMERS = "timers"  # the actor of what nobody asked for

_TEXTS = {
    "missing": "没有 {0} 的密钥，到时录音无法封存：hotline keys new --month {0}。 "
    "No pair for {0}: recordings of that month could not be sealed; hotline keys new --month {0}.",
    "swapped": "{0} 的公钥不是登记的那一把，录音正封给别人：请移走它，再运行 hotline keys check。 "
    "The public half of {0} is not the registered one: remove the file, run hotline keys check.",
    "stranger": "{0} 的公钥未登记，来历不明：请运行 hotline keys check。 "
    "The public half of {0} is in no register: run hotline keys check.",
    "lost": "{0} 的私钥不在钥匙环里，录音打不开：请恢复钥匙环备份；当月的再 hotline keys rotate。 "
    "The private half of {0} is not in the keyring: restore its backup; if of this month, "
    "hotline keys rotate.",
    "locked": "钥匙环打不开：请运行 hotline doctor。 The keyring does not open: hotline doctor.",
}
_GRAVE = ("swapped", "stranger", "lost")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with one month's pair; `what` is a key of the texts above."""

    key_id: str
    what: str

    @property
    def text(self) -> str:
        """What is wrong and what to do, in both languages."""
        return _TEXTS[self.what].format(self.key_id)


def keep_ahead(parts: Parts, actor: str | None = TIMERS) -> list[str]:
    """Make the pairs that are missing of this month and the next ones; their names.

    `actor` None: a house is being set up, nobody acts in it yet, and the register alone tells.

    Public halves that were lost are published again; pairs that are whole and in no register (an
    older version made them) are entered.
    """
    if parts.identities is None:
        return []
    with parts.database.reading() as session:
        known = register.halves(session)
    held, now = set(parts.identities.key_ids()), parts.clock()
    there = parts.recipients.key_ids()
    months = [one for one in pairs.wanted(now) if not any(name.startswith(one) for name in there)]
    makeable = [one for one in months if one in held or one not in known]
    made = make(parts, parts.identities, makeable, actor)
    older = [one for one in _whole(parts, parts.identities, there) if one.key_id not in known]
    _enter(parts, parts.identities, older, actor)
    return [one.key_id for one in made]


def make(parts: Parts, ring: Keyring, key_ids: Sequence[str], actor: str | None) -> list[Recipient]:
    """Make these pairs, enter and log them; raises KeyInvalid where one stands already."""
    made = pairs.make(ring, parts.settings.archive.public_keys, key_ids, now=parts.clock())
    _enter(parts, ring, made, actor)
    return made


def rotate(parts: Parts, ring: Keyring, actor: str) -> Recipient:
    """One more pair for this month: what is sealed from now on is sealed to it."""
    with parts.database.reading() as session:
        taken = {row.key_id for row in register.entries(session)}
    taken |= {*ring.key_ids(), *parts.recipients.key_ids()}
    return make(parts, ring, [pairs.next_of(keys.key_id_at(parts.clock()), taken)], actor)[0]


def troubles(parts: Parts, session: Session) -> list[Trouble]:
    """What is wrong with any pair, or soon will be, oldest month first."""
    known = register.halves(session)
    there, now = parts.recipients.key_ids(), parts.clock()
    found = [
        Trouble(one, "swapped" if one in known else "stranger")
        for one in pairs.check(parts.settings.archive.public_keys, known)
        if one in there
    ]
    soon = {keys.key_id_at(now), keys.key_id_at(now + WARN_AHEAD_US)}
    found += [
        Trouble(one, "missing") for one in soon if not any(name.startswith(one) for name in there)
    ]
    if parts.identities is not None:
        try:
            held = parts.identities.key_ids()
        except KeysError:
            found.append(Trouble("", "locked"))
        else:
            found += [Trouble(one, "lost") for one in known if one not in held]
    return sorted(found, key=lambda one: (one.key_id, one.what))


def tell(parts: Parts, found: Sequence[Trouble]) -> None:
    """Put troubles on record; of a half that is not ours, or was lost, the auditor is told too:
    recordings may be in a stranger's hands, or in nobody's."""
    if not found:
        return
    with parts.database.begin() as session:
        for one in found:
            log.note(session, "keys:pair:check", actor=TIMERS, origin="", obj=f"key:{one.key_id}",
                     outcome="failed", now=parts.clock(), detail={"what": one.what})  # fmt: skip
            if one.what in _GRAVE:
                log.tell(session, Role.AUDITOR, f"key-{one.what}", f"key:{one.key_id}", one.text,
                         parts.clock())  # fmt: skip


def _whole(parts: Parts, ring: Keyring, there: Sequence[str]) -> list[Recipient]:
    """The public halves that are those of our private ones."""
    found = []
    for key_id in there:
        with suppress(KeysError):
            half = parts.recipients.of(key_id)
            if pairs.belong(half, ring):
                found.append(half)
    return found


def _enter(parts: Parts, ring: Keyring, made: Sequence[Recipient], actor: str | None) -> None:
    if not made:
        return
    provider = parts.settings.archive.provider
    with parts.database.begin() as session:
        now, known = parts.clock(), register.halves(session)
        for one in made:
            if one.key_id in known:
                continue
            not_before = ring.not_before(one.key_id)
            register.enter(session, one, provider=provider, not_before=not_before, now=now)
            if actor is not None:
                log.note(session, "keys:pair:make", actor=actor, origin="", obj=f"key:{one.key_id}",
                         outcome="ok", now=now, detail={"recipient": one.text})  # fmt: skip
