"""Whether what proves things is in order: told where people look, and gone once it is mended."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import compose
from gateway.flow import log, soundness, state, witnessing
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from recordings import deliveries, notes
from recordings.errors import ObjectMissing
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW

DAY = 24 * 3600 * 1_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(tmp_path: Path, clock: Clock) -> Iterator[Parts]:
    """A house with a second copy and one place for checkpoints."""
    more = {"HOTLINE_STORE_COPY_URL": str(tmp_path / "second")}
    with house.house(tmp_path / "state", **more) as made:
        with made.database.begin() as session:
            house.person(session, "admin", Role.ADMINISTRATOR)
        places = deliveries.places(str(tmp_path / "outside"))
        yield replace(made, settings=replace(made.settings, checkpoints=places), clock=clock)


def line(parts: Parts) -> None:
    with parts.database.begin() as session:
        log.note(session, "log:log:read", actor="x", origin="-", obj="log", outcome="ok",
                 now=parts.clock())  # fmt: skip


def told(parts: Parts) -> str:
    """What the state page says, keys and all, in one text."""
    admin = Person(1, "admin", "", Role.ADMINISTRATOR)
    with parts.database.reading() as session:
        seen = state.overview(session, admin, parts, parts.clock()).key_troubles
        found = soundness.found(parts, session, parts.clock())
    assert [one.text for one in seen[-len(found) :]] == [one.text for one in found] or not found
    return " ".join(one.text for one in found)


def test_a_house_in_order_says_nothing(parts: Parts, clock: Clock) -> None:
    """No alarm at first, nor after a quiet week: nothing new to sign is nothing late."""
    assert told(parts) == ""
    line(parts)
    witnessing.tend(parts)
    assert told(parts) == ""
    clock.now += 7 * DAY
    assert told(parts) == ""


def test_a_log_that_nobody_signs_is_told(parts: Parts, clock: Clock) -> None:
    """No gateway runs the timers: after a day, not before; signed, it is over."""
    line(parts)
    clock.now += DAY
    assert told(parts) == ""
    clock.now += 1
    assert "timers" in told(parts)
    witnessing.tend(parts)
    assert told(parts) == ""


def test_a_place_that_is_late_is_told(parts: Parts, clock: Clock, tmp_path: Path) -> None:
    """By its name, for as long as it lacks the newest; brought, it is over."""
    outside = tmp_path / "outside"
    outside.write_text("a file where the directory should be")
    line(parts)
    witnessing.tend(parts)
    assert told(parts) == ""
    clock.now += DAY + 1
    assert f"brought to {outside}" in told(parts)
    outside.unlink()
    witnessing.tend(parts)
    assert told(parts) == ""


@pytest.mark.parametrize("harm", ["gone", "readable", "another"])
def test_a_key_that_is_not_right_is_told(parts: Parts, harm: str) -> None:
    """The key that signs the log: gone, open to others, or not the one in use."""
    key = parts.settings.keyring / "log.key"
    held = key.read_bytes()
    if harm == "gone":
        key.unlink()
    elif harm == "readable":
        key.chmod(0o640)
    else:
        key.write_text(notes.Signer("12333.cn/other", b"\x07" * 32).render() + "\n")
    assert "log" in told(parts)
    key.write_bytes(held)
    key.chmod(0o600)
    assert told(parts) == ""


def test_a_second_copy_that_is_read_is_told_for_a_day(parts: Parts, clock: Clock) -> None:
    """The store does not answer and the second copy does: nobody who listens notices, so the state
    page has to say it; a read that neither answers is no such thing."""
    parts.places["copy"].put("2026/11/23/pbx1/x.header", b"sealed")
    with pytest.raises(ObjectMissing):
        parts.store.size("2026/11/23/pbx1/y.header")
    assert told(parts) == ""
    assert parts.store.size("2026/11/23/pbx1/x.header") == 6
    clock.now = compose.clock()  # what the store remembers goes by the machine's time
    assert "2026/11/23/pbx1/x.header" in told(parts)
    clock.now += DAY + 1
    assert told(parts) == ""


def test_remembering_never_stops_who_listens(tmp_path: Path) -> None:
    """A state directory that cannot be written to: the read goes on."""
    place = tmp_path / "state"
    place.mkdir()
    remember = soundness.remembering(place, lambda: NOW)
    shutil.rmtree(place)
    remember("2026/11/23/pbx1/x.header")
    assert soundness.of_store(place, NOW) == ""


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "soon key", f"{NOW + 1} key"])
def test_a_note_that_is_none_is_nothing(tmp_path: Path, text: str) -> None:
    """Half written by hand, or of tomorrow: no page breaks over it."""
    (tmp_path / "store.fallback").write_text(text)
    assert soundness.of_store(tmp_path, NOW) == ""
