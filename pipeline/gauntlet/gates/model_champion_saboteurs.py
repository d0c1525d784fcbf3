"""This module provides saboteurs of what is known of the champion, and of how good it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gauntlet.core.results import ModelVersion
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.gates.model_answer_saboteurs import Altered, Answers, labels_by_features
from gauntlet.stages.candidate import Candidate, Incumbent, JudgedModel
from gauntlet.stages.training_rows import Rows


@saboteur("model::champion_is_known")
def ledger_names_another_champion(candidate: Candidate) -> Candidate:
    """Let the ledger name another version than the registry's alias, as after an alias was moved by hand."""
    known = _champion_of(candidate)
    return candidate.changed(incumbent=replace(known, ledger_version=(known.ledger_version or 0) + 1))


@saboteur("model::champion_is_known")
def registry_forgot_the_champion(candidate: Candidate) -> Candidate:
    """Take the alias away, while the ledger still names a champion."""
    known = _champion_of(candidate)
    return candidate.changed(incumbent=Incumbent(ledger_version=known.ledger_version, sequence=known.sequence))


@saboteur("model::champion_is_known")
def ledger_lost(candidate: Candidate) -> Candidate:
    """Lose the ledger, while the registry still names a champion."""
    return candidate.changed(incumbent=replace(_champion_of(candidate), ledger_version=None, sequence=0))


@saboteur("model::champion_is_known")
def registry_does_not_answer(candidate: Candidate) -> Candidate:
    """Ask a registry that does not answer: no version, and a fault."""
    return candidate.changed(incumbent=Incumbent(fault="the registry did not answer"))


@saboteur("model::not_worse_than_champion")
def champion_much_better(candidate: Candidate) -> Candidate:
    """Let the champion know half of each test row's label."""
    label_of = labels_by_features(candidate.splits.rows("test"))

    def informed(features: pd.DataFrame, given: Answers) -> Answers:
        label = label_of(features)
        return np.where(np.isnan(label), given, (given + label) / 2)

    known = _champion_of(candidate)
    better = replace(_model_of(known), scorer=Altered(_model_of(known).scorer, informed))
    return candidate.changed(incumbent=replace(known, model=better, is_candidate=False))


@saboteur("model::not_worse_than_champion")
def champion_fitted_on_the_test_rows(candidate: Candidate) -> Candidate:
    """Let the champion have been fitted on all rows of test too."""
    known = _champion_of(candidate)
    rows = [_training_frame(candidate.splits.rows(name)) for name in ("train", "test")]
    return candidate.changed(incumbent=replace(known, training=pd.concat(rows, ignore_index=True), is_candidate=False))


@saboteur("model::not_worse_than_champion")
def champions_training_rows_lost(candidate: Candidate) -> Candidate:
    """Lose the rows that the champion was fitted on."""
    return candidate.changed(incumbent=replace(_champion_of(candidate), training=None, is_candidate=False))


@saboteur("model::not_worse_than_champion")
def champion_cannot_be_loaded(candidate: Candidate) -> Candidate:
    """Let the champion's files be broken."""
    broken = replace(_champion_of(candidate), model=None, fault="its files cannot be read", is_candidate=False)
    return candidate.changed(incumbent=broken)


def _champion_of(candidate: Candidate) -> Incumbent:
    """Return the candidate's champion; its baseline, fitted on its own training rows, where it has none."""
    known = candidate.incumbent
    if known is not None and known.version is not None and known.model is not None:
        return known
    version = ModelVersion(name="champion", version=1, run_id="sabotage")
    return Incumbent(
        version=version,
        model=candidate.models[candidate.baseline],
        training=_training_frame(candidate.splits.rows("train")),
        curated_rows=len(candidate.splits.frame),
        ledger_version=version.version,
        sequence=1,
    )


def _model_of(known: Incumbent) -> JudgedModel:
    if known.model is None:
        raise ValueError("a known champion has a model")
    return known.model


def _training_frame(rows: Rows) -> pd.DataFrame:
    return rows.features.assign(label=rows.label)


CHAMPION_SABOTEURS: tuple[Saboteur, ...] = (
    ledger_names_another_champion,
    registry_forgot_the_champion,
    ledger_lost,
    registry_does_not_answer,
    champion_much_better,
    champion_fitted_on_the_test_rows,
    champions_training_rows_lost,
    champion_cannot_be_loaded,
)
