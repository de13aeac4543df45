"""`/metrics`: who may read it, what is in it, and that the shipped rules speak of what it shows."""

import re
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient

from gateway import compose
from queueing import parked, telling
from queueing.tables import CarrierRow
from tests.unit.api.scene import Scene
from tests.unit.gateway import house
from tests.unit.gateway.test_exposition import read

RULES = Path(__file__).parents[3] / "deploy/prometheus/hotline.rules.yml"
HERE = ("127.0.0.1", 50_000)


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (HERE, {}, 200),
        (("::1", 1), {}, 200),
        (("192.0.2.7", 1), {}, 403),
        (("unix", 1), {}, 403),
        (HERE, {"X-Forwarded-For": "192.0.2.7"}, 403),
        (HERE, {"Via": "1.1 proxy"}, 403),
    ],
)
def test_this_machine_alone_reads(
    there: Scene, client: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    """Protects: figures are not for whoever reaches the port, nor through a proxy beside it."""
    asked = TestClient(compose.application(there.parts), client=client)
    answer = asked.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("HOTLINE_METRICS_TOKEN" in answer.text) == (status == 403)


@pytest.mark.parametrize(
    ("shown", "status"),
    [("Bearer t0ken", 200), ("Bearer t0ke", 403), ("bearer", 403), ("Bearer 令牌", 403), ("", 403)],
)
def test_with_a_token_the_token_counts(tmp_path: Path, shown: str, status: int) -> None:
    """Protects: with a token set, being on this machine is not enough, and from elsewhere it is."""
    with house.house(tmp_path, HOTLINE_METRICS_TOKEN="t0ken") as parts:
        asked = TestClient(compose.application(parts), client=("192.0.2.7", 1))
        answer = asked.get("/metrics", headers=[(b"Authorization", shown.encode())])
    assert answer.status_code == status


def test_what_waits_and_what_came_of_it_is_shown(anew: Scene) -> None:
    """Protects: every figure that is promised, by department, with zeros where nothing is."""
    now = anew.parts.clock()
    with anew.parts.database.begin() as session:
        parked.park_reply(session, routing_key="reply.yanglao.v1", body=b"x", reason="r", now=now)
        telling.add(session, "publish", "confirmed", 3)
        telling.add(session, "publish", "confirmed", 4)
        telling.add(session, "reply", "parked-illegal-step", 2)
        session.add(CarrierRow(name="a:1", up=True, window=256, flying=3, told_at=now))
        session.add(CarrierRow(name="gone:2", up=True, window=16, flying=0, told_at=1))
    asked = TestClient(compose.application(anew.parts), client=HERE)
    answer = asked.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = read(answer.text)
    assert found["hotline_outbox_waiting", (("department", "yanglao"),)] == 1
    assert found["hotline_outbox_oldest_seconds", (("department", "yanglao"),)] > 60
    assert found["hotline_outbox_oldest_age_seconds", ()] > 60
    assert found["hotline_parked_open", (("department", "yanglao"),)] == 1
    assert found["hotline_parked_open", (("department", "gongshang"),)] == 0
    assert found["hotline_publish_total", (("verdict", "confirmed"),)] == 7
    assert found["hotline_publish_total", (("verdict", "unroutable"),)] == 0
    assert found["hotline_reply_total", (("receipt", "parked-illegal-step"),)] == 2
    assert found["hotline_relay_window", (("relay", "a:1"),)] == 256
    assert ("hotline_relay_window", (("relay", "gone:2"),)) not in found
    assert found["hotline_broker_up", ()] == 1
    assert found["hotline_queue_ready", (("queue", "department.yanglao"),)] == 0


def test_the_rules_speak_of_what_is_shown(there: Scene) -> None:
    """Protects: an alert on a metric of another name would never ring."""
    shown = read(TestClient(compose.application(there.parts), client=HERE).get("/metrics").text)
    names = {name for name, _ in shown} | {"hotline_relay_window"}
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]:
        used = set(re.findall(r"hotline_[a-z_]+", rule["expr"]))
        assert used, rule["alert"]
        assert used <= names, rule["alert"]
        assert re.search(r"。 .*\.$", rule["annotations"]["summary"]), rule["alert"]
