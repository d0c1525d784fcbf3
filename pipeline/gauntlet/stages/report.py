"""This module provides the stage that writes the report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gauntlet.core.results import (
    BaselineResult,
    ExpectationsResult,
    ExploreResult,
    IngestResult,
    JudgeResult,
    PackageResult,
    PromoteResult,
    RegisterResult,
    ReportResult,
    ScoreResult,
    SelectResult,
    SplitResult,
    SweepResult,
)
from gauntlet.core.state import write_atomically
from gauntlet.stages import numerals, palette, report_charts, report_view
from gauntlet.stages.context import StageContext
from gauntlet.stages.report_view import Results


def report(  # noqa: PLR0913 - one argument for each stage, by the engine's convention
    context: StageContext,
    *,
    ingest: IngestResult | None = None,
    expectations: ExpectationsResult | None = None,
    explore: ExploreResult | None = None,
    split: SplitResult | None = None,
    baseline: BaselineResult | None = None,
    register: RegisterResult | None = None,
    sweep: SweepResult | None = None,
    select: SelectResult | None = None,
    package: PackageResult | None = None,
    judge: JudgeResult | None = None,
    promote: PromoteResult | None = None,
    score: ScoreResult | None = None,
) -> ReportResult:
    """Write the report of a run, refused and unfinished ones included; what is missing is said.

    Equal inputs give equal bytes: the page holds no time of its own.
    """
    results = Results(
        ingest=ingest,
        expectations=expectations,
        explore=explore,
        split=split,
        baseline=baseline,
        register=register,
        sweep=sweep,
        select=select,
        package=package,
        judge=judge,
        promote=promote,
        score=score,
    )
    path = context.folder / "report.html"
    write_atomically(path, page(context, results))
    return ReportResult(file=context.state.file_ref(path))


def page(context: StageContext, results: Results) -> str:
    """Return the report's HTML."""
    environment = Environment(
        loader=PackageLoader("gauntlet", "stages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(
        auc=numerals.auc,
        count=numerals.count,
        parameter=numerals.parameter,
        cell=numerals.cell,
        short=_short,
        breakable=_breakable,
        gate_name=_gate_name,
    )
    script = _packaged("report.js")
    return environment.get_template("report.html.j2").render(
        **_content(context, results),
        style=Markup(_style()),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
    )


def _content(context: StageContext, results: Results) -> dict[str, Any]:
    return {
        "problem": context.problem,
        "target": context.target,
        "state_folder": str(context.state.root.resolve()),
        "tracking_uri": report_view.without_credentials(context.target.tracking.tracking_uri),
        "results": results,
        "absent": lambda stage: report_view.absent(results, stage),
        "verdict": report_view.verdict(results),
        "reasons": report_view.shown_reasons(results),
        "more_reasons": len(results.reasons) - len(report_view.shown_reasons(results)),
        "figures_of_merit": _figures_of_merit(results, context),
        "stages": report_view.stages(results, context),
        "suites": report_view.suites(results),
        "verdicts": report_view.verdict_rows(results),
        "holding_expectations": report_view.holding_expectations(results),
        "evidence": report_view.evidence(results, context),
        "figures": report_view.figures(results, context),
        "splits": report_charts.split_rows(results.split),
        "candidates": report_charts.candidates(results, context),
        "curves": report_charts.curves(results, context),
        "sweep": report_charts.sweep(results.sweep, context),
        "threshold": report_charts.threshold(results.select, context),
        "importances": report_charts.importances(results, context),
        "tables": report_view.tables(results, context),
        "models": report_view.models(results),
        "not_checked": report_view.not_checked(results, context),
        "share": numerals.share,
        "plural": numerals.plural,
    }


def _figures_of_merit(results: Results, context: StageContext) -> list[dict[str, str]]:
    """Return the few numbers that head the page."""
    found: list[dict[str, str]] = []
    if results.judge is not None and results.select is not None:
        auc = results.judge.scores.auc
        chosen, forest = auc.get(results.select.chosen.name), auc.get("forest")
        note = f"baseline {numerals.auc(forest)}" if results.select.chosen.name != "forest" else "the baseline itself"
        found.append({"value": numerals.auc(chosen), "name": "AUC on test", "note": note})
    if results.select is not None:
        saving = min(results.select.accept_all_cost, results.select.reject_all_cost)
        note = f"without a model {numerals.auc(saving)}"
        found.append({"value": numerals.auc(results.select.cost), "name": "expected cost a row", "note": note})
    if results.ingest is not None:
        note = f"{numerals.share(results.ingest.positives, results.ingest.rows)} {context.problem.label.positive}"
        found.append({"value": numerals.count(results.ingest.rows), "name": "rows", "note": note})
    if results.split is not None:
        near = numerals.plural(results.split.near_repeats_across, "near repeat")
        found.append(
            {"value": numerals.count(results.split.repeats_across), "name": "repeats across splits", "note": near}
        )
    if results.sweep is not None:
        note = f"best {numerals.auc(results.sweep.best_auc)}, {results.sweep.failed} failed"
        found.append({"value": numerals.count(results.sweep.trials), "name": "trials", "note": note})
    return found


def _style() -> str:
    light, dark = palette.as_css(palette.LIGHT), palette.as_css(palette.DARK)
    colours = (
        f":root{{color-scheme:light dark;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
    return colours + _packaged("report.css")


def _packaged(name: str) -> str:
    return (resources.files("gauntlet.stages") / name).read_text(encoding="utf-8")


def _short(text: str, length: int = 12) -> str:
    return text[:length]


def _gate_name(name: str) -> Markup:
    """Return a gate's name that may break between its parts, and after underscores."""
    return Markup("<wbr>").join(Markup("{}").format(part) for part in re.split(r"(?<=::)|(?<=_)|(?<=/)", name))


def _breakable(name: str) -> Markup:
    """Return a name that may break after its underscores."""
    return Markup("<wbr>").join(Markup("{}").format(part) for part in re.split(r"(?<=_)", name))
