"""The road in a notebook: where its options come from, and what a cell shows."""

import pytest

from gauntlet.commands.notebook_road import NotebookRoad, StageView, Table, notebook_options, side_by_side
from gauntlet.commands.opening import RoadOptions
from gauntlet.core.errors import InputError

pytestmark = pytest.mark.unit

VARIABLES = ("GAUNTLET_TARGET", "GAUNTLET_STATE", "GAUNTLET_NOTEBOOK_SETTINGS")


class Widgets:
    """What Databricks gives a notebook to make widgets with: one that is there keeps its value."""

    def __init__(self, **chosen):
        self.widgets = self
        self.values = chosen

    def text(self, name, value):
        self.values.setdefault(name, value)

    def get(self, name):
        return self.values[name]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_without_widgets_the_environment_says_where_it_runs(monkeypatch):
    found = notebook_options()
    assert (found.target, str(found.state), found.settings) == ("local", ".gauntlet", ())
    for variable, value in zip(VARIABLES, ("remote", "/srv/wine", "sweep.trials=8  seed=3"), strict=True):
        monkeypatch.setenv(variable, value)
    found = notebook_options()
    assert (found.target, str(found.state), found.settings) == ("remote", "/srv/wine", ("sweep.trials=8", "seed=3"))


def test_in_databricks_the_widgets_say_it_and_start_with_the_environments_values(monkeypatch):
    monkeypatch.setenv("GAUNTLET_NOTEBOOK_SETTINGS", "seed=3")
    widgets = Widgets(target="databricks", state="/Volumes/main/wine/files/state")
    found = notebook_options(widgets)
    assert (found.target, str(found.state)) == ("databricks", "/Volumes/main/wine/files/state")
    assert found.settings == ("seed=3",)
    assert widgets.values["settings"] == "seed=3"


def test_a_target_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("GAUNTLET_TARGET", "moon")
    with pytest.raises(InputError, match="there is no target 'moon'; choose local, remote, databricks"):
        notebook_options()


def test_a_stage_that_does_not_exist_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InputError, match="there is no stage 'deploy'"):
        NotebookRoad(RoadOptions(state=tmp_path / "state")).stage("deploy")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_shows_values_as_people_write_them_and_escapes_them():
    rows = (("auc", 0.88891), ("rows", {"train": 3, "test": 1}), ("failed", []), ("ok", True), ("<b>", None))
    view = StageView("split", "ran", "a < b", (Table(("", "found"), rows),), (("a 'title'", b"<svg/>"),))
    page = view._repr_html_()
    for text in ("0.8889", "train 3, test 1", "yes", "–", "&lt;b&gt;", "a &lt; b", "alt='a &#x27;title&#x27;'"):
        assert text in page
    assert "<svg" not in page, "a drawing goes into the page as a picture, not as markup"
    assert "auc | 0.8889" in repr(view)


def test_roads_are_compared_by_what_was_found_so_far():
    walked = NotebookRoad(RoadOptions(), {"protocol": "honest", "baseline": {"auc": 0.79}, "champion": None})
    table = side_by_side(NotebookRoad(RoadOptions()), walked)
    assert table.headers == ("", "not walked yet", "honest")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["baseline.auc"] == (None, 0.79)
    assert rows["champion.version"] == (None, None)
