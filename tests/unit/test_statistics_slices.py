"""Slices: named by value or found by search, weak where the model is weak there, and honest about what they saw."""

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.statistics import slices
from gauntlet.core.statistics.delong import auc_estimate
from gauntlet.core.statistics.slice_tree import regions
from gauntlet.core.statistics.slices import expected_auc, named_slices, weak_slices

pytestmark = pytest.mark.unit


def _rows(rows=4000, *, seed=3):
    """Features, true probabilities and labels; the probability rests on alcohol alone."""
    generator = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "alcohol": generator.uniform(8, 14, rows),
            "acidity": generator.normal(3.2, 0.2, rows),
            "is_red": generator.random(rows) < 0.3,
            "country": generator.choice(["fr", "it", "pt"], rows),
            "flag": generator.integers(0, 2, rows),
            "code": [f"c{number % 50}" for number in range(rows)],
        }
    )
    probability = 1 / (1 + np.exp(1.5 - 0.8 * (features.alcohol.to_numpy() - 11)))
    return features, probability, (generator.random(rows) < probability).astype(int), generator


def _broken(probability, inside, generator):
    mixed = probability.copy()
    mixed[inside] = generator.permutation(probability[inside])
    return mixed


def test_each_value_of_columns_with_few_is_a_slice():
    features, probability, label, _ = _rows()
    found, too_small = named_slices(features, probability, label)
    names = ['country == "fr"', 'country == "it"', 'country == "pt"', "flag == 0", "flag == 1"]
    assert [part.name for part in found] == ["is_red == false", "is_red == true", *names]
    assert too_small == ()
    red = found[1]
    estimate = auc_estimate(probability[features.is_red], label[features.is_red])
    assert (red.auc, red.standard_error) == (estimate.auc, estimate.standard_error)
    assert (red.rows, red.positives) == (features.is_red.sum(), label[features.is_red].sum())
    assert red.interval == estimate.interval()


def test_missing_values_are_a_slice_and_small_ones_are_named_only():
    features, probability, label, _ = _rows()
    country = features.country.where(np.arange(4000) % 3 > 0).mask(np.arange(4000) % 500 == 1, "rare")
    found, too_small = named_slices(pd.DataFrame({"country": country, "one": 1}), probability, label)
    assert [part.name for part in found][-1] == "country is missing"
    assert too_small == ('country == "rare"',)
    assert sum(part.rows for part in found) == 4000 - (country == "rare").sum()
    alone, _ = named_slices(
        pd.DataFrame({"country": features.country.where(features.country == "fr")}), probability, label
    )
    assert [part.name for part in alone] == ['country == "fr"', "country is missing"]


@pytest.mark.parametrize("kind", ["boolean", "Int64", "object"])
def test_nullable_columns_are_sliced_too(kind):
    features, probability, label, _ = _rows()
    column = features.is_red.astype(kind).mask(np.arange(4000) % 4 == 0)
    found, _ = named_slices(pd.DataFrame({"is_red": column}), probability, label)
    assert [part.rows for part in found] == [(column == value).sum() for value in (False, True)] + [1000]


@pytest.mark.parametrize("kind", ["Float64", "float64", "object"])
def test_nullable_numbers_are_searched_too(kind):
    features, probability, label, generator = _rows()
    column = features.acidity.mask(np.arange(4000) % 4 == 0).astype(kind)
    broken = _broken(probability, (features.acidity > 3.3).to_numpy(), generator)
    found, _ = weak_slices(pd.DataFrame({"acidity": column}), broken, label, generator=generator)
    assert "acidity > 3.3" in found[0].name
    assert any("acidity is missing" in part.name for part in found)


def test_a_slice_of_one_class_is_too_small():
    _, probability, label, _ = _rows()
    found, too_small = named_slices(
        pd.DataFrame({"given_away": label.astype(bool)}), probability, label, minimum_positives=0, minimum_negatives=0
    )
    assert (found, too_small) == ((), ("given_away == false", "given_away == true"))


def test_a_weak_named_slice_is_told_from_sound_ones():
    features, probability, label, generator = _rows()
    broken = _broken(probability, (features.country == "it").to_numpy(), generator)
    found, _ = named_slices(features[["country"]], broken, label)
    assert [part.name for part in found if part.interval[1] < 0.7] == ['country == "it"']
    sound, _ = named_slices(features[["country"]], probability, label)
    assert all(abs(part.auc - part.expected_auc) < 3 * part.standard_error for part in sound)


def test_a_weak_region_is_found():
    features, probability, label, generator = _rows()
    broken = _broken(probability, (features.acidity > 3.3).to_numpy(), generator)
    found, too_small = weak_slices(features, broken, label, generator=generator)
    assert found[0].name.startswith("acidity > 3.3") or " and acidity > 3.3" in found[0].name
    assert found[0].interval[1] < found[0].expected_auc
    assert [part.auc for part in found] == sorted(part.auc for part in found)
    assert sum(part.rows for part in found) <= 2000
    assert len(found) + len(too_small) <= 4


def test_a_sound_model_has_no_region_far_below_what_to_expect():
    for seed in range(8):
        features, probability, label, generator = _rows(seed=seed)
        found, _ = weak_slices(features, probability, label, generator=generator)
        assert all(part.auc > part.expected_auc - 4 * part.standard_error for part in found)
        assert found


def test_regions_are_judged_on_rows_that_were_not_searched(monkeypatch):
    features, probability, label, generator = _rows()
    seen = {}

    def spied(columns, loss, searched, **options):
        found = regions(columns, loss, searched, **options)
        seen.update({name: inside & ~searched for name, inside in found})
        assert label[searched].sum() == label.sum() // 2
        return found

    monkeypatch.setattr(slices, "regions", spied)
    found, _ = weak_slices(features, probability, label, generator=generator)
    assert len(found) > 1
    for part in found:
        assert part.auc == auc_estimate(probability[seen[part.name]], label[seen[part.name]]).auc


def test_names_select_the_rows_they_speak_of():
    features, probability, label, generator = _rows()
    holes = features[["alcohol", "acidity", "is_red", "country"]].copy()
    holes.loc[::7, "acidity"] = np.nan
    holes["is_red"] = holes.is_red.astype(object).mask(np.arange(4000) % 11 == 0, None)
    inside = (features.is_red & (features.acidity > 3.2)).to_numpy()
    found, too_small = weak_slices(holes, _broken(probability, inside, generator), label, generator=generator, depth=3)
    assert any("is_red" in part.name for part in found)
    rules = {name: _mask(name, holes) for name in (*(part.name for part in found), *too_small)}
    # Every row is in exactly one region, and each region's rows are about half of those its name selects.
    assert (np.sum(list(rules.values()), axis=0) == 1).all()
    for part in found:
        assert part.rows == pytest.approx(rules[part.name].sum() / 2, rel=0.2)


def _mask(name, features):
    mask = np.ones(len(features), dtype=bool)
    for clause in name.replace("(", "").replace(")", "").split(" and "):
        options = [_simple(option, features) for option in clause.split(" or ")]
        mask &= np.any(options, axis=0)
    return mask


def _simple(text, features):
    column, operator, value = text.split(" ")
    values = features[column]
    if operator == "is":
        return values.isna().to_numpy()
    if operator in ("==", "!="):
        wanted = {"true": True, "false": False}.get(value, value.strip('"'))
        equal = (values == wanted).to_numpy(dtype=bool)
        return equal if operator == "==" else ~equal
    return (values > float(value) if operator == ">" else values <= float(value)).to_numpy()


def test_text_of_many_values_is_not_searched():
    features, probability, label, generator = _rows()
    assert weak_slices(features[["code"]], probability, label, generator=generator) == ((), ())
    assert weak_slices(features[["code"]].assign(gone=None), probability, label, generator=generator) == ((), ())
    assert named_slices(features[["code", "alcohol"]], probability, label) == ((), ())


def test_equal_generators_find_equal_regions():
    features, probability, label, _ = _rows()
    first, second = (weak_slices(features, probability, label, generator=np.random.default_rng(1)) for _ in range(2))
    assert first == second


def test_an_expected_auc_worked_by_hand():
    # Pairs (positive, negative) of the rows 0.2 and 0.8: right order weighs 0.8 * 0.8, wrong order 0.2 * 0.2.
    assert expected_auc(np.array([0.2, 0.8])) == pytest.approx(0.64 / 0.68)
    assert expected_auc(np.array([0.3, 0.3, 0.3])) == pytest.approx(0.5)
    assert expected_auc(np.array([1.0, 1.0])) == 0.5
    _, probability, label, _ = _rows(20_000)
    assert expected_auc(probability) == pytest.approx(auc_estimate(probability, label).auc, abs=0.01)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f, p, y: (f.head(5), p, y), "5 rows of features do not fit"),
        (lambda f, p, y: (f, np.where(np.arange(len(p)) == 3, np.nan, p), y), "NaN"),
        (lambda f, p, y: (f, p + 1, y), "between 0 and 1"),
        (lambda f, p, y: (f, p, y * 0), "both classes"),
        (lambda f, p, y: (f.head(0), p[:0], y[:0]), "no rows"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(change, reason):
    features, probability, label, generator = _rows(100)
    arguments = change(features, probability, label)
    with pytest.raises(DataError, match=reason):
        named_slices(*arguments)
    with pytest.raises(DataError, match=reason):
        weak_slices(*arguments, generator=generator)


def test_what_cannot_be_searched_is_refused():
    features, probability, label, generator = _rows(100)
    with pytest.raises(DataError, match="alcohol holds infinite values"):
        weak_slices(features.assign(alcohol=np.inf), probability, label, generator=generator)
    with pytest.raises(DataError, match="one row of class 1"):
        weak_slices(features, probability, np.arange(100) == 3, generator=generator)
