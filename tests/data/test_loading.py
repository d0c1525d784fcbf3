"""Nothing is loaded before it is verified: pickles and changed files in every place from which a model comes."""

from __future__ import annotations

import ast
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

import gauntlet
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.registry import CHAMPION
from gauntlet.core.errors import DataError, EvidenceError, RefusedError
from gauntlet.core.evidence import IncumbentEvidence
from gauntlet.core.results import ModelVersion, VerdictRecord
from gauntlet.core.verdict import Status
from gauntlet.gates.model_champion import champion_is_known, not_worse_than_champion
from gauntlet.serving.served_model import ChampionSource
from gauntlet.stages.candidate import Artefact
from gauntlet.stages.incumbents import incumbent_of
from gauntlet.stages.register import register
from tests.data.model_world import Contest, World
from tests.made_candidate import made_candidate

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("writes into the database and the folders that target local keeps"),
]

# Who may load a model, by module: the call, and why it is safe there.
LOADERS = {
    "adapters/artefact_copies.py": {"load_model"},  # VerifiedCopy.load, of files held against digests
    "adapters/spark_model.py": {"load_model", "spark_udf"},  # the bytes of a VerifiedCopy, sent to the workers
    "adapters/booster_function.py": {"load_model"},  # a booster's UBJ, which is data
    "adapters/model_files.py": {"load", "Booster"},  # files of the state folder, held against the run's record
    "adapters/probability_model.py": {"load", "Booster"},  # the packed code itself
    "adapters/split_thresholds.py": {"Booster"},  # made in this process
    "gates/artefact_saboteurs.py": {"load", "Booster"},  # skops and UBJ of a copy, which are data
    "stages/sweep.py": {"Booster"},  # the file that this stage has just written
}


class Pickled(mlflow.pyfunc.PythonModel):
    """A model that leaves a mark when its pickle is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # MLflow reads hints
        """Return nothing of use."""
        return [0.5] * len(model_input)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that the pickle writes; a test fails if it is there at its end."""
    return tmp_path / "the-pickle-ran"


def pickled_version(world: World, mark: Path, **tags: str) -> ModelVersion:
    """Register a pickled model, and see that loading it does run its pickle."""
    with world.registry.tracking.stage_run("attack", key="attack", tags={}):
        signature = ModelSignature(inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("double")]))
        uri = mlflow.pyfunc.log_model(
            name="bomb", python_model=Pickled(mark), signature=signature, pip_requirements=[]
        ).model_uri
    version = world.registry.create(model_uri=uri, tags=tags)
    with pytest.raises(Exception, match=r".*"):  # what a pickle gives back is no model
        mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    assert mark.exists()
    mark.unlink()
    return version


def swap_files(world: World, *, of: int, to: ModelVersion) -> None:
    """Let a version's row in MLflow's database name the files of another one."""
    with closing(sqlite3.connect(world.root / "mlflow" / "mlflow.db")) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(model_versions)")]
        moved = [name for name in ("source", "storage_location") if name in columns]
        values = database.execute(
            f"SELECT {', '.join(moved)} FROM model_versions WHERE name = ? AND version = ?",  # noqa: S608 - no input
            (to.name, to.version),
        ).fetchone()
        changes = ", ".join(f"{name} = ?" for name in moved)
        changed = database.execute(
            f"UPDATE model_versions SET {changes} WHERE name = ? AND version = ?",  # noqa: S608 - no input
            (*values, to.name, of),
        )
        assert changed.rowcount == 1


def judged(world: World) -> tuple[Status, Status]:
    """Return what the gates on the champion say."""
    incumbent = incumbent_of(world.context("judge"), model_digest="0" * 64)
    candidate = made_candidate(world.root / "gates", problem=world.problem, incumbent=incumbent)
    return champion_is_known(candidate).status, not_worse_than_champion(candidate).status


def test_an_alias_moved_to_a_pickle_is_not_loaded_by_judge_score_or_serve(contest: Contest, mark: Path) -> None:
    world = contest.world
    version = pickled_version(world, mark)
    world.registry.move_alias(CHAMPION, version, expected=world.registry.version_of(CHAMPION))
    assert judged(world) == (Status.CONFIG_ERROR, Status.CONFIG_ERROR)
    with pytest.raises(RefusedError, match=rf"the alias champion names version {version.version} now"):
        world.score(contest.first.choice, contest.crowned)
    source = ChampionSource(world.champions)
    with pytest.raises(RefusedError, match="somebody moved the alias by hand"):
        source.promoted()
    assert not mark.exists()


def test_a_champion_whose_files_were_swapped_in_the_database_is_not_loaded(contest: Contest, mark: Path) -> None:
    world = contest.world
    assert judged(world)[0] is Status.PASS
    swap_files(world, of=contest.crowned.champion.version, to=pickled_version(world, mark))
    assert judged(world) == (Status.CONFIG_ERROR, Status.CONFIG_ERROR)
    source = ChampionSource(world.champions)
    with pytest.raises(EvidenceError, match="version 1: "):
        source.loaded(source.promoted())
    with pytest.raises(EvidenceError, match="version 1: "):
        world.score(contest.first.choice, contest.crowned)
    world.promote(contest.second)
    with pytest.raises(EvidenceError, match="version 1: "):
        world.roll_back()
    assert any("the artefact" in finding.what for finding in world.audit().findings)
    assert not mark.exists()


def test_a_pickle_with_the_tags_of_the_baseline_is_not_loaded(contest: Contest, mark: Path) -> None:
    world = contest.world
    made = register(world.context("register"), split=world.split, baseline=contest.first.choice.baseline)
    version = pickled_version(world, mark, **world.registry.tags(made.model))
    world.registry.move_alias("baseline", version, expected=made.model)
    with pytest.raises(
        RefusedError, match=r"was not loaded, as .* holds a pickle"
    ):  # a killed try is found by its tags
        register(world.context("register"), split=world.split, baseline=contest.first.choice.baseline)
    again = register(world.context("register", "again"), split=world.split, baseline=contest.first.choice.baseline)
    assert again.model.version > version.version
    assert world.registry.version_of("baseline") == again.model
    assert not mark.exists()


@pytest.mark.parametrize(
    "change", ["another verdict", "a verdict less", "another problem", "another target", "another incumbent"]
)
def test_signed_evidence_that_does_not_promote_its_version_serves_scores_and_judges_nothing(
    contest: Contest, change: str
) -> None:
    world = contest.world
    again = world.judged_again(contest.first.judge.evidence_digest)
    verdicts = world.champions.evidence.proven(again).verdicts
    failed = VerdictRecord(gate=verdicts[0].gate, status="FAIL", sentence="it is worse")
    changes, said = {
        "another verdict": ({"verdicts": (failed, *verdicts[1:])}, f"said no, without a waiver: {failed.gate}"),
        "a verdict less": ({"verdicts": verdicts[1:]}, f"lacks the verdict of {failed.gate}"),
        "another problem": ({"problem": "churn"}, "its evidence is of the problem churn, not of wine_quality"),
        "another target": ({"target": "remote"}, "its evidence was made on target remote, not on local"),
        "another incumbent": (
            {"incumbent": IncumbentEvidence(version=7, sequence=1)},
            "its evidence compares it with version 7, but it replaced version 1",
        ),
    }[change]
    world.enter_by_hand(world.resealed(again, **changes))
    source = ChampionSource(world.champions)
    with pytest.raises(EvidenceError, match=said):
        source.loaded(source.promoted())
    with pytest.raises(EvidenceError, match=said):
        world.score(contest.first.choice, contest.crowned)
    assert judged(world) == (Status.CONFIG_ERROR, Status.CONFIG_ERROR)
    assert any(said in finding.what for finding in world.audit().findings)
    world.crown_again(contest.second.judge.evidence_digest)
    with pytest.raises(EvidenceError, match=said):
        world.roll_back()
    assert world.registry.version_of(CHAMPION).version == 2


@pytest.mark.parametrize("change", ["a pickle", "other code", "a file that was not packed"])
def test_gates_do_not_load_an_artefact_that_is_not_what_gauntlet_packs(
    contest: Contest, tmp_path: Path, change: str
) -> None:
    world = contest.world
    with world.champions.verified(world.champions.history().entries[0]) as (_, copy):
        folder = Path(shutil.copytree(copy.folder, tmp_path / "model"))
    sound = Artefact(uri="models:/m-1", folder=folder, files=file_digests(folder))
    assert sound.verified.load() is not None
    if change == "a pickle":
        (folder / "notes.txt").write_bytes(b"cbuiltins\nprint\n(S'unpickled'\ntR.")
    elif change == "other code":
        with (folder / "probability_model.py").open("a", encoding="utf-8") as stream:
            stream.write("\nprint('other code')\n")
    else:
        (folder / "sitecustomize.py").write_text("print('added')\n", encoding="utf-8")
    files = sound.files if change == "a file that was not packed" else file_digests(folder)
    with pytest.raises(DataError, match="not loaded: "):
        _ = replace(sound, files=files).verified


def test_every_call_that_loads_a_model_is_listed_here() -> None:
    package = Path(gauntlet.__file__).parent
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := _loading(node)) is not None:
                found.setdefault(path.relative_to(package).as_posix(), set()).add(name)
    assert found == LOADERS


def _loading(call: ast.Call) -> str | None:
    """Return the name of a call that reads a model, or runs what was pickled; None for another."""
    called = ast.unparse(call.func)
    name = called.rsplit(".", 1)[-1]
    if name in ("load_model", "spark_udf", "unsafe_load") or called in ("skops.io.load", "joblib.load"):
        return name
    if called.split(".")[0] in ("pickle", "cloudpickle", "dill") and name in ("load", "loads", "Unpickler"):
        return name
    reads = any(keyword.arg == "model_file" for keyword in call.keywords) or len(call.args) > 2
    return name if name == "Booster" and reads else None
