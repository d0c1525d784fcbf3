"""Results of a whole run made by hand, and a stand-in for a target, for the tests of the report."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from gauntlet.core import results as r
from gauntlet.core.problem import Costs, Problem
from gauntlet.core.state import State
from gauntlet.core.trials import TrialResult
from gauntlet.stages.context import StageContext

KEY = "r" * 64
SVG = '<?xml version="1.0"?><svg viewBox="0 0 10 10"><path id="p" style="fill: #7a8ea6"/><use href="#p"/></svg>'


class Tables:
    """A stand-in for a target's tables: it knows how SQL names them."""

    def location(self, table: r.TableRef) -> str:
        return f"delta.`/tables/{table.name}`"


@dataclass
class Target:
    """A stand-in for a target: names and addresses, no Spark, no MLflow."""

    problem: Problem
    name: str = "local"
    not_checked: tuple[str, ...] = ()
    tables: Tables = field(default_factory=Tables)
    tracking: Any = field(default_factory=lambda: SimpleNamespace(tracking_uri="sqlite:////state/mlflow.db"))

    @property
    def names(self) -> Any:
        return self.problem.names["local"]


def context_of(problem: Problem, state: State, **options: Any) -> StageContext:
    """Make the context of a report."""
    folder = state.stage_folder("report", KEY)
    folder.mkdir(parents=True, exist_ok=True)
    target: Any = Target(problem, **options)
    return StageContext(problem=problem, target=target, state=state, folder=folder, key=KEY)


def table(name: str, rows: int = 6497) -> r.TableRef:
    return r.TableRef(
        name=name, full_name=f"gauntlet.wine_quality.{name}", format="delta", version=3, rows=rows, fingerprint="f" * 64
    )


def kept(state: State, name: str, text: str) -> r.FileRef:
    path = state.root / "stages" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return state.file_ref(path)


def suite(name: str = "wine_quality/raw", *, failed: int = 0, passed: int = 3) -> r.SuiteOutcome:
    checks = [
        r.CheckOutcome(
            id=f"raw::c{i}::rule", rule=f"rule number {i}", column=f"c{i}", success=i >= failed, observed="7 rows"
        )
        for i in range(failed + passed)
    ]
    return r.SuiteOutcome(suite=name, suite_digest="d" * 64, table="raw", rows=6497, checks=tuple(checks))


def model(state: State, name: str, auc: float) -> r.ModelRecord:
    return r.ModelRecord(
        name=name,
        family="booster" if name == "sweep" else "forest",
        file=kept(state, f"{name}.model", name),
        encoding=kept(state, "encoding.json", "{}"),
        parameters={"max_depth": 9, "learning_rate": 0.0731},
        auc_selection=auc,
        importances={"alcohol": 0.5, "density": 0.3, "pH": 0.2},
    )


def journal(state: State, trials: int = 12) -> r.FileRef:
    lines = [json.dumps({"journal": 1, "identity": "i"})]
    for i in range(trials):
        params = {
            "max_depth": 4 + 7 * i, "learning_rate": math.exp(-3 + 0.2 * i), "reg_alpha": 0.02, "reg_lambda": 0.01,
            "min_child_weight": 1.5,
        }  # fmt: skip
        failed = i == 3
        auc = None if failed else 0.8 + 0.004 * ((i * 5) % 11)
        reason = "out of memory" if failed else None
        lines.append(TrialResult(i, params, auc, None if failed else 40 + i, 0.2, failure=reason).to_json())
    return kept(state, "journal.jsonl", "\n".join(lines) + "\n")


def whole_run(state: State, *, synthetic: bool = False) -> dict[str, Any]:
    """Make the results of a run that promoted version 3, by stage."""
    source = r.DataSource(
        origin="synthetic" if synthetic else "folder",
        description="the embedded generator" if synthetic else "/data/wine-quality",
        synthetic=synthetic,
        files={} if synthetic else {"red": "4a" * 32, "white": "76" * 32},
        refused=("folder: GAUNTLET_DATA_DIR is not set",),
    )
    forest, reference, best = (
        model(state, *it) for it in (("forest", 0.78), ("reference_forest", 0.83), ("sweep", 0.84))
    )
    version = r.ModelVersion(name="gauntlet.wine_quality.wine_classifier", version=3, run_id="run3")
    curve = ((0.0, 0.0), (0.2, 0.6), (0.5, 0.85), (1.0, 1.0))
    return {
        "ingest": r.IngestResult(
            source=source, raw=table("raw"), curated=table("curated"), quarantine=None, rows=6497, bad_rows=0,
            duplicate_rows=1177, positives=1277,
        ),
        "expectations": r.ExpectationsResult(suites=(suite(), suite("wine_quality/curated"))),
        "explore": r.ExploreResult(
            figures=(r.Figure(name="boxes", title="Numeric features by label", file=kept(state, "boxes.svg", SVG)),),
            head=({"source": "red", "alcohol": 9.4, "is_red": True, "pH": None},),
            null_counts={"alcohol": 0, "pH": 4}, duplicate_rows=1177, run_id="explore",
        ),
        "split": r.SplitResult(
            synthetic=False,
            protocol="honest", table=table("split"), selection="validation",
            rows={"test": 1299, "train": 3899, "validation": 1299},
            positives={"test": 255, "train": 767, "validation": 255},
            groups=5282, near_pairs=38, repeats_across=0, near_repeats_across=0,
        ),
        "baseline": r.BaselineResult(forest=forest, reference=reference, run_id="baseline"),
        "register": r.RegisterResult(model=version.model_copy(update={"version": 1}), auc_readback=0.78),
        "sweep": r.SweepResult(
            trials=12, failed=1, best_trial=2, best_auc=0.84, trials_digest="c" * 64, journal=journal(state),
            model=best, run_id="sweep",
        ),
        "select": r.SelectResult(
            candidates=(forest, reference, best), chosen=best, threshold=0.2512,
            costs=Costs(false_positive=1, false_negative=3), cost=0.35, accept_all_cost=0.8037,
            reject_all_cost=0.5889, selection_digest="s" * 64,
            curve=tuple(r.CostPoint(threshold=i / 20, cost=0.35 + (i / 20 - 0.25) ** 2) for i in range(21)),
        ),
        "package": r.PackageResult(
            model_uri="models:/m-1", model_digest="d" * 64, files={"MLmodel": "e" * 64}, run_id="package"
        ),
        "judge": r.JudgeResult(
            scores=r.TestScores(
                auc={"forest": 0.7712, "reference_forest": 0.8201, "sweep": 0.8314},
                roc={"forest": curve, "sweep": curve}, precision_recall={"forest": curve, "sweep": curve},
            ),
            verdicts=(
                r.VerdictRecord(
                    gate="model::beats_baseline", status="PASS", sentence="AUC is above the baseline's.",
                    measured=0.8314, bound=0.7712, rows=1299, interval=(0.8, 0.86),
                ),
                r.VerdictRecord(
                    gate="model::calibrated", status="FAIL", sentence="The excess is too great.", measured=0.2,
                    bound=0.1, rows=1299,
                    waiver=r.WaiverRecord(
                        gate="model::calibrated", reason="decided by rank", owner="Ada", until="2999-12-31"
                    ),
                ),
            ),
            bootstrap=False, incumbent=version.model_copy(update={"version": 2}),
            evidence=kept(state, "evidence.json", "{}"), evidence_digest="f" * 64,
        ),
        "promote": r.PromoteResult(
            champion=version, previous=version.model_copy(update={"version": 2}), bootstrap=False, sequence=2,
            auc_readback=0.8314,
        ),
        "score": r.ScoreResult(
            table=table("predictions"), model=version, threshold=0.2512, rows=6497, positives=1490,
            suite=suite("wine_quality/predictions"), not_checked=("No drift was looked for.",),
        ),
    }  # fmt: skip
