"""A stage's key changes with all that its result depends on, and says what changed."""

import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import FileRef, ReportResult
from gauntlet.core.stage import changes, code_digest, key_parts, references
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.pipeline import STAGES

pytestmark = pytest.mark.unit


def _parts(problem, **options):
    options = {"settings": ("split", "seed"), "inputs": {}, "outside": {}} | options
    return key_parts("split", problem=problem, **options)


def test_nothing_changed_changes_nothing():
    assert changes(_parts(load_problem()), _parts(load_problem())) == []


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ({"seed": 5}, ["seed"]),
        ({"split.fractions": {"train": 0.5, "validation": 0.3, "test": 0.2}}, ["split"]),
        ({"sweep.trials": 3}, []),
    ],
)
def test_only_what_the_stage_reads_counts(overrides, changed):
    assert changes(_parts(load_problem()), _parts(load_problem(overrides=overrides))) == changed


def test_inputs_and_the_outside_count():
    result = ReportResult(file=FileRef(path="a", sha256="1"))
    other = ReportResult(file=FileRef(path="a", sha256="2"))
    before = _parts(load_problem(), inputs={"ingest": result}, outside={"the data": 1})
    assert changes(before, _parts(load_problem(), inputs={"ingest": other}, outside={"the data": 1})) == [
        "the result of ingest"
    ]
    assert changes(before, _parts(load_problem(), inputs={"ingest": result}, outside={"the data": 2})) == ["the data"]


def test_code_digest_is_stable_within_an_installation():
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64


def test_every_reference_of_a_result_is_found():
    assert list(references(ReportResult(file=FileRef(path="a", sha256="1")))) == [FileRef(path="a", sha256="1")]


def test_the_road_has_every_stage_once_and_needs_only_earlier_ones():
    assert tuple(stage.name for stage in STAGES) == STAGE_NAMES
    for position, stage in enumerate(STAGES):
        assert set(stage.needs) <= set(STAGE_NAMES[:position])


def test_every_setting_that_a_stage_names_is_a_part_of_the_problem():
    problem = load_problem()
    for stage in STAGES:
        parts = key_parts(stage.name, problem=problem, settings=stage.settings, inputs={}, outside={})
        assert set(stage.settings) <= set(parts)
