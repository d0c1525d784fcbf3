"""This module provides the search for global randomness in Python code, which is read and not run.

What is found: numpy's and Python's global random functions and whatever reads or sets their state, ``RandomState``,
generators and scikit-learn's, pandas', SciPy's and Spark's draws without a seed, and seeds that change from run to run
(a clock, the operating system's entropy, ``hash``). Names are followed as ``name_origins`` says.

What may stay: ``default_rng(seed)``, ``Generator``, ``random.Random(seed)`` and integers given as ``random_state``;
``uuid4``, ``os.urandom`` and ``secrets.token_hex`` too, because they name things and make keys, unless a number is made
of them. What a file that is not among the given ones draws is not seen; nor is what only a run can tell (computed
names, ``exec``, ``**options``), nor the global states of other libraries (``torch.manual_seed``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gauntlet.core.name_origins import Scope, Use, origins, read_code

_NUMPY, _PYTHON = "numpy.random", "random"
_GENERATORS = ("default_rng", "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937")
_NUMPY_TYPES = frozenset({*_GENERATORS, "Generator", "BitGenerator", "SeedSequence"})
# Numpy's types and functions also lie in modules of their own; there they are the same things.
_NUMPY_MODULES = frozenset(
    {"mtrand", "bit_generator", "_generator", "_mt19937", "_pcg64", "_philox", "_pickle", "_sfc64"}
)
# Classes are reported where something is made of them, not where a type is asked about.
_CLASSES = frozenset({"numpy.random.RandomState", "random.SystemRandom", "secrets.SystemRandom"})
_SECRETS = frozenset({"secrets.choice", "secrets.randbelow", "secrets.randbits"})
_ENTROPY = frozenset({"os.urandom", "secrets.token_bytes", "secrets.token_hex", "uuid.uuid1", "uuid.uuid4"})
_CHANGING = _ENTROPY | frozenset(
    {
        *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter")),
        *("time.perf_counter_ns", "time.process_time", "datetime.datetime.now", "datetime.datetime.utcnow"),
        *("os.getpid", "threading.get_ident", "hash", "id"),
    }
)
_NUMBERS = frozenset({"int", "int.from_bytes", "numpy.frombuffer", "struct.unpack", "hash"})

_DRAW = "draw from a numpy Generator made of a seed, such as numpy.random.default_rng(seed), and hand it on"
_SEED = "give it a seed: an integer, drawn from a seeded Generator"
_CONSTANT = "take the seed from the configuration: this one is another in every run"
_MEND = "mend it: what cannot be read cannot be checked"


@dataclass(frozen=True)
class RandomCall:
    """One use of global randomness.

    Attributes:
        path: The file; ``<source>`` for code that came as text.
        line: The line, from 1.
        column: The column, from 0.
        call: What is used, by its full name.
        advice: What to do instead.
    """

    path: Path
    line: int
    column: int
    call: str
    advice: str

    def __str__(self) -> str:
        """Return the place and what is used there."""
        return f"{self.path}:{self.line}: {self.call}"


@dataclass(frozen=True)
class _Seeding:
    """How a seed is given to something that takes one from anywhere otherwise.

    Attributes:
        keywords: The names that it goes by.
        place: Its place among the arguments; None if it must be named.
    """

    keywords: tuple[str, ...]
    place: int | None = None


_RANDOM_STATE = _Seeding(("random_state",))
_SEEDED = {
    **{f"{_NUMPY}.{name}": _Seeding(("seed",), 0) for name in _GENERATORS},
    f"{_NUMPY}.Philox": _Seeding(("seed", "key"), 0),
    f"{_NUMPY}.SeedSequence": _Seeding(("entropy",), 0),
    "random.Random": _Seeding(("x",), 0),
    "sklearn.utils.check_random_state": _Seeding(("seed",), 0),
    "pyspark.sql.functions.rand": _Seeding(("seed",), 0),
    "pyspark.sql.functions.randn": _Seeding(("seed",), 0),
    "scipy.sparse.random": _Seeding(("random_state", "rng"), 5),
    "scipy.sparse.rand": _Seeding(("random_state", "rng"), 5),
    "scipy.sparse.random_array": _Seeding(("random_state", "rng")),
    "hyperopt.fmin": _Seeding(("rstate",)),
}
# The methods of objects of any type; the names are told from others by the arguments.
_METHODS = {
    "rvs": _RANDOM_STATE,
    "randomSplit": _Seeding(("seed",), 1),
    "sampleBy": _Seeding(("seed",), 2),
    "sample": _Seeding(("random_state", "seed"), 1),
}
_SAMPLE_ARGUMENTS = frozenset(
    {"n", "frac", "replace", "weights", "random_state", "axis", "ignore_index"}
    | {"withReplacement", "fraction", "seed"}
)
# Of scikit-learn's what draws unless told otherwise; many more take a random_state that they seldom need.
_SKLEARN = {
    *("AdaBoostClassifier", "AdaBoostRegressor", "BaggingClassifier", "BaggingRegressor"),
    *("BayesianGaussianMixture", "BernoulliRBM", "BisectingKMeans", "DecisionTreeClassifier"),
    *("DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor", "ExtraTreesClassifier"),
    *("ExtraTreesRegressor", "FastICA", "GaussianMixture", "GaussianRandomProjection"),
    *("GradientBoostingClassifier", "GradientBoostingRegressor", "GroupShuffleSplit"),
    *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "IsolationForest", "KMeans"),
    *("MLPClassifier", "MLPRegressor", "MiniBatchKMeans", "Nystroem", "PassiveAggressiveClassifier"),
    *("PassiveAggressiveRegressor", "Perceptron", "RANSACRegressor", "RBFSampler", "RandomForestClassifier"),
    *("RandomForestRegressor", "RandomTreesEmbedding", "RandomizedSearchCV", "RepeatedKFold"),
    *("RepeatedStratifiedKFold", "SGDClassifier", "SGDOneClassSVM", "SGDRegressor", "ShuffleSplit"),
    *("SparseRandomProjection", "StratifiedShuffleSplit", "TSNE", "make_blobs", "make_circles"),
    *("make_classification", "make_friedman1", "make_moons", "make_regression", "permutation_importance"),
    *("resample", "shuffle", "train_test_split"),
}
_FOLDS = frozenset({"GroupKFold", "KFold", "StratifiedGroupKFold", "StratifiedKFold"})


def random_calls(code: Path | str) -> tuple[RandomCall, ...]:
    """Return every use of global randomness in a file, in the order of its lines.

    A file that cannot be read as Python is one finding: what it draws is not known.

    Args:
        code: A file, or the code itself as text.
    """
    if isinstance(code, str):
        return _calls_in(code, Path("<source>"))
    try:
        content = code.read_bytes()
    except OSError as error:
        return (_unreadable(code, 1, str(error)),)
    return _calls_in(content, code)


# The same file with the same content is asked about by several gates, and by every saboteur's.
@lru_cache(maxsize=2048)
def _calls_in(content: bytes | str, path: Path) -> tuple[RandomCall, ...]:
    try:
        read = read_code(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        return (_unreadable(path, line, reason),)
    found = {
        RandomCall(path, use.node.lineno, use.node.col_offset, call, advice)
        for use in read.uses
        for call, advice in _judged(use)
    }
    for module, statement in read.stars:
        if _shortened(module) in (_NUMPY, _PYTHON):
            found.add(RandomCall(path, statement.lineno, statement.col_offset, f"from {module} import *", _DRAW))
    return tuple(sorted(found, key=lambda call: (call.line, call.column, call.call)))


def _unreadable(path: Path, line: int, reason: str) -> RandomCall:
    return RandomCall(path, line, 0, f"no Python that can be read ({reason})", _MEND)


def _judged(use: Use) -> Iterator[tuple[str, str]]:
    """Return what an expression uses of global randomness, and what to do instead."""
    if isinstance(use.node, ast.Call):
        yield from _judged_call(use.node, use.scope)
    for origin in sorted(map(_shortened, origins(use.node, use.scope))):
        if origin in (_NUMPY, _PYTHON):
            if use.role in ("argument", "value"):
                yield f"{origin} as a value", _DRAW
        elif origin in _CLASSES:
            if use.role in ("called", "argument"):
                yield origin, _DRAW
        elif _is_global(origin):
            yield origin, _DRAW
    if isinstance(use.node, ast.Attribute) and use.node.attr == "int" and isinstance(use.node.value, ast.Call):
        made = origins(use.node.value.func, use.scope) & _ENTROPY
        yield from ((f"{origin}().int", _DRAW) for origin in sorted(made))


def _is_global(origin: str) -> bool:
    """Return whether a full name is that of a function that draws from a global state, sets or reads it."""
    module, _, name = origin.rpartition(".")
    if name.startswith("__") or module not in (_NUMPY, _PYTHON):
        return origin in _SECRETS
    return name not in _NUMPY_TYPES if module == _NUMPY else name != "Random"


def _judged_call(node: ast.Call, scope: Scope) -> Iterator[tuple[str, str]]:
    called = sorted(map(_shortened, origins(node.func, scope)))
    for origin in called:
        seeding = _seeding_of(origin, node)
        if seeding is not None:
            yield from _judged_seed(origin, seeding, node, scope)
        elif origin in _NUMBERS:
            inner = [_changing(argument, scope, among=_ENTROPY) for argument in node.args]
            yield from ((f"{origin}({name}())", _DRAW) for name in inner if name)
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in _METHODS and not called and not _other_sample(method, node):
        yield from _judged_seed(f".{method}", _METHODS[method], node, scope)


def _seeding_of(origin: str, node: ast.Call) -> _Seeding | None:
    if not origin.startswith("sklearn."):
        # Distributions are objects in SciPy's modules, so their methods have full names too.
        return _RANDOM_STATE if origin.startswith("scipy.stats.") and origin.endswith(".rvs") else _SEEDED.get(origin)
    name = origin.rpartition(".")[2]
    shuffles = {keyword.arg: keyword.value for keyword in node.keywords}.get("shuffle")
    shuffled = shuffles.value if isinstance(shuffles, ast.Constant) else None
    if name in _FOLDS:
        return _RANDOM_STATE if shuffled is True else None
    if name in _SKLEARN:
        return None if name == "train_test_split" and shuffled is False else _RANDOM_STATE
    return _SEEDED.get(origin)


def _judged_seed(name: str, seeding: _Seeding, node: ast.Call, scope: Scope) -> Iterator[tuple[str, str]]:
    """Return what is wrong with the seed of a call; what comes by ``*`` or ``**`` cannot be told."""
    given = [keyword.value for keyword in node.keywords if keyword.arg in seeding.keywords]
    place = _place(name, seeding, node)
    if not given and place is not None:
        given = node.args[place : place + 1]
    hidden = any(keyword.arg is None for keyword in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args)
    if (not given and not hidden) or any(isinstance(seed, ast.Constant) and seed.value is None for seed in given):
        yield f"{name} without a seed", _SEED
    for seed in given:
        changing = _changing(seed, scope, among=_CHANGING)
        if changing:
            yield f"{name} with a seed from {changing}", _CONSTANT


def _place(name: str, seeding: _Seeding, node: ast.Call) -> int | None:
    if name == ".sample" and node.args and isinstance(node.args[0], ast.Constant):
        # Spark's may begin with ``withReplacement``.
        return 2 if isinstance(node.args[0].value, bool) else seeding.place
    return seeding.place


def _other_sample(method: str, node: ast.Call) -> bool:
    """Return whether a method is not that of a frame, but of something else that has the same name."""
    if method != "sample":
        return False
    match node.func:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return True
    return any(keyword.arg not in {*_SAMPLE_ARGUMENTS, None} for keyword in node.keywords)


def _changing(node: ast.expr, scope: Scope, *, among: frozenset[str]) -> str | None:
    """Return the name of a call inside an expression that gives something else in every run."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            found = origins(inner.func, scope) & among
            if found:
                return min(found)
    return None


def _shortened(origin: str) -> str:
    """Return the usual name of what numpy keeps in modules of its own."""
    parts = origin.split(".")
    if parts[:2] == _NUMPY.split(".") and len(parts) > 2 and parts[2] in _NUMPY_MODULES:
        return ".".join([_NUMPY, *parts[3:]])
    return origin
