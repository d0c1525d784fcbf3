"""A small made world for the tests of models: tables, forests, boosters and a frozen choice, without other stages."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.registry import Registry
from gauntlet.adapters.signing_keys import SigningKeys
from gauntlet.adapters.state_place import relocate
from gauntlet.adapters.suite_files import Suite
from gauntlet.adapters.target import LocalTarget, Target
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.envelope import seal
from gauntlet.core.evidence import IncumbentEvidence, statement
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.progress import Progress
from gauntlet.core.promotions import Promotion
from gauntlet.core.results import (
    BaselineResult,
    DataSource,
    IngestResult,
    JudgeResult,
    ModelRecord,
    PackageResult,
    PromoteResult,
    ScoreResult,
    SelectResult,
    SplitResult,
    SweepResult,
    TableRef,
)
from gauntlet.core.scores import auc
from gauntlet.core.state import State, write_bytes_atomically
from gauntlet.core.verdict import Status, Verdict
from gauntlet.stages.audit import Audit, audit
from gauntlet.stages.baseline import baseline
from gauntlet.stages.candidate import Candidate
from gauntlet.stages.champions import Champions, number_of, open_champions
from gauntlet.stages.context import StageContext
from gauntlet.stages.evidence_check import Conditions
from gauntlet.stages.judge import judge
from gauntlet.stages.package import package
from gauntlet.stages.promote import promote, promote_on_evidence
from gauntlet.stages.rollback import roll_back
from gauntlet.stages.score import score
from gauntlet.stages.select import select
from gauntlet.stages.training_rows import Rows, read_split
from gauntlet.stages.versions import open_registry

ROWS = 700
OVERRIDES = {"baseline.trees": 3, "baseline.reference_trees": 4}


MakeTarget = Callable[[Problem, State], Target]


def local_target(problem: Problem, state: State) -> Target:
    """Return target ``local``."""
    return LocalTarget(problem=problem, state=state, workers=2)


def made_rows(problem: Problem, *, rows: int = ROWS, seed: int = 8) -> pd.DataFrame:
    """Return curated rows with a label that three of the features tell something about, and their split."""
    generator = np.random.default_rng(seed)
    names = [column.name for column in problem.features]
    frame = pd.DataFrame(generator.normal(10, 3, (rows, len(names))), columns=names)
    pull = frame["alcohol"] + 0.5 * frame["pH"] - 0.7 * frame["density"] + generator.normal(0, 2, rows)
    frame["label"] = (pull > np.quantile(pull, 0.7)).astype(int)
    frame["row_id"] = [f"row{number:04d}" for number in range(rows)]
    frame["source"], frame["source_row"] = "made", range(rows)
    frame["synthetic"] = True
    frame["row_order"] = range(rows)
    frame["split"] = np.array(["train", "train", "train", "validation", "test"])[np.arange(rows) % 5]
    return frame


def fit_booster(context: StageContext, train: Rows, selection: Rows, *, rounds: int, seed: int) -> ModelRecord:
    """Return a booster fitted on some rows, written into the context's folder."""
    encoding = learn_encoding(train.features, context.problem.features)
    parameters = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed, "subsample": 0.8}
    matrix = xgboost.DMatrix(encode(train.features, encoding), train.label)
    booster = xgboost.train(parameters, matrix, num_boost_round=rounds)
    model_path, encoding_path = context.folder / "model.ubj", context.folder / "encoding.json"
    booster.save_model(model_path)
    encoding_path.write_text(encoding.model_dump_json(), encoding="utf-8")
    predicted = booster.inplace_predict(encode(selection.features, encoding))
    return ModelRecord(
        name="sweep",
        family="booster",
        file=context.state.file_ref(model_path),
        encoding=context.state.file_ref(encoding_path),
        parameters={"seed": seed},
        auc_selection=auc(predicted, selection.label),
        importances={},
    )


@dataclass(frozen=True)
class MadeGates:
    """Gates that say what they are told, whatever the candidate."""

    status: Status = Status.PASS
    gates: tuple[str, ...] = ("model::made", "split::made")

    def verdicts(self, candidate: Candidate, *, progress: Progress) -> tuple[Verdict, ...]:
        """Return one verdict a gate."""
        return tuple(Verdict(gate, self.status, "it says so", measured=1.0) for gate in self.gates)

    def names(self, problem: Problem, *, suites: Mapping[str, Suite]) -> tuple[str, ...]:
        """Return the gates' names."""
        return self.gates


PASSING = MadeGates()


@dataclass(frozen=True)
class Choice:
    """A frozen choice, and what it was made from."""

    baseline: BaselineResult
    select: SelectResult


@dataclass(frozen=True)
class Judged:
    """A choice that was packed and judged."""

    choice: Choice
    package: PackageResult
    judge: JudgeResult


@dataclass(frozen=True)
class World:
    """Tables, and models to choose from, in a state folder; copies of it share nothing but Spark."""

    root: Path
    problem: Problem
    ingest: IngestResult
    split: SplitResult
    weak: Choice
    strong: Choice
    target: MakeTarget = local_target

    @classmethod
    def make(
        cls, root: Path, spark: Any, *, target: MakeTarget = local_target, overrides: Mapping[str, Any] = OVERRIDES
    ) -> World:
        """Make the world."""
        problem = load_problem(overrides=dict(overrides))
        context = make_context(root, problem, "ingest", target=target)
        rows = made_rows(problem)
        frame = spark.createDataFrame(rows.assign(group_id=rows["row_id"])).repartition(2)
        tables = context.target.tables
        split = split_result(tables.write("split", frame))
        curated = frame.drop("row_order", "split", "group_id")
        ingest = ingest_result(raw=tables.write("raw", curated), curated=tables.write("curated", curated))
        forests = baseline(make_context(root, problem, "baseline", target=target), split=split)
        choices = [
            freeze(make_context(root, problem, "select", key, target=target), split, forests, rounds=rounds, seed=seed)
            for key, rounds, seed in (("weak", 2, 1), ("strong", 12, 2))
        ]
        return cls(root, problem, ingest, split, *choices, target)

    def copied(self, root: Path) -> World:
        """Return a copy in a folder of its own, relocated: it shares no file."""
        shutil.copytree(self.root, root)
        relocate(State(root))
        return replace(self, root=root)

    def context(self, stage: str, key: str = "k") -> StageContext:
        """Return the context of a stage."""
        return make_context(self.root, self.problem, stage, key, target=self.target)

    @property
    def registry(self) -> Registry:
        """The registry."""
        return open_registry(self.context("look"))

    def versions(self) -> dict[int, dict[str, str]]:
        """Return the tags of all versions, by number."""
        registry = self.registry
        return {version.version: tags for version, tags in registry.versions()}

    def written_down(self) -> Any:
        """Return what registry and ledger show, without what says only when and who."""
        registered = self.registry.tracking.client.get_registered_model(self.registry.name)
        only_when = {"claimed", "settled", "claimant", "chain", "signature"}
        entries = [entry.model_dump(exclude=only_when) for entry in self.champions.history().entries]
        return registered.aliases, self.versions(), entries

    def test_rows(self) -> pd.DataFrame:
        """Return the test rows' features and label, past the door."""
        frame = made_rows(self.problem)
        return frame[frame["split"] == "test"].reset_index(drop=True)

    @property
    def champions(self) -> Champions:
        """What registry, ledger and evidence say of the champions."""
        context = self.context("look")
        return open_champions(context.target, context.state)

    def package(self, choice: Choice, key: str) -> PackageResult:
        """Run the stage that packs."""
        return package(self.context("package", key), split=self.split, select=choice.select)

    def judge(self, choice: Choice, key: str = "k", *, gates: MadeGates = PASSING, **changes: Any) -> Judged:
        """Run the stages that pack, unless a packed model is given, and judge."""
        given = {
            "ingest": self.ingest,
            "split": self.split,
            "baseline": choice.baseline,
            "select": choice.select,
            "gates": gates,
            **changes,
        }
        packed = given.setdefault("package", None) or self.package(choice, key)
        result = judge(self.context("judge", key), **{**given, "package": packed})
        return Judged(choice, packed, result)

    def promote(self, judged: Judged, key: str = "k", *, gates: MadeGates = PASSING, **changes: Any) -> PromoteResult:
        """Run the stage that promotes."""
        given = {
            "ingest": self.ingest,
            "split": self.split,
            "select": judged.choice.select,
            "package": judged.package,
            "judge": judged.judge,
            "gates": gates,
        }
        return promote(self.context("promote", key), **{**given, **changes})

    def crown(self, choice: Choice, key: str = "k") -> PromoteResult:
        """Pack, judge and promote a choice."""
        return self.promote(self.judge(choice, key), key)

    def promote_on_evidence(self, evidence: str | None = None) -> PromoteResult:
        """Promote as the command does, without Spark."""
        context = self.context("look")
        return promote_on_evidence(
            Conditions(self.problem, context.target, PASSING), state=context.state, evidence=evidence
        )

    def resealed(self, evidence: str, **changes: Any) -> str:
        """Sign evidence with some of its parts changed, as nobody but the holder of the key can; return its SHA-256."""
        return self.sealed(statement(self.champions.evidence.proven(evidence).model_copy(update=changes)))

    def sealed(self, signed: dict[str, Any]) -> str:
        """Sign a statement and keep it among the evidence; return its SHA-256."""
        store, keys = self.champions.evidence, SigningKeys(self.context("look").state.keys)
        content = seal(signed, keys.private())
        mark = hashlib.sha256(content).hexdigest()
        write_bytes_atomically(evidence_path(store.folder, mark), content)
        return mark

    def judged_again(self, evidence: str) -> str:
        """Return the SHA-256 of evidence as a new judgement against today's champion would sign it."""
        history = self.champions.history()
        incumbent = IncumbentEvidence(version=number_of(history.champion), sequence=history.last_sequence)
        return self.resealed(evidence, created=datetime.now(UTC).isoformat(timespec="seconds"), incumbent=incumbent)

    def crown_again(self, evidence: str) -> PromoteResult:
        """Promote files that were judged before, on a new judgement."""
        return self.promote_on_evidence(self.judged_again(evidence))

    def enter_by_hand(self, evidence: str, *, ledger: PromotionLedger | None = None, **changes: Any) -> None:
        """Write an entry for the champion into the ledger once more, some of it otherwise than a promotion would."""
        champions = self.champions
        ledger = ledger or champions.ledger
        history = champions.history()
        champion = history.champion
        kept = {"kind", "version", "run_id", "evidence", "artefact_digest", "rows", "split_table", "key"}
        fields = champion.model_dump(include=kept) | {"split_table": champion.split_table, "evidence": evidence}
        claim = ledger.claim(
            champions.model,
            expected=history.last_sequence,
            previous_version=champion.version,
            **{**fields, **changes},
        )
        ledger.settle(claim)

    def roll_back(self) -> Promotion:
        """Roll back as the command does."""
        context = self.context("look")
        return roll_back(target=context.target, state=context.state)

    def audit(self) -> Audit:
        """Audit as the command does."""
        context = self.context("look")
        return audit(target=context.target, state=context.state)

    def score(
        self, choice: Choice, promoted: PromoteResult, key: str = "score", *, incremental: bool = False, **changes: Any
    ) -> ScoreResult:
        """Run the stage that scores, and keep its result as the engine does."""
        context = replace(self.context("score", key), incremental=incremental)
        given = {"ingest": self.ingest, "split": self.split, "promote": promoted, "select": choice.select, **changes}
        result = score(context, **given)
        context.state.save_result("score", context.key, result, parts={})
        return result


@dataclass(frozen=True)
class Contest:
    """A world with a champion, and others that were judged against it.

    Attributes:
        world: The world; its champion is the weak choice.
        first: The champion.
        crowned: What its promotion left.
        second: The strong choice, judged against the champion.
    """

    world: World
    first: Judged
    crowned: PromoteResult
    second: Judged

    @classmethod
    def make(cls, world: World) -> Contest:
        """Let the weak choice be champion, and judge the strong one."""
        first = world.judge(world.weak, "first")
        crowned = world.promote(first, "first")
        return cls(world, first, crowned, world.judge(world.strong, "second"))

    def copied(self, root: Path) -> Contest:
        """Return a copy in a folder of its own."""
        return replace(self, world=self.world.copied(root))

    def moved(self, root: Path) -> Contest:
        """Return the same contest in a folder that somebody else has made."""
        return replace(self, world=replace(self.world, root=root))


@cache
def _world_of(spark: Any, root: Path) -> World:
    return World.make(root / "models_state", spark)


def shared_world(factory: pytest.TempPathFactory, spark: Any) -> World:
    """Return the world that all test modules copy from; it is made once in a test run."""
    return _world_of(spark, factory.getbasetemp())


@cache
def _contest_of(spark: Any, root: Path) -> Contest:
    return Contest.make(_world_of(spark, root).copied(root / "contest_state"))


def shared_contest(factory: pytest.TempPathFactory, spark: Any) -> Contest:
    """Return the contest that all test modules copy from; it is made once in a test run."""
    return _contest_of(spark, factory.getbasetemp())


def make_context(
    root: Path, problem: Problem, stage: str, key: str = "k", *, target: MakeTarget = local_target
) -> StageContext:
    """Return the context of a stage in a state folder."""
    state, whole_key = State(root), key.ljust(64, "0")
    folder = state.stage_folder(stage, whole_key)
    folder.mkdir(parents=True, exist_ok=True)
    return StageContext(problem=problem, target=target(problem, state), state=state, folder=folder, key=whole_key)


def freeze(context: StageContext, split: SplitResult, forests: BaselineResult, *, rounds: int, seed: int) -> Choice:
    """Choose among the forests and a new booster, and freeze the choice as the engine does."""
    train, selection = read_split(context, split, "train"), read_split(context, split, split.selection)
    booster = fit_booster(context, train, selection, rounds=rounds, seed=seed)
    result = select(context, split=split, baseline=forests, sweep=SweepResult.model_construct(model=booster))
    context.state.save_result("select", context.key, result, parts={})
    return Choice(forests, result)


def ingest_result(*, raw: TableRef, curated: TableRef) -> IngestResult:
    """Return the result of an ingest."""
    source = DataSource(origin="synthetic", description="made rows", synthetic=True, files={})
    return IngestResult(
        source=source,
        raw=raw,
        curated=curated,
        quarantine=None,
        rows=raw.rows,
        bad_rows=0,
        duplicate_rows=0,
        positives=0,
    )


def split_result(table: TableRef, *, notebook: bool = False) -> SplitResult:
    """Return the result of a split of ``made_rows``."""
    labels = made_rows(load_problem()).groupby("split")["label"]
    return SplitResult(
        synthetic=True,
        protocol="notebook" if notebook else "honest",
        table=table,
        selection="test" if notebook else "validation",
        rows={"train": 420, "validation": 140, "test": 140},
        positives={name: int(count) for name, count in labels.sum().items()},
        groups=0,
        near_pairs=0,
        repeats_across=0,
        near_repeats_across=0,
    )
