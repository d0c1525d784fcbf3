"""MLflow's server on a real PostgreSQL database: it keeps what it was told, and one of two that race wins."""

from urllib.parse import urlsplit

import psycopg2
import pytest

from gauntlet.adapters.remote_settings import MLFLOW_VARIABLE
from gauntlet.adapters.stack import Stack
from gauntlet.adapters.stack_servers import credentials
from gauntlet.core.state import State
from tests.benchmarks.promotion_races import raced
from tests.remote.conftest import stack_command
from tests.remote.ledger_race import race_on_server, tell
from tests.remote.postgresql import postgresql_address

pytestmark = pytest.mark.remote

RACES = 12


@pytest.fixture(scope="module")
def database():
    with postgresql_address() as address:
        yield address


def _rows(database, query):
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_its_ledger_has_one_winner_a_number_and_outlives_the_servers(database, start_stack, tmp_path):
    stack = start_stack("--database", database)
    secrets = stack.secrets()
    where = {status.name: status.address for status in stack.status()}
    tell(tmp_path, dict(credentials(secrets)) | {MLFLOW_VARIABLE: where["mlflow"]})
    outcome = raced(race_on_server, folder=tmp_path, races=RACES)
    assert (outcome.doubles, outcome.unwon) == (0, 0)

    kept = _rows(database, "select name from experiments order by name")
    numbers = tuple(f"/{number:08d}" for number in range(1, RACES + 1))
    assert len([name for (name,) in kept if name.endswith(numbers)]) == RACES
    assert _rows(database, "select username from users") == [("gauntlet",)]
    assert not list((stack.folder / "storage").rglob("*.db"))

    assert stack_command("down", stack).code == 0
    assert stack_command("up", stack, "--database", database).code == 0
    assert stack.secrets() == secrets
    assert _rows(database, "select name from experiments order by name") == kept


def test_a_password_that_the_database_refuses_is_one_error_that_does_not_show_it(database, tmp_path):
    stack = Stack(State(tmp_path))
    given = database.replace(urlsplit(database).password, "not-the-password")
    done = stack_command("up", stack, "--database", given)
    assert done.code == 3
    assert "MLflow's database cannot be used" in done.out
    assert "password authentication failed" in done.out
    assert "Traceback" not in done.err
    assert "not-the-password" not in done.err + done.out
    assert stack_command("status", stack).code == 3
