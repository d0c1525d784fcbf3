"""The trap for global randomness at run time: whose calls are noted, and that nothing else notices it."""

# ruff: noqa: NPY002, S311 - the very functions that are trapped

from __future__ import annotations

import importlib.util
import pickle
import random
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.random import rand as draw
from sklearn.ensemble import RandomForestClassifier

from gauntlet.adapters import random_trap
from gauntlet.adapters.random_trap import RandomTrap
from gauntlet.core.errors import RequirementError

pytestmark = pytest.mark.unit

OWN = Path(__file__)
STATE = "numpy.random.RandomState, or a generator without a seed"
Loader = Callable[[str], tuple[Path, ModuleType]]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Load code as a module of its own."""

    def load(code: str) -> tuple[Path, ModuleType]:
        path = tmp_path / f"user{len(list(tmp_path.iterdir()))}.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return path, module

    return load


@pytest.fixture(autouse=True)
def states_as_before() -> Iterator[None]:
    """Leave the global states as they were, and see that nothing stays in the place of their functions."""
    before, kept = (np.random.get_state(), random.getstate()), (np.random.rand, random.random)
    yield
    assert (np.random.rand, random.random) == kept
    np.random.set_state(before[0])
    random.setstate(before[1])


@pytest.mark.parametrize(
    ("statement", "function"),
    [
        ("np.random.rand()", "numpy.random.rand"),
        ("np.random.seed(3)", "numpy.random.seed"),
        ("np.random.mtrand.normal()", "numpy.random.normal"),
        ("np.random.shuffle([1, 2])", "numpy.random.shuffle"),
        ("np.random.get_state()", "numpy.random.get_state"),
        ("list(map(np.random.choice, [3]))", "numpy.random.choice"),
        ("taken(2)", "numpy.random.rand"),
        ("mix([1, 2])", "random.shuffle"),
        ("random.seed(1)", "random.seed"),
        ("random.gauss(0, 1)", "random.gauss"),
        ("np.random.RandomState(3)", STATE),
        ("np.random.RandomState()", STATE),
        ("State(3)", STATE),
        ("np.random.default_rng()", STATE),
        ("np.random.PCG64()", STATE),
    ],
)
def test_a_use_by_watched_code_is_noted_with_its_line(loaded: Loader, statement: str, function: str) -> None:
    path, module = loaded(
        f"""
        import random
        from random import shuffle as mix
        import numpy as np
        from numpy.random import rand as taken, RandomState as State

        def use():
            return {statement}
        """
    )
    with RandomTrap([path]) as trap:
        module.use()
        module.use()
    assert [str(use) for use in trap.uses] == [f"{path}:8: {function}"]
    module.use()
    assert len(trap.uses) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "np.random.default_rng(3).normal()",
        "np.random.Generator(np.random.PCG64(np.random.SeedSequence(3))).random()",
        "random.Random(3).random()",
        "RandomForestClassifier(4, random_state=7).fit([[0], [1], [2]], [0, 1, 1]).predict([[1]])",
        "RandomForestClassifier(4, random_state=7, n_jobs=2).fit([[0], [1], [2]], [0, 1, 1])",
        "isinstance(7, np.random.RandomState)",
    ],
)
def test_seeded_draws_and_scikit_learn_with_our_integers_pass(loaded: Loader, statement: str) -> None:
    path, module = loaded(
        f"""
        import random
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier

        def use():
            return {statement}
        """
    )
    with RandomTrap([path]) as trap:
        module.use()
    assert trap.uses == ()


def test_uses_by_other_files_pass(loaded: Loader) -> None:
    path, _ = loaded("import numpy as np")
    with RandomTrap([path]) as trap:
        np.random.rand()
        random.random()
        np.random.RandomState(3)
    assert trap.uses == ()


def test_results_are_what_they_always_are() -> None:
    def drawn() -> list[Any]:
        np.random.seed(5)
        random.seed(5)
        values = [np.random.rand(), draw(), random.random(), np.random.RandomState(3).normal()]
        forest = RandomForestClassifier(3, random_state=7).fit([[0], [1], [2]] * 9, [0, 1, 1] * 9)
        return [*values, forest.predict_proba([[0], [1]]).tolist()]

    expected = drawn()
    with RandomTrap([OWN]) as trap:
        assert drawn() == expected
    assert {use.function for use in trap.uses} == {
        "numpy.random.seed",
        "random.seed",
        "numpy.random.rand",
        "random.random",
        STATE,
    }


def test_types_and_pickles_stay_whole() -> None:
    before = np.random.RandomState
    with RandomTrap([OWN]):
        state = np.random.RandomState(3)
        travelled = pickle.loads(pickle.dumps(state))  # noqa: S301 - our own bytes
        written = pickle.dumps((np.random.rand, random.random, np.random.RandomState))
        assert isinstance(travelled, np.random.RandomState)
        assert np.random.RandomState is before
        assert travelled.normal() == np.random.RandomState(3).normal()
    assert pickle.loads(written) == (np.random.rand, random.random, before)  # noqa: S301 - our own bytes


def test_everything_is_put_back_after_an_exception(loaded: Loader) -> None:
    path, module = loaded("from numpy.random import rand")
    kept, numpys, pythons = module.rand, dict(vars(np.random)), dict(vars(random))
    with pytest.raises(ZeroDivisionError), RandomTrap([path, OWN]):
        _ = 1 / (module.rand is kept)
    assert (module.rand, vars(np.random), vars(random)) == (kept, numpys, pythons)
    with RandomTrap([OWN]) as trap:  # and another one can be set
        draw()
    assert len(trap.uses) == 1


def test_a_module_imported_meanwhile_keeps_nothing(loaded: Loader) -> None:
    kept = np.random.rand
    with RandomTrap([OWN]) as trap:
        _, module = loaded("from numpy.random import rand\nfrom random import shuffle")
        assert module.rand is not kept
    assert (module.rand, module.shuffle) == (np.random.rand, random.shuffle)
    assert trap.uses == ()


def test_a_function_kept_beyond_the_trap_notes_nothing_more() -> None:
    with RandomTrap([OWN]) as trap:
        kept = np.random.rand
    assert 0 <= kept() < 1
    assert trap.uses == ()


def test_a_second_trap_is_refused() -> None:
    with RandomTrap([OWN]) as trap:
        with pytest.raises(RequirementError, match="set already"), RandomTrap([OWN]):
            pass
        draw()
    assert len(trap.uses) == 1


def test_uses_in_all_threads_are_noted_once_each() -> None:
    ready = threading.Event()
    before = threading.Thread(target=lambda: (ready.wait(), [np.random.rand() for _ in range(200)]))
    before.start()
    with RandomTrap([OWN]) as trap:
        ready.set()
        threads = [threading.Thread(target=lambda: [random.random() for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in (before, *threads):
            thread.join()
    assert sorted(use.function for use in trap.uses) == ["numpy.random.rand", "random.random"]


def test_a_file_is_known_by_any_of_its_names(loaded: Loader, tmp_path: Path) -> None:
    path, module = loaded("import random\ndef use(): random.random()")
    folder = tmp_path / "linked"
    folder.symlink_to(path.parent, target_is_directory=True)
    with RandomTrap([folder / path.name]) as trap:
        module.use()
    assert [use.path for use in trap.uses] == [folder / path.name]
    names: dict[str, Any] = {}
    exec(compile(path.read_bytes(), str(folder / path.name), "exec"), names)  # noqa: S102 - our own code
    with RandomTrap([path]) as trap:
        names["use"]()
    assert [use.path for use in trap.uses] == [path]


def test_a_numpy_that_fetches_no_entropy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_trap, "_ENTROPY_NAME", "renamed")
    with pytest.raises(RequirementError, match="this version of numpy"), RandomTrap([OWN]):
        pass
    monkeypatch.undo()
    with RandomTrap([OWN]) as trap:
        draw()
    assert len(trap.uses) == 1
