"""This module provides the report's drawings of models: curves, the sweep, the threshold, importances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from gauntlet.core.results import SelectResult, SplitResult, SweepResult
from gauntlet.core.trials import TrialResult, best_trial, read_journal
from gauntlet.stages import numerals
from gauntlet.stages.charts import Axes, Line, Points, Rule, line_chart
from gauntlet.stages.context import StageContext
from gauntlet.stages.parallel import parallel_coordinates
from gauntlet.stages.report_view import Results, model_title, ordered_splits

TOP_TRIALS = 10
MAXIMUM_IMPORTANCES = 20


def candidates(results: Results, context: StageContext) -> list[dict[str, Any]]:
    """Return the models compared, with their AUCs and roles."""
    judge, select = results.judge, results.select
    models = select.candidates if select else ()
    if not models and results.baseline is not None:
        models = (results.baseline.forest, results.baseline.reference)
        models += (results.sweep.model,) if results.sweep is not None else ()
    elif not models and results.sweep is not None:
        models = (results.sweep.model,)
    tested = judge.scores.auc if judge else {}
    forest = tested.get("forest")
    rows = []
    for model in models:
        roles = ["baseline"] if model.name == "forest" else []
        roles += ["chosen"] if select is not None and model.name == select.chosen.name else []
        test = tested.get(model.name)
        gain = test - forest if test is not None and forest is not None and model.name != "forest" else None
        rows.append(
            {
                "title": model_title(model.name, context),
                "roles": roles,
                "selection": numerals.auc(model.auc_selection),
                "test": numerals.auc(test),
                "gain": numerals.signed(gain) if gain is not None else numerals.ABSENT,
                "parameters": ", ".join(f"{k} {numerals.parameter(v)}" for k, v in model.parameters.items()),
            }
        )
    return rows


def curves(results: Results, context: StageContext) -> list[dict[str, Any]]:
    """Return the ROC and the precision-recall chart of the forest and the chosen model on the test split."""
    judge, split = results.judge, results.split
    if judge is None or not judge.scores.roc:
        return []
    base = split.positives["test"] / split.rows["test"] if split and split.rows.get("test") else None
    chosen, tested = results.select.chosen.name if results.select else "", judge.scores.auc
    roc = _curve_lines(
        judge.scores.roc, chosen, lambda name: f"{model_title(name, context)} {numerals.auc(tested.get(name))}"
    )
    precision = _curve_lines(judge.scores.precision_recall, chosen, lambda name: model_title(name, context))
    diagonal = Rule("chance")
    rules = () if base is None else (Rule(f"positive rows {numerals.share(base, 1)}", y=base, side="start"),)
    return [
        {
            "title": "ROC on the test split, with AUC",
            "legend": _keys(roc),
            "svg": line_chart(
                roc, label=_said("ROC curves on the test split", roc),
                axes=Axes("false positive rate", "true positive rate"), rules=(diagonal,),
            ),
        },
        {
            "title": "Precision and recall on the test split",
            "legend": _keys(precision),
            "svg": line_chart(
                precision, label=_said("Precision-recall curves on the test split", precision),
                axes=Axes("recall", "precision"), rules=rules,
            ),
        },
    ]  # fmt: skip


def _curve_lines(points: Mapping[str, Points], chosen: str, title: Callable[[str], str]) -> list[Line]:
    """Return the curves, the chosen model's last, so that it lies on top."""
    ordered = sorted(points, key=lambda name: (name == chosen, name))
    return [Line(title(name), points[name], "chosen" if name == chosen else "baseline") for name in ordered]


def _keys(lines: list[Line]) -> list[dict[str, str]]:
    return [{"role": line.role, "text": line.name} for line in reversed(lines)]


def _said(what: str, lines: list[Line]) -> str:
    return f"{what}: {'; '.join(line.name for line in lines)}"


def sweep(result: SweepResult | None, context: StageContext) -> dict[str, Any] | None:
    """Return the drawings and tables of the sweep; without its journal only the words."""
    if result is None:
        return None
    trials = read_journal(context.state.path(result.journal))
    known = [trial for trial in trials if trial.auc is not None]
    ranked = sorted(known, key=lambda trial: (-(trial.auc or 0.0), trial.index))
    names = [name for name in context.problem.sweep.space if any(name in trial.params for trial in known)]
    return {
        "parallel": parallel_coordinates(trials, space=context.problem.sweep.space, best=result.best_trial),
        "progress": _progress(known) if known else None,
        "names": names,
        "top": [
            {
                "index": trial.index,
                "best": trial.index == result.best_trial,
                "cells": [numerals.parameter(trial.params.get(name)) for name in names],
                "auc": numerals.auc(trial.auc),
                "rounds": numerals.ABSENT if trial.best_iteration is None else str(trial.best_iteration + 1),
            }
            for trial in ranked[:TOP_TRIALS]
        ],
        "failures": [(trial.index, trial.failure) for trial in trials if trial.failure is not None],
        "read": len(trials),
    }


def _progress(known: list[TrialResult]) -> dict[str, Any]:
    every: Points = [(float(trial.index), float(trial.auc or 0.0)) for trial in known]
    best: list[tuple[float, float]] = []
    for index, value in every:
        best.append((index, max(value, best[-1][1] if best else value)))
    winner = best_trial(known)
    low, high = min(y for _, y in every), max(y for _, y in every)
    room = (high - low) * 0.06 or 0.001
    last = max(every[-1][0], 1.0)
    lines = [
        Line("each trial", every, "faint", dots=True),
        Line("best so far", best, "chosen", stepped=True),
        Line(
            f"trial {winner.index}, AUC {numerals.auc(winner.auc)}",
            [(winner.index, winner.auc or 0.0)],
            "best",
            dots=True,
        ),
    ]
    return {
        "title": "Best so far, by trial",
        "legend": _keys(lines),
        "svg": line_chart(
            lines, label=f"Validation AUC by trial; the best is trial {winner.index} with {numerals.auc(winner.auc)}",
            axes=Axes("trial", "AUC on the selection split", (0, last), (low - room, high + room)),
        ),
    }  # fmt: skip


def threshold(select: SelectResult | None, context: StageContext) -> dict[str, Any] | None:
    """Return the chart of cost by threshold, with the chosen one and the two ways to do without a model."""
    if select is None:
        return None
    points = sorted((p.threshold, p.cost) for p in select.curve if math.isfinite(p.threshold) and math.isfinite(p.cost))
    words: dict[str, Any] = {
        "chosen": numerals.auc(select.threshold),
        "cost": numerals.auc(select.cost),
        "accept_all": numerals.auc(select.accept_all_cost),
        "reject_all": numerals.auc(select.reject_all_cost),
        "costs_set": context.problem.costs is not None,
        "false_positive": numerals.parameter(select.costs.false_positive),
        "false_negative": numerals.parameter(select.costs.false_negative),
        "chart": None,
    }
    if points:
        words["chart"] = _threshold_chart(select, points)
    return words


def _threshold_chart(select: SelectResult, points: Points) -> Markup:
    levels = [cost for _, cost in points] + [select.accept_all_cost, select.reject_all_cost, select.cost]
    top = max(level for level in levels if math.isfinite(level)) * 1.08 or 1.0
    rules = (
        Rule(f"accept all {numerals.auc(select.accept_all_cost)}", y=select.accept_all_cost),
        Rule(f"reject all {numerals.auc(select.reject_all_cost)}", y=select.reject_all_cost, side="middle"),
        Rule(f"threshold {numerals.auc(select.threshold)}", x=select.threshold, role="best"),
    )
    lines = [
        Line("expected cost a row", points, "chosen"),
        Line("chosen", [(select.threshold, select.cost)], "best", dots=True),
    ]
    label = f"Expected cost by threshold; lowest {numerals.auc(select.cost)} at {numerals.auc(select.threshold)}"
    return line_chart(lines, label=label, axes=Axes("threshold", "expected cost a row", (0, 1), (0, top)), rules=rules)


def importances(results: Results, context: StageContext) -> dict[str, Any] | None:
    """Return the importance of each feature to the chosen model, with the small forest beside it."""
    forest = results.baseline.forest if results.baseline else None
    chosen = results.select.chosen if results.select else forest
    if chosen is None:
        return None
    other = forest if forest is not None and forest.name != chosen.name else None
    ranked = sorted(chosen.importances.items(), key=lambda item: (-item[1], item[0]))
    most = max([*chosen.importances.values(), *(other.importances.values() if other else ()), 1e-12])
    rows = []
    for name, value in ranked[:MAXIMUM_IMPORTANCES]:
        second = other.importances.get(name, 0.0) if other else None
        rows.append(
            {
                "name": name,
                "value": numerals.share(value, 1),
                "width": f"{100 * value / most:.1f}%",
                "other": None if second is None else numerals.share(second, 1),
                "other_width": None if second is None else f"{100 * second / most:.1f}%",
            }
        )
    return {
        "chosen": model_title(chosen.name, context),
        "other": model_title(other.name, context) if other else None,
        "rows": rows,
        "dropped": max(0, len(ranked) - MAXIMUM_IMPORTANCES),
    }


def split_rows(split: SplitResult | None) -> list[dict[str, str]]:
    """Return the splits with their sizes, train first."""
    if split is None:
        return []
    total = sum(split.rows.values())
    return [
        {
            "name": name,
            "rows": numerals.count(split.rows[name]),
            "share": numerals.share(split.rows[name], total),
            "width": f"{100 * split.rows[name] / total if total else 0:.2f}%",
            "positives": numerals.count(split.positives.get(name, 0)),
            "positive_share": numerals.share(split.positives.get(name, 0), split.rows[name]),
        }
        for name in ordered_splits(split)
    ]
