"""The pages beside the README: commands that exist, links that lead somewhere, all targets, stages and cells named."""

import json
import re

import click
import pytest

from gauntlet.core.section import TargetName
from gauntlet.core.stage_names import STAGE_NAMES
from tests.unit.test_readme import ROOT, commands, inline_commands, parse_gauntlet

pytestmark = pytest.mark.unit

NOTEBOOKS, TARGETS, CI = "pipeline/notebooks/README.md", "pipeline/targets.md", "ci/README.md"
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in (NOTEBOOKS, TARGETS, CI)}
ROWS = re.findall(
    r"^\| ([^|]+) \| [^|]+ \| `(\w+)` \| \[[\w.]+\]\(\.\./\.\./(tests/[\w/]+\.py)\) \|$", TEXTS[NOTEBOOKS], re.MULTILINE
)


@pytest.mark.parametrize("name", TEXTS)
def test_each_gauntlet_command_is_one_that_exists(name):
    for words in (*commands(TEXTS[name]), *inline_commands(TEXTS[name])):
        if words[0] == "gauntlet":
            parse_gauntlet(words[1:])


def test_a_command_that_does_not_exist_would_be_found():
    (words,) = commands("```sh\ngauntlet run --til split\n```\n")
    with pytest.raises(click.UsageError):
        parse_gauntlet(words[1:])


@pytest.mark.parametrize("name", TEXTS)
def test_each_link_leads_somewhere(name):
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXTS[name]) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_each_stage_of_the_map_exists_and_each_stage_is_in_it():
    assert len(ROWS) == TEXTS[NOTEBOOKS].count("/test_") - 1, "a row of another form would go unchecked"
    assert {stage for _, stage, _ in ROWS} == set(STAGE_NAMES)


@pytest.mark.parametrize(("stage", "test"), sorted({(stage, test) for _, stage, test in ROWS}))
def test_each_test_of_the_map_tests_its_stage(stage, test):
    assert re.search(rf"\b{stage}\b", (ROOT / test).read_text(encoding="utf-8"))


def test_each_stage_has_a_cell_of_its_own_and_the_tutorials_part_ends_where_it_is_refused():
    notebook = json.loads((ROOT / "pipeline" / "notebooks" / "end_to_end.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    asked = {
        road: [found[1] for cell in cells if (found := re.fullmatch(rf'{road}\.stage\("(\w+)"\)', cell))]
        for road in ("tutorial", "honest")
    }
    assert asked["honest"] == [stage for stage in STAGE_NAMES if stage != "explore"]
    assert asked["tutorial"] == [*STAGE_NAMES[: STAGE_NAMES.index("select")], "judge", "promote"]


def test_each_target_has_a_section():
    assert tuple(re.findall(r"^## Target `(\w+)`$", TEXTS[TARGETS], re.MULTILINE)) == TargetName.__args__
