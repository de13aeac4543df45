"""The database's versions, from the first table on, and the one way to bring it up to date."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from gateway.database import Database

__all__ = ["CommandError", "config", "upgrade", "version"]


def config(database: Database) -> Config:
    """Alembic's configuration, made here: there is no file to find or to keep in step."""
    made = Config()
    made.set_main_option("script_location", str(files("gateway.migrations")))
    made.attributes["engine"] = database.engine
    return made


def upgrade(database: Database) -> None:
    """Bring the database to the newest version; nothing happens when it is there already."""
    command.upgrade(config(database), "head")


def version(database: Database) -> tuple[str | None, str | None]:
    """The database's version and the newest one; the first is None for an empty database."""
    head = ScriptDirectory.from_config(config(database)).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head
