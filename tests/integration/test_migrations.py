"""The migrated schema and the tables in the code differ in nothing, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from gateway import migrations
from gateway.database import Database
from gateway.tables import Base


def definitions(database: Database) -> set[str]:
    """What alembic does not compare: every CHECK, index and constraint, as the database says it."""
    asked = (
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
        if database.sqlite
        else "SELECT CAST(CAST(conrelid AS regclass) AS text) || conname || "
        "pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conname NOT LIKE 'alembic%' AND connamespace = CAST('public' AS regnamespace) "
        "UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename NOT LIKE 'alembic%'"
    )
    with database.engine.connect() as connection:
        # SQLite keeps the words as they were written: lines of a table in whatever order.
        return {
            line.strip(" ,\n\t)")
            for (written,) in connection.execute(text(asked))
            for line in written.splitlines()
        }


def test_migrated_schema_equals_metadata(database_url: str) -> None:
    """What an operator's upgrade builds is what the code was written and tested against."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        migrations.upgrade(database)
        migrations.upgrade(database)  # again: nothing to do, nothing breaks
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        found, newest = migrations.version(database)
        assert found == newest is not None
        migrated = definitions(database)
        Base.metadata.drop_all(database.engine)
        Base.metadata.create_all(database.engine)
        assert migrated == definitions(database)
    finally:
        database.dispose()


def test_an_interrupted_upgrade_leaves_the_old_version(database_url: str) -> None:
    """The whole upgrade is one transaction: a power cut in the middle leaves nothing half-made."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE work_order (id INTEGER)")  # in the way
        try:
            migrations.upgrade(database)
        except Exception:  # noqa: BLE001 - whichever the driver raises
            pass
        else:
            raise AssertionError("the upgrade should have met the table in its way")
        assert migrations.version(database)[0] is None
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE work_order")
        migrations.upgrade(database)
    finally:
        database.dispose()
