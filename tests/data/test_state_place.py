"""A state folder that was copied: refused where it lies, relocated, and then apart from the original in every byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gauntlet.adapters.state_place import relocate
from gauntlet.cli import cli
from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import InputError, RefusedError
from gauntlet.core.state import State
from tests.data.model_world import Contest

pytestmark = [pytest.mark.data, pytest.mark.local_only("copies a state folder with what target local keeps in it")]


@pytest.fixture
def copied(contest: Contest, tmp_path: Path) -> Contest:
    """Give the contest in a plain copy of its folder."""
    root = tmp_path / "copy"
    shutil.copytree(contest.world.root, root)
    return contest.moved(root)


def files_of(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*") if path.is_file()}


def test_a_copy_is_refused_with_the_way_out(contest: Contest, copied: Contest) -> None:
    there, here = contest.world.root, copied.world.root
    said = rf"{here}: .* made as {there} .* `gauntlet state relocate --state {here}`"
    for command in (copied.world.audit, copied.world.roll_back, copied.world.promote_on_evidence):
        with pytest.raises(RefusedError, match=said):
            command()


def test_a_relocated_copy_leaves_every_byte_of_the_original_alone(contest: Contest, copied: Contest) -> None:
    before = files_of(contest.world.root)
    done = relocate(State(copied.world.root))
    assert done.former == (f"{contest.world.root}/mlflow/artifacts",)
    assert done.changed > 3
    assert copied.world.audit().findings == ()
    assert copied.world.promote(copied.second).sequence == 2
    copied.world.roll_back()
    damaged = next(copied.world.root.glob("mlflow/artifacts/models/*/artifacts/artifacts/model.ubj"))
    damaged.write_bytes(b"damaged")
    assert files_of(contest.world.root) == before
    assert contest.world.audit().findings == ()


def test_a_folder_in_its_place_is_not_changed(contest: Contest) -> None:
    before = files_of(contest.world.root)
    assert relocate(State(contest.world.root)).changed == 0
    assert files_of(contest.world.root) == before


def test_a_copy_without_its_models_is_refused_and_stays_as_it_is(copied: Contest) -> None:
    shutil.rmtree(copied.world.root / "mlflow" / "artifacts" / "models")
    before = files_of(copied.world.root)
    with pytest.raises(RefusedError, match=r"is named by the database and is not there; copy the whole state folder"):
        relocate(State(copied.world.root))
    assert files_of(copied.world.root) == before


def test_a_folder_without_a_database_is_no_state_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no mlflow/mlflow\.db"):
        relocate(State(tmp_path))


def test_the_command_says_what_it_changed(copied: Contest) -> None:
    command = ["state", "relocate", "--state", str(copied.world.root)]
    first = CliRunner().invoke(cli, [*command, "--json"])
    document = json.loads(first.output)
    assert (first.exit_code, document["exit_code"]) == (0, 0)
    assert document["changed"] > 3
    assert "lies in its place already" in CliRunner().invoke(cli, command).output
