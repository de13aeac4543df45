"""For whoever watches the process: alive is not ready, and ready means the database can be used."""

from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from gateway import compose, settings
from tests.rig.postgres import Postgres
from tests.unit.api.scene import Scene
from tests.unit.gateway import house


def test_ready_when_all_is_there(anew: Scene) -> None:
    """200 for a load balancer; no sign-in."""
    assert anew.client().get("/healthz").json() == {"alive": True}
    answer = anew.client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "faults": []})


@pytest.mark.parametrize("version", ["0000", None])
def test_not_ready_on_another_version(anew: Scene, version: str | None) -> None:
    """A process of the new version must not get work while the database is of the old one."""
    with anew.parts.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if version:
            connection.execute(text(f"INSERT INTO alembic_version VALUES ('{version}')"))
    answer = anew.client().get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "hotline db upgrade" in answer.json()["faults"][0]
    assert anew.client().get("/healthz").status_code == 200


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@127.0.0.1:1/x", "sqlite:////proc/none.db"])
def test_not_ready_when_the_database_is_away(tmp_path: Path, url: str) -> None:
    """Away is 503 with a word, not a crash, and never shows how one would log in."""
    read = settings.read({"HOTLINE_STATE": str(tmp_path), "HOTLINE_DATABASE_URL": url})
    with compose.opened(read) as parts:
        answer = TestClient(compose.application(parts)).get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "s3cret" not in answer.text


def test_ready_again_when_the_database_is_back(postgres_cluster: Postgres, tmp_path: Path) -> None:
    """Every connection cut by a restart of PostgreSQL: the next question is answered, by itself."""
    url = postgres_cluster.fresh_database()
    with house.house(tmp_path, HOTLINE_DATABASE_URL=url) as parts:
        client = TestClient(compose.application(parts))
        assert client.get("/readyz").status_code == 200
        name = parts.database.engine.url.database
        postgres_cluster.run(
            "psql", "-h", str(postgres_cluster.directory), "-U", "postgres", "-c",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )  # fmt: skip
        assert client.get("/readyz").status_code == 200
