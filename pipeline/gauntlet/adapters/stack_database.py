"""This module provides the database that MLflow's server is given instead of files of its own: PostgreSQL."""

from __future__ import annotations

import importlib.util

from gauntlet.core.errors import InputError, RequirementError

_DRIVERS = ("psycopg2", "psycopg")
_CONNECT_SECONDS = 10


def with_driver(database: str) -> str:
    """Return a PostgreSQL address that names its driver: one without it means another with each SQLAlchemy.

    Raises:
        InputError: If it is no PostgreSQL address.
        RequirementError: If the driver is not installed.
    """
    scheme, _, rest = database.partition("://")
    dialect, _, driver = scheme.partition("+")
    if dialect != "postgresql" or not rest:
        raise InputError(f"--database {scheme}://…: give a PostgreSQL address, postgresql://USER:PASSWORD@HOST/NAME")
    drivers = (driver,) if driver else _DRIVERS
    for found in drivers:
        if importlib.util.find_spec(found) is not None:
            return f"postgresql+{found}://{rest}"
    raise RequirementError(f"--database {scheme}://…: {drivers[0]} is not installed; pip install {drivers[0]}-binary")


def require_database(database: str) -> None:
    """See that a database can be used, before MLflow's server, which would try for minutes.

    Args:
        database: Its address.

    Raises:
        InputError: If it is no PostgreSQL address.
        RequirementError: If its driver is missing, nobody answers, or the password is refused.
    """
    import sqlalchemy  # noqa: PLC0415 - takes a while to import

    address = with_driver(database)
    try:
        engine = sqlalchemy.create_engine(address, connect_args={"connect_timeout": _CONNECT_SECONDS})
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).split("\n", 1)[0]
        raise RequirementError(
            f"--database: MLflow's database cannot be used ({reason}); see that it is up and that user, password and "
            "name are right"
        ) from error
