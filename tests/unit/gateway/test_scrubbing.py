"""The places of the house: copied, compared, and an alarm wherever somebody looks."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import doctor, settings, shelves
from gateway.errors import BadInput, BadSetting
from gateway.flow import copies, linking, scrubbing, state
from gateway.flow.scrubbing import BEHIND_US, STALLED_US
from gateway.parts import Parts
from gateway.people.roles import Role
from recordings.capture import Capture
from recordings.errors import StoreError
from recordings.tables import AuditLineRow
from recordings.tables_store import STORE, StoreCheckRow
from tests.unit.gateway import house
from tests.unit.recordings.room import wav

CALL = wav(1, seed=5)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The other disk."""
    made = tmp_path / "copy"
    made.mkdir()
    return made


@pytest.fixture
def parts(tmp_path: Path, place: Path) -> Iterator[Parts]:
    """A house with a second copy and two recordings sealed, not copied yet."""
    with house.house(tmp_path / "state", HOTLINE_STORE_COPY_URL=str(place)) as made:
        (exchange,) = made.settings.pbxs
        (exchange.spool / "ready").mkdir()
        for number in (1, 2):
            (exchange.spool / "ready" / f"179540000{number}.1.wav").write_bytes(CALL)
        work = Capture(exchange.spool, exchange.name, made.recipients, made.store,
                       made.database.begin, made.clock, linking.captured)  # fmt: skip
        assert len(work.once(settle_s=0)) == 2
        yield made


def copied(parts: Parts) -> None:
    after: int | None = 0
    while after is not None:
        after = copies.some(parts, after)


def standing(parts: Parts, later: int = 0) -> scrubbing.Standing:
    with parts.database.reading() as session:
        return scrubbing.standing(session, parts, parts.clock() + later)


def test_what_waits_is_told_after_an_hour(parts: Parts, place: Path) -> None:
    """A copy that is a little late is no alarm; one that does not come is; copied, it is gone."""
    assert (standing(parts).waiting, standing(parts).well) == (2, True)
    assert scrubbing.verify(parts, 1, "operator") == {"store": "ok", "copy": "waiting"}
    assert standing(parts, BEHIND_US + 60_000_000).behind
    copied(parts)
    assert (standing(parts).waiting, standing(parts, BEHIND_US * 2).well) == (0, True)
    assert scrubbing.verify(parts, 1, "operator") == {"store": "ok", "copy": "ok"}
    assert len(list(place.rglob("*.payload"))) == 2


def test_nothing_compared_for_a_day_is_told(parts: Parts) -> None:
    """A scrub that does not run finds nothing: that must not look like health."""
    copied(parts)
    found = standing(parts, STALLED_US + 60_000_000)
    assert (found.stalled, found.well) == (["store", "copy"], False)


@pytest.mark.parametrize("where", ["store", "copy"])
def test_damage_in_either_place_is_named_everywhere(
    parts: Parts, place: Path, where: str, tmp_path: Path
) -> None:
    """State page, doctor and log name recording, place and finding; nothing is changed."""
    copied(parts)
    root = place if where == "copy" else Path(parts.settings.storage.store)
    damaged = min(root.rglob("*.payload"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    said = scrubbing.now(parts, 1.0, "operator", lambda _done, _of: None)
    ((number, found_in, how),) = said.wrong
    assert (said.checked, found_in, how) == (4, where, "altered")
    with parts.database.begin() as session:
        admin = house.person(session, "root", Role.ADMINISTRATOR)
    with parts.database.reading() as session:
        kept = state.overview(session, admin, parts, parts.clock()).kept
        lines = session.query(AuditLineRow).filter(AuditLineRow.action.like("%:compare")).all()
    assert [(one.recording_id, one.place) for one in kept.latest] == [(number, where)]
    assert [(one.obj, one.outcome) for one in lines] == [(f"recording:{number}", "failed")]
    environ = {"HOTLINE_STATE": str(tmp_path / "state"), "HOTLINE_STORE_COPY_URL": str(place)}
    found = {one.part.split()[0]: one for one in doctor.examine(settings.read(environ))}
    assert f"{number} {where} altered" in found["kept"].says
    assert found["copy"].works


def test_a_place_that_is_away_stops_neither_the_other_nor_the_house(
    parts: Parts, place: Path
) -> None:
    """Unmounted: not copied to as if it were empty, no recording missing, the store compared."""
    copied(parts)
    shutil.rmtree(place)
    place.mkdir()
    said = scrubbing.now(parts, 1.0, "operator", lambda _done, _of: None)
    assert (said.checked, said.wrong, list(said.away)) == (2, [], ["copy"])
    (parts.settings.pbxs[0].spool / "ready" / "1795400003.1.wav").write_bytes(CALL)
    exchange = parts.settings.pbxs[0]
    Capture(exchange.spool, exchange.name, parts.recipients, parts.store, parts.database.begin,
            parts.clock, linking.captured).once(settle_s=0)  # fmt: skip
    with pytest.raises(StoreError, match="not mounted"):
        copied(parts)
    assert list(place.iterdir()) == []


def test_the_duties_do_it_by_themselves(parts: Parts, place: Path) -> None:
    """Left running, everything is copied and compared; with no copy set that duty ends."""

    async def run() -> None:
        works = [asyncio.create_task(work.run(parts)) for work in (copies, scrubbing)]
        async with asyncio.timeout(30):
            while standing(parts).waiting or not _checked(parts):  # noqa: ASYNC110  rows
                await asyncio.sleep(0.05)
        for work in works:
            work.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*works)

    asyncio.run(run())
    assert standing(parts).well
    assert len(list(place.rglob("*.header"))) == 2


def _checked(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.query(StoreCheckRow).filter_by(place=STORE).count()


S3 = {"HOTLINE_S3_ACCESS_KEY": "AKIA", "HOTLINE_S3_SECRET_KEY": "s3cret"}


@pytest.mark.parametrize(
    "given",
    [
        {"HOTLINE_STORE_URL": "s3://bucket"},
        {"HOTLINE_STORE_URL": "s3://b"} | S3,
        {"HOTLINE_STORE_URL": "s3://bucket/../x"} | S3,
        {"HOTLINE_STORE_URL": "gs://bucket"} | S3,
        {"HOTLINE_STORE_COPY_URL": "ftp://x"},
        {"HOTLINE_S3_ACCESS_KEY": "AKIA"},
        {"HOTLINE_S3_ENDPOINT": "minio:9000"} | S3,
        {"HOTLINE_S3_ENDPOINT": "https://u:p@minio:9000"} | S3,
        {"HOTLINE_STORE_URL": "/srv/a", "HOTLINE_STORE_COPY_URL": "/srv/a/b"},
        {"HOTLINE_STORE_URL": "s3://bucket/a", "HOTLINE_STORE_COPY_URL": "s3://bucket/a/b"} | S3,
        {"HOTLINE_STORE_URL": "/srv/a", "HOTLINE_STORE_COPY_URL": "file:///srv/a"},
    ],
)
def test_a_place_that_cannot_be_is_told(given: dict[str, str]) -> None:
    """By the setting's name, in both languages, before anything is sealed."""
    with pytest.raises(BadSetting) as refused:
        settings.read(given)
    assert "HOTLINE_S" in str(refused.value)
    assert "。 " in str(refused.value)


def test_a_bucket_is_read_from_the_settings() -> None:
    """All of it, and the secret in no repr."""
    read = settings.read(
        {
            "HOTLINE_STORE_URL": "s3://bucket/evidence",
            "HOTLINE_STORE_COPY_URL": "/srv/copy",
            "HOTLINE_S3_ENDPOINT": "https://minio:9000/",
        }
        | S3
    )
    assert read.storage.store == "s3://bucket/evidence"
    assert read.storage.copy == Path("/srv/copy")
    assert read.storage.s3 is not None
    assert (read.storage.s3.endpoint, read.storage.s3.region) == ("https://minio:9000", "us-east-1")
    assert "s3cret" not in repr(read)
    for place in ("s3://bucket/evidence", "s3://bucket", "/srv/copy/x", "ftp://x"):
        with pytest.raises(BadInput):
            shelves.for_backup(place, read.storage)
