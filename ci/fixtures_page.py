"""Write the page of the pytest plugin's options, markers and fixtures from their own descriptions.

Usage: PYTHON ci/fixtures_page.py [--check]

The page is pipeline/gauntlet/testing/README.md. With --check nothing is written, and the exit code is 1 if the page is
not what would be written today.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

from gauntlet import plugin
from gauntlet.testing import fixtures

PAGE = Path(__file__).resolve().parent.parent / "pipeline" / "gauntlet" / "testing" / "README.md"
HEAD = """# Gauntlet in a test suite of your own

<!-- Written by ci/fixtures_page.py from the plugin's own descriptions; edit those. -->

`pip install 'gauntlet-mlops[pytest]'` is all: pytest finds the plugin by itself. A suite that uses none of it pays for
reading one small file.

## Gates as tests
`parametrize_with_gates` turns a problem file, or a pipeline of your own, into one item a gate. Calling `gate()` asks
it. FAIL and CONFIG_ERROR fail the test, with the message and what to do. WARN and NOTE pass; the session's closing
section lists them, and the level is the property `gauntlet_level` in JUnit and the level of the result in SARIF.

```python
from gauntlet.testing import Pipeline, parametrize_with_gates

CHURN = Pipeline(model=LogisticRegression(max_iter=1000), table=load_customers, label="churned")


@parametrize_with_gates(CHURN, expected_failures={"model::calibrated": ("we decide by rank", "2027-01-31")})
def test_gate(gate):
    gate()
```

`Pipeline` takes a scikit-learn estimator, an `xgboost.Booster` or the address of an MLflow model. What a pipeline
without problem file has not (suites, a registry, Spark) is left out of its gates, and the session's closing section
says so. An expected failure needs a reason and a day; it turns red when the day is over, and when the gate passes.
"""


def page() -> str:
    """Return the page."""
    options, ini = _options()
    return "\n".join(
        [
            HEAD,
            "## Options",
            "| option | meaning |",
            "|---|---|",
            *(f"| `{names}` | {text} |" for names, text in options),
            "",
            "| ini option | meaning |",
            "|---|---|",
            *(f"| `{name}` | {text} |" for name, text in ini),
            "",
            "## Markers",
            "| marker | meaning |",
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in plugin.TIERS.items()),
            "| `slow_gates` | gates that fit models again |",
            "| `local_only(reason)` | about target `local` itself; left out elsewhere, and counted |",
            "",
            "## Fixtures",
            *(_fixture(name) for name in fixtures.__all__),
        ]
    )


class _Group:
    """Takes options as pytest's parser does, and keeps their descriptions."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str]] = []
        self.ini: list[tuple[str, str]] = []

    def getgroup(self, _name: str, _description: str) -> _Group:
        return self

    def addoption(self, *names: str, **settings: Any) -> None:
        metavar = settings.get("metavar")
        self.options.append((", ".join(names) + (f" {metavar}" if metavar else ""), settings["help"]))

    def addini(self, name: str, text: str, **_settings: Any) -> None:
        self.ini.append((name, text))


def _options() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    group = _Group()
    plugin.pytest_addoption(group)  # type: ignore[arg-type]
    return group.options, group.ini


def _fixture(name: str) -> str:
    definition = getattr(fixtures, name)
    function = definition._get_wrapped_function() if hasattr(definition, "_get_wrapped_function") else definition
    text = inspect.cleandoc(function.__doc__ or "")
    about, _, example = text.partition("\nExample:\n")
    code = textwrap.dedent(example.replace("    ::\n", "", 1)).strip()
    return f"### `{name}`\n{about.strip()}\n\n```python\n{code}\n```\n"


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is not current")
    given = parser.parse_args()
    text = page()
    if not given.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not current; run: python ci/fixtures_page.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
