"""The split: repeats stay together under ``honest``; ``notebook`` is the tutorial's, bug for bug."""

import numpy as np
import pandas as pd
import pytest
from chispa.dataframe_comparer import assert_df_equality
from sklearn.model_selection import train_test_split

from gauntlet.core.errors import DataError, RefusedError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import DataSource, IngestResult, SelectResult
from gauntlet.stages.ingest import ingest as ingest_stage
from gauntlet.stages.split import split
from gauntlet.stages.training_rows import open_test_split, read_split
from tests.made_problem import make_problem

pytestmark = pytest.mark.data

FEATURES = [column.name for column in load_problem().features]


def _curated(rows=400, *, repeats=80, seed=3):
    """Make curated rows: distinct ones and exact repeats of some of them, red first."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(10, 3, (rows, len(FEATURES))).round(2), columns=FEATURES)
    frame["label"] = (generator.random(rows) < 0.3).astype(int)
    frame["content"] = [f"{number:05d}" for number in generator.permutation(rows)]
    frame = pd.concat([frame, frame.iloc[:repeats]], ignore_index=True)
    frame["is_red"] = (np.arange(len(frame)) < len(frame) // 4).astype(float)
    frame["row_id"] = frame["content"] + "-" + frame.groupby("content").cumcount().astype(str)
    frame["source"] = np.where(frame["is_red"] == 1, "red", "white")
    frame["source_row"] = frame.groupby("source").cumcount()
    frame["synthetic"] = False
    return frame.drop(columns="content")


@pytest.fixture
def ingested(spark, make_context):
    """Write curated rows, and give the context of the split with the result of an ingest."""

    def make(frame, *, overrides=None):
        context = make_context(load_problem(overrides=overrides), stage="split")
        table = context.target.tables.write("curated", spark.createDataFrame(frame))
        source = DataSource(origin="folder", description="made", synthetic=False, files={})
        result = IngestResult(
            source=source,
            raw=table,
            curated=table,
            quarantine=None,
            rows=len(frame),
            bad_rows=0,
            duplicate_rows=0,
            positives=int(frame["label"].sum()),
        )
        return context, result

    return make


def test_honest_keeps_repeats_together_and_loses_no_row(ingested):
    frame = _curated()
    frame["is_red"] = 0.0
    context, ingest = ingested(frame)
    result = split(context, ingest=ingest)
    written = context.target.tables.read(result.table).toPandas()
    assert result.repeats_across == result.near_repeats_across == 0
    assert sum(result.rows.values()) == len(written) == len(frame)
    assert written.groupby("group_id")["split"].nunique().max() == 1
    assert result.groups == written["group_id"].nunique() == 400
    assert result.selection == "validation"


def test_honest_is_the_same_whatever_the_order_and_partitions_of_rows(ingested):
    frame = _curated()
    context, ingest = ingested(frame)
    first = context.target.tables.read(split(context, ingest=ingest).table).drop("source_row")
    shuffled = frame.sample(frac=1, random_state=1)
    context, ingest = ingested(shuffled)
    table = context.target.tables.write("curated", context.target.spark().createDataFrame(shuffled).repartition(5))
    second = split(context, ingest=ingest.model_copy(update={"curated": table})).table
    assert_df_equality(
        first, context.target.tables.read(second).drop("source_row"), ignore_row_order=True, ignore_nullable=True
    )


def test_notebook_is_the_tutorials_split(ingested):
    frame = _curated()
    context, ingest = ingested(frame.sample(frac=1, random_state=4), overrides={"split.protocol": "notebook"})
    result = split(context, ingest=ingest)
    expected, _ = train_test_split(frame, random_state=123)
    written = context.target.tables.read(result.table).toPandas()
    assert set(written.loc[written["split"] == "train", "row_id"]) == set(expected["row_id"])
    # Its rows are read in the order of the files, red first, for a forest's draws hang on the order.
    rows = read_split(context, result, "train")
    assert list(rows.row_id) == [row for row in frame["row_id"] if row in set(expected["row_id"])]
    assert result.selection == "test"
    assert set(result.rows) == {"train", "test"}


def test_notebook_lets_repeats_across_and_counts_them(ingested):
    frame = _curated(repeats=200)
    frame["is_red"] = 0.0
    context, ingest = ingested(frame, overrides={"split.protocol": "notebook"})
    assert split(context, ingest=ingest).repeats_across > 20


def test_a_split_without_both_classes_is_refused(ingested):
    frame = _curated(60, repeats=0)
    frame["label"] = 0
    frame.loc[0, "label"] = 1
    context, ingest = ingested(frame)
    with pytest.raises(DataError, match=r"would hold rows of 1 class.*change split.fractions"):
        split(context, ingest=ingest)


def test_the_test_split_stays_closed_until_a_choice_is_frozen(ingested):
    context, ingest = ingested(_curated())
    result = split(context, ingest=ingest)
    with pytest.raises(RefusedError, match="closed until a model is chosen"):
        read_split(context, result, "test")
    with pytest.raises(RefusedError, match="opens for a frozen choice only"):
        open_test_split(context, result, selection_digest="d" * 64, reason="a look")
    assert not context.state.test_reads.exists()
    frozen = SelectResult.model_construct(selection_digest="d" * 64, refusal=None)
    context.state.save_result("select", "s" * 64, frozen, parts={})
    rows = open_test_split(context, result, selection_digest="d" * 64, reason="a look")
    assert len(rows.row_id) == result.rows["test"]
    assert context.state.test_reads.read_text(encoding="utf-8").count("a look") == 1


def test_features_without_resolution_are_named_as_not_checked(ingested):
    columns = [column.model_dump(mode="json") for column in load_problem().columns]
    for column in columns:
        column["resolution"] = None if column["name"] == "pH" else column["resolution"]
    context, ingest = ingested(_curated(), overrides={"columns": columns})
    assert any("pH" in gap for gap in split(context, ingest=ingest).not_checked)


def _customers(rows=300, *, seed=5):
    """Make curated rows with two columns that no model sees: five rows a cellar, and a day each."""
    frame = _curated(rows, repeats=0, seed=seed)
    generator = np.random.default_rng(seed)
    frame["cellar"] = [f"cellar {number}" for number in generator.permutation(np.arange(rows) // 5)]
    frame["day"] = generator.integers(0, 200, rows)
    return frame


def _by(**split):
    """Return the overrides of a problem whose rows are divided by these columns."""
    columns = [column.model_dump(mode="json") for column in load_problem().columns]
    columns += [{"name": "cellar", "kind": "text", "role": "ignored"}]
    columns += [{"name": "day", "kind": "integer", "role": "ignored"}]
    return {"columns": columns, **{f"split.{key}": value for key, value in split.items()}}


def test_rows_of_one_group_stay_in_one_split_beside_repeats(ingested):
    frame = _customers()
    frame.loc[1, FEATURES] = frame.loc[0, FEATURES]
    context, ingest = ingested(frame, overrides=_by(groups=["cellar"]))
    result = split(context, ingest=ingest)
    written = context.target.tables.read(result.table).toPandas()
    assert written.groupby("cellar")["split"].nunique().max() == 1
    assert written.groupby("group_id")["split"].nunique().max() == 1
    joined = set(written.loc[written["row_id"].isin(frame["row_id"][:2]), "group_id"])
    assert len(joined) == 1  # the repeat joins two cellars
    assert result.groups == written["group_id"].nunique() <= 60
    assert abs(result.rows["train"] / len(frame) - 0.6) < 0.05


def test_without_groups_they_would_be_torn(ingested):
    context, ingest = ingested(_customers(), overrides=_by())
    written = context.target.tables.read(split(context, ingest=ingest).table).toPandas()
    assert written.groupby("cellar")["split"].nunique().max() == 3


@pytest.mark.parametrize("groups", [[], ["cellar"]], ids=["rows", "groups"])
def test_with_an_order_in_time_no_row_is_later_than_a_group_of_a_later_split(ingested, groups):
    frame = _customers()
    context, ingest = ingested(frame, overrides=_by(groups=groups, time="day"))
    result = split(context, ingest=ingest)
    written = context.target.tables.read(result.table).toPandas()
    latest = written.groupby("group_id")["day"].transform("max")
    train, test = written["split"] == "train", written["split"] == "test"
    assert written.loc[train, "day"].max() < latest[~train].min()
    assert written.loc[~test, "day"].max() < latest[test].min()
    assert written.groupby("group_id")["split"].nunique().max() == 1
    assert abs(result.rows["train"] / len(frame) - 0.6) < 0.1
    again, second = ingested(frame.sample(frac=1, random_state=1), overrides=_by(groups=groups, time="day"))
    shuffled = again.target.tables.read(split(again, ingest=second).table).toPandas()
    assert written.set_index("row_id")["split"].to_dict() == shuffled.set_index("row_id")["split"].to_dict()


@pytest.mark.parametrize(("column", "rule"), [("cellar", {"groups": ["cellar"]}), ("day", {"time": "day"})])
def test_a_row_without_a_group_or_a_time_is_refused(ingested, column, rule):
    frame = _customers().astype({"day": "Int64"})
    frame.loc[3, column] = None
    context, ingest = ingested(frame, overrides=_by(**rule))
    with pytest.raises(DataError, match=rf"split\.\w+: {column} is missing in 1 of 300 rows"):
        split(context, ingest=ingest)


def test_the_tutorials_protocol_knows_neither_groups_nor_time(ingested):
    frame = _customers()
    context, ingest = ingested(frame, overrides=_by(protocol="notebook", groups=["cellar"], time="day"))
    grouped = context.target.tables.read(split(context, ingest=ingest).table).toPandas()
    context, ingest = ingested(frame, overrides=_by(protocol="notebook"))
    plain = context.target.tables.read(split(context, ingest=ingest).table).toPandas()
    assert grouped.set_index("row_id")["split"].to_dict() == plain.set_index("row_id")["split"].to_dict()


def test_ingest_keeps_the_columns_that_the_split_goes_by_and_no_other(spark, make_context, tmp_path):
    lines = [
        f"{n},{n % 7},true,plan {n % 3},{'yes' if n % 4 == 0 else 'no'},shop {n % 5},{2000 + n}" for n in range(30)
    ]
    header = "size,visits,member,plan,left,shop,year"
    (tmp_path / "shop.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    columns = [
        *({"name": name, "kind": kind} for name, kind in (("size", "number"), ("visits", "integer"))),
        *({"name": name, "kind": kind} for name, kind in (("member", "boolean"), ("plan", "text"), ("left", "text"))),
        *({"name": name, "kind": kind, "role": "ignored"} for name, kind in (("shop", "text"), ("year", "integer"))),
    ]
    kept = {}
    for rule in ({}, {"groups": ["shop", "plan"], "time": "year"}):
        origins = [{"kind": "folder", "path": str(tmp_path)}]
        context = make_context(make_problem(origins=origins, columns=columns, split=rule), stage="ingest")
        curated = context.target.tables.read(ingest_stage(context).curated)
        kept[bool(rule)] = dict(curated.dtypes)
    assert kept[True].items() - kept[False].items() == {("shop", "string"), ("year", "bigint")}
    assert kept[False].keys() <= kept[True].keys()
