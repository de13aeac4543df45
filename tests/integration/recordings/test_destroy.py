"""A month is destroyed whole, by two people, after it stood; what is held plays on."""

import errno
import json
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from recordings import audit, certificate, consent, holds, keys, proposals, verifying
from recordings.errors import (
    Destroyed,
    EvidenceAltered,
    HoldInvalid,
    KeysError,
    NotYet,
    PlanInvalid,
    SamePerson,
    SealedError,
    StoreError,
)
from recordings.keyring import FileKeyring
from recordings.naming import HEADER, PAYLOAD, header_of
from recordings.retention import State
from recordings.store import DirectoryStore
from tests.rig.needs import need
from tests.unit.recordings.ageing import DAY, DUE, HOUR, Ageing
from tests.unit.recordings.room import NOW, PASSPHRASE, Room, grant_for, wav

AGE = Path("/usr/bin/age")
CALLS = [wav(2, seed=n) for n in range(4)]
HELD = 2  # the id of the recording that is held in most of these


@pytest.fixture
def ageing(tmp_path: Path) -> Ageing:
    """Four recordings of November 2026, the second of them held, in a store with a second copy."""
    room = Room(tmp_path / "room")
    for number, call in enumerate(CALLS):
        room.put(f"1795400000.{number}", call)
    assert len(room.capture().once()) == 4
    shutil.copytree(room.root, tmp_path / "copy")
    made = Ageing(room, [room.store, DirectoryStore(tmp_path / "copy")])
    made.kept[HELD] = "hold"
    return made


def objects(ageing: Ageing) -> set[str]:
    return {key for store in ageing.means.stores for key in store.keys("")}


def test_what_is_due_goes_and_what_is_held_plays(ageing: Ageing) -> None:
    """Key, objects and headers of three are gone from both places; the held one plays before,
    during and after; the log says all of it and fits itself; the certificate counts."""
    room, plan_id = ageing.room, ageing.agreed()
    before = room.rows()
    assert room.played(before[HELD - 1]) == CALLS[HELD - 1]
    assert ageing.run(plan_id) == State.CERTIFIED
    rows = room.rows()
    held = rows[HELD - 1]
    assert room.played(held) == CALLS[HELD - 1]
    assert held.key_id == "hold-2028-12"
    assert objects(ageing) == {header_of(held.object_key, 2), held.object_key + PAYLOAD}
    for row in rows:
        if row.id != HELD:
            assert (row.destroyed_plan, row.header) == (plan_id, b"")
            with pytest.raises(Destroyed):
                room.played(row)
    assert ageing.means.keyring.key_ids() == ["hold-2028-12"]
    written = ageing.certificate()
    said = json.loads(written)
    gone = [(row.id, row.sealed_sha256) for row in before if row.id != HELD]
    assert certificate.listed(gone) == (said["destroyed"], said["recordings_sha256"])
    assert (said["kept"], said["kept_why"]) == (1, {"hold": 1})
    assert (said["asked_by"], said["confirmed_by"]) == ("guan", "lin")
    with room.begin() as session:
        assert verifying.verify(session).ok
        line = audit.page(session, action="retention:plan:certify")[0]
        assert certificate.sha256(written) in line.detail
        assert len(audit.page(session, action="retention:recording:destroy")) == 3


@pytest.mark.parametrize("what", ["whole", "headers", "payloads", "rows"])
def test_rewrapped_ones_exchanged_do_not_play(ageing: Ageing, what: str) -> None:
    """Two that were given to the hold key, exchanged in the store wholly or by half, or a row
    pointed at the other's objects: noticed before a byte is played, in either place."""
    room = ageing.room
    ageing.kept[1] = "hold"
    ageing.run(ageing.agreed())
    rows = [row for row in room.rows() if row.destroyed_at is None]
    one, other = rows
    keys_of = [(row.object_key, header_of(row.object_key, 2)) for row in rows]
    if what == "rows":
        with room.begin() as session:
            session.execute(text("UPDATE recording SET object_key = object_key || 'x'"))
            for row, (key, _) in zip(rows, reversed(keys_of), strict=True):
                at = {"key": key, "id": row.id}
                session.execute(text("UPDATE recording SET object_key = :key WHERE id = :id"), at)
    else:
        ends = [] if what == "headers" else [[key + PAYLOAD for key, _ in keys_of]]
        ends += [] if what == "payloads" else [[header for _, header in keys_of]]
        for first, second in ends:
            (room.root / first).rename(room.root / "aside")
            (room.root / second).rename(room.root / first)
            (room.root / "aside").rename(room.root / second)
    for row in room.rows():
        if row.id in (one.id, other.id):
            with pytest.raises((EvidenceAltered, SealedError)):
                room.played(row)


def test_a_header_that_no_row_names_goes_too(ageing: Ageing) -> None:
    """A re-wrap that died before its row, in a plan that came to nothing: its header is to a key
    that lives on, and would open the payload of a backup after the month's key is gone."""
    room = ageing.room
    row = room.rows()[0]
    spare = header_of(row.object_key, 2)
    for store in ageing.means.stores:
        store.put(spare, b"to a hold key")
    assert ageing.run(ageing.agreed()) == State.CERTIFIED
    assert not any(key.startswith(row.object_key) for key in objects(ageing))


def test_nothing_that_is_left_opens_the_backup(ageing: Ageing, tmp_path: Path) -> None:
    """A backup of the store taken before, against every secret to be found on the machine after:
    the held one opens by its new header with `age`, none of the others by anything."""
    need(AGE, "apt-get install age")
    room, backup = ageing.room, tmp_path / "backup"
    shutil.copytree(room.root, backup)
    before = room.rows()
    secret = keys.encode_identity(room.identities.of("2026-11").secret)
    plan_id = ageing.agreed()
    assert _opens(backup, before[0].object_key, HEADER, secret, tmp_path) == CALLS[0]
    ageing.run(plan_id)
    secrets = _secrets(tmp_path)
    assert len(secrets) == 1  # the hold key: were none found, this test would show nothing
    for row in before:
        for one in secrets:
            assert _opens(backup, row.object_key, HEADER, one, tmp_path) is None
    held = room.rows()[HELD - 1]
    assert _opens(room.root, held.object_key, HEADER + "-2", secrets[0], tmp_path) == CALLS[1]


def _secrets(place: Path) -> list[str]:
    """Every private key in every file below `place`, plain or in a keyring whose passphrase is
    known."""
    found = set[str]()
    for path in place.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("latin-1").upper()
            found.update(re.findall(r"AGE-SECRET-KEY-1[A-Z0-9]{58}", text))
            with suppress(KeysError):
                ring = FileKeyring(path, lambda: PASSPHRASE, log_n=2)
                found.update(keys.encode_identity(ring.of(one).secret) for one in ring.key_ids())
    return sorted(found)


def _opens(store: Path, key: str, header: str, secret: str, tmp: Path) -> bytes | None:
    sealed, identity = tmp / "sealed.age", tmp / "identity"
    sealed.write_bytes(
        (store / (key + header)).read_bytes() + (store / (key + PAYLOAD)).read_bytes()
    )
    identity.write_text(secret)
    told = subprocess.run([AGE, "-d", "-i", str(identity), str(sealed)], capture_output=True,
                          check=False)  # fmt: skip
    sealed.unlink()
    identity.unlink()
    return told.stdout if told.returncode == 0 else None


def test_not_before_every_source_agrees(ageing: Ageing) -> None:
    """A second before, nothing is proposed; nor where SQL set the rows back, nor forward."""
    room = ageing.room
    assert ageing.months()[0].due_at == DUE
    room.now = DUE - 1
    for column in ("recorded_at", "sealed_at"):
        with room.begin() as session:
            assert proposals.propose(session, ageing.means.keyring, ageing.means.extensions,
                                     ageing.seen()) == []  # fmt: skip
            session.execute(text(f"UPDATE recording SET {column} = {column} - {900 * DAY}"))
    with room.begin() as session:  # sealed late: it keeps its month
        session.execute(text(f"UPDATE recording SET sealed_at = {NOW + 40 * DAY} WHERE id = 1"))
    assert ageing.months()[0].due_at == NOW + 40 * DAY + 730 * DAY


def test_a_plan_has_to_stand_and_two_to_agree(ageing: Ageing) -> None:
    """Six days are too few, one person twice is too few, another digest or a day later is none."""
    plan_id = ageing.proposed()
    ageing.lives(6 * DAY)
    with pytest.raises(PlanInvalid):
        ageing.agree(plan_id)
    ageing.lives(DAY)
    with ageing.room.begin() as session:
        row, now = proposals.get(session, plan_id), ageing.room.now
        digest = consent.ask(session, row, ageing.means.extensions, by="guan", now=now)
        with pytest.raises(SamePerson):
            consent.confirm(session, row, by="guan", digest=digest, now=now)
        for wrong, at in (("0" * 64, now), ("", now), (digest, now + DAY)):
            with pytest.raises(PlanInvalid):
                consent.confirm(session, row, by="lin", digest=wrong, now=at)
        with pytest.raises(PlanInvalid):
            consent.ask(session, row, ageing.means.extensions, by="lin", now=now)
    assert ageing.run(plan_id) == State.STANDING
    assert len(ageing.means.keyring.key_ids()) == 1


def test_a_clock_set_forward_destroys_nothing(ageing: Ageing) -> None:
    """Three years ahead for six days, then right again: the plan is void, everything is there."""
    room, plan_id = ageing.room, ageing.proposed()
    ageing.lives(6 * DAY)
    room.now = NOW + 7 * DAY
    ageing.lives(HOUR)
    row = ageing.plan(plan_id)
    assert (row.state, row.voided) == (State.VOID, "clock:ahead")
    with pytest.raises(PlanInvalid):
        ageing.agree(plan_id)
    assert [room.played(row) for row in room.rows()] == CALLS


def test_the_clock_is_asked_again_before_the_key(ageing: Ageing) -> None:
    """Agreed to, and the clock is set right before anybody looked: nothing is destroyed."""
    plan_id = ageing.agreed()
    ageing.room.now = NOW
    with pytest.raises(NotYet):
        ageing.run(plan_id)
    assert [ageing.room.played(row) for row in ageing.room.rows()] == CALLS


def test_a_hold_between_plan_and_run_counts(ageing: Ageing) -> None:
    """What is held after two persons agreed stays; what is no longer held stays this time too."""
    plan_id = ageing.agreed()
    ageing.kept = {3: "ticket"}
    assert ageing.run(plan_id) == State.CERTIFIED
    kept = [row for row in ageing.room.rows() if row.destroyed_at is None]
    assert [row.id for row in kept] == [2, 3]
    assert [ageing.room.played(row) for row in kept] == CALLS[1:3]
    assert json.loads(ageing.certificate())["kept_why"] == {"hold": 1, "ticket": 1}


def test_what_cannot_be_rewrapped_stops_before_the_key(ageing: Ageing) -> None:
    """A held recording whose file is altered: the others wait, the key stays, and it is told."""
    plan_id, held = ageing.agreed(), ageing.room.rows()[HELD - 1]
    ageing.kept[3] = "ticket"
    path = ageing.room.root / (held.object_key + PAYLOAD)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert ageing.run(plan_id) == State.CONFIRMED
    assert "2026-11" in ageing.means.keyring.key_ids()
    assert ageing.room.rows()[2].key_id == "hold-2028-12"  # the other one went on
    with ageing.room.begin() as session:
        assert [line.outcome for line in audit.page(session, obj=f"recording:{HELD}")] == ["failed"]
    path.write_bytes(whole)
    assert ageing.run(plan_id) == State.CERTIFIED


class Stubborn(DirectoryStore):
    """A store that does not remove one payload."""

    stubborn = ""

    def remove(self, key: str) -> None:
        if key == self.stubborn:
            raise OSError(errno.EACCES, "Permission denied")
        super().remove(key)


def test_one_that_cannot_be_removed_stops_no_other(ageing: Ageing) -> None:
    """It is tried again and told of; the others are gone, and so is the key."""
    plan_id, row = ageing.agreed(), ageing.room.rows()[0]
    store = Stubborn(ageing.room.root)
    store.stubborn = row.object_key + PAYLOAD
    assert ageing.run(plan_id, stores=(store,)) == State.SHREDDED
    assert [row.destroyed_at is not None for row in ageing.room.rows()] == [
        False,
        False,
        True,
        True,
    ]
    assert ageing.means.keyring.key_ids() == ["hold-2028-12"]
    store.stubborn = ""
    assert ageing.run(plan_id, stores=(store,)) == State.CERTIFIED
    assert json.loads(ageing.certificate())["tried_again"] == 1


def test_a_key_that_stays_in_the_ring_is_not_destroyed(ageing: Ageing) -> None:
    """Nothing is removed, and nothing certified, unless the keyring says that the key is gone."""
    plan_id = ageing.agreed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(ageing.means.keyring), "destroy", lambda _self, _key: None)
        with pytest.raises(Exception, match="2026-11"):
            ageing.run(plan_id)
    assert ageing.plan(plan_id).state == State.SHREDDING
    assert ageing.run(plan_id) == State.CERTIFIED


def test_a_hold_is_refused_once_it_is_too_late(ageing: Ageing) -> None:
    """Nobody is promised what is gone, and who placed a hold does not lift it."""
    plan_id = ageing.agreed()
    with ageing.room.begin() as session:
        hold = holds.place(
            session, of=[1], ticket_id=None, why="诉讼", by="he", now=ageing.room.now
        )
        with pytest.raises(SamePerson):
            holds.lift(session, hold.id, by="he", now=ageing.room.now)
        holds.lift(session, hold.id, by="zhou", now=ageing.room.now)
        assert list(holds.standing(session, ageing.room.now)) == []
    ageing.run(plan_id)
    with ageing.room.begin() as session, pytest.raises(HoldInvalid):
        holds.place(session, of=[1], ticket_id=None, why="诉讼", by="he", now=ageing.room.now)


def test_releasing_a_hold_is_the_same_way(ageing: Ageing) -> None:
    """Next month the hold key's own plan: what is still held moves on, the rest goes with it."""
    ageing.kept[3] = "ticket"
    ageing.run(ageing.agreed())
    del ageing.kept[3]
    ageing.room.now = keys.not_before_at("hold-2028-12") - HOUR
    assert [month.key_id for month in ageing.months() if month.due(ageing.room.now)] == []
    ageing.room.now += HOUR
    ageing.proposed()
    ageing.lives(7 * DAY)
    (month,) = ageing.months()
    assert month.plan is not None
    ageing.agree(month.plan.id)
    assert ageing.run(month.plan.id) == State.CERTIFIED
    (left,) = [row for row in ageing.room.rows() if row.destroyed_at is None]
    assert (left.id, left.key_id, left.header_version) == (HELD, "hold-2029-01", 3)
    assert ageing.room.played(left) == CALLS[1]
    assert ageing.means.keyring.key_ids() == ["hold-2029-01"]


def test_another_month_is_not_touched(ageing: Ageing) -> None:
    """Only what the key opens goes; a recording of another month plays on."""
    room = ageing.room
    room.now += 40 * DAY
    room.new_pair("2027-01")
    room.put(f"{room.now // 1_000_000}.9", CALLS[0])
    assert len(room.capture().once()) == 1
    ageing.run(ageing.agreed())
    last = room.rows()[-1]
    assert room.played(last) == CALLS[0]
    with pytest.raises(StoreError):
        room.store.size(room.rows()[0].object_key + PAYLOAD)
    assert grant_for(last).recording_id == last.id
