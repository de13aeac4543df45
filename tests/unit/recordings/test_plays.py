"""Plays: begun and counted once each, under a grant that still holds."""

import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy.orm import Session

from recordings import asking, grants, plays
from recordings.asking import Wanted
from recordings.errors import (
    GrantEnded,
    GrantError,
    GrantExpired,
    GrantUsedUp,
    NotGranted,
    PlayOver,
    RequestInvalid,
)
from recordings.tables import GrantRow
from tests.unit.recordings.room import NOW, SECOND, Room, wav

WANTED = Wanted("verify", "核对", "#1")


def recording(room: Room) -> int:
    """One sealed recording."""
    room.put("1795400000.1", wav(0.1))
    (captured,) = room.capture().once()
    return captured.recording_id


def granted(session: Session, recording_id: int, plays_max: int | None = 2) -> GrantRow:
    """A yes for the supervisor, for an hour."""
    request = asking.ask(session, "supervisor", [recording_id], WANTED, NOW)
    grant = grants.decide(session, request.id, authoriser="authoriser", granted=True, note="",
                          now=NOW, lasts_s=3600, plays_max=plays_max)  # fmt: skip
    assert grant is not None
    return grant


def begin(session: Session, grant: GrantRow, recording_id: int, now: int = NOW) -> int:
    usable = grants.usable(session, grant.id, "supervisor", recording_id, now)
    return plays.begin(session, usable, now).id


def test_no_more_plays_than_granted(room: Room) -> None:
    """Two were granted: the third is refused, and those that were begun go on."""
    made = recording(room)
    with room.begin() as session:
        grant = granted(session, made)
        first, second = begin(session, grant, made), begin(session, grant, made)
        assert plays.left(session, grant) == 0
        with pytest.raises(GrantUsedUp):
            begin(session, grant, made)
        for play in (first, second):
            assert plays.usable(session, play, "supervisor", made, NOW).grant_id == grant.id
        endless = granted(session, made, plays_max=None)
        assert [begin(session, endless, made) for _ in range(9)]
        assert plays.left(session, endless) is None


def test_a_play_is_ones_own_and_of_one_recording(room: Room) -> None:
    """Another's play, another recording's, and one that never was open nothing."""
    made = recording(room)
    with room.begin() as session:
        play = begin(session, granted(session, made), made)
        for who, what, which in (
            ("deputy", made, play), ("supervisor", made + 1, play), ("supervisor", made, play + 1),
        ):  # fmt: skip
            with pytest.raises(NotGranted):
                plays.usable(session, which, who, what, NOW)


def test_a_play_has_its_time(room: Room) -> None:
    """Four hours, or until the grant is over: to the microsecond."""
    made = recording(room)
    with room.begin() as session:
        request = asking.ask(session, "supervisor", [made], WANTED, NOW)
        grant = grants.decide(session, request.id, authoriser="authoriser", granted=True, note="",
                              now=NOW, lasts_s=86400)  # fmt: skip
        assert grant is not None
        play = begin(session, grant, made)
        end = NOW + plays.LASTS_US
        assert plays.usable(session, play, "supervisor", made, end - 1)
        with pytest.raises(PlayOver):
            plays.usable(session, play, "supervisor", made, end)
        late = begin(session, grant, made, now=grant.expires_at - 1)
        assert plays.running(session, grant.id, "supervisor", made, NOW) is not None
        assert plays.running(session, grant.id, "supervisor", made, grant.expires_at) is None
        with pytest.raises(GrantExpired):
            plays.usable(session, late, "supervisor", made, grant.expires_at)


def test_an_ended_grant_stops_its_plays(room: Room) -> None:
    """What is taken back is taken back at once, also in mid-play; and once."""
    made = recording(room)
    with room.begin() as session:
        grant = granted(session, made)
        play = begin(session, grant, made)
        grants.end(session, grant.id, by="authoriser", now=NOW)
        for attempt in (
            lambda: plays.usable(session, play, "supervisor", made, NOW),
            lambda: begin(session, grant, made),
            lambda: grants.end(session, grant.id, by="authoriser", now=NOW),
        ):
            with pytest.raises(GrantEnded):
                attempt()


def test_twenty_at_once_begin_what_was_granted(tmp_path: Path, database_url: str) -> None:
    """However many ask in the same moment, on PostgreSQL as on SQLite: five were granted."""
    room = Room(tmp_path, database_url.replace("postgresql://", "postgresql+psycopg://"))
    made = recording(room)
    with room.begin() as session:
        grant = granted(session, made, plays_max=5)
    begun: list[bool] = []
    ready = threading.Barrier(20)

    def one() -> None:
        ready.wait()
        try:
            with room.begin() as session:
                begin(session, grant, made)
            begun.append(True)
        except GrantUsedUp:
            begun.append(False)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    room.engine.dispose()
    assert (begun.count(True), len(begun)) == (5, 20)


def test_break_glass_is_short_and_waits_for_a_word(room: Room) -> None:
    """At once, for an hour and five plays, to hear alone; a yes afterwards leaves it as it is, a
    no ends it, and it is decided once and by somebody else."""
    made = recording(room)
    with room.begin() as session:
        taken = [
            asking.break_glass(session, person="supervisor", recording_ids=[made],
                               reason="来电人称要轻生，须立即核对地址", now=NOW)
            for _ in range(2)
        ]  # fmt: skip
        for grant in taken:
            assert (grant.glass, grant.plays_max, grant.kind) == (True, 5, "playback")
            assert grant.expires_at == NOW + 3600 * SECOND
            assert begin(session, grant, made)
            with pytest.raises(NotGranted):
                grants.usable(session, grant.id, "supervisor", made, NOW, kind="export")
        for grant, word in zip(taken, (True, False), strict=True):
            decided = grants.decide(session, grant.request_id, authoriser="authoriser",
                                    granted=word, note="", now=NOW + 1, lasts_s=1)  # fmt: skip
            assert decided is (grant if word else None)
            with pytest.raises(RequestInvalid):
                grants.decide(session, grant.request_id, authoriser="authoriser", granted=True,
                              note="", now=NOW, lasts_s=1)  # fmt: skip
        assert taken[0].expires_at == NOW + 3600 * SECOND, "confirmed, not made longer"
        assert begin(session, taken[0], made)
        with pytest.raises(GrantEnded):
            begin(session, taken[1], made)


class Story(RuleBasedStateMachine):
    """Ask, decide, begin, hear, end, and time that passes, in any order, against a model of it."""

    room: Room
    made: int

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.grant: GrantRow | None = None
        self.until = self.left = 0
        self.ended = False
        self.plays: list[tuple[int, int]] = []

    @initialize(lasts_s=st.integers(1, 86400), plays_max=st.integers(1, 3))
    def granted(self, lasts_s: int, plays_max: int) -> None:
        """A yes for some time and some plays."""
        with self.room.begin() as session:
            request = asking.ask(session, "supervisor", [self.made], WANTED, self.now)
            self.grant = grants.decide(session, request.id, authoriser="a", granted=True, note="",
                                       now=self.now, lasts_s=lasts_s,
                                       plays_max=plays_max)  # fmt: skip
        self.until, self.left = self.now + lasts_s * SECOND, plays_max

    @rule(seconds=st.integers(0, 20_000))
    def passes(self, seconds: int) -> None:
        """Time goes on."""
        self.now += seconds * SECOND

    def _may(self) -> bool:
        return not self.ended and self.now < self.until

    @rule()
    def begins(self) -> None:
        """Counted if the yes holds and a play is left, refused otherwise."""
        assert self.grant is not None
        try:
            with self.room.begin() as session:
                play = begin(session, self.grant, self.made, self.now)
        except GrantError:
            assert not (self._may() and self.left), "refused what was granted"
        else:
            assert self._may()
            assert self.left
            self.left -= 1
            self.plays.append((play, min(self.now + plays.LASTS_US, self.until)))

    @precondition(lambda self: self.plays)
    @rule(which=st.integers(0, 2))
    def hears(self, which: int) -> None:
        """A range, if the play is not over and the yes holds."""
        play, ends = self.plays[which % len(self.plays)]
        try:
            with self.room.begin() as session:
                plays.usable(session, play, "supervisor", self.made, self.now)
        except GrantError:
            assert not (self._may() and self.now < ends)
        else:
            assert self._may()
            assert self.now < ends

    @rule()
    def ends(self) -> None:
        """Once."""
        assert self.grant is not None
        try:
            with self.room.begin() as session:
                grants.end(session, self.grant.id, by="a", now=self.now)
        except GrantEnded:
            assert self.ended
        self.ended = True


def test_any_order_of_acts(room: Room) -> None:
    """Whatever is done in whatever order, nothing is heard that the yes does not hold for."""
    Story.room, Story.made = room, recording(room)
    case = Story.TestCase
    case.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
    case().runTest()
