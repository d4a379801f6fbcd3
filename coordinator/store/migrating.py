"""Bringing a database to this version's schema, step by step, with the scripts in `migrations/`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from coordinator.store import (
    schema,
    schema_access,
    schema_approvals,
    schema_commands,
    schema_identity,
    schema_secrets,
)
from coordinator.store.connecting import StoreUnusableError

SCRIPTS = Path(__file__).parent / "migrations"
# Every module that names tables: importing them is what makes `schema.metadata` whole.
SCHEMAS = (
    schema,
    schema_access,
    schema_approvals,
    schema_identity,
    schema_secrets,
    schema_commands,
)


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema; one that is there already is left alone.

    Raises:
        StoreUnusableError: the file is no database, or a newer version of the program wrote it.
    """
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            _upgrade(connection, config)
    except DatabaseError as error:
        raise StoreUnusableError(f"the database cannot be used: {error.orig}") from error


def _upgrade(connection: Connection, config: Config) -> None:
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    if current == scripts.get_current_head():
        return
    if current not in {None, *(script.revision for script in scripts.walk_revisions())}:
        raise StoreUnusableError(
            f"the database has schema {current}, which this version does not know; "
            "start the version that wrote it, or a newer one"
        )
    config.attributes["connection"] = connection
    with connection.begin():
        command.upgrade(config, "head")
