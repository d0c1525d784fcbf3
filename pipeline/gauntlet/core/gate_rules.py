"""This module provides the gates' bounds, as sections of the problem file, and the waivers that set a gate aside.

Every bound has a default that suits tables of some thousand rows; the problem file says where it differs.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator

from gauntlet.core.section import Section

Metric = Literal["auc", "brier"]

# With fewer test rows of a class an estimate on test says next to nothing, and its standard error is not to be trusted.
MINIMUM_CLASS_ROWS = 10
# With fewer rows of the table, or fewer test rows of a class, the test rows alone are too few to show that a sound
# model is better than chance: the floor of its AUC takes a cross-fitted estimate.
CROSS_FITTED_BELOW_ROWS = 1000
CROSS_FITTED_BELOW_CLASS_ROWS = 30


class DataRules(Section):
    """The bounds of the gates on the tables.

    Attributes:
        maximum_row_loss: The share of rows that the curated table may have lost since the last promotion.
        maximum_psi: The population stability index from which a column counts as drifted, if the test agrees.
        alpha: The level of the two-sample tests, Holm's correction over all columns included.
        minimum_rows: Fewer rows on either side say nothing about drift.
    """

    maximum_row_loss: float = Field(default=0.1, ge=0, le=1)
    maximum_psi: float = Field(default=0.2, gt=0)
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    minimum_rows: int = Field(default=100, ge=2)


class SplitRules(Section):
    """The bounds of the gates on the split.

    Attributes:
        maximum_feature_auc: One feature alone that orders the rows better than this gives the label away.
        maximum_tree_auc: So does a small tree on a few features.
        maximum_distinct_share: A text with more distinct values for each row is an identifier, or free text.
        relative_tolerance: How near, relative to the value, numbers count as equal where a column has no resolution.
        maximum_compared_pairs: Where near repeats could only be found by comparing more pairs, nothing is said.
        maximum_psi: The population stability index from which two splits count as unlike, if the test agrees.
        alpha: The level of those tests, Holm's correction over all columns and splits included.
        minimum_rows: A split with fewer rows says nothing about likeness.
    """

    maximum_feature_auc: float = Field(default=0.98, gt=0.5, le=1)
    maximum_tree_auc: float = Field(default=0.99, gt=0.5, le=1)
    maximum_distinct_share: float = Field(default=0.95, gt=0, le=1)
    relative_tolerance: float = Field(default=1e-6, ge=0, lt=1)
    maximum_compared_pairs: int = Field(default=20_000_000, ge=1)
    maximum_psi: float = Field(default=0.15, gt=0)
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    minimum_rows: int = Field(default=30, ge=2)


class ReproducibilityRules(Section):
    """The bounds of the gates on reproducibility.

    Attributes:
        code: Python files and folders of your own stage code, relative to the problem file.
        workers: The numbers of workers (of threads, for a model that no sweep has found) that must change nothing; at
            least two different ones.
        trials: The trials of the sweeps that these gates run.
        seeds: How many other seeds the chosen model is fitted with.
        maximum_seed_spread: How far apart their AUCs on the selection split may lie.
    """

    code: tuple[str, ...] = ()
    workers: tuple[int, ...] = (1, 2, 4)
    trials: int = Field(default=8, ge=2, le=96)
    seeds: int = Field(default=3, ge=1, le=50)
    maximum_seed_spread: float = Field(default=0.05, gt=0, lt=1)

    @field_validator("workers")
    @classmethod
    def _at_least_two_numbers(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < 2 or min(value) < 1:
            raise ValueError("give at least two different numbers of workers, each 1 or more")
        return value


class ModelRules(Section):
    """The bounds of the gates on the model.

    Attributes:
        minimum_auc: The least AUC on test.
        against_champion: What must be shown of the candidate: that it is not worse than the champion by more than the
            margins, or that it is better.
        margins: How much worse, by metric, still counts as not worse.
        effect: The difference in AUC at which the power to show "better" is asked.
        level: The one-sided level of every estimate on test but the comparison with the champion, Holm's correction
            inside a gate included. An estimate FAILs if it lies beyond its bound and its interval at this level
            excludes what a sound model shows.
        alpha: The one-sided level of the comparison with the champion, Holm's correction over the metrics included;
            each end of its intervals has it too.
        power: With less power the comparison makes no decision, and the message says how many rows would.
        minimum_class_rows: Fewer test rows of either class say nothing of the champion.
        maximum_gap: How much better the AUC may be on training rows than on test rows.
        maximum_calibration_excess: The expected calibration error beyond that of a perfectly calibrated model. Deep
            boosted trees reach 0.09 on the wines, a forest 0.02; answers of only 0 and 1 reach the share of wrong ones.
        shuffles: How often the model is fitted on shuffled labels.
        maximum_slice_loss: How far the AUC of a slice may lie below what is to be expected of it.
        minimum_slice_class_rows: Slices with fewer rows of either class are named, not judged.
        maximum_flips: The share of decisions that noise of one measuring unit may turn.
        maximum_noise_loss: How much AUC that noise may cost.
        maximum_test_selections: How many frozen choices one test split may judge before it is worn out.
    """

    minimum_auc: float = Field(default=0.5, ge=0, le=1)
    against_champion: Literal["not_worse", "better"] = "not_worse"
    margins: dict[Metric, float] = Field(default={"auc": 0.02, "brier": 0.01}, min_length=1)
    effect: float = Field(default=0.02, gt=0, lt=1)
    level: float = Field(default=0.01, gt=0, lt=0.5)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    power: float = Field(default=0.8, gt=0, lt=1)
    minimum_class_rows: int = Field(default=30, ge=2)
    maximum_gap: float = Field(default=0.25, ge=0, le=1)
    maximum_calibration_excess: float = Field(default=0.15, gt=0, le=1)
    shuffles: int = Field(default=5, ge=2, le=100)
    maximum_slice_loss: float = Field(default=0.15, gt=0, le=1)
    minimum_slice_class_rows: int = Field(default=20, ge=2)
    maximum_flips: float = Field(default=0.1, ge=0, le=1)
    maximum_noise_loss: float = Field(default=0.03, ge=0, le=1)
    maximum_test_selections: int = Field(default=20, ge=1)

    @property
    def region_class_rows(self) -> int:
        """The test rows of the rarer class from which on regions can be judged.

        The tree that finds them needs two leaves of ``minimum_slice_class_rows`` of each class in its half of the test
        rows, and each leaf as many in the other half.
        """
        return 4 * self.minimum_slice_class_rows

    @field_validator("margins")
    @classmethod
    def _margins_of_auc(cls, value: dict[Metric, float]) -> dict[Metric, float]:
        if "auc" not in value:
            raise ValueError("give a margin for auc, the metric that a champion is first of all compared by")
        wrong = [name for name, margin in value.items() if not 0 < margin < 1]
        if wrong:
            raise ValueError(f"a margin lies between 0 and 1; not so that of {', '.join(wrong)}")
        return value


class ArtefactRules(Section):
    """The bounds of the gates on the artefact.

    Attributes:
        maximum_difference: How far two ways to ask the model may differ in a probability; 0 asks for equal bits.
        maximum_megabytes: The size of all of the artefact's files.
        maximum_milliseconds: The median time to answer one row, the model loaded.
    """

    maximum_difference: float = Field(default=0.0, ge=0, le=0.01)
    maximum_megabytes: float = Field(default=200.0, gt=0)
    maximum_milliseconds: float = Field(default=100.0, gt=0)


class GateRules(Section):
    """All bounds, by family.

    Attributes:
        strict: Whether a WARN counts as FAIL.
    """

    strict: bool = False
    data: DataRules = DataRules()
    split: SplitRules = SplitRules()
    reproducibility: ReproducibilityRules = ReproducibilityRules()
    model: ModelRules = ModelRules()
    artefact: ArtefactRules = ArtefactRules()


class Waiver(Section):
    """A gate that may say no for a while, because somebody answers for it.

    Attributes:
        gate: The gate's whole name.
        reason: Why, for people.
        owner: Who answers for it.
        until: The last day on which it holds.
    """

    gate: str = Field(min_length=3)
    reason: str = Field(min_length=10)
    owner: str = Field(min_length=2)
    until: date
