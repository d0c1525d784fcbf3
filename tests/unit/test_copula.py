"""Tests of the made wines' generator, and of the script that calibrates it."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from importlib import resources
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from gauntlet.core.copula import (
    BLOCK_ROWS,
    DATA_FILE,
    SCORES,
    Stratum,
    WineCopula,
    Wines,
    load_copula,
    make_block,
    parse_copula,
)
from gauntlet.core.problem_file import load_problem

pytestmark = pytest.mark.unit

REAL_FILES = os.environ.get("GAUNTLET_DATA_DIR")


@pytest.fixture(scope="module")
def copula() -> WineCopula:
    return load_copula()


@pytest.fixture(scope="module")
def block(copula: WineCopula) -> Wines:
    return make_block(0, seed=7, copula=copula)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "ci" / "calibrate_synthetic.py"
    spec = importlib.util.spec_from_file_location("calibrate_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_frame(wines: Wines, copula: WineCopula) -> pd.DataFrame:
    frame = pd.DataFrame(wines.features.T, columns=list(copula.features))
    return frame.assign(quality=wines.quality, is_red=wines.is_red)


def write_files(folder: Path, wines: Wines, copula: WineCopula) -> None:
    """Write wines as the real files are written: one a colour, semicolons, spaces in names."""
    frame = as_frame(wines, copula)
    for source in load_problem().sources:
        rows = frame[frame["is_red"] == source.constants["is_red"]].drop(columns="is_red")
        rows.columns = pd.Index([name.replace("_", " ") for name in rows.columns])
        rows.to_csv(folder / source.file, sep=";", index=False)


def largest_marginal_error(values: NDArray[np.float64], quantiles: NDArray[np.float64], decimals: int) -> float:
    """Return how far the share of values below a stored quantile is from the quantile's level, at worst."""
    half = 0.6 * 10.0**-decimals
    at_most = np.array([(values <= quantile + half).mean() for quantile in quantiles])
    below = np.array([(values < quantile - half).mean() for quantile in quantiles])
    level = ndtr(SCORES)
    return float(np.maximum(level - at_most, below - level).max())


def draw(copula: WineCopula, stratum: Stratum, rows: int = 8_000) -> NDArray[np.float64]:
    return copula.sample(stratum, generator=np.random.Generator(np.random.PCG64(3)), rows=rows)


def test_every_stratum_has_the_stored_marginals(copula: WineCopula) -> None:
    for stratum in copula.strata:
        values = draw(copula, stratum)
        for feature, decimals in enumerate(copula.decimals):
            error = largest_marginal_error(values[:, feature], stratum.quantiles[feature], decimals)
            assert error < 0.03, (stratum.is_red, stratum.quality, copula.features[feature])


def test_marginals_of_another_stratum_are_told_apart(copula: WineCopula) -> None:
    red, white = copula.strata[2], copula.strata[7]
    sulfur = copula.features.index("total_sulfur_dioxide")
    values = draw(copula, white)[:, sulfur]
    assert largest_marginal_error(values, red.quantiles[sulfur], copula.decimals[sulfur]) > 0.3


def test_features_hang_together_as_stored(copula: WineCopula) -> None:
    for stratum in copula.strata:
        stored = stratum.factor @ stratum.factor.T
        # Ranks, because the marginals are anything but normal; a rank correlation is a little less than a score's.
        seen = pd.DataFrame(draw(copula, stratum)).corr("spearman").to_numpy()
        expected = 6 / np.pi * np.arcsin(stored / 2)
        assert np.abs(seen - expected).max() < 0.12
        strong = np.abs(stored) > 0.25
        assert (np.sign(seen[strong]) == np.sign(stored[strong])).all()


def test_density_falls_with_alcohol(block: Wines, copula: WineCopula) -> None:
    frame = as_frame(block, copula)
    assert frame["density"].corr(frame["alcohol"]) < -0.5


def test_values_are_multiples_of_the_resolution(block: Wines, copula: WineCopula) -> None:
    for values, decimals in zip(block.features, copula.decimals, strict=True):
        assert all(value == round(value, decimals) for value in values[:500].tolist())


def test_the_same_seed_gives_the_same_rows(block: Wines) -> None:
    again = make_block(0, seed=7)
    assert np.array_equal(again.features, block.features)
    assert np.array_equal(again.quality, block.quality)


@pytest.mark.parametrize(("number", "seed"), [(0, 8), (1, 7)])
def test_another_seed_or_block_gives_other_rows(block: Wines, number: int, seed: int) -> None:
    assert not np.array_equal(make_block(number, seed=seed).features, block.features)


def test_the_head_is_a_slice_of_the_whole(block: Wines) -> None:
    head = make_block(0, seed=7).head(100)
    assert len(head) == 100
    assert np.array_equal(head.features, block.features[:, :100])
    assert np.array_equal(head.source_row, block.source_row[:100])


def test_colours_come_in_the_real_proportion(block: Wines) -> None:
    assert int(block.head(6497).is_red.sum()) == 1599


def test_rows_of_a_colour_are_numbered_without_a_gap_across_blocks(block: Wines) -> None:
    following = make_block(1, seed=7)
    for colour in (True, False):
        numbers = np.concatenate([part.source_row[part.is_red == colour] for part in (block, following)])
        assert np.array_equal(numbers, np.arange(len(numbers)))


def test_row_numbers_far_out_do_not_overflow() -> None:
    far = make_block(10**9 // BLOCK_ROWS, seed=7)
    assert far.source_row.min() > 10**8


def test_qualities_come_in_the_real_proportion(block: Wines, copula: WineCopula) -> None:
    for stratum in copula.strata:
        share = ((block.is_red == stratum.is_red) & (block.quality == stratum.quality)).mean()
        assert share == pytest.approx(stratum.rows / copula.rows, abs=0.015)


def test_rows_repeat_as_often_as_the_real_ones(block: Wines, copula: WineCopula) -> None:
    frame = as_frame(block, copula)
    assert 0.15 < frame.duplicated().mean() < 0.21
    # A repeat is of the same colour and quality, so the features alone repeat no more often.
    assert frame.duplicated(list(copula.features)).sum() - frame.duplicated().sum() < 5


def test_without_repeat_shares_rows_hardly_repeat(copula: WineCopula) -> None:
    strata = tuple(dataclasses.replace(stratum, repeat_share=0.0) for stratum in copula.strata)
    made = make_block(0, seed=7, copula=dataclasses.replace(copula, strata=strata))
    assert as_frame(made, copula).duplicated().mean() < 0.005


def test_the_data_file_names_its_source_and_licence(copula: WineCopula) -> None:
    assert "Cortez" in copula.attribution
    assert "CC BY 4.0" in copula.licence


def test_the_data_file_agrees_with_the_problem(copula: WineCopula) -> None:
    problem = load_problem()
    numbers = [column for column in problem.features if column.kind == "number"]
    assert [column.name for column in numbers] == list(copula.features)
    assert [column.resolution for column in numbers] == [10.0**-places for places in copula.decimals]
    document = json.loads((resources.files("gauntlet.core") / DATA_FILE).read_text(encoding="utf-8"))
    assert document["files"] == {source.file: source.sha256 for source in problem.sources}


def test_the_data_file_is_small(copula: WineCopula) -> None:
    numbers = sum(stratum.quantiles.size + 55 for stratum in copula.strata)
    assert numbers == 10 * (11 * 33 + 55)
    assert all(stratum.quantiles.shape == (11, 33) for stratum in copula.strata)


def test_the_calibration_finds_what_the_files_hold(
    tmp_path: Path, script: ModuleType, block: Wines, copula: WineCopula
) -> None:
    write_files(tmp_path, block, copula)
    found = parse_copula(script.calibrate(tmp_path, load_problem()))
    for stratum, original in zip(found.strata, copula.strata, strict=True):
        members = (block.is_red == original.is_red) & (block.quality == original.quality)
        assert stratum.rows == int(members.sum())
        middle = stratum.quantiles[:, 16]
        assert middle == pytest.approx(np.median(block.features[:, members], axis=1), abs=0.06)


def test_the_check_passes_on_its_own_file_and_fails_on_a_changed_one(
    tmp_path: Path, script: ModuleType, block: Wines, copula: WineCopula
) -> None:
    write_files(tmp_path, block, copula)
    output = tmp_path / "copula.json"
    call = [str(tmp_path), "--output", str(output)]
    assert script.main([*call, "--check"]) == 1
    assert script.main(call) == 0
    assert script.main([*call, "--check"]) == 0
    output.write_text(output.read_text(encoding="utf-8").replace("0.", "1.", 1), encoding="utf-8")
    assert script.main([*call, "--check"]) == 1


def test_the_calibration_without_files_says_so(
    tmp_path: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([str(tmp_path), "--check"]) == 2
    assert "winequality-red.csv" in capsys.readouterr().err


if REAL_FILES:

    @pytest.fixture(scope="module")
    def real(copula: WineCopula) -> pd.DataFrame:
        parts = []
        for source in load_problem().sources:
            part = pd.read_csv(Path(REAL_FILES or "") / source.file, sep=source.delimiter)
            part.columns = pd.Index([name.replace(" ", "_") for name in part.columns])
            parts.append(part.assign(is_red=source.constants["is_red"]))
        return pd.concat(parts, ignore_index=True)[[*copula.features, "quality", "is_red"]]

    def test_the_committed_calibration_is_what_the_real_files_give(script: ModuleType) -> None:
        assert script.main([str(REAL_FILES), "--check"]) == 0

    def test_made_means_are_the_real_ones(block: Wines, copula: WineCopula, real: pd.DataFrame) -> None:
        made = as_frame(block, copula)
        for name in [*copula.features, "quality", "is_red"]:
            assert abs(made[name].mean() - real[name].mean()) < 0.05 * real[name].std(), name

    def test_made_correlations_are_the_real_ones(block: Wines, copula: WineCopula, real: pd.DataFrame) -> None:
        made = as_frame(block, copula)
        difference = made.corr("spearman") - real.corr("spearman")
        assert difference.abs().to_numpy().max() < 0.08

    def test_made_rows_repeat_as_the_real_ones(block: Wines, copula: WineCopula, real: pd.DataFrame) -> None:
        made = as_frame(block, copula)
        assert abs(made.duplicated().mean() - real.duplicated().mean()) < 0.02
