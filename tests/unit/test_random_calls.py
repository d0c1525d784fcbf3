"""The search for global randomness in code: what is found, whatever way it was imported, and what may stay."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import gauntlet
from gauntlet.core.random_calls import random_calls

pytestmark = pytest.mark.unit

# Code, and what must be found in it, in the order of lines.
FOUND = {
    "import numpy\nnumpy.random.rand(3)": ["numpy.random.rand"],
    "import numpy as n\nn.random.shuffle(x)": ["numpy.random.shuffle"],
    "import numpy.random\nnumpy.random.seed(1)": ["numpy.random.seed"],
    "import numpy.random as nr\nnr.choice(x)": ["numpy.random.choice"],
    "from numpy import random as r\nr.normal()": ["numpy.random.normal"],
    "from numpy.random import rand as draw\ndraw(3)": ["numpy.random.rand"],
    "from numpy.random.mtrand import _rand\n_rand.normal()": ["numpy.random._rand"],
    "import numpy as np\nnp.random.mtrand.rand()": ["numpy.random.rand"],
    "import numpy as np\nnp.random.set_state(np.random.get_state())": [
        "numpy.random.set_state",
        "numpy.random.get_state",
    ],
    "import numpy as np\nrng = np.random.RandomState(3)": ["numpy.random.RandomState"],
    "import numpy as np\nRS = np.random.RandomState\nrng = RS(3)": ["numpy.random.RandomState"],
    "import numpy as np\nmap(np.random.RandomState, seeds)": ["numpy.random.RandomState"],
    "import numpy as np\nclass Mine(np.random.RandomState): pass": ["numpy.random.RandomState"],
    "import numpy as np\ngetattr(np, 'random').rand()": ["numpy.random.rand"],
    "import numpy as np\ngetattr(np.random, 'rand')()": ["numpy.random.rand"],
    "fit(__import__('random'))": ["random as a value"],
    "__import__('numpy').random.rand()": ["numpy.random.rand"],
    "import importlib\nimportlib.import_module('numpy.random').rand()": ["numpy.random.rand"],
    "import numpy as np\nr = np.random\nr.rand()": ["numpy.random.rand"],
    "import numpy as np\ndraw = np.random.rand\ndraw()": ["numpy.random.rand", "numpy.random.rand"],
    "import numpy as np\nframe.apply(np.random.permutation)": ["numpy.random.permutation"],
    "import numpy as np\nfit(rng=np.random)": ["numpy.random as a value"],
    "import numpy as np\nclass A:\n    rng = np.random": ["numpy.random as a value"],
    "import numpy as np\ndef f(rng=np.random): rng.rand()": ["numpy.random as a value"],
    "import numpy as np, random\n(a, b) = np.random, random\na.rand()\nb.random()": [
        "numpy.random.rand",
        "random.random",
    ],
    "from numpy import *\nrandom.rand()": ["numpy.random.rand"],
    "from numpy.random import *": ["from numpy.random import *"],
    "from random import *": ["from random import *"],
    "import random\nrandom.shuffle(x)": ["random.shuffle"],
    "from random import shuffle\nshuffle(x)": ["random.shuffle"],
    "import random as r\nr.seed(1)": ["random.seed"],
    "import random\nsorted(x, key=lambda _: random.random())": ["random.random"],
    "import random\nrng = random.Random()": ["random.Random without a seed"],
    "from random import Random, SystemRandom\nRandom(None)\nSystemRandom()": [
        "random.Random without a seed",
        "random.SystemRandom",
    ],
    "import random\nif x:\n    random = made\nrandom.random()": ["random.random"],
    "import random\nfor x in y:\n    random.random()\n    random = made": ["random.random"],
    "import random\ndef f():\n    random.random()\nrandom = made": ["random.random"],
    "random = made\ndef f():\n    random.random()\nimport random": ["random.random"],
    "def f():\n    global random\n    import random\ndef g():\n    random.random()": ["random.random"],
    "class A:\n    random = 1\n    def f(self):\n        random.random()\nimport random": ["random.random"],
    "import random\n[random.random() for random in random.sample(x, 3)]": ["random.sample"],
    "import secrets\nsecrets.randbelow(6)": ["secrets.randbelow"],
    "import uuid\nuuid.uuid4().int": ["uuid.uuid4().int"],
    "import os\nint.from_bytes(os.urandom(8), 'big')": ["int.from_bytes(os.urandom())"],
    "import numpy as np\nnp.random.default_rng()": ["numpy.random.default_rng without a seed"],
    "from numpy.random import default_rng\ndefault_rng(None)": ["numpy.random.default_rng without a seed"],
    "import numpy as np\nnp.random.Generator(np.random.PCG64())": ["numpy.random.PCG64 without a seed"],
    "import numpy as np\nnp.random.SeedSequence()": ["numpy.random.SeedSequence without a seed"],
    "import numpy as np, time\nnp.random.default_rng(int(time.time()))": [
        "numpy.random.default_rng with a seed from time.time"
    ],
    "import numpy as np\nnp.random.default_rng(abs(hash(name)))": ["numpy.random.default_rng with a seed from hash"],
    "from sklearn.model_selection import train_test_split\ntrain_test_split(x, y)": [
        "sklearn.model_selection.train_test_split without a seed"
    ],
    "from sklearn import ensemble\nensemble.RandomForestClassifier(10)": [
        "sklearn.ensemble.RandomForestClassifier without a seed"
    ],
    "from sklearn.model_selection import KFold\nKFold(5, shuffle=True)": [
        "sklearn.model_selection.KFold without a seed"
    ],
    "from sklearn.svm import SVC\nimport numpy as np\nSVC(random_state=np.random)": ["numpy.random as a value"],
    "from sklearn.svm import SVC\nimport numpy as np\nSVC(random_state=np.random.RandomState(1))": [
        "numpy.random.RandomState"
    ],
    "from sklearn.utils import check_random_state\ncheck_random_state(None)": [
        "sklearn.utils.check_random_state without a seed"
    ],
    "frame.sample(frac=0.5)": [".sample without a seed"],
    "import pandas as pd\npd.read_csv(path).sample(5)": [".sample without a seed"],
    "frame.sample(True, 0.5)": [".sample without a seed"],
    "frame.randomSplit([0.5, 0.5])": [".randomSplit without a seed"],
    "from pyspark.sql import functions as F\nframe.orderBy(F.rand())": ["pyspark.sql.functions.rand without a seed"],
    "from scipy.stats import norm\nnorm.rvs(size=3)": ["scipy.stats.norm.rvs without a seed"],
    "norm(0, 1).rvs(5)": [".rvs without a seed"],
}

ALLOWED = (
    "import numpy as np\nnp.random.default_rng(3).normal()",
    "from numpy.random import Generator, PCG64, SeedSequence\nGenerator(PCG64(SeedSequence(3))).normal()",
    "from numpy import random\nrandom.default_rng(seed).random()",
    "import numpy as np\nisinstance(x, np.random.RandomState) or isinstance(x, (int, np.random.RandomState))",
    "import numpy as np\ndef f(rng: np.random.RandomState | None) -> np.random.RandomState: return rng",
    "import numpy as np\nrng: np.random.RandomState\nmatch rng:\n    case np.random.RandomState(): pass",
    "import numpy as np\nnp.random.__file__",
    "import random\nrng = random.Random(3)\nrng.shuffle(x)",
    "import random\ndef f(random):\n    random.shuffle(x)",
    "import random\ndef f(rng):\n    random = rng\n    random.shuffle(x)",
    "import random\nrandom = random.Random(3)\nrandom.shuffle(x)",
    "import random\nf = lambda random: random.random()",
    "import random\n[random.random() for random in generators]",
    "import random\nwith made() as random:\n    random.random()",
    "import random\ndef f():\n    for random in generators:\n        random.random()",
    "def f():\n    import random\ndef g(random):\n    random.random()",
    "from .random import shuffle\nshuffle(x)",
    "from mine import random\nrandom.shuffle(x)",
    "from numpy.random import rand",
    "random.shuffle(x)",
    "import uuid, os, secrets\nname = uuid.uuid4().hex\nkey = os.urandom(16) + secrets.token_bytes(3)",
    "import uuid, time\nprint(time.time(), int(time.time()))",
    "from sklearn.model_selection import train_test_split as s, KFold\ns(x, random_state=3)\nKFold(5)",
    "from sklearn.model_selection import train_test_split\ntrain_test_split(x, shuffle=False)",
    "from sklearn.ensemble import RandomForestClassifier\nRandomForestClassifier(10, random_state=seed)",
    "from sklearn.ensemble import RandomForestClassifier\nRandomForestClassifier(**options)",
    "frame.sample(5, random_state=3)\nframe.sample(0.5, 3)\nframe.sample(False, 0.5, 3)\nframe.sample(0.5, seed=2)",
    "class A:\n    def f(self):\n        self.sample(3)\nstudy.sample(generator=rng, rows=3)",
    "frame.randomSplit([0.5, 0.5], 3)\nframe.sampleBy('a', fractions, seed=3)\nnorm.rvs(3, random_state=rng)",
    "x = x.replace('a', 'b')\nfor x in y:\n    x = x.next\n    x = x.replace('a', 'b')",
)


def calls(code: str) -> list[str]:
    return [found.call for found in random_calls(textwrap.dedent(code))]


@pytest.mark.parametrize("code", FOUND)
def test_global_randomness_is_found(code: str) -> None:
    assert calls(code) == FOUND[code]


@pytest.mark.parametrize("code", ALLOWED)
def test_what_is_seeded_or_shadowed_or_no_randomness_may_stay(code: str) -> None:
    assert calls(code) == []


def test_a_finding_says_where_it_is_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "stage.py"
    path.write_text("import numpy as np\n\n\ndef fit():\n    return 1 + np.random.rand()\n", encoding="utf-8")
    (found,) = random_calls(path)
    assert (found.path, found.line, found.column) == (path, 5, 15)
    assert str(found) == f"{path}:5: numpy.random.rand"
    assert "Generator" in found.advice


@pytest.mark.parametrize(
    "content",
    [
        b"def f(:\n",
        b"x = 1\x00",
        b"\xff\xfe\xfa",
        b"# coding: nonsense\nx = 1\n",
        b"(" * 5000,
        b"not " * 100_000 + b"x",
    ],
)
def test_a_file_that_cannot_be_read_as_python_is_a_finding(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "stage.py"
    path.write_bytes(content)
    (found,) = random_calls(path)
    assert found.call.startswith("no Python that can be read (")


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (found,) = random_calls(tmp_path / "gone.py")
    assert "No such file" in found.call


def test_a_file_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stage.py"
    path.write_bytes("# coding: latin-1\nimport random\nname = 'é'\nrandom.random()\n".encode("latin-1"))
    assert [found.line for found in random_calls(path)] == [4]


def test_the_package_itself_uses_no_global_randomness() -> None:
    files = sorted(Path(gauntlet.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    assert [str(call) for path in files for call in random_calls(path)] == []
