"""The benchmark of false refusals: tables of known truth, twins that are broken, and rates that are held to bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gauntlet.core.seeding import Seeds
from tests.benchmarks import false_refusals as benchmark
from tests.benchmarks.false_refusals import FLOOR, Cell, Found, Outcome, Rate, judged_cell, report
from tests.benchmarks.power import DAMAGES, caught_in
from tests.benchmarks.simulated_candidates import GATES
from tests.benchmarks.simulated_tables import BAYES_AUC, FAMILIES, LABEL, SITE, SITES, bayes_auc, simulated_table

pytestmark = pytest.mark.unit

# Enough for a sound model; the benchmark itself takes the drafted forests.
SMALL = {
    "sweep.trials": 3,
    "sweep.early_stopping_rounds": 15,
    "baseline.reference_trees": 40,
    "gates.model.shuffles": 2,
    "gates.reproducibility.seeds": 1,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_auc_and_the_share_of_positives_that_it_promises(family: str) -> None:
    table = simulated_table(family, 20_000, generator=Seeds(5).generator(family))
    assert bayes_auc(table.probability) == pytest.approx(BAYES_AUC, abs=0.01)
    assert table.probability.mean() == pytest.approx(FAMILIES[family].positives, abs=0.01)
    assert table.frame[LABEL].mean() == pytest.approx(table.probability.mean(), abs=0.01)


def test_the_expected_auc_counts_ties_as_half() -> None:
    assert bayes_auc(np.array([0.2, 0.2, 0.2])) == pytest.approx(0.5)
    assert bayes_auc(np.array([0.0, 1.0])) == pytest.approx(1.0)


def test_a_site_is_a_text_that_tells_nothing() -> None:
    table = simulated_table("decimals", 20_000, generator=Seeds(5).generator("site"), site=True)
    shares = table.frame.groupby(SITE)[LABEL].mean()
    assert set(shares.index) == set(SITES)
    assert shares.max() - shares.min() < 0.05


@pytest.mark.parametrize("family", ["decimals", "texts"])
def test_sound_tables_are_promoted_and_their_broken_twins_are_not(family: str) -> None:
    found = judged_cell(Cell(family, 600, 0), overrides=SMALL)
    by_kind = {outcome.kind: outcome for outcome in found.outcomes}
    assert list(by_kind) == ["sound", "copies", "decisions", "leak_copy", "leak_in_two", "permuted"]
    assert by_kind["sound"].promoted, by_kind["sound"].reasons
    assert not [kind for kind, outcome in by_kind.items() if outcome.promoted and kind != "sound"]


def outcome(kind: str, *refusing: str) -> Outcome:
    return Outcome(kind, not refusing, dict.fromkeys(refusing, "FAIL"), dict.fromkeys(refusing, "why"))


def cells(family: str, rows: int, outcomes: list[Outcome]) -> list[Found]:
    return [Found(Cell(family, rows, table), (one,), 1.0) for table, one in enumerate(outcomes)]


def says(found: list[Found], what: str) -> str:
    return next(rate["says"] for rate in report(found)["rates"] if rate["what"] == what)


def test_a_bound_is_broken_only_if_the_whole_interval_lies_beyond_it() -> None:
    assert Rate.counted("", [False] * 100, bound=0.05).says == "met"
    assert Rate.counted("", [False] * 10, bound=0.05).says == "undecided"
    assert Rate.counted("", [True] * 2 + [False] * 8, bound=0.05).says == "undecided"
    assert Rate.counted("", [True] * 8 + [False] * 2, bound=0.05).says == "broken"
    assert Rate.counted("", [True, False], bound=None).says == "no bound"


def test_what_may_never_happen_is_broken_by_a_single_case() -> None:
    assert Rate.counted("", [True] + [False] * 999, bound=0.0).says == "broken"
    assert Rate.counted("", [False], bound=0.0).says == "met"


def test_refusals_are_counted_by_family_and_rows_and_held_to_the_issues_bounds() -> None:
    refused = [outcome("sound", "model::calibrated")] * 9 + [outcome("sound")]
    found = cells("decimals", 300, refused) + cells("decimals", 600, refused) + cells("rare_events", 600, refused)
    assert says(found, "sound refused: decimals, 300 rows") == "no bound"
    assert says(found, "sound refused: all but rare events, 300 rows") == "broken"
    assert says(found, "sound refused: decimals, 600 rows") == "broken"
    assert says(found, "sound refused: rare_events, 600 rows") == "no bound"
    assert not report(found)["bounds_hold"]
    assert report(cells("decimals", 600, [outcome("sound")] * 60))["bounds_hold"]


def test_a_gate_that_refuses_too_often_is_found_but_the_floor_is_excused() -> None:
    def found(gate: str) -> list[Found]:
        return cells("decimals", 1000, [outcome("sound", gate)] * 6 + [outcome("sound")] * 60)

    assert says(found("model::calibrated"), "refusals by model::calibrated, from 600 rows") == "broken"
    assert says(found(FLOOR), f"refusals by {FLOOR}, from 600 rows") == "no bound"


@pytest.mark.parametrize(
    ("kind", "promoted", "expected"),
    [
        ("copies", 1, "broken"),
        ("decisions", 1, "broken"),
        ("leak_in_two", 1, "broken"),
        ("permuted", 1, "undecided"),
        ("permuted", 9, "broken"),
        ("permuted_site", 9, "no bound"),
    ],
)
def test_promoted_twins_are_held_to_the_issues_bounds(kind: str, promoted: int, expected: str) -> None:
    outcomes = [outcome(kind)] * promoted + [outcome(kind, "model::calibrated")] * 30
    assert says(cells("decimals", 5000, outcomes), f"promoted: {kind}") == expected


def test_answers_reversed_at_a_site_are_bounded_on_large_tables_only() -> None:
    promoted = [outcome("reversed_site")] * 30
    assert "promoted: reversed_site, from 5,000 rows" not in str(report(cells("decimals", 1000, promoted)))
    assert says(cells("decimals", 5000, promoted), "promoted: reversed_site, from 5,000 rows") == "broken"


def test_finished_cells_are_not_judged_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "TABLES", {"quarter": {600: 2}})
    asked: list[list[Cell]] = []

    def judged(missing: list[Cell], *, processes: int, done: int) -> Any:
        asked.append(missing)
        # Killed after the first table.
        yield from (Found(cell, (outcome("sound"),), 1.0) for cell in missing[:1])
        if len(asked) == 1:
            raise KeyboardInterrupt
        yield from (Found(cell, (outcome("sound"),), 1.0) for cell in missing[1:])

    monkeypatch.setattr(benchmark, "_judged", judged)
    with pytest.raises(KeyboardInterrupt):
        benchmark.false_refusals(family="decimals")
    next(tmp_path.glob("build/false_refusals/*.jsonl")).open("a").write('{"cell": {"fam\n')
    assert benchmark.false_refusals(family="decimals")["tables"] == 2
    assert [[cell.table for cell in cells] for cells in asked] == [[0, 1], [1]]


def test_a_size_that_no_table_has_is_refused() -> None:
    with pytest.raises(SystemExit, match="no such tables"):
        benchmark.false_refusals(rows=7)


def test_each_damage_belongs_to_a_gate_and_a_sound_gate_catches_decisions() -> None:
    assert {damage.gate for damage in DAMAGES} <= {gate.name for gate in GATES}
    damages = [damage for damage in DAMAGES if damage.name in ("decisions for probabilities", "the label")]
    assert caught_in(300, 0, damages) == [True, True]
