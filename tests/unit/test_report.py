"""The report: one file that needs nothing else, says the verdict first, and says what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gauntlet.core import results as r
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.inline_svg import inlined
from gauntlet.stages.report import report
from gauntlet.stages.report_view import without_credentials
from tests.unit import report_results as made

pytestmark = pytest.mark.unit

SECTIONS = [
    "stages", "data", "verdicts", "expectations", "figures", "split", "models", "sweep", "threshold", "importances",
    "stored", "not-checked",
]  # fmt: skip
VOID = {"meta", "br", "img", "input", "hr", "link", "wbr"}


class Page(HTMLParser):
    """A page taken apart: its elements, the texts by section, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.by_section: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.section = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = str(values["id"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        if data.strip() and "body" in self.open and not {"script", "style"} & set(self.open):
            self.texts.append(data.strip())
            self.by_section.setdefault(self.section, []).append(data.strip())

    def said(self, section: str) -> str:
        return " ".join(self.by_section[section])

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [values for name, values in self.elements if name == tag]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


@pytest.fixture(scope="module")
def problem() -> Problem:
    return load_problem()


def written(state: State, problem: Problem, results: dict[str, Any], **options: Any) -> str:
    result = report(made.context_of(problem, state, **options), **results)
    return state.path(result.file).read_text(encoding="utf-8")


def refused_run(state: State) -> dict[str, Any]:
    expectations = r.ExpectationsResult(
        suites=(made.suite(failed=1),), refusal="1 of 4 expectations failed: raw::c0::rule (7 rows)"
    )
    return {"ingest": made.whole_run(state)["ingest"], "expectations": expectations}


def test_first_line_is_the_verdict(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, made.whole_run(state)))
    assert page.texts[0] == "wine_classifier version 3 is champion."
    assert page.open == []


def test_synthetic_data_is_said_before_anything_else(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, made.whole_run(state, synthetic=True)))
    assert page.texts[0].startswith("Synthetic data: ")
    assert page.texts[1] == "wine_classifier version 3 is champion."
    real = Page(written(state, problem, made.whole_run(state)))
    assert not any("Synthetic data" in text for text in real.texts)


def test_refused_run_gets_a_report_with_the_reason_first_and_what_was_not_reached(
    state: State, problem: Problem
) -> None:
    page = Page(written(state, problem, refused_run(state)))
    assert page.texts[:4] == ["Refused: c0: 7 rows.", "c0: 7 rows", "data/raw::c0::rule", "Answer:"]
    assert page.texts[4].startswith("gauntlet suites sync for a drafted entry")
    assert "sweep not run not reached, because expectations refused" in page.said("stages")
    assert "not in this run" in page.said("sweep").lower()
    assert "curve: the test split was not opened." in page.said("models")
    assert "Stages that did not run: explore, split," in page.said("not-checked")


def test_the_head_names_three_reasons_and_counts_the_others(state: State, problem: Problem) -> None:
    run = refused_run(state)
    run["expectations"] = run["expectations"].model_copy(update={"suites": (made.suite(failed=5),)})
    page = Page(written(state, problem, run))
    assert page.texts[0] == "Refused for 5 reasons."
    head = page.texts[: page.texts.index("Skip to the stages")]
    assert [text for text in head if text.startswith("c")] == ["c0: 7 rows", "c1: 7 rows", "c2: 7 rows"]
    assert "2 more reasons below, under Verdicts and Expectations." in head


def test_run_without_any_result_says_so(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, {}))
    assert page.texts[0] == "Nothing was promoted: no stage ran."
    assert [values["id"] for values in page.all("section")] == SECTIONS


def test_run_ended_early_on_purpose_is_neither_promoted_nor_refused(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    page = Page(written(state, problem, {name: run[name] for name in ("ingest", "expectations", "explore", "split")}))
    assert page.texts[0] == "Nothing was promoted: the run ended after split."
    assert "sweep not run not asked for" in page.said("stages")


def test_champion_stays_named_where_scoring_refused_after_it(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    run["score"] = run["score"].model_copy(update={"refusal": "probabilities are missing"})
    page = Page(written(state, problem, run))
    assert page.texts[0] == "wine_classifier version 3 is champion, but score refused: probabilities are missing"
    assert {"class": "verdict refused"} in page.all("div")


def test_failed_expectations_are_open_and_passed_ones_folded(state: State, problem: Problem) -> None:
    html = written(state, problem, refused_run(state))
    folded = " ".join(re.findall(r"<details>.*?</details>", html, flags=re.DOTALL))
    assert "rule number 0" in html
    assert "rule number 0" not in folded
    assert "rule number 1" in folded


def test_all_sections_are_there_in_order_and_say_the_numbers(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, made.whole_run(state)))
    assert [values["id"] for values in page.all("section")] == SECTIONS
    assert [values["href"] for values in page.all("a") if values["href"] != "#stages"] == [
        f"#{s}" for s in SECTIONS[1:]
    ]
    assert "4a" * 32 in page.said("data")
    assert "GAUNTLET_DATA_DIR is not set" in page.said("data")
    assert "1,177 rows repeat an earlier row exactly (18.1 %)." in page.said("data")
    assert "0.8314" in page.said("models")
    assert "+0.0602" in page.said("models")
    assert "out of memory" in page.said("sweep")
    assert "0.2512" in page.said("threshold")
    assert "delta.`/tables/predictions`" in page.said("stored")
    assert "gauntlet ui" in page.said("stored")
    assert "No drift was looked for." in page.said("not-checked")
    assert "No tests were run" in page.said("not-checked")
    assert problem.attribution in page.said("")


def test_costs_that_are_set_are_told_from_balanced_ones(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    said = Page(written(state, problem, run)).said("threshold")
    assert "A false positive costs 1, a false negative 3; the expected cost" in said
    assert "No costs are set" not in said
    open_costs = problem.model_copy(update={"costs": None})
    said = Page(written(state, open_costs, run)).said("threshold")
    assert "No costs are set, so both classes have the same expected cost: a false positive costs 1, a false" in said


def test_what_the_target_cannot_check_is_said_once(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, made.whole_run(state), not_checked=("No drift was looked for.", "No Delta.")))
    assert page.said("not-checked").count("No drift was looked for.") == 1
    assert "No Delta." in page.said("not-checked")


def test_page_asks_no_network_for_anything(state: State, problem: Problem) -> None:
    html = written(state, problem, made.whole_run(state))
    page = Page(html)
    for tag, values in page.elements:
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
            address = values.get(name) or ""
            assert address.startswith(("#", "data:")) or not address, (tag, name, address)
    assert not page.all("link")
    assert not re.search(r"@import|url\((?!#)", html)
    policy = next(str(v["content"]) for v in page.all("meta") if v.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_script_of_the_page_is_the_only_one_that_its_policy_lets_run(state: State, problem: Problem) -> None:
    html = written(state, problem, made.whole_run(state))
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode("utf-8")).digest()).decode("ascii")
    assert f"script-src 'sha256-{digest}'" in html


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"&"


def test_texts_of_data_and_problem_are_inert(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    column = problem.columns[0].model_copy(update={"meaning": EVIL, "unit": EVIL})
    hostile = problem.model_copy(update={"title": EVIL, "attribution": EVIL, "columns": (column, *problem.columns[1:])})
    source = run["ingest"].source.model_copy(update={"description": EVIL, "refused": (EVIL,), "files": {EVIL: EVIL}})
    check = r.CheckOutcome(id="x", rule=EVIL, column=EVIL, success=False, observed=EVIL)
    run["ingest"] = run["ingest"].model_copy(update={"source": source})
    run["expectations"] = r.ExpectationsResult(
        suites=(made.suite(EVIL).model_copy(update={"checks": (check,)}),), refusal=EVIL, not_checked=(EVIL,)
    )
    run["explore"] = run["explore"].model_copy(
        update={"head": ({EVIL: EVIL},), "figures": (run["explore"].figures[0].model_copy(update={"title": EVIL}),)}
    )
    run["select"] = run["select"].model_copy(
        update={"chosen": run["select"].chosen.model_copy(update={"name": EVIL, "importances": {EVIL: 1.0}})}
    )
    html = written(state, hostile, run)
    page = Page(html)

    assert len(page.all("script")) == 2, "the page's own script and its numbers"
    assert not page.all("img")
    assert not [name for _, values in page.elements for name in values if name.startswith("on")]
    assert "<script>alert" not in html
    assert page.said("").count(EVIL) >= 2, "shown as text"


def test_numbers_for_the_script_cannot_end_it(state: State, problem: Problem) -> None:
    space = {"</script><b>": next(iter(problem.sweep.space.values())), **problem.sweep.space}
    hostile = problem.model_copy(update={"sweep": problem.sweep.model_copy(update={"space": space})})
    run = made.whole_run(state)
    text = state.path(run["sweep"].journal).read_text(encoding="utf-8").replace("max_depth", "</script><b>")
    run["sweep"] = run["sweep"].model_copy(update={"journal": made.kept(state, "journal.jsonl", text)})
    html = written(state, hostile, run)

    assert not Page(html).all("b")
    data = re.search(r'<script type="application/json" id="parallel-data">(.*?)</script>', html, flags=re.DOTALL)
    assert data is not None
    assert json.loads(data.group(1))["axes"][0]["name"] == "</script><b>"


def test_parallel_coordinates_have_an_axis_for_each_parameter_and_a_line_for_each_trial_with_a_result(
    state: State, problem: Problem
) -> None:
    html = written(state, problem, made.whole_run(state))
    data = json.loads(str(re.search(r'id="parallel-data">(.*?)</script>', html, flags=re.DOTALL).group(1)))  # type: ignore[union-attr]
    assert [axis["name"] for axis in data["axes"]] == [*problem.sweep.space, "AUC"]
    assert [axis["log"] for axis in data["axes"]] == [False, True, True, True, True, False]
    assert sorted(trial["index"] for trial in data["trials"]) == [0, 1, 2, *range(4, 12)]
    lines = [str(values["class"]) for values in Page(html).all("path") if "data-trial" in values]
    assert len(lines) == 11
    assert lines[-1] == "trial best", "the best lies on top"
    heights = {trial["index"]: trial["heights"][0] for trial in data["trials"]}
    assert heights[0] > heights[11], "a greater value stands higher"


def test_sweep_without_its_journal_says_so_and_the_rest_stands(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    state.path(run["sweep"].journal).unlink()
    page = Page(written(state, problem, run))
    assert "The trials cannot be shown" in page.said("sweep")
    assert "12 trials, 1 failed." in page.said("sweep")


def test_torn_journal_shows_the_trials_that_can_be_read(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    path = state.path(run["sweep"].journal)
    path.write_bytes(path.read_bytes()[:-40])
    page = Page(written(state, problem, run))
    assert len([values for values in page.all("path") if "data-trial" in values]) == 10


def test_judgement_without_curves_says_so(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    scores = r.TestScores(auc={"sweep": float("nan")}, roc={}, precision_recall={})
    run["judge"] = run["judge"].model_copy(update={"scores": scores, "refusal": "the AUC is NaN"})
    del run["promote"], run["score"]
    page = Page(written(state, problem, run))
    assert page.texts[0] == "Refused: the AUC is NaN."
    assert "No curves: judge left none" in page.said("models")
    assert "not a number" in page.said("models")


def test_each_verdict_is_shown_with_its_interval_and_who_answers_for_a_waived_one(
    state: State, problem: Problem
) -> None:
    page = Page(written(state, problem, made.whole_run(state)))
    said = page.said("verdicts")
    assert "AUC is above the baseline's." in said
    assert "0.800 … 0.860" in said
    assert "Waived until 2999-12-31 by Ada: decided by rank" in said
    assert "evidence.json" in said


def test_levels_have_looks_of_their_own_and_stand_from_the_gravest_to_the_mildest(
    state: State, problem: Problem
) -> None:
    def verdict(status: str, **more: Any) -> r.VerdictRecord:
        return r.VerdictRecord(gate=f"made::{status}", status=status, sentence=f"it says {status}", **more)

    def looks(html: str) -> list[tuple[str, str]]:
        verdicts = html[html.index('id="verdicts"') : html.index('id="expectations"')]
        return re.findall(r'class="state (\w+)">.*?</svg>(\w+)</span>', verdicts, flags=re.DOTALL)

    run = made.whole_run(state)
    passed, waived = run["judge"].verdicts
    milder = (passed, verdict("NOTE", rows_needed=1300), verdict("WARN"), waived)
    run["judge"] = run["judge"].model_copy(update={"verdicts": milder})
    html = written(state, problem, run)
    page = Page(html)
    assert looks(html) == [("warned", "FAIL"), ("warned", "WARN"), ("noted", "NOTE"), ("done", "PASS")]
    assert "NOTE from about 1,300 rows it says NOTE" in page.said("verdicts")
    assert page.said("verdicts").count("from about") == 1
    assert page.texts[0] == "wine_classifier version 3 is champion, promoted with 1 warning."
    assert "1 of 4 gates pass, 1 WARN, 1 NOTE, 1 waived" in page.said("stages")

    graver = tuple(map(verdict, ("PASS", "WARN", "INCONCLUSIVE", "FAIL", "CONFIG_ERROR")))
    run["judge"] = run["judge"].model_copy(update={"verdicts": graver, "refusal": "it says FAIL"})
    del run["promote"], run["score"]
    refused = [("refused", level) for level in ("CONFIG_ERROR", "FAIL", "INCONCLUSIVE")]
    assert looks(written(state, problem, run)) == [*refused, ("warned", "WARN"), ("done", "PASS")]


def test_equal_inputs_give_equal_bytes_and_other_inputs_do_not(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    first = written(state, problem, run)
    assert written(state, problem, run) == first
    run["score"] = run["score"].model_copy(update={"positives": 1491})
    assert written(state, problem, run) != first


def test_tables_have_scopes_and_drawings_have_words(state: State, problem: Problem) -> None:
    page = Page(written(state, problem, made.whole_run(state)))
    assert page.all("th")
    assert all(values.get("scope") in ("row", "col") for values in page.all("th"))
    assert all(values.get("aria-label") or values.get("aria-hidden") for values in page.all("svg"))
    assert page.all("html") == [{"lang": "en"}]
    identifiers = [values["id"] for _, values in page.elements if values.get("id")]
    assert len(identifiers) == len(set(identifiers))


def test_changed_figure_is_not_shown(state: State, problem: Problem) -> None:
    run = made.whole_run(state)
    state.path(run["explore"].figures[0].file).write_text(made.SVG + " ", encoding="utf-8")
    page = Page(written(state, problem, run))
    assert "gone or was changed" in page.said("figures")


def test_drawing_follows_the_page_and_keeps_its_references(state: State) -> None:
    figure = r.Figure(name="Box 1", title="Boxes", file=made.kept(state, "boxes.svg", made.SVG))
    shown = str(inlined(state.path(figure.file), figure))
    assert shown.startswith('<svg class="figure" role="img" aria-label="Boxes" viewBox="0 0 10 10">')
    assert 'id="box-1-p"' in shown
    assert 'href="#box-1-p"' in shown
    assert "fill: var(--negative)" in shown


@pytest.mark.parametrize(
    "active",
    [
        "<script>alert(1)</script>",
        '<path onload="alert(1)"/>',
        '<image href="https://example.org/x.png"/>',
        '<path style="fill: url(https://example.org/x)"/>',
        "<foreignObject></foreignObject>",
    ],
)
def test_drawing_that_could_act_is_shown_as_a_picture_only(state: State, active: str) -> None:
    file = made.kept(state, "active.svg", f'<svg viewBox="0 0 1 1">{active}</svg>')
    shown = str(inlined(state.path(file), r.Figure(name="a", title="A", file=file)))
    assert shown.startswith('<img alt="A" src="data:image/svg+xml;base64,')
    assert active not in shown


def test_address_of_mlflow_is_shown_without_its_password() -> None:
    assert without_credentials("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert without_credentials("sqlite:////state/mlflow.db") == "sqlite:////state/mlflow.db"


def test_this_test_would_notice_a_reference_to_the_network() -> None:
    page = Page('<html><body><img src="https://example.org/x.png"></body></html>')
    assert page.all("img") == [{"src": "https://example.org/x.png"}]
