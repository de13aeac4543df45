"""A unit of work that need not outlive a power cut: what the relay writes about its own steps."""

from sqlalchemy import text

from gateway import notices
from gateway.database import Database


def test_a_brief_commit_waits_for_no_disk_and_tells_all_the_same(database_url: str) -> None:
    """Protects: only who asks for it gives durability up, and its notices are told as any."""
    told: list[notices.Notice] = []
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"), told.extend)
    asked = text("PRAGMA synchronous" if database.sqlite else "SHOW synchronous_commit")
    with database.begin() as session:
        session.execute(text("CREATE TABLE brief (id INTEGER)"))
        usual = session.scalar(asked)
    for number, lasting in enumerate((False, True, False)):
        with database.begin(lasting=lasting) as session:
            session.execute(text("INSERT INTO brief VALUES (1)"))
            notices.tell(session, "brief", "said", number)
            found = session.scalar(asked)
            assert (found == usual) is lasting or usual == "off"  # the tests' own cluster is brief
            if not lasting:
                assert found in {1, "off"}
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM brief")) == 3
    assert [notice.ref for notice in told] == ["0", "1", "2"]
    database.dispose()
