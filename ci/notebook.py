"""Execute the notebook and keep its outputs in it, or check that they are whole and tell nothing of a machine.

Usage: PYTHON ci/notebook.py [--check]

The notebook is run with its default search, on the data that `gauntlet run` would find, in a folder that is deleted
afterwards; that takes minutes, and is not written back if a cell fails or names a place of this machine. With --check
nothing is run or written, and the exit code is 1 if a cell has no outputs, or outputs that should not be there.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).resolve().parent.parent / "pipeline" / "notebooks" / "end_to_end.ipynb"
CELL_SECONDS = 1200
# An absolute path of a machine: one that begins with a folder that machines have.
_MACHINE = re.compile(r"(?<![\w.:/-])/(?:Users|home|mnt|opt|private|root|srv|tmp|usr|var|work|workspace)/[\w.-]+")


def executed(path: Path, *, folder: Path, environment: Mapping[str, str]) -> NotebookNode:
    """Return a notebook with the outputs of a run in a kernel of this environment.

    Args:
        path: The notebook.
        folder: The folder that the kernel works in; it keeps all that the notebook and Jupyter make.
        environment: What is changed in the kernel's environment.

    Raises:
        CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    changes = {"IPYTHONDIR": str(folder / "ipython"), "GAUNTLET_STATE": "state"} | dict(environment)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=dict(os.environ) | changes)
    nbformat.validate(notebook)
    return notebook


def faults(notebook: NotebookNode) -> Iterator[str]:
    """Give what is wrong with a notebook's outputs, one sentence each."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            yield f"cell {cell.id}: was not executed"
        if _shows_something(cell) and not cell.outputs:
            yield f"cell {cell.id}: shows nothing"
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {cell.id}: failed with {output.ename}"
            if output.output_type == "stream":
                yield f"cell {cell.id}: prints to {output.name}: {output.text.strip()[:80]!r}"
            for text in (value for value in output.get("data", {}).values() if isinstance(value, str)):
                for found in sorted(set(_MACHINE.findall(text))):
                    yield f"cell {cell.id}: names a place of a machine: {found}"


def _shows_something(cell: NotebookNode) -> bool:
    """Say whether a cell ends with an expression; one that ends with an assignment shows nothing."""
    last = str(cell.source).strip().splitlines()[-1]
    return not re.match(r"[\w.]+ = ", last)


def main(arguments: list[str]) -> int:
    """Execute the notebook, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="run and write nothing")
    options = parser.parse_args(arguments)
    if options.check:
        notebook = nbformat.read(NOTEBOOK, as_version=4)
    else:
        with tempfile.TemporaryDirectory() as folder:
            try:
                notebook = executed(NOTEBOOK, folder=Path(folder), environment={})
            except CellExecutionError as error:
                print(f"notebook: a cell failed, nothing was written: {error}", file=sys.stderr)
                return 1
    found = list(faults(notebook))
    for fault in found:
        print(f"notebook: {fault}", file=sys.stderr)
    if found:
        print("notebook: execute it again with `python ci/notebook.py`", file=sys.stderr)
        return 1
    if not options.check:
        nbformat.write(notebook, NOTEBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
