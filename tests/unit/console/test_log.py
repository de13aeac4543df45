"""The auditor's page: how far the newest checkpoint reaches, where it is, when it was verified."""

from dataclasses import replace
from pathlib import Path

from gateway.flow import witnessing
from recordings import deliveries, logkeys
from recordings.tables_log import CheckpointRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser

HOUR = 60 * scene.MINUTE


def placed(house: scene.Morning, *places: Path) -> None:
    """The same house, with these places for its checkpoints and a key to sign them."""
    words = deliveries.places(" ".join(map(str, places)))
    house.parts = replace(house.parts, settings=replace(house.parts.settings, checkpoints=words))
    logkeys.establish(house.parts.settings.keyring, "hotline.test/log", bytes(32))


def seen(house: scene.Morning) -> str:
    """The page as the auditor sees it."""
    return browser(house, "shen").get("/log").text


def test_the_newest_checkpoint_is_shown(bare: scene.Morning) -> None:
    """Before one is signed the page says so; then its size, what it does not cover, and that it is
    kept here alone; two hours without a signature are overdue."""
    placed(bare)
    browser(bare, "wang").get("/recordings")
    assert "尚未签署" in seen(bare)
    witnessing.tend(bare.parts)
    page = seen(bare)
    assert all(said in page for said in ("只在本机", "hotline.test/log", "0 分钟前"))
    with bare.parts.database.begin() as session:
        (row,) = session.query(CheckpointRow).all()
        assert f'<b class="num">{row.size}</b> 行' in page
        row.signed_at -= 3 * HOUR
    assert all(said in seen(bare) for said in ("逾期未签署", "3 小时前"))


def test_every_place_says_what_it_has(bare: scene.Morning, tmp_path: Path) -> None:
    """A place that cannot be reached is named with what is wrong; once it has the newest as the
    other does, the page says that all have it."""
    there, gone = tmp_path / "there", tmp_path / "gone"
    gone.write_text("not a directory: nothing is mounted here")
    placed(bare, there, gone)
    browser(bare, "wang").get("/recordings")
    witnessing.tend(bare.parts)
    page = seen(bare)
    assert all(said in page for said in ("有地点未收到", str(gone), "已收到最新", "未送达"))
    gone.unlink()
    witnessing.tend(bare.parts)
    assert "各处均已收到" in seen(bare)


def test_the_last_verification_is_shown(bare: scene.Morning) -> None:
    """Who verified last, when, and how it ended, also after the page is opened anew."""
    assert "尚未核验" in seen(bare)
    shen = browser(bare, "shen")
    assert "日志完整" in shen.post("/log/verify").text
    assert "上次核验：完整" in seen(bare)
