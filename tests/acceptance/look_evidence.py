"""What there is to see of the evidence: a tomb, an export, broken glass, a checkpoint outside.

Made upon the morning by the same functions as real work; only the destruction of one old recording
is written by hand, as its month's certificate in the morning is: real time would take two years.
"""

import os
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from gateway.flow import exporting, glass, listening, playing, witnessing
from gateway.people import accounts
from gateway.people.roles import Role
from gateway.tickets import views
from recordings import deliveries, logkeys
from recordings.asking import Wanted
from recordings.tables import GrantRow, RecordingRow, RequestRow
from tests.acceptance import look_morning as scene

RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
DAY = 24 * 60 * scene.MINUTE


@dataclass(frozen=True)
class Evidence:
    """The ids that the pages' addresses need."""

    tomb: int
    export: int
    glass: int
    glassed: int
    spoken: int
    play: int


def made(morning: scene.Morning) -> Evidence:
    """All of it upon the morning; one place outside has the checkpoint, one cannot be reached."""
    parts = morning.parts
    outside = parts.settings.state / "outside"
    (parts.settings.state / "not-mounted").touch()
    logkeys.establish(parts.settings.keyring, "hotline.binhai.example/log", os.urandom(32))
    with parts.database.begin() as session:
        accounts.add(session, login="lin", name="林管理", role=Role.ADMINISTRATOR,
                     password=scene.PASSWORD, now=parts.clock())  # fmt: skip
    places = deliveries.places(f"{outside} {parts.settings.state}/not-mounted")
    morning.parts = replace(parts, settings=replace(parts.settings, checkpoints=places))
    found = Evidence(buried(morning), exported(morning), *broken(morning), *spoken(morning))
    witnessing.tend(morning.parts)
    return found


def buried(morning: scene.Morning) -> int:
    """A recording of two years ago, its ticket closed long since, destroyed with its month."""
    then, parts = morning.parts.clock() - 745 * DAY, morning.parts
    ticket = scene.call(morning, "13600001111", then, name="")
    with parts.database.reading() as session:
        linkedid = views.ticket(session, morning.people["chen"], ticket).calls[0].linkedid
    recording = scene.record(morning, linkedid, 4.0)
    morning.recordings.remove(recording)
    bury(morning, recording)
    return recording


def bury(morning: scene.Morning, recording: int) -> None:
    """The row as the destruction leaves it, under the morning's certificate."""
    with morning.parts.database.begin() as session:
        row = session.get_one(RecordingRow, recording)
        row.key_id, row.header = "2024-09", b""
        row.destroyed_at = morning.parts.clock() - 3 * DAY
        row.destroyed_plan = 1


def exported(morning: scene.Morning) -> int:
    """Asked for, granted, made: it waits to be fetched."""
    wanted = Wanted("supervision", "纪检部门调取，函〔2026〕118 号。",
                    f"#{morning.tickets['dispatched']}", None, "export", RECIPIENT)  # fmt: skip
    with morning.parts.database.begin() as session:
        grant = granted(session, morning, morning.recordings[1], wanted)
    row = exporting.make(morning.parts, morning.people["chen"], grant, morning.recordings[1],
                         origin="10.0.0.5")  # fmt: skip
    return row.id


def spoken(morning: scene.Morning) -> tuple[int, int]:
    """A recording in stereo and a play of it; who called is left, who answered right."""
    ticket = scene.call(morning, "13911112222", morning.parts.clock() - 40 * scene.MINUTE)
    with morning.parts.database.reading() as session:
        linkedid = views.ticket(session, morning.people["chen"], ticket).calls[0].linkedid
    recording = scene.record(morning, linkedid, 24.0, stereo=True)
    wanted = Wanted("complaint", "投诉反映态度问题，需核对双方原话。", f"#{ticket}", None)
    chen, now = morning.people["chen"], morning.parts.clock()
    with morning.parts.database.begin() as session:
        grant = granted(session, morning, recording, wanted)
        begun = playing.begin(session, chen, grant, recording, origin="10.0.0.5", now=now)
        assert isinstance(begun, playing.Begun)
        return recording, begun.play.id


def granted(session: Session, morning: scene.Morning, recording: int, wanted: Wanted) -> int:
    """The supervisor asks, the authoriser says yes for a day."""
    now = morning.parts.clock()
    asked = listening.ask(session, morning.people["chen"], [recording], wanted, origin="10.0.0.5",
                          now=now)  # fmt: skip
    assert isinstance(asked, RequestRow)
    grant = listening.decide(session, morning.people["zhou"], asked.id, granted=True, note="",
                             lasts_s=86400, origin="10.0.0.6", now=now)  # fmt: skip
    assert isinstance(grant, GrantRow)
    return grant.id


def broken(morning: scene.Morning) -> tuple[int, int]:
    """Break-glass: the grant, and the recording it is for."""
    recording = morning.recordings[3]
    with morning.parts.database.begin() as session:
        taken = glass.break_glass(
            session, morning.people["chen"], [recording],
            "来电人称要轻生，须立即核对其所说地址并通知公安。", origin="10.0.0.5",
            now=morning.parts.clock(),
        )  # fmt: skip
        assert isinstance(taken, GrantRow)
        return taken.id, recording
