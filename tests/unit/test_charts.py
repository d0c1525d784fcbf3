"""The report's charts and colours: round ticks, bounded sizes, enough contrast in both schemes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from html import unescape

import pytest

from gauntlet.core.search import Dimension
from gauntlet.core.trials import TrialResult
from gauntlet.stages import numerals, palette
from gauntlet.stages.charts import Axes, Line, Rule, Scale, line_chart, thinned
from gauntlet.stages.parallel import parallel_coordinates

pytestmark = pytest.mark.unit


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_text_and_drawings_can_be_told_from_the_ground(colours: Mapping[str, str]) -> None:
    for ground in ("card", "paper"):
        for text in ("ink", "muted", "accent", "good", "bad"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for mark in ("negative", "positive", "accent"):
            assert contrast(colours[mark], colours[ground]) >= 3.0, (mark, ground)
    assert contrast(colours["notice-ink"], colours["notice"]) >= 4.5


def test_both_schemes_name_the_same_colours_and_no_two_are_alike() -> None:
    assert palette.LIGHT.keys() == palette.DARK.keys()
    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT), "else a recoloured drawing would mix them up"


@pytest.mark.parametrize(
    ("low", "high", "log", "ticks"),
    [
        (0.0, 1.0, False, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (4.0, 100.0, False, (20.0, 40.0, 60.0, 80.0, 100.0)),
        (0.05, 1.0, True, (0.05, 0.1, 0.2, 0.5, 1.0)),
        (3.0, 3.0, False, (3.0,)),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, log: bool, ticks: tuple[float, ...]) -> None:
    assert Scale(low, high, 0, 100, log=log).ticks() == pytest.approx(ticks)


def test_scale_keeps_values_on_the_page() -> None:
    scale = Scale(0.1, 10.0, 300, 100, log=True)
    assert scale(1.0) == pytest.approx(200)
    assert scale(0.0) == 300
    assert scale(99.0) == 100


def test_long_curves_are_thinned_with_both_ends_and_without_what_is_not_a_number() -> None:
    points = [(i / 9999, math.nan if i == 50 else i / 9999) for i in range(10_000)]
    kept = thinned(points)
    assert len(kept) == 400
    assert (kept[0], kept[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert thinned(points[:60]) == [point for point in points[:60] if not math.isnan(point[1])]


def test_chart_lists_its_points_and_escapes_its_words() -> None:
    chart = line_chart(
        [Line("<b>", [(0.0, 0.0), (1.0, 1.0)], "chosen")],
        label="<i>",
        axes=Axes("<u>", "y"),
        rules=(Rule("<s>", y=0.5),),
    )
    assert not re.search(r"<[bius]>", chart)
    found = re.search(r'data-series="([^"]*)"', chart)
    assert found is not None
    series = json.loads(unescape(found.group(1)))
    assert [point[2:] for point in series[0]["points"]] == [[0.0, 0.0], [1.0, 1.0]]


def test_parallel_coordinates_keep_the_best_where_trials_are_too_many() -> None:
    space = {"depth": Dimension(distribution="uniform", low=0, high=1)}
    trials = [TrialResult(i, {"depth": 0.5}, 0.5 + i / 10_000, 1, 0.1) for i in range(3000)]
    drawn = parallel_coordinates(trials, space=space, best=7)
    assert drawn is not None
    assert len(drawn.data["trials"]) == 2000
    assert drawn.data["trials"][-1]["index"] == 7
    assert parallel_coordinates([], space=space, best=0) is None


def test_numbers_are_written_one_way() -> None:
    assert numerals.auc(0.83141) == "0.8314"
    assert numerals.auc(math.nan) == "not a number"
    assert numerals.signed(-0.01) == "\N{MINUS SIGN}0.0100"
    assert numerals.parameter(8.0) == "8"
    assert numerals.parameter(0.073112) == "0.07311"
    assert numerals.cell(None) == "missing"
    assert numerals.share(1, 0) == numerals.ABSENT
    assert numerals.plural(1, "row") == "1 row"
