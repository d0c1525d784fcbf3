"""The search for near repeats on Spark: the answer of comparing all pairs, and that of the search in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gauntlet.adapters import near_repeats
from gauntlet.adapters.near_repeats import near_repeats_across
from gauntlet.adapters.synthetic import synthetic_rows
from gauntlet.core import grouping
from gauntlet.core.problem import Column
from gauntlet.core.problem_file import load_problem
from tests.near_repeats import CHOICES, COLUMNS, ORDER, all_pairs, rows_of

pytestmark = pytest.mark.data

MOST = 20_000_000
SCHEMA = "acid double, salt double, score double, visits double, colour string, split string, row_id string"


@settings(  # a search for the smallest counterexample would start hundreds of Spark jobs
    max_examples=6,
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(CHOICES, min_size=20, max_size=80), st.sampled_from([0.0, 1e-6, 0.2]))
def test_the_answer_is_that_of_comparing_all_pairs(spark: Any, rows: list[tuple[Any, ...]], tolerance: float) -> None:
    frame = rows_of(rows)
    on_spark = spark.createDataFrame(frame, SCHEMA).repartition(3)
    found = near_repeats_across(on_spark, columns=COLUMNS, relative_tolerance=tolerance, most_compared=MOST)
    assert (found.rows, found.pairs) == (len(frame), len(all_pairs(frame, tolerance=tolerance)))
    if found.example is not None:
        first, second = (frame.set_index("row_id").loc[name] for name in found.example)
        assert ORDER.index(first["split"]) < ORDER.index(second["split"])


@pytest.fixture(scope="module")
def wines(spark: Any) -> pd.DataFrame:
    """Return generated wines, a twentieth of them again with noise of a unit, divided at random."""
    frame = synthetic_rows(spark, rows=2500, seed=5).toPandas().drop(columns=["quality", "source", "source_row"])
    frame["is_red"] = frame["is_red"].astype(float)
    generator = np.random.default_rng(4)
    again = frame.sample(frac=0.05, random_state=1)
    for column in load_problem().features:
        if column.resolution:
            again[column.name] += generator.integers(-1, 2, len(again)) * column.resolution
    frame = pd.concat([frame, again], ignore_index=True)
    frame["split"] = generator.choice(ORDER, len(frame), p=[0.6, 0.2, 0.2])
    frame["row_id"] = [f"wine{number:05d}" for number in generator.permutation(len(frame))]
    return frame


Search = Callable[..., grouping.NearRepeats]


def _search(frame: Any, search: Search, **changes: Any) -> grouping.NearRepeats:
    asked = {"columns": load_problem().features, "relative_tolerance": 1e-6, "most_compared": MOST}
    return search(frame, **{**asked, **changes})


def test_on_wines_both_searches_find_the_same_and_compare_few_pairs(spark: Any, wines: pd.DataFrame) -> None:
    found = _search(spark.createDataFrame(wines), near_repeats_across)
    in_memory = _search(wines, grouping.near_repeats_across)
    assert found.pairs is not None
    assert found.pairs > 30
    assert (found.rows, found.pairs) == (in_memory.rows, in_memory.pairs) == (len(wines), found.pairs)
    assert found.compared < 20 * len(wines)


def test_the_order_and_partitions_of_rows_change_nothing(spark: Any, wines: pd.DataFrame) -> None:
    shuffled = wines.sample(frac=1, random_state=2)
    answers = {
        _search(rows, near_repeats_across)
        for rows in (spark.createDataFrame(wines), spark.createDataFrame(shuffled).repartition(5))
    }
    assert len(answers) == 1


@pytest.mark.parametrize("features", range(1, 5))
def test_the_number_of_features_in_the_keys_changes_nothing(
    spark: Any, wines: pd.DataFrame, features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_repeats, "_FIRST_FEATURES", features)
    frame = wines.head(1500)
    found = _search(spark.createDataFrame(frame), near_repeats_across)
    assert found.pairs == _search(frame, grouping.near_repeats_across).pairs


def test_where_rows_lie_dense_more_features_are_taken_and_then_the_search_is_given_up(spark: Any) -> None:
    columns = tuple(Column(name=name, resolution=1.0) for name in ("a", "b", "c"))
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.normal(0, 6, (600, 3)), columns=["a", "b", "c"])
    frame = frame.assign(row_id=[f"row{number}" for number in range(600)], split=["train", "test"] * 300)
    rows = spark.createDataFrame(frame)
    free = _search(rows, near_repeats_across, columns=columns)
    tight = _search(rows, near_repeats_across, columns=columns, most_compared=free.compared - 1)
    assert tight.pairs == free.pairs == _search(frame, grouping.near_repeats_across, columns=columns).pairs
    assert tight.compared < free.compared
    assert _search(rows, near_repeats_across, columns=columns, most_compared=tight.compared - 1).pairs is None


def test_rows_without_any_measured_feature_are_near_if_they_are_equal(spark: Any) -> None:
    columns = (Column(name="plan", kind="text"), Column(name="member", kind="boolean"))
    frame = pd.DataFrame(
        {
            "plan": ["a", "a", None, None, "b"],
            "member": [1.0, 1.0, np.nan, np.nan, 1.0],
            "split": ["train", "test", "validation", "test", "test"],
            "row_id": list("12345"),
        }
    )
    found = _search(spark.createDataFrame(frame), near_repeats_across, columns=columns)
    assert (found.rows, found.pairs, found.example) == (5, 2, ("1", "2"))
