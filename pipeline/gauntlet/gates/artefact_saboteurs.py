"""This module provides the saboteurs of the gates on the artefact: each breaks a copy of the packed model's folder.

A broken copy lies in a folder of its own, as MLflow and Spark's workers know a model by its address. Unless its files
are what is judged, it comes with digests of its own, as if it had been packed like this.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.model_files import TRUSTED_TYPES, save_forest
from gauntlet.core.errors import DataError
from gauntlet.gates.artefact_answers import packed
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.stages.candidate import Candidate

_CODE = "probability_model.py"
# Protocol 0, as it would be written by hand: loading it calls print().
_PICKLE = b"cbuiltins\nprint\n(S'unpickled'\ntR."

_PREDICT = "def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None):"
_MATRIX = "def _matrix(self, frame):"
_RECODED = '''

class Sabotaged(ProbabilityModel):
    """The model, broken on purpose."""

{method}

mlflow.models.set_model(Sabotaged())
'''


@saboteur("artefact::files_as_packed")
def byte_of_the_artefact_changed(candidate: Candidate) -> Candidate:
    """Change one byte in the middle of the artefact's largest file."""
    folder = _copied(candidate)
    path = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return candidate.changed(artefact=replace(packed(candidate), folder=folder))


@saboteur("artefact::files_as_packed")
def file_added_to_the_artefact(candidate: Candidate) -> Candidate:
    """Leave a file in the artefact's folder that was not packed."""
    folder = _copied(candidate)
    (folder / "sitecustomize.py").write_text('"""A file that nobody packed."""\n', encoding="utf-8")
    return candidate.changed(artefact=replace(packed(candidate), folder=folder))


@saboteur("artefact::files_as_packed")
def code_of_somebody_else_packed(candidate: Candidate) -> Candidate:
    """Put a line into the packed code, and note the digests anew, as who may write both store and record could."""
    folder = _copied(candidate)
    with (folder / _CODE).open("a", encoding="utf-8") as stream:
        stream.write("\nimport this\n")
    return candidate.changed(artefact=replace(packed(candidate), folder=folder, files=file_digests(folder)))


@saboteur("artefact::no_pickle")
def pickled_artefact(candidate: Candidate) -> Candidate:
    """Put a pickle into the artefact under an innocent name."""
    folder = _copied(candidate)
    (folder / "notes.txt").write_bytes(_PICKLE)
    return _repacked(candidate, folder)


@saboteur("artefact::no_pickle")
def pickle_inside_an_archive(candidate: Candidate) -> Candidate:
    """Put a pickle into the artefact inside a ZIP archive, as PyTorch does."""
    folder = _copied(candidate)
    with zipfile.ZipFile(folder / "weights.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.txt", _PICKLE)
    return _repacked(candidate, folder)


@saboteur("artefact::requirements_locked")
def requirement_without_a_version(candidate: Candidate) -> Candidate:
    """Ask for the first requirement in any version."""
    return _with_requirements(candidate, lambda lines: [lines[0].split("==")[0], *lines[1:]])


@saboteur("artefact::requirements_locked")
def requirement_of_another_version(candidate: Candidate) -> Candidate:
    """Pin the first requirement to a version that is not installed."""
    return _with_requirements(candidate, lambda lines: [f"{lines[0]}.post9", *lines[1:]])


@saboteur("artefact::requirements_locked")
def requirement_left_out(candidate: Candidate) -> Candidate:
    """Leave out the last requirement, without which the model cannot be loaded."""
    return _with_requirements(candidate, lambda lines: lines[:-1])


@saboteur("artefact::signature_fits_table")
def signature_removed(candidate: Candidate) -> Candidate:
    """Take the signature away, as a model has that was logged without one."""
    return _with_signature(candidate, None)


@saboteur("artefact::signature_fits_table")
def signature_column_renamed(candidate: Candidate) -> Candidate:
    """Rename the first input of the signature."""
    return _with_signature(candidate, lambda first: {**first, "name": f"{first['name']}_old"})


@saboteur("artefact::signature_fits_table")
def signature_type_changed(candidate: Candidate) -> Candidate:
    """Let the signature ask for whole numbers in the first input, as if it had been inferred from a poor example."""
    return _with_signature(candidate, lambda first: {**first, "type": "long"})


@saboteur("artefact::output_is_one_probability")
def both_classes_answered(candidate: Candidate) -> Candidate:
    """Let the packed code return the probabilities of both classes, as ``predict_proba`` does."""
    return _recoded(
        candidate,
        _PREDICT,
        "    answer = super().predict(context, model_input, params)",
        "    return np.column_stack([1 - answer, answer])",
    )


@saboteur("artefact::output_is_one_probability")
def label_instead_of_probability(candidate: Candidate) -> Candidate:
    """Let the packed code apply the threshold, so that the artefact gives decisions."""
    threshold = 0.5 if candidate.threshold is None else candidate.threshold
    return _recoded(
        candidate,
        _PREDICT,
        f"    return (super().predict(context, model_input, params) >= {threshold!r}).astype(np.float64)",
    )


@saboteur("artefact::readback_equal")
def half_of_the_trees_lost(candidate: Candidate) -> Candidate:
    """Write another model's file into the artefact: the same one with half of its trees."""
    folder = _copied(candidate)
    boosters, forests = sorted(folder.rglob("*.ubj")), sorted(folder.rglob("*.skops"))
    if boosters:
        _halve_booster(boosters[0])
    elif forests:
        _halve_forest(forests[0])
    else:
        raise DataError(f"{folder}: no booster and no forest to halve")
    return _repacked(candidate, folder)


@saboteur("artefact::paths_agree")
def columns_taken_by_position(candidate: Candidate) -> Candidate:
    """Let the packed code take columns by their place, without a signature that would put them in order."""
    folder = packed(_with_signature(candidate, None)).folder
    return _recoded(
        candidate,
        _MATRIX,
        "    names = [column['name'] for column in self._columns]",
        "    return super()._matrix(frame.iloc[:, : len(names)].set_axis(names[: frame.shape[1]], axis=1))",
        folder=folder,
    )


@saboteur("artefact::paths_agree")
def missing_values_filled_in_the_packed_code(candidate: Candidate) -> Candidate:
    """Let the packed code put 0 where a number is missing, which the model in memory does not."""
    return _recoded(candidate, _MATRIX, "    return np.nan_to_num(super()._matrix(frame), nan=0.0)")


@saboteur("artefact::paths_agree")
def answers_rounded_on_spark(candidate: Candidate) -> Candidate:
    """Let the packed code round its answers where it runs in a worker of Spark."""
    return _recoded(
        candidate,
        _PREDICT,
        "    from pyspark import TaskContext",
        "    answer = super().predict(context, model_input, params)",
        "    return answer if TaskContext.get() is None else answer.round(2)",
    )


@saboteur("artefact::paths_agree")
def answers_depending_on_other_rows(candidate: Candidate) -> Candidate:
    """Let the packed code shift its answers in batches of fewer than a hundred rows."""
    return _recoded(
        candidate,
        _PREDICT,
        "    answer = super().predict(context, model_input, params)",
        "    return answer if len(answer) >= 100 else answer * 0.999",
    )


@saboteur("artefact::paths_agree")
def no_rows_refused(candidate: Candidate) -> Candidate:
    """Let the packed code fail on an empty batch."""
    return _recoded(
        candidate,
        _PREDICT,
        "    model_input.iloc[0]",
        "    return super().predict(context, model_input, params)",
    )


@saboteur("artefact::size_within_budget")
def bloated_artefact(candidate: Candidate) -> Candidate:
    """Put a file into the artefact that alone is larger than the budget."""
    folder = _copied(candidate)
    with (folder / "training_data.bin").open("wb") as stream:
        # A file without blocks: it takes no room on the disk, and nobody has read it.
        stream.truncate(int(candidate.problem.gates.artefact.maximum_megabytes * 1_000_000) + 1)
    return candidate.changed(artefact=replace(packed(candidate), folder=folder))


@saboteur("artefact::latency_within_budget")
def slow_model(candidate: Candidate) -> Candidate:
    """Let the packed code sleep at every call for twice as long as an answer may take."""
    seconds = 2 * candidate.problem.gates.artefact.maximum_milliseconds / 1000
    return _recoded(
        candidate,
        _PREDICT,
        "    import time",
        f"    time.sleep({seconds!r})",
        "    return super().predict(context, model_input, params)",
    )


def _copied(candidate: Candidate, folder: Path | None = None) -> Path:
    """Return a copy of the artefact's folder, or of another one, in a new folder of the workspace."""
    candidate.workspace.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="sabotaged-", dir=candidate.workspace))
    return Path(shutil.copytree(folder or packed(candidate).folder, place / "model"))


def _repacked(candidate: Candidate, folder: Path) -> Candidate:
    """Return the candidate with a changed copy as if it had been packed like this; its code is ours, so it may run."""
    changed = replace(packed(candidate), folder=folder, files=file_digests(folder), trust="code")
    return candidate.changed(artefact=changed)


def _with_requirements(candidate: Candidate, change: Callable[[list[str]], list[str]]) -> Candidate:
    """Return the candidate with other requirements, the same in both files that name them."""
    folder = _copied(candidate)
    pip, conda = folder / "requirements.txt", folder / "conda.yaml"
    lines = pip.read_text(encoding="utf-8").split()
    changed = change(lines)
    pip.write_text("\n".join(changed) + "\n", encoding="utf-8")
    if conda.is_file():
        text = conda.read_text(encoding="utf-8")
        before, after = ("".join(f"  - {line}\n" for line in listed) for listed in (lines, changed))
        conda.write_text(text.replace(before, after), encoding="utf-8")
    return _repacked(candidate, folder)


def _with_signature(candidate: Candidate, change: Callable[[dict[str, Any]], dict[str, Any]] | None) -> Candidate:
    """Return the candidate with another first input in the artefact's signature; None leaves no signature."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415 - takes seconds to import

    folder = _copied(candidate)
    document = Model.load(str(folder))
    if change is None:
        document.signature = None
    else:
        signature = document.signature.to_dict()
        first, *others = json.loads(signature["inputs"])
        changed = {**signature, "inputs": json.dumps([change(first), *others])}
        document.signature = ModelSignature.from_dict(changed)
    document.save(str(folder / "MLmodel"))
    return _repacked(candidate, folder)


def _recoded(candidate: Candidate, *method: str, folder: Path | None = None) -> Candidate:
    """Return the candidate with one method of the packed code replaced.

    Args:
        candidate: The sound candidate.
        method: The method's lines, not indented.
        folder: The folder to copy; by default the artefact's own.

    Raises:
        DataError: If the artefact does not hold the code that is known here.
    """
    copy = _copied(candidate, folder)
    code = copy / _CODE
    if not code.is_file():
        raise DataError(f"{copy}: there is no {_CODE} to change; only models packed by Gauntlet can be sabotaged so")
    with code.open("a", encoding="utf-8") as stream:
        stream.write(_RECODED.format(method=indent("\n".join(method), "    ")))
    return _repacked(candidate, copy)


def _halve_booster(path: Path) -> None:
    import xgboost  # noqa: PLC0415 - takes a second to import

    booster = xgboost.Booster(model_file=path)
    booster[: max(1, booster.num_boosted_rounds() // 2)].save_model(path)


def _halve_forest(path: Path) -> None:
    import skops.io  # noqa: PLC0415 - takes a second to import, with scikit-learn

    forest = skops.io.load(path, trusted=TRUSTED_TYPES)
    forest.estimators_ = forest.estimators_[: max(1, len(forest.estimators_) // 2)]
    save_forest(forest, path)


SABOTEURS: tuple[Saboteur, ...] = (
    byte_of_the_artefact_changed,
    file_added_to_the_artefact,
    code_of_somebody_else_packed,
    pickled_artefact,
    pickle_inside_an_archive,
    requirement_without_a_version,
    requirement_of_another_version,
    requirement_left_out,
    signature_removed,
    signature_column_renamed,
    signature_type_changed,
    both_classes_answered,
    label_instead_of_probability,
    half_of_the_trees_lost,
    columns_taken_by_position,
    missing_values_filled_in_the_packed_code,
    answers_rounded_on_spark,
    answers_depending_on_other_rows,
    no_rows_refused,
    bloated_artefact,
    slow_model,
)
