"""Two custodians: one asks, another confirms the very same within a day; copies stay on record."""

import random

import pytest
from sqlalchemy.orm import Session

from recordings import custodians, header, keys, sealed, split
from recordings.errors import ActExpired, ActUnknown, KeyInvalid, NoMatch, SameCustodian
from recordings.tables_keys import KeyActRow
from tests.unit.recordings.room import NOW, Room

A, B = b"\x01" * 32, b"\x02" * 32
TO = [keys.encode_recipient(sealed.public_of(one)) for one in (A, B)]
DAY = custodians.LASTS_US


def asked(session: Session, act: str = "export") -> KeyActRow:
    return custodians.ask(session, act, "2026-11", custodian="wang", reason="法院调取", now=NOW,
                          recipients=TO if act == "export" else ())  # fmt: skip


def test_one_asks_another_confirms(room: Room) -> None:
    """What both agreed on may be done, once, within its day."""
    with room.begin() as session:
        act = asked(session)
        with pytest.raises(ActUnknown):
            custodians.usable(session, act.id, "export", NOW)
        custodians.confirm(session, act.id, custodian="li", digest=act.digest, now=NOW + 1)
        with pytest.raises(ActUnknown):
            custodians.usable(session, act.id, "destroy", NOW)
        custodians.copied(session, custodians.usable(session, act.id, "export", NOW + 2), NOW + 2)
        with pytest.raises(ActUnknown):
            custodians.usable(session, act.id, "export", NOW + 3)


def test_one_person_is_not_two(room: Room) -> None:
    """Neither for an act nor for saying that a copy is gone."""
    with room.begin() as session:
        act = asked(session)
        with pytest.raises(SameCustodian):
            custodians.confirm(session, act.id, custodian="wang", digest=act.digest, now=NOW)
        assert act.confirmed_by is None
        copy = custodians.copied(session, act, NOW)
        custodians.attest_gone(session, copy.id, custodian="wang", now=NOW)
        with pytest.raises(SameCustodian):
            custodians.attest_gone(session, copy.id, custodian="wang", now=NOW)
        assert custodians.unaccounted(session, "2026-11") == 1
        custodians.attest_gone(session, copy.id, custodian="li", now=NOW)
        assert custodians.unaccounted(session, "2026-11") == 0
        assert (copy.gone_by, copy.gone_with) == ("wang", "li")
        with pytest.raises(ActUnknown):
            custodians.attest_gone(session, copy.id, custodian="zhao", now=NOW)


def test_what_is_confirmed_is_what_was_seen(room: Room) -> None:
    """A row changed behind the second person's back has another digest."""
    with room.begin() as session:
        act = asked(session)
        other = custodians.digest_of("export", "2026-12", "法院调取", TO)
        with pytest.raises(ActUnknown):
            custodians.confirm(session, act.id, custodian="li", digest=other, now=NOW)
        assert act.confirmed_by is None


@pytest.mark.parametrize("late", [DAY, DAY + 1])
def test_a_day_later_nothing_happens_any_more(room: Room, late: int) -> None:
    """An old yes does not lie about until it suits somebody."""
    with room.begin() as session:
        act = asked(session, "destroy")
        with pytest.raises(ActExpired):
            custodians.confirm(session, act.id, custodian="li", digest=act.digest, now=NOW + late)
        custodians.confirm(session, act.id, custodian="li", digest=act.digest, now=NOW + DAY - 1)
        with pytest.raises(ActExpired):
            custodians.usable(session, act.id, "destroy", NOW + late)


def test_what_is_no_act_is_refused(room: Room) -> None:
    """An unknown act, a name that is no key's, a recipient that is none."""
    with room.begin() as session:
        with pytest.raises(ActUnknown):
            custodians.ask(session, "copy", "2026-11", custodian="wang", reason="x", now=NOW)
        with pytest.raises(KeyInvalid):
            custodians.ask(session, "export", "../x", custodian="wang", reason="x", now=NOW)
        with pytest.raises(KeyInvalid):
            custodians.ask(session, "export", "2026-11", custodian="wang", reason="x", now=NOW,
                           recipients=["age1x"])  # fmt: skip
        assert custodians.acts(session) == []


def opened(file: bytes, secret: bytes) -> bytes:
    parsed, length = header.parse(file)
    file_key = sealed.unwrap(parsed, [secret])
    return sealed.decrypt_whole(file[length:], file_key)


def test_a_split_key_takes_both() -> None:
    """The second custodian opens the outer file, the first the inner one; neither both."""
    made = split.closed(b"AGE-SECRET", sealed.public_of(A), sealed.public_of(B),
                        random.Random(1).randbytes)  # fmt: skip
    assert opened(opened(made, B), A) == b"AGE-SECRET"
    with pytest.raises(NoMatch):
        opened(made, A)
    with pytest.raises(NoMatch):
        opened(opened(made, B), B)
