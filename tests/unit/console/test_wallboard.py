"""The wallboard's page: what it says, loudly where it may be wrong, and to whom news of it goes."""

import re
from dataclasses import replace

from sqlalchemy import delete
from starlette.testclient import TestClient

from gateway.console import live
from gateway.tables import AgentPauseRow
from telephony.tables import AgentStateRow, LinkGapRow, LinkStateRow
from tests.acceptance import look_morning as scene
from tests.rig.acting import asked_at
from tests.unit.console.conftest import Browser, browser


def tiles(html: str) -> dict[str, str]:
    """Extension → state, of every tile."""
    found = re.findall(
        r'<li [^>]*data-state="(\w+)".*?<span class="quiet num">(\d+)<', html, re.DOTALL
    )
    return {extension: state for state, extension in found}


def test_every_state_has_its_tile_and_its_word(signed_in: Browser) -> None:
    """What a supervisor reads from across the room: names, states, reasons, who is away."""
    html = signed_in("chen").get("/wallboard").text
    assert tiles(html) == {
        "8003": "talking", "8004": "ringing", "8005": "idle", "8006": "holding",
        "8007": "after_call", "8008": "break", "8009": "break", "8011": "idle",
    }  # fmt: skip
    for word in ("王小梅", "通话", "振铃", "空闲", "保持", "话后整理", "小休", "用餐", "机房检修",
                 "离线", "15 秒应答率"):  # fmt: skip
        assert word in html
    assert 'data-complete="yes"' in html
    assert "可能不全" not in html


def test_htmx_is_given_the_board_alone(signed_in: Browser) -> None:
    """A look every few seconds must not carry the whole page."""
    html = signed_in("he").get("/wallboard", headers={"HX-Request": "true"}).text
    assert html.lstrip().startswith('<div class="wall"')
    assert "<html" not in html


def test_a_house_without_a_pbx_says_what_to_do(bare: scene.Morning) -> None:
    """An empty board must not look like an idle one."""
    assert "HOTLINE_PBX_URL" in browser(bare, "chen").get("/wallboard").text


def link(morning: scene.Morning, *, connected: bool) -> None:
    with morning.parts.database.begin() as session:
        session.add(
            LinkStateRow(pbx="pbx1", connected=connected, since_at=1, link_session="s",
                         last_packet_at=morning.parts.clock(), unknown_events=0)
        )  # fmt: skip


def test_an_open_interval_is_said(bare: scene.Morning) -> None:
    """A rate that calls may be missing from is marked as such."""
    link(bare, connected=True)
    with bare.parts.database.begin() as session:
        session.add(LinkGapRow(pbx="pbx1", began_at=1, reason="closed"))
    html = browser(bare, "chen").get("/wallboard").text
    assert "1 段中断" in html
    assert "可能不全" in html
    assert "交换机没有队列" in html


def test_a_link_that_is_down_stops_the_clocks(bare: scene.Morning) -> None:
    """Nobody may take yesterday's picture for now: said, and no tile goes on counting."""
    link(bare, connected=False)
    with bare.parts.database.begin() as session:
        scene.wall(session, bare.parts.clock())
    html = browser(bare, "chen").get("/wallboard").text
    assert "电话系统已断开" in html
    assert html.count("data-since") == 1  # how long the link is down
    assert html.count("wall-agent stale") == 8
    assert "电话系统断开" in own(browser(bare, "wang"))


def own(client: TestClient) -> str:
    return client.get("/desk/presence").text


def test_an_agent_sees_the_own_state(signed_in: Browser, bare: scene.Morning) -> None:
    """Whether calls will come, beside the name; another agent's is not shown."""
    assert "通话" in own(signed_in("wang"))
    assert "振铃" in own(signed_in("ayi"))
    assert "未签入队列" in own(browser(bare, "wang"))


def buttons(html: str) -> dict[str, str]:
    """Login → what its tile's button says, and whether it can be pressed."""
    found = re.findall(r'<button [^>]*id="act-(\w+)"([^>]*)>([^<]*)', html)
    return {login: words + (" off" if " disabled" in rest else "") for login, rest, words in found}


def test_who_may_pause_others_has_a_button_on_each_tile(morning: scene.Morning) -> None:
    """One act a tile, the one that makes sense now; none for who only looks, none on phones that
    are nobody's account, and one that cannot be pressed while the PBX is asked nothing."""
    assert buttons(browser(morning, "chen").get("/wallboard").text) == {
        "wang": "示忙 off", "ayi": "示忙 off",
    }  # fmt: skip
    settings = asked_at(morning.parts.settings, "ami://c:s@127.0.0.1:1")
    able = replace(morning, parts=replace(morning.parts, settings=settings))
    with morning.parts.database.begin() as session:
        session.get_one(AgentStateRow, ("pbx1", "PJSIP/8004")).state = "after_call"
        session.add(AgentPauseRow(pbx="pbx1", interface="PJSIP/8003", login="wang", reason="meal",
                                  asked_by="chen", began_at=1, ended_by=""))  # fmt: skip
    try:
        html = browser(able, "chen").get("/wallboard").text
        assert buttons(html) == {"wang": "恢复接听", "ayi": "结束整理"}
        assert "之后用餐" in html  # 8003 still talks: the pause is to come
        seen = browser(able, "he").get("/wallboard").text
        assert (buttons(seen), 'id="pause-agent"' in seen) == ({}, False)
    finally:
        with morning.parts.database.begin() as session:
            session.get_one(AgentStateRow, ("pbx1", "PJSIP/8004")).state = "ringing"
            session.execute(delete(AgentPauseRow))


def test_news_goes_to_whom_it_concerns(bare: scene.Morning) -> None:
    """Supervisors and leaders watch the wall, an agent the own state, nobody else anything."""
    watching = {login: live.topics(person) for login, person in bare.people.items()}
    assert {login for login, topics in watching.items() if "wallboard" in topics} == {"chen", "he"}
    presence = {
        login: {topic for topic in topics if topic.startswith("presence")}
        for login, topics in watching.items()
    }
    assert {login: topics for login, topics in presence.items() if topics} == {
        "wang": {"presence:pbx1:PJSIP/8003"},
        "ayi": {"presence:pbx1:PJSIP/8004"},
    }
