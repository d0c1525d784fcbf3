"""This module provides candidates of a user's own: an estimator, a booster or an MLflow model, judged on a table.

No Spark is needed, no registry and no problem file. What these would be asked for is left out of the gates, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gauntlet.core.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from gauntlet.core.problem import Problem
    from gauntlet.gates.gate import Gate
    from gauntlet.judgement import Judgement


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A pipeline of a user's own.

    Attributes:
        model: A scikit-learn estimator (it is cloned, and fitted on training rows), a fitted ``xgboost.Booster`` on
            the features as numbers, or the address of an MLflow model that answers with probabilities.
        table: The rows; a function that returns them is called when the first gate is asked.
        label: The column of the label; it is never a feature.
        positive: The value of the label that counts as positive.
        name: A short name: letters, digits and underscores.
        split: A column that says ``train``, ``validation`` or ``test`` of each row; None divides them honestly.
        ignored: Columns that the model does not see.
        resolution: The measuring unit of numeric columns: what lies within it counts as a repeat.
        costs: The costs of a false positive and a false negative; without them decisions are reported, not judged.
        threshold: Rows at or above it are decided positive; None takes the cheapest on the validation rows.
        gates: Bounds, by family, as in a problem file: ``{"model": {"minimum_auc": 0.7}}``.
        code: Python files and folders that must not draw from global random state.
        seed: The root of every random draw.
    """

    model: Any
    table: pd.DataFrame | str | Path | Callable[[], pd.DataFrame]
    label: str
    positive: Any = True
    name: str = "pipeline"
    split: str | None = None
    ignored: tuple[str, ...] = ()
    resolution: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    code: tuple[str | Path, ...] = ()
    seed: int = 0

    def rows(self) -> pd.DataFrame:
        """Return the table.

        Raises:
            InputError: If it cannot be read, or lacks the label.
        """
        frame = self.table() if callable(self.table) else self.table
        if isinstance(frame, str | Path):
            frame = _read(Path(frame))
        missing = {self.label, self.split or self.label} - set(frame.columns)
        if missing:
            raise InputError(f"{self.name}: the table has no column {', '.join(sorted(missing))}")
        return frame.reset_index(drop=True)


def pipeline_gates(pipeline: Pipeline) -> tuple[Gate, ...]:
    """Return the gates that can be asked about a pipeline: those whose needs it meets."""
    from gauntlet.gates.catalogue import STANDING_GATES  # noqa: PLC0415 - imported when items are collected
    from gauntlet.testing.user_candidate import parts_of  # noqa: PLC0415 - imported when items are collected

    have = parts_of(pipeline)
    return tuple(gate for gate in STANDING_GATES if gate.needs <= have)


def judgement_of(pipeline: Pipeline, *, workspace: Path) -> Judgement:
    """Return a pipeline's candidate, ready to be judged.

    Args:
        pipeline: The pipeline.
        workspace: A folder for what gates must write.

    Raises:
        InputError: If the table or the model cannot be used.
    """
    from gauntlet.gates.catalogue import STANDING_GATES  # noqa: PLC0415 - imported when the first gate is asked
    from gauntlet.judgement import Judgement  # noqa: PLC0415 - imported when the first gate is asked
    from gauntlet.testing.user_candidate import candidate_of  # noqa: PLC0415 - imported when the first gate is asked

    gates = pipeline_gates(pipeline)
    left_out = [gate.name for gate in STANDING_GATES if gate not in gates]
    said = [f"{pipeline.name}: {', '.join(left_out)}: a pipeline without problem file has not what they look at."]
    candidate = candidate_of(pipeline, workspace=workspace)
    return Judgement(candidate.problem, gates, candidate, not_checked=tuple(said if left_out else []))


def problem_of(pipeline: Pipeline, frame: pd.DataFrame) -> Problem:
    """Return the problem that a pipeline stands for.

    Raises:
        InputError: If a column's name or type cannot be used.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - imported when the first gate is asked

    from gauntlet.core.problem import Problem  # noqa: PLC0415 - imported when the first gate is asked
    from gauntlet.core.problem_file import load_problem  # noqa: PLC0415 - imported when the first gate is asked

    ready = load_problem()
    columns = [
        {"name": str(name), "kind": _kind(values), "nullable": True, "resolution": pipeline.resolution.get(str(name))}
        | ({"role": "ignored"} if name in pipeline.ignored else {})
        for name, values in frame.items()
        if name not in (pipeline.label, pipeline.split)
    ]
    try:
        return Problem.model_validate(
            {
                "name": pipeline.name,
                "title": pipeline.name,
                "seed": pipeline.seed,
                "origins": ready.origins,
                "sources": [{"name": "table", "file": "table.parquet", "format": "parquet"}],
                "columns": [*columns, {"name": pipeline.label, "kind": "boolean", "nullable": True}],
                "label": {"rule": pipeline.label},
                "sweep": ready.sweep,
                "costs": dict(pipeline.costs) or None,
                "gates": {family: dict(bounds) for family, bounds in pipeline.gates.items()},
                "suites": ready.suites,
                "names": ready.names,
            }
        )
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise InputError(f"{pipeline.name}: {said}") from error


def labelled(pipeline: Pipeline, frame: pd.DataFrame) -> pd.Series:
    """Return the label of each row, 0 or 1.

    Raises:
        DataError: If a label is missing, or all rows are of one class.
    """
    values = frame[pipeline.label]
    if values.isna().any():
        raise DataError(f"{pipeline.name}: {int(values.isna().sum())} rows have no {pipeline.label}")
    label = (values == pipeline.positive).astype("int8")
    if label.nunique() < 2:
        raise DataError(
            f"{pipeline.name}: {pipeline.label} == {pipeline.positive!r} holds for "
            f"{'every row' if label.any() else 'no row'} of {len(label)}; both classes are needed: see `positive`"
        )
    return label


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - imported when the first gate is asked

    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the table cannot be read ({' '.join(str(error).split())[:200]})") from error


def _kind(values: pd.Series) -> str:
    import pandas as pd  # noqa: PLC0415 - imported when the first gate is asked

    if pd.api.types.is_bool_dtype(values):
        return "boolean"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(values) else "text"
