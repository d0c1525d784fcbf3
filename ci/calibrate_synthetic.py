"""Take the numbers of the embedded wine generator from the real files.

Usage: python ci/calibrate_synthetic.py [FOLDER] [--output FILE] [--check]

FOLDER holds winequality-red.csv and winequality-white.csv; by default it is GAUNTLET_DATA_DIR's. With --check nothing
is written, and the exit code is 1 if the committed file is not what the real files give.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from gauntlet.core import copula
from gauntlet.core.canonical import file_digest
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem

PACKAGED = Path(copula.__file__).with_name(copula.DATA_FILE)
QUALITIES = (4, 5, 6, 7, 8)

# The few wines of a rare stratum can lie in a plane by chance; no direction may have less variance than this.
LEAST_EIGENVALUE = 0.01


def main(arguments: list[str] | None = None) -> int:
    """Write the calibration, or compare it with the committed one."""
    options = _parser().parse_args(arguments)
    if options.folder is None:
        print("calibrate_synthetic: give a folder, or set GAUNTLET_DATA_DIR", file=sys.stderr)
        return 2
    try:
        text = render(calibrate(options.folder, load_problem()))
    except OSError as error:
        print(f"calibrate_synthetic: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if not options.check:
        options.output.write_text(text, encoding="utf-8")
        print(f"{options.output}: {len(text):,} characters")
        return 0
    if options.output.exists() and options.output.read_text(encoding="utf-8") == text:
        print(f"{options.output}: as the real files give it")
        return 0
    print(f"{options.output}: differs from what {options.folder} gives; run without --check", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    variable = os.environ.get("GAUNTLET_DATA_DIR")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(variable) if variable else None)
    parser.add_argument("--output", type=Path, default=PACKAGED)
    parser.add_argument("--check", action="store_true")
    return parser


def calibrate(folder: Path, problem: Problem) -> dict[str, Any]:
    """Return the document for the files of a folder."""
    features = [column for column in problem.features if column.kind == "number"]
    decimals = [round(-np.log10(column.resolution or 1)) for column in features]
    strata: list[dict[str, Any]] = []
    for source in problem.sources:
        table = pd.read_csv(folder / source.file, sep=source.delimiter)
        table.columns = [name.replace(" ", "_") for name in table.columns]
        quality = table["quality"].clip(min(QUALITIES), max(QUALITIES))
        for level in QUALITIES:
            rows = table[quality == level]
            values = rows[[column.name for column in features]].to_numpy(dtype=np.float64)
            strata.append(
                {
                    "is_red": bool(source.constants["is_red"]),
                    "quality": level,
                    "rows": len(rows),
                    "repeats": int(rows.duplicated().sum()),
                    "quantiles": [
                        _quantiles(column, places) for column, places in zip(values.T, decimals, strict=True)
                    ],
                    "correlations": _correlations(values),
                }
            )
    return {
        "what": "Marginal quantiles and normal-score correlations of the wines of each colour and quality (3 counts "
        "as 4, 9 as 8), derived from the UCI Wine Quality files; no row of them is kept here.",
        "attribution": problem.attribution,
        "licence": "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        "made_by": "ci/calibrate_synthetic.py",
        "files": {source.file: file_digest(folder / source.file) for source in problem.sources},
        "features": [column.name for column in features],
        "decimals": decimals,
        "strata": strata,
    }


def _quantiles(values: NDArray[np.float64], decimals: int) -> list[float]:
    """Return the values at ``copula.SCORES``; the outermost are the least and the greatest value seen."""
    levels = ndtr(copula.SCORES)
    levels[[0, -1]] = 0.0, 1.0
    return [_short(value, decimals + 1) for value in np.quantile(values, levels)]


def _correlations(values: NDArray[np.float64]) -> list[float]:
    """Return the correlations of the normal scores, below the diagonal, row by row."""
    scores = ndtri((rankdata(values, axis=0) - 0.5) / len(values))
    spread, vectors = np.linalg.eigh(np.corrcoef(scores, rowvar=False))
    correlation = (vectors * np.maximum(spread, LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(correlation))
    correlation = correlation / np.outer(scale, scale)
    return [_short(value, 3) for value in correlation[np.tril_indices(len(correlation), -1)]]


def _short(value: float, decimals: int) -> float:
    rounded = round(float(value), decimals)
    return int(rounded) if rounded == int(rounded) else rounded


def render(document: dict[str, Any]) -> str:
    """Return the document as JSON, one line a feature's quantiles, so that a change is easy to see."""
    strata = document["strata"]
    head = json.dumps({**document, "strata": []}, ensure_ascii=False, indent=1)
    body = ",\n".join(_stratum_text(stratum) for stratum in strata)
    return head.replace('"strata": []', f'"strata": [\n{body}\n ]') + "\n"


def _stratum_text(stratum: dict[str, Any]) -> str:
    facts = json.dumps({key: stratum[key] for key in ("is_red", "quality", "rows", "repeats")})[1:-1]
    quantiles = ",\n".join(f"   {_row(row)}" for row in stratum["quantiles"])
    return f'  {{{facts},\n  "quantiles": [\n{quantiles}],\n  "correlations": {_row(stratum["correlations"])}}}'


def _row(numbers: list[float]) -> str:
    return json.dumps(numbers, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())
