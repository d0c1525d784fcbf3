"""The notebook: walked through by a kernel with a small search, exported, and kept with the outputs of a whole run."""

import html.parser
import importlib.util
import re

import nbformat
import pytest

from tests.commands import SMALL_ROAD
from tests.e2e.wheel_environment import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("executes the notebook on this machine")]

SETTINGS = " ".join(word for word in SMALL_ROAD if word != "--set")


def _script():
    spec = importlib.util.spec_from_file_location("ci_notebook", ROOT / "ci" / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()


class _Text(html.parser.HTMLParser):
    """The words of a page, and its pictures."""

    def __init__(self, page):
        super().__init__()
        self.words, self.pictures, self.tables = [], 0, 0
        self.feed(page)

    def handle_data(self, data):
        self.words += data.split()

    def handle_starttag(self, tag, attrs):
        self.tables += tag == "table"
        self.pictures += tag == "img" and dict(attrs).get("src", "").startswith("data:image/svg+xml")

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def kept():
    """The notebook as it is committed."""
    return nbformat.read(script.NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run in a folder of its own, with a small search."""
    folder = tmp_path_factory.mktemp("notebook")
    return script.executed(script.NOTEBOOK, folder=folder, environment={"GAUNTLET_NOTEBOOK_SETTINGS": SETTINGS})


def _shown(notebook, cell_id):
    """Return what a cell shows, as words."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return _Text("".join(output.data["text/html"] for output in cell.outputs)).text


def _facts(notebook, cell_id):
    """Return the names in the first column of each table that a cell shows, and of each row below it."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    page = "".join(output.data["text/html"] for output in cell.outputs)
    return re.findall(r"<thead>.*?</thead>", page), set(re.findall(r"<tr><td[^>]*>(.*?)</td>", page))


def test_the_tutorials_protocol_is_refused_and_the_honest_one_ends_with_a_champion(executed):
    refused = _shown(executed, "tutorial-judge")
    assert refused.startswith("judge : refused.")
    assert "split::chosen_without_test" in refused
    assert _shown(executed, "tutorial-promote").startswith("promote : not reached.")
    assert _shown(executed, "honest-judge").startswith("judge : ran.")
    assert re.search(r"wine_classifier version 2 is champion", _shown(executed, "honest-promote"))
    assert re.search(r"auc_readback 0\.\d{4}\b", _shown(executed, "honest-promote"))


def test_each_cell_did_its_stage_and_shows_nothing_of_this_machine(executed):
    assert list(script.faults(executed)) == []
    states = {cell.id: _shown(executed, cell.id).split(".")[0] for cell in executed.cells if ".stage(" in cell.source}
    unusual = {name: state for name, state in states.items() if not state.endswith(": ran")}
    assert unusual == {"tutorial-judge": "judge : refused", "tutorial-promote": "promote : not reached"}


def test_its_export_to_html_holds_the_figures_and_the_numbers(executed, tmp_path):
    from nbconvert import HTMLExporter  # noqa: PLC0415 - takes a while to import

    page, _ = HTMLExporter().from_notebook_node(executed)
    (tmp_path / "end_to_end.html").write_text(page, encoding="utf-8")
    shown = _Text(page)
    assert shown.pictures >= 5
    assert shown.tables >= 20
    assert "selected on test" in shown.text
    assert re.search(r"baseline\.auc 0\.\d{4} 0\.\d{4}", shown.text)
    assert re.search(r"champion\.auc_test – 0\.\d{4}", shown.text)


def test_what_is_committed_is_whole_and_shows_the_tutorials_numbers(kept):
    assert list(script.faults(kept)) == []
    compared = _shown(kept, "side-by-side")
    assert re.search(r"sweep\.trials 96 96", compared)
    tutorial, honest = map(float, re.search(r"baseline\.auc (0\.\d{4}) (0\.\d{4})", compared).groups())
    assert tutorial == pytest.approx(0.8889, abs=0.0005)
    assert 0.74 <= honest <= 0.87
    best, _ = map(float, re.search(r"best_auc_validation (0\.\d{4}) (0\.\d{4})", compared).groups())
    assert best >= 0.915
    assert 0.79 <= float(re.search(r"champion\.auc_test – (0\.\d{4})", compared)[1]) <= 0.91


def test_what_is_committed_shows_what_the_stages_show_today(kept, executed):
    for cell in executed.cells:
        if cell.id not in ("tutorial-rows", "honest-rows") and cell.cell_type == "code" and cell.outputs:
            heads, names = _facts(executed, cell.id)
            kept_heads, kept_names = _facts(kept, cell.id)
            assert heads == kept_heads, cell.id
            # Which trials are the best ones, and which files a model has, depends on the search.
            assert {name for name in names ^ kept_names if not name.isdecimal()} == set(), cell.id


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"execution_count": None}, "was not executed"),
        ({"outputs": []}, "shows nothing"),
        ({"outputs": [{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]}, "failed with E"),
        ({"outputs": [{"output_type": "stream", "name": "stderr", "text": "WARN"}]}, "prints to stderr"),
        (
            {"outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/plain": "in /home/ada/x"}}]},
            "names a place of a machine: /home/ada",
        ),
    ],
)
def test_a_faulty_output_is_found(kept, change, fault):
    notebook = nbformat.from_dict(kept)
    cell = next(cell for cell in notebook.cells if cell.id == "honest-split")
    cell.update(nbformat.from_dict(change))
    assert any(fault in sentence for sentence in script.faults(notebook))
