"""Suites follow the problem file and the data; what was edited, adopted or deleted by hand stays so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gauntlet.adapters.drafted_files import DraftedFile, write_all
from gauntlet.adapters.problem_draft import draft_problem
from gauntlet.adapters.suite_sync import drafted_suites, source_table
from gauntlet.commands.drafts import sync_suites
from gauntlet.core.errors import InputError
from gauntlet.core.problem_file import load_problem
from tests.churn import make_churn

pytestmark = pytest.mark.unit

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    make_churn().to_csv(tmp_path / "churn.csv", index=False)
    return draft_problem(tmp_path / "churn.csv", label="churned", output=tmp_path / "churn.toml").problem


@pytest.fixture
def raw(problem: Path) -> Path:
    return problem.parent / "suites" / "churn" / "raw.json"


def synced(problem: Path) -> dict[str, DraftedFile]:
    loaded = load_problem(problem)
    files = drafted_suites(loaded, source_table(loaded, cache=problem.parent), problem_folder=problem.parent)
    return {file.path.stem: file for file in files}


def edit(path: Path, change: Edit) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def entry(text: str, column: str, kind: str) -> dict[str, Any]:
    (found,) = [
        e
        for e in json.loads(text)["expectations"]
        if e["kwargs"].get("column") == column and e["type"] == f"expect_column_values_to_{kind}"
    ]
    return dict(found)


def test_without_a_change_nothing_changes(problem: Path) -> None:
    assert [file.changes for file in synced(problem).values()] == [False, False, False]


def test_new_data_moves_the_drafted_entries_only(problem: Path, raw: Path) -> None:
    def adopt(document: dict[str, Any]) -> None:
        for found in document["expectations"]:
            if found["kwargs"].get("column") == "groe":
                found["severity"] = "critical"

    edit(raw, adopt)
    before = raw.read_text(encoding="utf-8")
    frame = make_churn()
    frame[["größe", "monthly spend (€)"]] *= 3
    frame.to_csv(problem.parent / "churn.csv", index=False)
    file = synced(problem)["raw"]
    assert file.changes
    assert entry(file.after, "groe", "be_between") == entry(before, "groe", "be_between")
    old, new = (entry(text, "monthly_spend", "be_between")["kwargs"] for text in (before, file.after))
    assert new["max_value"] == pytest.approx(3 * old["max_value"], rel=0.01)
    assert file.kept == ("groe::between", "groe::min_between", "groe::not_null")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["kwargs"].update(max_value=500.0),
        lambda found: found.update(severity="critical"),
        lambda found: found["meta"].pop("drafted"),
        lambda found: found["meta"].update(why="The contract says so."),
    ],
    ids=["range", "adopted", "mark removed", "reason"],
)
def test_any_edit_of_an_entry_keeps_it(problem: Path, raw: Path, change: Edit) -> None:
    def edit_spend(document: dict[str, Any]) -> None:
        (found,) = [
            e
            for e in document["expectations"]
            if e["kwargs"].get("column") == "monthly_spend" and e["type"] == "expect_column_values_to_be_between"
        ]
        change(found)

    edit(raw, edit_spend)
    before = raw.read_text(encoding="utf-8")
    make_churn().assign(**{"monthly spend (€)": range(400)}).to_csv(problem.parent / "churn.csv", index=False)
    file = synced(problem)["raw"]
    assert entry(file.after, "monthly_spend", "be_between") == entry(before, "monthly_spend", "be_between")
    assert file.kept == ("monthly_spend::between",)


def test_what_was_deleted_does_not_come_back_and_what_was_added_stays(problem: Path, raw: Path) -> None:
    added = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "Plan"}}

    def delete_and_add(document: dict[str, Any]) -> None:
        document["expectations"] = [e for e in document["expectations"] if e["kwargs"].get("column") != "groe"]
        document["expectations"].insert(0, added)

    edit(raw, delete_and_add)
    before = raw.read_text(encoding="utf-8")
    file = synced(problem)["raw"]
    assert (file.changes, file.after) == (False, before)
    assert file.kept == ("Plan::unique",)


def test_an_ignored_column_loses_its_drafted_entries_and_gets_them_back(problem: Path) -> None:
    text = problem.read_text(encoding="utf-8")
    problem.write_text(text.replace('name = "Plan"\n', 'name = "Plan"\nrole = "ignored"\n'), encoding="utf-8")
    files = synced(problem)
    assert [files[table].changes for table in ("raw", "curated", "predictions")] == [True, True, False]
    assert "Plan" not in json.dumps(json.loads(files["raw"].after)["expectations"])
    assert any(line.startswith("-") and "Plan" in line for line in files["raw"].diff.splitlines())
    write_all(files.values())
    assert not any(file.changes for file in synced(problem).values())
    problem.write_text(text, encoding="utf-8")
    assert entry(synced(problem)["raw"].after, "Plan", "be_in_set")["kwargs"]["value_set"][0] == "basic"


def test_sources_with_constants_and_renamed_columns_are_read_as_described(tmp_path: Path) -> None:
    for name, plans in (("first", ["a", "b"]), ("second", ["b", "c"])):
        rows = pd.DataFrame({"the plan": plans * 30, "x": range(60), "target": [0, 1, 1] * 20})
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    problem = draft_problem(tmp_path / "first.csv", label="target", output=tmp_path / "p.toml").problem
    text = problem.read_text(encoding="utf-8").replace('name = "the_plan"', 'name = "tariff"\nsource_name = "the plan"')
    start, end = text.index("[[sources]]"), text.index("# The columns, all")
    source = text[start:end].rstrip() + '\nconstants = { region = "{}" }\n\n'
    second = source.replace('"first"', '"second"').replace("first.csv", "second.csv").replace("{}", "south")
    column = '[[columns]]\nname = "region"\nkind = "text"\n\n'
    text = (
        text[:start]
        + source.replace("{}", "north")
        + second
        + text[end:].replace("[[columns]]", column + "[[columns]]", 1)
    )
    problem.write_text(text, encoding="utf-8")
    after = synced(problem)["raw"].after
    assert entry(after, "tariff", "be_in_set")["kwargs"]["value_set"] == ["a", "b", "c"]
    assert entry(after, "region", "be_in_set")["kwargs"]["value_set"] == ["north", "south"]


def test_a_suite_drafted_before_marks_existed_is_kept_as_it_is(problem: Path, raw: Path) -> None:
    old = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "groe", "min_value": 1, "max_value": 2}}
    raw.write_text(json.dumps({"name": "churn/raw", "expectations": [old]}), encoding="utf-8")
    file = synced(problem)["raw"]
    assert entry(file.after, "groe", "be_between") == old
    assert file.kept == ("groe::between",)


def test_the_command_checks_writes_and_says_so(problem: Path, raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*, check: bool) -> tuple[int, dict[str, Any]]:
        code = sync_suites(problem=problem, check=check, state=problem.parent, machine=True, quiet=False)
        return int(code), json.loads(capsys.readouterr().out)

    assert run(check=True)[0] == 0
    make_churn().assign(visits=range(400)).drop(columns="Plan").to_csv(problem.parent / "churn.csv", index=False)
    with pytest.raises(InputError, match="column 'Plan' is missing"):
        run(check=True)
    frame = make_churn()
    frame["größe"] += 100
    frame.to_csv(problem.parent / "churn.csv", index=False)
    before = raw.read_text(encoding="utf-8")
    code, document = run(check=True)
    assert (code, document["changed"], [file["change"] for file in document["files"]]) == (
        1, True, ["updated", "none", "none"],
    )  # fmt: skip
    assert raw.read_text(encoding="utf-8") == before
    assert run(check=False)[0] == 0
    assert run(check=True)[0] == 0
    assert sync_suites(problem=problem, check=False, state=problem.parent, machine=False, quiet=False) == 0
    assert "unchanged: " in capsys.readouterr().out


def test_the_packaged_suites_are_not_drafted(problem: Path) -> None:
    with pytest.raises(InputError, match="name a problem file with --problem"):
        sync_suites(problem=None, check=False, state=problem.parent, machine=False, quiet=False)
    text = problem.read_text(encoding="utf-8").replace('raw = "churn/raw"', 'raw = "wine_quality/raw"')
    problem.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="'wine_quality/raw' ships with the package"):
        synced(problem)
