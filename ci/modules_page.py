"""Write the tables of inputs and outputs into the READMEs of the Terraform modules, from the modules' own files.

Usage: PYTHON ci/modules_page.py [--check]

A README's table stands between the markers `inputs and outputs: begin` and `end`; infra_modules/README.md has a table
of all modules between `modules: begin` and `end`. With --check nothing is written, and the exit code is 1 if a page is
not what would be written today.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

MODULES = Path(__file__).resolve().parent.parent / "infra_modules"
_OPTIONS = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
_LONG_DEFAULT = 60


def module_folders() -> list[Path]:
    """Return the folders of all modules, inner ones after the module that they belong to."""
    return sorted(path.parent for pattern in ("*/main.tf", "*/modules/*/main.tf") for path in MODULES.glob(pattern))


def named_blocks(folder: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give all blocks of a kind with one label, such as ``variable``, in the order of the files."""
    for file in sorted(folder.glob("*.tf")):
        with file.open(encoding="utf-8") as text:
            held = hcl2.load(text, serialization_options=_OPTIONS)
        for block in held.get(kind, []):
            yield from block.items()


def module_tables(folder: Path) -> str:
    """Return the tables of a module's inputs and outputs."""
    inputs = [_input_row(name, body) for name, body in _inputs(folder)]
    outputs = [_output_row(name, body) for name, body in named_blocks(folder, "output")]
    return "\n".join(
        [
            "## Inputs",
            "| name | type | default | description |",
            "|---|---|---|---|",
            *inputs,
            "",
            "## Outputs",
            "| name | description |",
            "|---|---|",
            *outputs,
        ]
    )


def modules_table() -> str:
    """Return the table of all modules."""
    rows = ["| module | what it makes | required inputs | outputs |", "|---|---|---|---|"]
    for folder in module_folders():
        name = folder.relative_to(MODULES)
        inputs = _inputs(folder)
        asked = ", ".join(f"`{input_name}`" for input_name, body in inputs if "default" not in body)
        outputs = ", ".join(f"`{output}`" for output, _ in named_blocks(folder, "output"))
        rows.append(f"| [{name}]({name}/README.md) | {_first_sentence(folder)} | {asked} | {outputs} |")
    return "\n".join(rows)


def pages() -> dict[Path, str]:
    """Return each README's text as it should be.

    Raises:
        ValueError: A README has not both markers.
    """
    found = {folder / "README.md": ("inputs and outputs", module_tables(folder)) for folder in module_folders()}
    found[MODULES / "README.md"] = ("modules", modules_table())
    return {page: _between(page, name, table) for page, (name, table) in found.items()}


def _inputs(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return a module's variables, the required ones first."""
    return sorted(named_blocks(folder, "variable"), key=lambda item: "default" in item[1])


def _input_row(name: str, body: dict[str, Any]) -> str:
    kind = str(body.get("type", "any")).removeprefix("${").removesuffix("}")
    default = f"`{_shortened(json.dumps(body['default']))}`" if "default" in body else "required"
    return f"| `{name}` | `{_cell(kind)}` | {_cell(default)} | {_cell(body.get('description', ''))} |"


def _output_row(name: str, body: dict[str, Any]) -> str:
    sensitive = " Sensitive." if body.get("sensitive") else ""
    return f"| `{name}` | {_cell(body.get('description', ''))}{sensitive} |"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG_DEFAULT else f"{text[: _LONG_DEFAULT - 2]} …"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _first_sentence(folder: Path) -> str:
    """Return the first sentence of a README, which says what the module makes."""
    paragraphs = (folder / "README.md").read_text(encoding="utf-8").split("\n\n")
    text = " ".join(paragraphs[1].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text, maxsplit=1)[0]


def _between(page: Path, name: str, table: str) -> str:
    """Return a page's text with the table between its markers."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{page.relative_to(MODULES.parent)}: needs the lines {begin} and {end}, once each")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def main(arguments: list[str]) -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a page is out of date")
    options = parser.parse_args(arguments)
    try:
        written = pages()
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    old = [page for page, text in written.items() if page.read_text(encoding="utf-8") != text]
    for page in old:
        if options.check:
            print(f"{page.relative_to(MODULES.parent)}: out of date; run ci/modules_page.py", file=sys.stderr)
        else:
            page.write_text(written[page], encoding="utf-8")
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
