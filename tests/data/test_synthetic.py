"""Tests of made wines as Spark frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from gauntlet.adapters.synthetic import synthetic_rows
from gauntlet.adapters.tables import fingerprint
from gauntlet.core.copula import BLOCK_ROWS
from gauntlet.core.errors import InputError
from gauntlet.core.grouping import group_rows, split_groups
from gauntlet.core.problem import Problem

pytestmark = pytest.mark.data

ROWS = 2 * BLOCK_ROWS + 500  # three blocks, the last one cut


@pytest.fixture(scope="module")
def wines(spark: Any) -> pd.DataFrame:
    """As many made wines as there are real ones."""
    frame: pd.DataFrame = synthetic_rows(spark, rows=6497, seed=11).toPandas()
    return frame


@pytest.mark.parametrize("partitions", [3, 8])
def test_rows_do_not_depend_on_the_partitioning(spark: Any, partitions: int) -> None:
    one = synthetic_rows(spark, rows=ROWS, seed=11, partitions=1)
    many = synthetic_rows(spark, rows=ROWS, seed=11, partitions=partitions)
    assert many.select(F.spark_partition_id().alias("p")).distinct().count() == 3
    assert fingerprint(many) == fingerprint(one)
    # Rows of every block, compared one by one.
    some = F.col("source_row") % 20 == 0
    assert_df_equality(many.where(some), one.where(some), ignore_row_order=True)


def test_another_seed_gives_other_rows(spark: Any) -> None:
    assert fingerprint(synthetic_rows(spark, rows=500, seed=1)) != fingerprint(synthetic_rows(spark, rows=500, seed=2))


def test_a_short_table_is_the_beginning_of_a_long_one(spark: Any) -> None:
    short = synthetic_rows(spark, rows=1000, seed=11)
    reds = 1000 * 1599 // 6497
    beginning = (F.col("source") == "red") & (F.col("source_row") < reds)
    beginning |= (F.col("source") == "white") & (F.col("source_row") < 1000 - reds)
    long = synthetic_rows(spark, rows=ROWS, seed=11).where(beginning)
    assert_df_equality(long, short, ignore_row_order=True)


def test_gives_exactly_the_rows_asked_for(spark: Any) -> None:
    for rows in (1, 100, BLOCK_ROWS, BLOCK_ROWS + 1):
        assert synthetic_rows(spark, rows=rows, seed=11).count() == rows


def test_refuses_no_rows(spark: Any) -> None:
    with pytest.raises(InputError, match="at least 1"):
        synthetic_rows(spark, rows=0, seed=11)


def test_has_the_problems_columns_and_types(spark: Any, wine_problem: Problem) -> None:
    frame = synthetic_rows(spark, rows=100, seed=11)
    kinds = {"number": "double", "integer": "bigint", "boolean": "boolean"}
    expected = [(column.name, kinds[column.kind]) for column in wine_problem.columns]
    assert frame.dtypes == [*expected, ("source", "string"), ("source_row", "bigint")]


def test_sources_are_the_colours_in_the_real_proportion(wines: pd.DataFrame) -> None:
    assert (wines["is_red"] == (wines["source"] == "red")).all()
    assert wines["source"].value_counts().to_dict() == {"red": 1599, "white": 4898}
    for _, rows in wines.groupby("source"):
        assert sorted(rows["source_row"]) == list(range(len(rows)))


def test_values_are_where_wines_are(wines: pd.DataFrame) -> None:
    assert wines.notna().all(axis=None)
    assert wines["quality"].between(4, 8).all()
    assert wines["alcohol"].between(8, 15).all()
    assert wines["density"].between(0.98, 1.04).all()


def test_rows_repeat_as_in_the_real_files(wines: pd.DataFrame) -> None:
    share = wines.drop(columns=["source", "source_row"]).duplicated().mean()
    assert 0.12 < share < 0.25


def test_a_small_forest_tells_good_wines_apart(wines: pd.DataFrame, wine_problem: Problem) -> None:
    rows = wines.drop(columns=["source", "source_row"]).drop_duplicates(ignore_index=True)
    columns = wine_problem.features
    names = [column.name for column in columns]
    label = (rows["quality"] >= 7).to_numpy(dtype=np.int8)
    order = [f"{number:05d}" for number in rows.index]
    grouping = group_rows(rows[names], columns=columns, content=order, near_repeats=True)
    split = split_groups(
        grouping.group,
        label,
        order=order,
        fractions=wine_problem.split.fractions,
        seed=5,
    )
    assert grouping.count > 0.9 * len(rows)
    train, test = split == "train", split == "test"
    forest = RandomForestClassifier(10, random_state=5).fit(rows.loc[train, names], label[train])
    auc = roc_auc_score(label[test], forest.predict_proba(rows.loc[test, names])[:, 1])
    assert 0.70 < auc < 0.95
    shuffled = np.random.Generator(np.random.PCG64(6)).permutation(label[train])
    blind = RandomForestClassifier(10, random_state=5).fit(rows.loc[train, names], shuffled)
    assert roc_auc_score(label[test], blind.predict_proba(rows.loc[test, names])[:, 1]) < 0.65
