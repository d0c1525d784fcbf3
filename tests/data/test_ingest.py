from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.origins import fetch
from gauntlet.adapters.source_frames import text_column
from gauntlet.adapters.tables import ParquetTables
from gauntlet.adapters.typed_rows import content_digest, label_expression, typed_rows
from gauntlet.core.errors import DataError, GauntletError
from gauntlet.core.problem import LabelRule, Names, Problem
from gauntlet.core.results import IngestResult
from gauntlet.core.state import State
from gauntlet.stages import ingest as stage
from gauntlet.stages.context import StageContext
from gauntlet.stages.ingest import ingest
from tests.made_problem import HEADER, make_problem
from tests.session_target import SessionTarget

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("spark")]

MakeContext = Callable[..., StageContext]

# The fifth and the ninth row are alike.
SHOP = (
    "1.5,2,true,basic,yes",
    "2.5,,false,plus,no",
    "-3e2,4,yes,,no",
    '4,5,no,"a ""big"", odd plan",no',
    "5.25,6,1,basic,no",
    "6,7,0,plus,yes",
    "7,8.0,TRUE,größe,no",
    "8.5,9,False,plus,no",
    "5.25,6,1,basic,no",
    "9,10,true,basic,no",
    "10.5,11,true,basic,no",
    "11,12,false,plus,yes",
)


@dataclass(frozen=True)
class FolderTarget:
    """A target whose tables are Parquet, a third of Delta's time: what ingest does is the same on any target."""

    problem: Problem
    state: State
    session: Any
    name: str = "local"
    not_checked: tuple[str, ...] = ()

    @property
    def names(self) -> Names:
        return self.problem.names["local"]

    @property
    def tables(self) -> ParquetTables:
        return ParquetTables(root=self.state.tables, names=self.names, spark=self.spark)

    def spark(self) -> Any:
        return self.session


@pytest.fixture
def make_plain_context(spark: Any, session_target: SessionTarget, make_context: MakeContext) -> MakeContext:
    """Make a context with Parquet tables, where Spark has this machine's disk."""
    if session_target.name != "local":
        return make_context

    def make(problem: Problem) -> StageContext:
        context = make_context(problem)
        return replace(context, target=FolderTarget(problem, context.state, spark))  # type: ignore[arg-type]

    return make


def write_csv(folder: Path, rows: tuple[str, ...] = SHOP, *, name: str = "shop.csv", header: str = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return folder


def problem_in(folder: Path, **parts: Any) -> Problem:
    return make_problem(origins=[{"kind": "folder", "path": str(folder)}], **parts)


def tables_in(context: StageContext) -> list[str]:
    return sorted(path.name for path in context.state.tables.glob("*/*/*"))


def identifiers(context: StageContext, result: IngestResult) -> set[str]:
    return {row["row_id"] for row in context.target.tables.read(result.raw).select("row_id").collect()}


def test_makes_typed_tables_of_a_second_data_set(spark: Any, make_context: MakeContext, tmp_path: Path) -> None:
    context = make_context(problem_in(write_csv(tmp_path / "odd [1] {a} *")))
    result = ingest(context)
    assert (result.rows, result.bad_rows, result.duplicate_rows, result.positives) == (12, 0, 1, 3)
    assert result.quarantine is None
    raw = context.target.tables.read(result.raw)
    expected = spark.createDataFrame(
        [
            (1.5, 2, True, "basic", "yes", "shop", 0, False),
            (2.5, None, False, "plus", "no", "shop", 1, False),
            (-300.0, 4, True, None, "no", "shop", 2, False),
            (4.0, 5, False, 'a "big", odd plan', "no", "shop", 3, False),
            (5.25, 6, True, "basic", "no", "shop", 4, False),
            (6.0, 7, False, "plus", "yes", "shop", 5, False),
            (7.0, 8, True, "größe", "no", "shop", 6, False),
        ],
        "size double, visits long, member boolean, plan string, left string, source string, source_row long, "
        "synthetic boolean",
    )
    found = raw.where("source_row < 7").drop("row_id")
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)
    curated = context.target.tables.read(result.curated)
    assert [f"{field.name} {field.dataType.simpleString()}" for field in curated.schema.fields] == [
        "row_id string",
        "source string",
        "source_row bigint",
        "size double",
        "visits double",
        "member double",
        "plan string",
        "label int",
        "synthetic boolean",
    ]
    positives = curated.where("label = 1").orderBy("source_row").select("source_row").collect()
    assert [row["source_row"] for row in positives] == [0, 5, 11]


@pytest.mark.local_only("writes or looks at files of this machine through its own Spark")
def test_a_second_try_ends_in_the_same_state(make_plain_context: MakeContext, tmp_path: Path) -> None:
    context = make_plain_context(problem_in(write_csv(tmp_path / "data")))
    first, second = ingest(context), ingest(context)
    assert first.digest() == second.digest()
    assert tables_in(context) == ["curated", "raw"]


@pytest.mark.local_only("writes or looks at files of this machine through its own Spark")
def test_identifiers_do_not_depend_on_order_format_or_partitions(
    make_plain_context: MakeContext, tmp_path: Path
) -> None:
    folder = write_csv(tmp_path / "data")
    write_csv(folder, tuple(reversed(SHOP)), name="backwards.csv")
    context = make_plain_context(problem_in(folder))
    result = ingest(context)
    expected = identifiers(context, result)
    raw = context.target.tables.read(result.raw).select("member", "left", "plan", "size", "visits")
    raw = raw.withColumnRenamed("plan", "Price_Plan")  # Delta refuses spaces, and an underscore counts as one
    raw.repartition(3).write.parquet(str(folder / "parts"))
    raw.withColumn("size", F.col("size").cast("decimal(8,2)")).write.format("delta").save(str(folder / "lake"))
    for file, kind in (("backwards.csv", "csv"), ("parts", "parquet"), ("lake", "delta")):
        sources = [{"name": "shop", "file": file, "format": kind}]
        other = ingest(make_plain_context(problem_in(folder, sources=sources)))
        assert identifiers(context, other) == expected, file
        assert (other.rows, other.duplicate_rows, other.positives) == (12, 1, 3)
    repeats = [identifier for identifier in expected if "-" in identifier]
    assert len(expected) == 12
    assert [identifier.rsplit("-", 1)[0] in expected for identifier in repeats] == [True]


def test_other_values_give_other_identifiers(spark: Any) -> None:
    texts = [
        (*row, "shop", 0, "", 0, None) for row in (("1", None, "x"), ("1", "x", None), ("-0.0", "", ""), ("0", "", ""))
    ]
    names = "text_0 string, text_1 string, text_2 string, source string, source_index int, chunk string, place long"
    problem = make_problem(
        columns=[
            {"name": "size"},
            {"name": "plan", "kind": "text", "nullable": True},
            {"name": "left", "kind": "text", "nullable": True},
        ]
    )
    frame = typed_rows(spark.createDataFrame(texts, f"{names}, broken string"), problem=problem)
    digests = [row[0] for row in frame.select(content_digest(problem.columns)).collect()]
    assert digests[0] != digests[1]
    assert digests[2] == digests[3]


def test_appends_sources_in_order_with_their_constants(make_plain_context: MakeContext, tmp_path: Path) -> None:
    header = HEADER.removesuffix(",left")
    folder = write_csv(
        tmp_path, ("1,1,1,a", "2,2,1,b", "3,3,1,c", "4,4,1,d", "5,5,1,e"), name="gone.csv", header=header
    )
    write_csv(folder, ("9,1,1,a", "8,2,1,b", "7,3,1,c", "6,4,1,d", "5,5,1,e"), name="kept.csv", header=header)
    sources = [
        {"name": "gone", "file": "gone.csv", "constants": {"left": "yes"}},
        {"name": "kept", "file": "kept.csv", "constants": {"left": "no"}},
    ]
    context = make_plain_context(problem_in(folder, sources=sources))
    result = ingest(context)
    raw = context.target.tables.read(result.raw).orderBy("source", "source_row").select("source", "size", "left")
    assert [tuple(row) for row in raw.collect()] == [
        *[("gone", float(size), "yes") for size in (1, 2, 3, 4, 5)],
        *[("kept", float(size), "no") for size in (9, 8, 7, 6, 5)],
    ]
    assert result.duplicate_rows == 0


@contextmanager
def settings(spark: Any, **values: str) -> Iterator[None]:
    before = {name: spark.conf.get(name) for name in values}
    for name, value in values.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


def test_keeps_the_files_order_across_partitions(spark: Any, make_plain_context: MakeContext, tmp_path: Path) -> None:
    sizes = list(range(200, 0, -1))
    rows = tuple(f"{size},1,true,basic,{'yes' if size % 7 == 0 else 'no'}" for size in sizes)
    context = make_plain_context(problem_in(write_csv(tmp_path, (*rows[:150], "broken", *rows[150:])), max_bad_rows=1))
    with settings(spark, **{"spark.sql.files.maxPartitionBytes": "700b"}):
        result = ingest(context)
    raw = context.target.tables.read(result.raw).orderBy("source_row").select("source_row", "size").collect()
    assert [row["size"] for row in raw] == sizes
    assert [row["source_row"] for row in raw] == [*range(150), *range(151, 201)]


def test_sets_bad_rows_aside_with_their_reasons(make_plain_context: MakeContext, tmp_path: Path) -> None:
    bad = ("abc,1,true,basic,no", "1,1.5,maybe,basic,no", "1,2,true", "1,2,true,basic,no,more", ",3,true,basic,")
    context = make_plain_context(problem_in(write_csv(tmp_path, (*SHOP[:3], *bad, *SHOP[3:])), max_bad_rows=5))
    result = ingest(context)
    assert (result.rows, result.bad_rows, result.positives) == (12, 5, 3)
    assert result.quarantine is not None
    table = context.target.tables.read(result.quarantine)
    rows = table.orderBy("source_row").collect()
    assert [(row["source"], row["source_row"], row["reason"]) for row in rows] == [
        ("shop", 3, "size: 'abc' is not a number"),
        ("shop", 4, "visits: '1.5' is not a whole number; member: 'maybe' is not true or false (or 0/1, yes/no)"),
        ("shop", 5, "the row has not 5 fields: '1,2,true'"),
        ("shop", 6, "the row has not 5 fields: '1,2,true,basic,no,more'"),
        ("shop", 7, "size: missing; left: missing, so the row has no label"),
    ]
    assert rows[0]["size"] == "abc"
    assert {field.dataType.simpleString() for field in table.drop("source_row").schema.fields} == {"string"}


def test_too_many_bad_rows_stop_before_anything_is_written(make_plain_context: MakeContext, tmp_path: Path) -> None:
    rows = (*SHOP, *[f"wrong{number},1,true,basic,no" for number in range(5)])
    context = make_plain_context(problem_in(write_csv(tmp_path / "data", rows), max_bad_rows=4))
    with pytest.raises(DataError) as caught:
        ingest(context)
    message = str(caught.value).splitlines()
    assert message[0].startswith("5 rows cannot be read as the problem says (max_bad_rows = 4); correct the data")
    assert message[1:] == [
        "  shop.csv row 13: size: 'wrong0' is not a number",
        "  shop.csv row 14: size: 'wrong1' is not a number",
        "  shop.csv row 15: size: 'wrong2' is not a number",
        "  and 2 more",
    ]
    assert tables_in(context) == []


@pytest.mark.parametrize(
    ("rows", "parts", "sentence"),
    [
        (SHOP[:4], {}, r"only 4 rows that can be used; at least 10"),
        (("x,1,true,basic,no",), {"max_bad_rows": 1}, r"no rows that can be used"),
        (SHOP, {"label": {"rule": 'left == "maybe"'}}, r"holds for no row of 12; both classes are needed"),
        (SHOP, {"label": {"rule": 'left != "maybe"'}}, r"holds for every row of 12; both classes"),
        (tuple(f"1,1,true,basic,{left}" for left in ["yes", "no"] * 6), {}, r"all 12 rows have the same features"),
        (("1,1,true,basic,no",) * 12, {}, r"holds for no row of 12"),
        ((*SHOP, "NaN,1,true,basic,no"), {}, r"shop\.csv row 13: size: 'NaN' is not a number"),
        ((*SHOP, "1,1,true,basic,"), {}, r"row 13: left: missing, so the row has no label"),
        (
            (*SHOP, "1,1,true,basic,no"),
            {"label": {"rule": "visits >= 7"}},
            r"row 2: visits: missing, so the row has no",
        ),
    ],
)
def test_refuses_rows_that_no_model_can_learn_from(
    make_plain_context: MakeContext, tmp_path: Path, rows: tuple[str, ...], parts: dict[str, Any], sentence: str
) -> None:
    context = make_plain_context(problem_in(write_csv(tmp_path / "data", rows), **parts))
    with pytest.raises(DataError, match=sentence):
        ingest(context)
    assert tables_in(context) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"shop\.csv: the file is empty"),
        (HEADER.encode(), r"a header and no rows"),
        (f"{HEADER}\n{SHOP[0]}\n".replace(",", ";").encode(), r"separated by ';', not ','"),
        (f"{HEADER},more\n{SHOP[0]},1\n".encode(), r"column 'more' is not expected"),
        (b"size,visits\n1,2\n", r"column 'member', 'Price Plan', 'left' is missing"),
        (f"{HEADER}\n{SHOP[0]}\n".encode("utf-16"), r"UTF-16 text, not utf-8; set encoding = \"utf-16\""),
    ],
)
def test_refuses_files_that_are_not_what_the_problem_says(
    make_plain_context: MakeContext, tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "shop.csv").write_bytes(content)
    context = make_plain_context(problem_in(tmp_path))
    with pytest.raises(GauntletError, match=sentence):
        ingest(context)
    assert tables_in(context) == []


def test_refuses_columns_of_a_parquet_file_that_are_no_values(make_plain_context: MakeContext, tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": [[1.0]], "visits": 1, "member": True, "Price Plan": "a", "left": "no"})
    frame.to_parquet(tmp_path / "shop.parquet")
    sources = [{"name": "shop", "file": "shop.parquet", "format": "parquet"}]
    with pytest.raises(DataError, match=r"column 'size' is of type list<.*>; give numbers"):
        ingest(make_plain_context(problem_in(tmp_path, sources=sources)))
    frame.drop(columns="size").to_parquet(tmp_path / "shop.parquet")
    with pytest.raises(DataError, match=r"shop\.parquet: column 'size' is missing"):
        ingest(make_plain_context(problem_in(tmp_path, sources=sources)))


def test_sees_that_rows_were_lost_between_judging_and_writing(
    make_plain_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = stage._placed
    monkeypatch.setattr(stage, "_placed", lambda rows, counts: placed(rows, counts).where("source_row <> 3"))
    with pytest.raises(DataError, match=r"raw: 11 rows were written for 12 good ones"):
        ingest(make_plain_context(problem_in(write_csv(tmp_path / "data"))))


@pytest.mark.parametrize("change", ["content", "length"])
def test_refuses_a_file_that_changes_between_digest_and_read(
    make_plain_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = write_csv(tmp_path / "data")
    context = make_plain_context(problem_in(folder))
    found = fetch(
        context.problem, target_name="local", cache=tmp_path, synthetic_allowed=False, spark=context.target.spark
    )
    write_csv(folder, (*SHOP[:-1], SHOP[-1].replace("yes", "no")) if change == "content" else (*SHOP, SHOP[0]))
    with pytest.raises(DataError, match=r"shop\.csv: changed while it was read \(SHA-256 .* run again"):
        ingest(context, fetched=found)
    assert tables_in(context) == []
    assert not (context.folder / "sources").exists()


@pytest.mark.local_only("writes or looks at files of this machine through its own Spark")
@pytest.mark.parametrize("name", ["_shop.csv", ".shop", "a:b.csv", "50% [x] {y}*?.csv", "a,b c.csv", "größe#1.csv"])
def test_reads_files_of_any_name_below_folders_of_any_name(
    make_plain_context: MakeContext, tmp_path: Path, name: str
) -> None:
    folder = write_csv(tmp_path / "_data: 5% [a]", name=name)
    problem = problem_in(folder, sources=[{"name": "shop", "file": name}])
    context, state = make_plain_context(problem), State(tmp_path / "_state: 5% [a]")
    target = FolderTarget(problem, state, context.target.spark())
    result = ingest(replace(context, target=target, state=state, folder=state.root / "stage"))  # type: ignore[arg-type]
    assert result.rows == 12


def test_reads_by_the_keys_of_the_problem(make_plain_context: MakeContext, tmp_path: Path) -> None:
    rows = [
        f"{n};{n + 1}.234,5 €;{'ja' if n % 2 else 'nein'};{'?' if n == 3 else n};0{n % 9 + 1}.02.2024"
        for n in range(12)
    ]
    text = "\n".join([";preis;mitglied;besuche;tag", *rows])
    (tmp_path / "shop.csv.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    keys = {"delimiter": ";", "encoding": "cp1252", "compression": "gzip", "ignore_unnamed": True}
    columns = [
        {"name": "price", "source_name": "preis", "decimal": ",", "thousands": ".", "strip": ["€"]},
        {"name": "member", "source_name": "mitglied", "kind": "boolean", "true_words": ["ja"], "false_words": ["nein"]},
        {"name": "visits", "source_name": "besuche", "kind": "integer", "missing": ["?"], "nullable": True},
        {"name": "day", "source_name": "tag", "kind": "date", "dates": ["%d.%m.%Y"], "role": "ignored"},
        {"name": "weekday", "source_name": "tag", "kind": "integer", "dates": ["%d.%m.%Y"], "part": "weekday"},
    ]
    sources = [{"name": "shop", "file": "shop.csv.gz", **keys}]
    context = make_plain_context(problem_in(tmp_path, sources=sources, columns=columns, label={"rule": "member"}))
    raw = context.target.tables.read(ingest(context).raw).orderBy("source_row").limit(4)
    assert [tuple(row) for row in raw.select("price", "member", "visits", "day", "weekday").collect()] == [
        (1234.5, False, 0, "2024-02-01", 4),
        (2234.5, True, 1, "2024-02-02", 5),
        (3234.5, False, 2, "2024-02-03", 6),
        (4234.5, True, None, "2024-02-04", 7),
    ]


def test_generated_rows_are_marked_as_such(make_plain_context: MakeContext, wine_problem: Problem) -> None:
    (generator,) = [origin for origin in wine_problem.origins if origin.kind == "synthetic"]
    made = wine_problem.model_copy(update={"origins": (generator.model_copy(update={"rows": 300}),)})
    context = make_plain_context(made)
    result = ingest(context)
    assert (result.source.synthetic, result.rows, result.bad_rows) == (True, 300, 0)
    for table in (result.raw, result.curated):
        rows = context.target.tables.read(table).select("synthetic", "source").distinct().collect()
        assert {(row["synthetic"], row["source"]) for row in rows} == {(True, "red"), (True, "white")}


def test_the_generator_of_wines_is_refused_for_another_problem(make_plain_context: MakeContext) -> None:
    with pytest.raises(DataError, match=r"the generator makes wines and knows no column size, visits"):
        ingest(make_plain_context(make_problem(origins=[{"kind": "synthetic"}])))


def made_wines(folder: Path, problem: Problem) -> None:
    """Write two files in the form of the real ones, with repeats inside and across them."""
    columns = [column.name for column in problem.columns if column.name != "is_red"]
    for number, source in enumerate(problem.sources):
        rows = [
            [(3 + row % 6) if name == "quality" else row % 17 / 4 for name in columns] for row in range(60 + number)
        ]
        frame = pd.DataFrame([*rows, *rows[:5]], columns=[name.replace("_", " ") for name in columns])
        frame.to_csv(folder / source.file, sep=source.delimiter, index=False)


def test_reads_the_wines(make_context: MakeContext, wine_problem: Problem, tmp_path: Path) -> None:
    real = os.environ.get("GAUNTLET_DATA_DIR")
    sources = (
        wine_problem.sources if real else tuple(s.model_copy(update={"sha256": None}) for s in wine_problem.sources)
    )
    if not real:
        made_wines(tmp_path, wine_problem)
    folder = Path(real or tmp_path)
    origin = make_problem(origins=[{"kind": "folder", "path": str(folder)}]).origins
    context = make_context(wine_problem.model_copy(update={"origins": origin, "sources": sources}))
    result = ingest(context)
    frames = [pd.read_csv(folder / s.file, sep=";").assign(is_red=s.constants["is_red"]) for s in sources]
    expected = pd.concat(frames, ignore_index=True)
    counts = (len(expected), int(expected.duplicated().sum()), int((expected["quality"] >= 7).sum()))
    assert (result.rows, result.duplicate_rows, result.positives) == counts
    if real:
        assert counts == (6497, 1177, 1277)
    raw: pd.DataFrame = context.target.tables.read(result.raw).toPandas()
    raw = raw.sort_values(["source", "source_row"], ignore_index=True)
    assert raw["row_id"].is_unique
    names = [column.name for column in wine_problem.columns]
    expected.columns = [name.replace(" ", "_") for name in expected.columns]
    pd.testing.assert_frame_equal(raw[names], expected[names])


TEXTS: tuple[tuple[str, str | None, Any, str | None], ...] = (
    ("number", "1.5", 1.5, None),
    ("number", " 1 ", 1.0, None),
    ("number", "-.5E+1", -5.0, None),
    ("number", "1,5", None, "x: '1,5' is not a number"),
    ("number", "1d", None, "x: '1d' is not a number"),
    ("number", "nan", None, "x: 'nan' is not a number"),
    ("number", "Infinity", None, "x: 'Infinity' is not a number"),
    ("number", "1e999", None, "x: '1e999' is beyond 3.4e38, the largest number that a model can take"),
    ("number", "-3.5e38", None, "x: '-3.5e38' is beyond 3.4e38, the largest number that a model can take"),
    ("number", "", None, "x: missing"),
    ("number", None, None, "x: missing"),
    ("number", "  ", None, "x: missing"),
    ("number", "y" * 60, None, f"x: '{'y' * 40}' is not a number"),
    ("integer", "+7", 7, None),
    ("integer", "7.0", 7, None),
    ("integer", "7e2", 700, None),
    ("integer", "9007199254740993", 9007199254740993, None),
    ("integer", "7.5", None, "x: '7.5' is not a whole number"),
    ("integer", "9" * 30, None, f"x: '{'9' * 30}' is not a whole number"),
    ("integer", "1e300", None, "x: '1e300' is not a whole number"),
    ("boolean", "True", True, None),
    ("boolean", "YES", True, None),
    ("boolean", "1", True, None),
    ("boolean", "no", False, None),
    ("boolean", "0.0", False, None),
    ("boolean", "2", None, "x: '2' is not true or false (or 0/1, yes/no)"),
    ("text", "  kept ", "  kept ", None),
    ("text", "NaN", "NaN", None),
    ("text", "", None, "x: missing"),
)


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "text"])
def test_makes_values_of_texts(spark: Any, kind: str) -> None:
    cases = [case for case in TEXTS if case[0] == kind]
    problem = make_problem(
        columns=[{"name": "x", "kind": kind}, {"name": "left", "kind": "text"}], sources=[{"name": "s", "file": "f"}]
    )
    rows = [(text, "no", "s", 0, "", place, None) for place, (_, text, _, _) in enumerate(cases)]
    schema = (
        f"{text_column(0)} string, {text_column(1)} string, source string, source_index int, chunk string, place long"
    )
    frame = typed_rows(spark.createDataFrame(rows, f"{schema}, broken string"), problem=problem)
    found = frame.orderBy("place").select("values.x", "reason").collect()
    assert [(text, *row) for (_, text, _, _), row in zip(cases, found, strict=True)] == [case[1:] for case in cases]


def test_makes_labels_by_every_kind_of_rule(spark: Any) -> None:
    frame = spark.createDataFrame([(6.0, True, "yes"), (7.0, False, "no")], "number double, flag boolean, word string")
    rules = {
        "number >= 7": [0, 1],
        "number > 6.5": [0, 1],
        "number < 7": [1, 0],
        "number <= 6": [1, 0],
        "number == 7": [0, 1],
        "number != 7": [1, 0],
        "flag": [1, 0],
        "flag == false": [0, 1],
        'word == "yes"': [1, 0],
        "word != 'yes'": [0, 1],
    }
    made = [LabelRule(rule=rule) for rule in rules]
    found = frame.select(*[label_expression(rule, F.col(rule.column)).alias(rule.rule) for rule in made]).toPandas()
    assert {rule: list(found[rule]) for rule in rules} == rules
