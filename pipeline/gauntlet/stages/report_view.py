"""This module provides what the report says: the stages' results turned into sentences, rows and drawings.

Nothing here writes HTML but the drawings; the template writes all text, escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args
from urllib.parse import urlsplit, urlunsplit

from gauntlet.core.refusals import MOST_SHOWN, Reason, headline, reasons
from gauntlet.core.results import (
    BaselineResult,
    ExpectationsResult,
    ExploreResult,
    IngestResult,
    JudgeResult,
    ModelVersion,
    PackageResult,
    PromoteResult,
    RegisterResult,
    ScoreResult,
    SelectResult,
    SplitResult,
    StageResult,
    SuiteOutcome,
    SweepResult,
    TableRef,
    VerdictRecord,
    gravest_first,
)
from gauntlet.core.section import TargetName
from gauntlet.core.summary import gate_counts, warnings_and_notes
from gauntlet.stages import numerals
from gauntlet.stages.context import StageContext
from gauntlet.stages.inline_svg import inlined

# The look of a verdict that does not block; a waived FAIL is shown as a warning.
_LOOKS = {"PASS": "done", "NOTE": "noted", "WARN": "warned"}
TEST_TIERS = "unit, data, gates, infra, e2e, remote and benchmarks"


@dataclass(frozen=True)
class Results:
    """The results of one run's stages, in their order; None where a stage did not run."""

    ingest: IngestResult | None = None
    expectations: ExpectationsResult | None = None
    explore: ExploreResult | None = None
    split: SplitResult | None = None
    baseline: BaselineResult | None = None
    register: RegisterResult | None = None
    sweep: SweepResult | None = None
    select: SelectResult | None = None
    package: PackageResult | None = None
    judge: JudgeResult | None = None
    promote: PromoteResult | None = None
    score: ScoreResult | None = None

    def items(self) -> list[tuple[str, StageResult | None]]:
        """Return the results by stage."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    @property
    def refused(self) -> tuple[str, str] | None:
        """The first stage that said no, and why."""
        for name, result in self.items():
            if result is not None and result.refusal is not None:
                return name, result.refusal
        return None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why the run was refused, gravest first."""
        return reasons(dict(self.items()))


def shown_reasons(results: Results) -> tuple[Reason, ...]:
    """Return the gravest reasons of a refusal, each with what answers it."""
    return results.reasons[:MOST_SHOWN]


def verdict(results: Results) -> dict[str, str]:
    """Return the run's verdict: its state and one sentence."""
    refused, champion = results.refused, results.promote.champion if results.promote else None
    if champion is not None:
        sentence = f"{short_name(champion)} version {champion.version} is champion"
        if refused is None:
            return {"state": "done", "word": "Promoted", "sentence": f"{sentence}{_with_warnings(results)}."}
        return {
            "state": "refused",
            "word": "Refused",
            "sentence": f"{sentence}, but {refused[0]} refused: {headline(results.reasons)}",
        }
    if refused is not None:
        found = results.reasons
        said = f"Refused: {_ended(found[0].sentence)}" if len(found) == 1 else f"Refused for {len(found)} reasons."
        return {"state": "refused", "word": "Refused", "sentence": said}
    ran = [name for name, result in results.items() if result is not None]
    after = f"the run ended after {ran[-1]}" if ran else "no stage ran"
    return {"state": "open", "word": "Not finished", "sentence": f"Nothing was promoted: {after}."}


def _with_warnings(results: Results) -> str:
    warnings = warnings_and_notes(results.judge.verdicts)["warnings"] if results.judge is not None else []
    return f", promoted with {numerals.plural(len(warnings), 'warning')}" if warnings else ""


def short_name(model: ModelVersion) -> str:
    """Return a model's own name, without catalog and schema."""
    return model.name.rsplit(".", 1)[-1]


def absent(results: Results, stage: str) -> str:
    """Return why a part of the report is missing, in one sentence."""
    return f"Not in this run: the stage {stage} did not run{_because(results, stage)}."


def _reason(results: Results, stage: str) -> str:
    because = _because(results, stage)
    return f"not reached{because}" if because else "not asked for"


def _because(results: Results, stage: str) -> str:
    refused, order = results.refused, [name for name, _ in results.items()]
    after_refusal = refused is not None and order.index(refused[0]) < order.index(stage)
    return f", because {refused[0]} refused" if refused is not None and after_refusal else ""


def stages(results: Results, context: StageContext) -> list[dict[str, str]]:
    """Return the stages with their states and one sentence each."""
    rows = []
    for name, result in results.items():
        if result is None:
            rows.append({"name": name, "state": "absent", "word": "not run", "text": _reason(results, name)})
        elif result.refusal is not None:
            text = headline(reasons({name: result}))
            rows.append({"name": name, "state": "refused", "word": "refused", "text": text})
        else:
            rows.append(
                {"name": name, "state": "done", "word": "done", "text": _SUMMARIES[type(result)](result, context)}
            )
    return rows


def _ingest_summary(ingest: IngestResult, context: StageContext) -> str:
    sources = numerals.plural(len(context.problem.sources), "source")
    share = numerals.share(ingest.positives, ingest.rows)
    return (
        f"{numerals.plural(ingest.rows, 'row')} from {sources}; {share} are “{context.problem.label.positive}”; "
        f"{numerals.plural(ingest.bad_rows, 'bad row')} set aside"
    )


def _expectations_summary(expectations: ExpectationsResult, _: StageContext) -> str:
    checks = [check for suite in expectations.suites for check in suite.checks]
    return f"{sum(c.success for c in checks)} of {len(checks)} expectations hold"


def _explore_summary(explore: ExploreResult, _: StageContext) -> str:
    return numerals.plural(len(explore.figures), "figure")


def _split_summary(split: SplitResult, _: StageContext) -> str:
    sizes = ", ".join(f"{name} {numerals.count(split.rows[name])}" for name in ordered_splits(split))
    return f"{split.protocol}: {sizes}; {numerals.plural(split.repeats_across, 'repeat')} across splits"


def _baseline_summary(baseline: BaselineResult, context: StageContext) -> str:
    rule = context.problem.baseline
    return (
        f"AUC {numerals.auc(baseline.forest.auc_selection)} with {rule.trees} trees, "
        f"{numerals.auc(baseline.reference.auc_selection)} with {rule.reference_trees}"
    )


def _register_summary(register: RegisterResult, _: StageContext) -> str:
    return (
        f"{short_name(register.model)} version {register.model.version} is baseline; AUC read back "
        f"{numerals.auc(register.auc_readback)}"
    )


def _sweep_summary(sweep: SweepResult, _: StageContext) -> str:
    return (
        f"{numerals.plural(sweep.trials, 'trial')}, {sweep.failed} failed; best AUC {numerals.auc(sweep.best_auc)} "
        f"(trial {sweep.best_trial})"
    )


def _select_summary(select: SelectResult, context: StageContext) -> str:
    return f"{model_title(select.chosen.name, context)} chosen; threshold {numerals.auc(select.threshold)}"


def _package_summary(package: PackageResult, _: StageContext) -> str:
    return f"{numerals.plural(len(package.files), 'file')} packed, digest {package.model_digest[:12]}"


def _judge_summary(judge: JudgeResult, _: StageContext) -> str:
    return gate_counts(judge.verdicts)


def _promote_summary(promote: PromoteResult, _: StageContext) -> str:
    if promote.champion is None:
        return "nothing was promoted"
    before = f"version {promote.previous.version} was it before" if promote.previous else "there was none before"
    return (
        f"{short_name(promote.champion)} version {promote.champion.version} is champion; {before}; AUC read back "
        f"{numerals.auc(promote.auc_readback)}"
    )


def _score_summary(score: ScoreResult, context: StageContext) -> str:
    version = f" by version {score.model.version}" if score.model else ""
    return (
        f"{numerals.plural(score.rows, 'row')} scored{version}; {numerals.count(score.positives)} decided "
        f"“{context.problem.label.positive}”"
    )


_SUMMARIES: dict[type[StageResult], Callable[[Any, StageContext], str]] = {
    IngestResult: _ingest_summary,
    ExpectationsResult: _expectations_summary,
    ExploreResult: _explore_summary,
    SplitResult: _split_summary,
    BaselineResult: _baseline_summary,
    RegisterResult: _register_summary,
    SweepResult: _sweep_summary,
    SelectResult: _select_summary,
    PackageResult: _package_summary,
    JudgeResult: _judge_summary,
    PromoteResult: _promote_summary,
    ScoreResult: _score_summary,
}


def ordered_splits(split: SplitResult) -> list[str]:
    """Return the splits' names, train first, whatever order they were counted in."""
    known = ("train", "validation", "test")
    return [name for name in known if name in split.rows] + [name for name in split.rows if name not in known]


def model_title(name: str, context: StageContext) -> str:
    """Return what a candidate is called in the report."""
    rule = context.problem.baseline
    titles = {
        "forest": f"forest of {rule.trees} trees",
        "reference_forest": f"forest of {rule.reference_trees} trees",
        "sweep": "XGBoost of the sweep",
    }
    return titles.get(name, name)


def suites(results: Results) -> list[dict[str, Any]]:
    """Return the suites, failed expectations apart from those that hold."""
    found: list[SuiteOutcome] = list(results.expectations.suites) if results.expectations else []
    if results.score is not None and results.score.suite is not None:
        found.append(results.score.suite)
    return [
        {
            "outcome": suite,
            "blocks": not suite.checks or any(check.blocks for check in suite.checks),
            "failed": [check for check in suite.checks if not check.success],
            "passed": [check for check in suite.checks if check.success],
        }
        for suite in found
    ]


def verdict_rows(results: Results) -> list[dict[str, Any]]:
    """Return the verdicts, the gravest first; single expectations only where they do not hold."""
    if results.judge is None:
        return []
    shown = [v for v in results.judge.verdicts if v.status != "PASS" or not v.gate.startswith("data/")]
    return [
        {
            "verdict": verdict,
            "state": "refused" if verdict.blocks else _LOOKS.get(verdict.status, "warned"),
            "interval": numerals.interval(verdict.interval),
            "waiver": _waiver(verdict),
        }
        for verdict in gravest_first(shown)
    ]


def holding_expectations(results: Results) -> int:
    """Return how many single expectations are gates that pass; they have a section of their own."""
    verdicts = results.judge.verdicts if results.judge is not None else ()
    return sum(verdict.status == "PASS" and verdict.gate.startswith("data/") for verdict in verdicts)


def _waiver(verdict: VerdictRecord) -> str:
    if verdict.waiver is None:
        return ""
    return f"Waived until {verdict.waiver.until} by {verdict.waiver.owner}: {verdict.waiver.reason}"


def evidence(results: Results, context: StageContext) -> dict[str, str] | None:
    """Return where the signed evidence lies, and by what it is known; None if nothing was judged."""
    if results.judge is None:
        return None
    return {"path": str(context.state.path(results.judge.evidence)), "digest": results.judge.evidence_digest}


def figures(results: Results, context: StageContext) -> list[dict[str, Any]]:
    """Return the figures, ready to be shown inside the page; a lost or changed file is said."""
    if results.explore is None:
        return []
    return [
        {"name": figure.name, "title": figure.title, "picture": inlined(context.state.path(figure.file), figure)}
        for figure in results.explore.figures
    ]


def tables(results: Results, context: StageContext) -> list[dict[str, Any]]:
    """Return every table that the run wrote, with the words to query it."""
    kept: list[tuple[str, TableRef | None]] = []
    if results.ingest is not None:
        kept += [("as it came", results.ingest.raw), ("as a model takes it", results.ingest.curated)]
        kept += [("rows set aside", results.ingest.quarantine)]
    if results.split is not None:
        kept.append(("with splits", results.split.table))
    if results.score is not None:
        kept.append(("predictions", results.score.table))
    return [
        {"table": table, "what": what, "location": context.target.tables.location(table)}
        for what, table in kept
        if table is not None
    ]


def models(results: Results) -> list[dict[str, Any]]:
    """Return the model versions that the run made or met."""
    rows: list[dict[str, Any]] = []
    if results.promote is not None and results.promote.champion is not None:
        rows.append({"alias": "champion", "model": results.promote.champion})
    if results.promote is not None and results.promote.previous is not None:
        now = "champion before, archived" if results.promote.champion else "champion, unchanged"
        rows.append({"alias": now, "model": results.promote.previous})
    if results.register is not None:
        rows.append({"alias": "baseline", "model": results.register.model})
    return rows


def without_credentials(address: str) -> str:
    """Return an address without a user's name and password."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[1]))


def not_checked(results: Results, context: StageContext) -> list[str]:
    """Return what this run did not check: what its stages say, and what no run checks."""
    said = [sentence for _, result in results.items() if result is not None for sentence in result.not_checked]
    others = [name for name in get_args(TargetName) if name != context.target.name]
    missing = [name for name, result in results.items() if result is None]
    own = [
        f"Stages that did not run: {', '.join(missing)}." if missing else "",
        f"No tests were run: a run executes the stages only. The test tiers ({TEST_TIERS}) run with tox.",
        "No infrastructure was planned or tested: the Terraform modules have tests of their own (tier infra).",
        f"Only the target “{context.target.name}” was used; nothing was tried on {' or '.join(others)}.",
    ]
    return list(dict.fromkeys([*said, *context.target.not_checked, *[sentence for sentence in own if sentence]]))


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
