"""The migrated schema and the tables in the code differ in nothing, on both databases."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

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


SIGNED_IN = (
    "INSERT INTO sign_in (id, token_sha256, account_id, kind, csrf, opened_at, expires_at, seen_at)"
    " VALUES (1, 'x', 7, 'cookie', '', 0, 0, 0)"
)
HEARD = (
    "INSERT INTO link_state (pbx, connected, since_at, last_packet_at, link_session) "
    "VALUES ('old', {}, 0, 1, ''), ('north', {}, 0, 2, '')"
)


def test_who_had_a_phone_keeps_it_at_the_pbx_that_was_heard(database_url: str) -> None:
    """From one PBX to several: accounts, their open sessions and their phone stay; the same
    extension may then be somebody else's at another PBX, and nobody's twice at one."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    account = (
        "INSERT INTO account (id, login, name, role, {}extension, password_hash, active, failures,"
        " locked_until_at, created_at) VALUES ({}, '{}', '', 'agent', {}'PJSIP/8001', '-', {}, 0,"
        " 0, 0)"
    )
    true = "1" if database.sqlite else "true"
    try:
        command.upgrade(migrations.config(database), "0003")
        with database.engine.begin() as connection:
            for statement in (
                account.format("", 7, "wang", "", true),
                SIGNED_IN,
                HEARD.format(true, true),
                "INSERT INTO link_gap (pbx, began_at, reason) VALUES ('north', 1, 'closed')",
            ):
                connection.exec_driver_sql(statement)
        migrations.upgrade(database)
        with database.engine.begin() as connection:
            connection.exec_driver_sql(account.format("pbx, ", 8, "li", "'south', ", true))
            connection.exec_driver_sql("UPDATE link_gap SET reason = 'poison'")
            kept = connection.exec_driver_sql(
                "SELECT login, pbx, extension FROM account JOIN sign_in ON account_id = account.id"
            ).all()
            assert [tuple(row) for row in kept] == [("wang", "north", "PJSIP/8001")]
            if database.sqlite:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        for pbx, login in (("'north', ", "zhao"), ("'west', ", "wang")):
            with pytest.raises(IntegrityError), database.engine.begin() as connection:
                connection.exec_driver_sql(account.format("pbx, ", 9, login, pbx, true))
        with pytest.raises(IntegrityError), database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM account WHERE id = 7")
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM account WHERE id = 8")
            connection.exec_driver_sql("UPDATE link_gap SET reason = 'closed'")
        command.downgrade(migrations.config(database), "0003")
        with database.engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT login FROM account").scalar() == "wang"
        migrations.upgrade(database)
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


def test_a_database_in_use_is_upgraded_with_its_calls(database_url: str) -> None:
    """Calls, legs and what points at them stay, and the words and columns of transfers come."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    call = (
        "INSERT INTO call (id, pbx, linkedid, direction, caller_number, caller_name, dialled, "
        "state, arrived_at) VALUES (1, 'p', '1.1', 'inbound', '', '', '', 'talking', 1)"
    )
    leg = "INSERT INTO call_leg (id, call_id, leg, interface, member) VALUES (2, 1, '1.2', '', '')"
    try:
        command.upgrade(migrations.config(database), "0001")
        with database.engine.begin() as connection:
            connection.exec_driver_sql(call)
            connection.exec_driver_sql(leg)
        migrations.upgrade(database)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE call SET state = 'held'")
            connection.exec_driver_sql("UPDATE call_leg SET passed_to = '8002'")
            rows = connection.exec_driver_sql("SELECT call_id, leg, held_us FROM call_leg").all()
            assert [tuple(row) for row in rows] == [(1, "1.2", 0)]
            if database.sqlite:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        with pytest.raises(IntegrityError), database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE call SET state = 'lost'")
    finally:
        database.dispose()


SEALED = (
    "INSERT INTO audit_line (id, at, action, actor, origin, obj, outcome, detail, nodes) VALUES "
    "({}, 1, 'recordings:recording:{}', 'capture', 'p', 'recording:{}', 'ok', '{{}}', {})"
)
RECORDED = (
    "INSERT INTO recording (id, pbx, name, object_key, key_id, recipient, header, header_sha256, "
    "sealed_sha256, plain_sha256, plain_size, sealed_size, duration_ms, sample_rate, channels, "
    "data_offset, condition, recorded_at, sealed_at) "
    "VALUES ({0}, 'p', '{0}.1', 'k{0}', '2026-11', 'age1', {1}, {1}, {1}, {1}, "
    "1, 1, 1, 1, 1, 1, 'ok', 1, 1)"
)


def test_recordings_that_are_there_get_their_line(database_url: str) -> None:
    """Sealed before the row knew its line in the log: from now on they are held to it."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    nothing = "x'00'" if database.sqlite else "decode('00', 'hex')"
    try:
        command.upgrade(migrations.config(database), "0007")
        with database.engine.begin() as connection:
            for recording in (1, 2, 12):
                connection.exec_driver_sql(RECORDED.format(recording, nothing))
            for line, (act, recording) in enumerate(
                [("seal", 12), ("play", 12), ("seal", 1), ("play", 1), ("seal", 1)]
            ):
                connection.exec_driver_sql(SEALED.format(line, act, recording, nothing))
        migrations.upgrade(database)
        with database.engine.begin() as connection:
            rows = connection.exec_driver_sql(
                "SELECT id, seal_line, header_version, peaks_sha256, peaks_size FROM recording "
                "ORDER BY id"
            ).all()
            assert [tuple(row) for row in rows] == [
                (1, 2, 1, None, 0), (2, None, 1, None, 0), (12, 0, 1, None, 0),
            ]  # fmt: skip
            if database.sqlite:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        command.downgrade(migrations.config(database), "0007")
        migrations.upgrade(database)
    finally:
        database.dispose()


def test_what_was_on_its_way_is_sent_after_the_upgrade(database_url: str) -> None:
    """Messages that wait get their row of what is to be done, those that were sent none."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    put = (
        "INSERT INTO outbox (id, message_type, department, routing_key, ordering_key, dedupe_key, "
        "body, state, claimable_at, fence, attempts, committed_at) "
        "VALUES ({0}, 't', 'sb', 'r', 'ticket:{0}', 'k{0}', {1}, '{2}', 7, {0}, 2, 1)"
    )
    body = "x'00'" if database.sqlite else "decode('00', 'hex')"
    try:
        command.upgrade(migrations.config(database), "0013")
        with database.engine.begin() as connection:
            for number, state in ((1, "confirmed"), (2, "waiting"), (3, "parked")):
                connection.exec_driver_sql(put.format(number, body, state))
        migrations.upgrade(database)
        with database.engine.begin() as connection:
            due = connection.exec_driver_sql("SELECT * FROM outbox_due").all()
            assert [tuple(row) for row in due] == [(2, "ticket:2", "sb", 7, 2, 2)]
            connection.exec_driver_sql("UPDATE outbox_due SET fence = 5")
        command.downgrade(migrations.config(database), "0013")
        with database.engine.begin() as connection:
            rows = connection.exec_driver_sql("SELECT id, fence FROM outbox ORDER BY id").all()
            assert [tuple(row) for row in rows] == [(1, 1), (2, 5), (3, 3)]
        migrations.upgrade(database)
    finally:
        database.dispose()


def test_departments_come_to_pull_and_back(database_url: str) -> None:
    """A department's mode has one more word, and no other; messages that lie in queues stay; who
    pulled works at our page in an older version."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    true, body = ("1", "x'00'") if database.sqlite else ("true", "decode('00', 'hex')")
    add = f"INSERT INTO department (code, name, mode, active) VALUES ('{{}}', '', '{{}}', {true})"
    lying = (
        "INSERT INTO embedded_message (id, queue, routing_key, dedupe_key, body, death, "
        f"claimable_at, fence, enqueued_at) VALUES (7, 'department.sb', '', 'k', {body}, '', 1, 3, "
        "1)"
    )
    try:
        command.upgrade(migrations.config(database), "0015")
        with database.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO embedded_queue (name) VALUES ('department.sb')")
            connection.exec_driver_sql(lying)
            connection.exec_driver_sql(add.format("jy", "queue"))
        migrations.upgrade(database)
        with database.engine.begin() as connection:
            rows = connection.exec_driver_sql("SELECT id, fence, given_back FROM embedded_message")
            assert [tuple(row) for row in rows] == [(7, 3, 0)]
            connection.exec_driver_sql(add.format("sb", "pull"))
            if database.sqlite:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        with pytest.raises(IntegrityError), database.engine.begin() as connection:
            connection.exec_driver_sql(add.format("xx", "post"))
        command.downgrade(migrations.config(database), "0015")
        with database.engine.begin() as connection:
            modes = connection.exec_driver_sql("SELECT code, mode FROM department ORDER BY code")
            assert [tuple(row) for row in modes] == [("jy", "queue"), ("sb", "desk")]
        with pytest.raises(IntegrityError), database.engine.begin() as connection:
            connection.exec_driver_sql(add.format("xx", "pull"))
        migrations.upgrade(database)
    finally:
        database.dispose()
