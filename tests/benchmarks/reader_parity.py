"""Whether all readers of a file agree: those of ``init``, of a run, of scoring and of the server.

Every file is made from a seed (``made_files``), drafted by ``init``, and read

- by ``init``, whose sketch holds the values that the draft was made of;
- by a run: the one reader's copy of the texts, of which Spark makes values;
- by the server: the file as it is where it is delimited text, else its cells as CSV;
- by scoring: the matrix of 32-bit floats that a booster in Spark's workers, the training and the server make of them.

Every twentieth file is then broken, and no reader may take it. Spark reads the distinct cells of all files at once, by
the readings that were drafted. Some files go through the commands ``gauntlet init`` and ``gauntlet run --until ingest``
too. Nothing may differ, no reader may fail otherwise than by an error of ours, and no sound file may be refused.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from gauntlet.adapters.booster_function import BoosterFunction
from gauntlet.adapters.problem_draft import draft_problem
from gauntlet.adapters.records import copy_texts
from gauntlet.adapters.table_sketch import sketch_table
from gauntlet.core.canonical import digest
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.errors import GauntletError
from gauntlet.core.problem import Column, Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.reading import Reading
from gauntlet.serving.csv_requests import CsvRequests
from gauntlet.serving.refusals import Refusal
from tests.benchmarks.made_files import SEED, MadeFile, damage, made_file

FILES, COMMANDS = 5000, 40
_BROKEN_EVERY = 20
_READINGS_A_JOB = 12
_SHOWN = 5


@dataclass
class Found:
    """What became of one file.

    Attributes:
        number: The file's number.
        refused: Why a reader refused a sound file; empty if none did.
        differences: Where two readers gave different values.
        failures: Errors that are none of ours, and broken files that were taken.
        cells: The value that ``init`` gave each distinct text, by the reading as JSON.
    """

    number: int
    refused: str = ""
    differences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cells: dict[str, dict[str, str]] = field(default_factory=dict)


def reader_parity(files: int, commands: int, folder: Path) -> dict[str, Any]:
    """Read so many files by every reader, go on where a killed run ended, and return what differs.

    Args:
        files: How many files.
        commands: How many of them go through the commands, too.
        folder: Where the journal is kept; each version of the code has its own.
    """
    journal = folder / f"{_code_digest()}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    found = {one.number: one for one in _journalled(journal) if one.number < files}
    with tempfile.TemporaryDirectory() as place, journal.open("a", encoding="utf-8") as lines:
        for number in _shown_progress([number for number in range(files) if number not in found], done=len(found)):
            found[number] = compared(number, Path(place) / str(number))
            lines.write(json.dumps(asdict(found[number]), ensure_ascii=False) + "\n")
            lines.flush()
        by_spark = spark_differences(all_cells(found.values()))
        by_command = command_faults(range(min(commands, files)), Path(place) / "commands")
    every = [one for _, one in sorted(found.items())]
    return summary(every, by_spark, by_command) | {"commands": min(commands, files)}


def summary(found: Sequence[Found], by_spark: Sequence[str], by_command: Sequence[str]) -> dict[str, Any]:
    """Return the counts, and the first of each kind of fault."""
    refused = [f"file {one.number}: {one.refused}" for one in found if one.refused]
    differences = [f"file {one.number}: {text}" for one in found for text in one.differences] + list(by_spark)
    failures = [f"file {one.number}: {text}" for one in found for text in one.failures]
    faults = {
        "refused": refused,
        "differences": differences,
        "tracebacks": failures,
        "command_faults": list(by_command),
    }
    return {
        "files": len(found),
        "seed": SEED,
        **{name: len(texts) for name, texts in faults.items()},
        "examples": [text for texts in faults.values() for text in texts[:_SHOWN]],
        "bounds_hold": not any(faults.values()),
    }


def compared(number: int, folder: Path) -> Found:
    """Make a file, read it by every reader but Spark, break it where its turn is, and return what became of it."""
    found = Found(number)
    try:
        made = made_file(number, folder)
        problem = drafted(made, folder)
        _compare(found, made, problem)
        if number % _BROKEN_EVERY == 0:
            damage(made)
            found.failures += _takers(made, problem, folder)
    except (GauntletError, Refusal) as error:
        found.refused = str(error)
    except Exception as error:  # what a user would see as a traceback
        found.failures.append(f"{type(error).__name__}: {str(error)[:300]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def drafted(made: MadeFile, folder: Path) -> Problem:
    """Return the problem that ``init`` drafts of a file."""
    draft = draft_problem(made.path, label=made.label, name="made", output=folder / "draft" / "made.toml")
    return load_problem(draft.problem)


def _compare(found: Found, made: MadeFile, problem: Problem) -> None:
    sketch = sketch_table(made.path, label=made.label)
    by_init = {column.name: _plain(column.values) for column in sketch.columns}
    texts = _copied(made.path, problem, made.path.parent)
    if list(by_init) != [column.name for column in problem.columns]:
        found.differences.append(f"init sketched {list(by_init)}, the draft has {[c.name for c in problem.columns]}")
    for column in problem.columns:
        cells = found.cells.setdefault(_reading(column), {})
        for text, value in zip(texts[column.name], by_init[column.name], strict=True):
            if text is not None:
                cells[text] = repr(value)
            elif value is not None:
                found.differences.append(f"{column.name}: the copy has no text for {value!r}")
    by_server = _served(made, problem, texts)
    for column in problem.features:
        wanted = [_as_double(value) for value in by_init[column.name]]
        if repr(by_server[column.name]) != repr(wanted):
            found.differences.append(f"{column.name}: the server reads {_first(by_server[column.name], wanted)}")
    _compare_matrices(found, problem, by_init, by_server)


def _copied(path: Path, problem: Problem, folder: Path) -> dict[str, list[str | None]]:
    """Return the texts that a run would hand to Spark."""
    names = [column.name for column in problem.columns]
    copy = folder / "copy.parquet"
    copy_texts(path, source=problem.sources[0], columns=problem.columns, names=names, copy=copy)
    table = parquet.read_table(copy)
    if table["broken"].null_count < table.num_rows:
        raise GauntletError(f"broken rows: {table['broken'].drop_null()[0]}")
    return {name: table[name].to_pylist() for name in names}


def _served(made: MadeFile, problem: Problem, texts: Mapping[str, Sequence[str | None]]) -> dict[str, list[Any]]:
    source = problem.sources[0]
    content, kind = made.path.read_bytes(), f"text/csv; charset={source.encoding}"
    if not made.text:
        written = io.StringIO(newline="")
        names = list(dict.fromkeys(column.source_name or column.name for column in problem.columns))
        by_source = {column.source_name or column.name: texts[column.name] for column in problem.columns}
        csv.writer(written).writerows([names, *zip(*(by_source[name] for name in names), strict=True)])
        content, kind = written.getvalue().encode(), "text/csv"
    document = CsvRequests(problem.features).document(content, kind)["dataframe_split"]
    columns = zip(*document["data"], strict=True)
    return dict(zip(document["columns"], map(list, columns), strict=True))


def _compare_matrices(
    found: Found, problem: Problem, by_init: Mapping[str, list[Any]], by_server: Mapping[str, list[Any]]
) -> None:
    """Compare what the training, the workers of Spark and the server give to the model."""
    frame = _curated(problem, by_init)
    encoding = learn_encoding(frame, problem.features)
    trained = encode(frame, encoding)
    keys = json.loads(encoding.model_dump_json())["columns"]
    worker = BoosterFunction(b"", columns=keys, optional=frozenset(), slots=None)
    kinds = {c.name: pa.string() if c.kind == "text" else pa.float64() for c in problem.features}
    arrays = {name: pa.array(frame[name], kind, from_pandas=True) for name, kind in kinds.items()}
    for who, matrix in (
        ("a worker", worker.matrix(arrays, rows=len(frame))),
        ("the server", encode(_curated(problem, by_server), encoding)),
    ):
        if not np.array_equal(matrix, trained, equal_nan=True):
            found.differences.append(f"{who} gives the model another matrix than the training")


def _curated(problem: Problem, values: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            column.name: pd.Series(values[column.name], dtype=object if column.kind == "text" else "float64")
            for column in problem.features
        }
    )


def _takers(made: MadeFile, problem: Problem, folder: Path) -> list[str]:
    """Return which readers take a broken file, or fail on it otherwise than by an error of ours."""
    content = made.path.read_bytes()
    readers: dict[str, Callable[[], Any]] = {
        "init": lambda: sketch_table(made.path, label=made.label),
        "a run": lambda: _copied(made.path, problem, folder),
    }
    if made.text:
        kind = f"text/csv; charset={problem.sources[0].encoding}"
        readers["the server"] = lambda: CsvRequests(problem.features).document(content, kind)
    faults: list[str] = []
    for name, read in readers.items():
        try:
            read()
        except (GauntletError, Refusal):
            continue
        except Exception as error:
            faults.append(f"broken: {name} ends with {type(error).__name__}: {str(error)[:200]}")
        else:
            faults.append(f"broken: {name} takes it")
    return faults


def spark_differences(cells: Mapping[str, Mapping[str, str]], *, spark: Any = None) -> list[str]:
    """Return where Spark makes another value of a text than ``init`` does.

    Args:
        cells: The value of each text, by the reading as JSON.
        spark: The session; None starts one for this.
    """
    from gauntlet.adapters.spark import local_settings, open_local_session  # noqa: PLC0415 - takes a while to import
    from tests.readings import read_by_spark  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        session = spark or open_local_session(local_settings(jars=[], warehouse=Path(folder)))
        differences: list[str] = []
        readings = sorted(cells)
        for start in range(0, len(readings), _READINGS_A_JOB):
            some = readings[start : start + _READINGS_A_JOB]
            columns = tuple(
                Column.model_validate({"name": f"c{place}", "nullable": True, "role": "ignored", **json.loads(reading)})
                for place, reading in enumerate(some)
            )
            texts = [list(cells[reading]) for reading in some]
            length = max(map(len, texts))
            rows = zip(*[column + [None] * (length - len(column)) for column in texts], strict=True)
            found = read_by_spark(session, list(rows), columns)
            for place, (column, reading) in enumerate(zip(columns, some, strict=True)):
                for text, row in zip(texts[place], found, strict=False):
                    value = repr(row["values"][column.name])
                    if value != cells[reading][text]:
                        differences.append(f"{reading}: {text!r} is {value} by Spark, {cells[reading][text]} by init")
        if spark is None:
            session.stop()
    return differences


def command_faults(numbers: Iterable[int], folder: Path) -> list[str]:
    """Return what is wrong with files that go through the commands, each in a state folder of its own."""
    faults: list[str] = []
    for number in numbers:
        place = folder / str(number)
        made = made_file(number, place)
        problem = place / "draft.toml"
        init = _command(
            "init", "--from", str(made.path), "--label", made.label, "--name", "made", "--output", str(problem)
        )
        run = _command("run", "--problem", str(problem), "--state", str(place / "state: 5%"), "--until", "ingest", "-q")
        for name, done in (("init", init), ("run", run)):
            if done.returncode != 0 or "Traceback" in done.stderr:
                faults.append(f"file {number}: {name} ends with {done.returncode}: {done.stderr[-300:]}")
        if init.returncode == run.returncode == 0:
            faults += _table_faults(number, made, load_problem(problem), place)
        shutil.rmtree(place)
    return faults


def _table_faults(number: int, made: MadeFile, problem: Problem, place: Path) -> list[str]:
    files = sorted((place / "state: 5%").rglob("raw/*.parquet"))
    raw = pa.concat_tables([parquet.read_table(file) for file in files]).to_pandas().sort_values("source_row")
    sketch = sketch_table(made.path, label=made.label)
    return [
        f"file {number}: column {column.name} of the table raw differs from what init read"
        for column in sketch.columns
        if repr(_plain(raw[column.name])) != repr(_plain(column.values))
    ]


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gauntlet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _plain(values: pd.Series) -> list[Any]:
    """Return values as Python's own, None where one is missing."""
    return [None if pd.isna(value) else getattr(value, "item", lambda same=value: same)() for value in values]


def _as_double(value: Any) -> Any:
    return float(value) if isinstance(value, bool | int) else value


def _first(found: Sequence[Any], wanted: Sequence[Any]) -> str:
    pairs = (pair for pair in zip(found, wanted, strict=True) if repr(pair[0]) != repr(pair[1]))
    return "{!r} in place of {!r}".format(*next(pairs, ("?", "?")))


def _reading(column: Column) -> str:
    keys = {name: getattr(column, name) for name in Reading.model_fields}
    return json.dumps(
        {name: value for name, value in keys.items() if value not in ((), None, "", False)}, sort_keys=True
    )


def all_cells(found: Iterable[Found]) -> dict[str, dict[str, str]]:
    """Return the value of each distinct text of several files, by the reading as JSON."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    for one in found:
        for reading, values in one.cells.items():
            cells[reading] |= values
    return cells


def _journalled(journal: Path) -> Iterator[Found]:
    if not journal.exists():
        return
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            yield Found(**json.loads(line))
        except (ValueError, TypeError):
            continue  # a torn line of a killed run


def _shown_progress(numbers: Sequence[int], *, done: int) -> Iterator[int]:
    from rich.console import Console  # noqa: PLC0415 - for people only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    shown = (TextColumn("files"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True)) as bars:
        task = bars.add_task("files", total=done + len(numbers), completed=done)
        for number in numbers:
            yield number
            bars.advance(task)


def _code_digest() -> str:
    """Return a mark of the code that reads, so that what other code found is not taken for this one's."""
    import gauntlet  # noqa: PLC0415 - for its place

    files = sorted(Path(gauntlet.__file__).parent.rglob("*.py")) + sorted(Path(__file__).parent.glob("*_files.py"))
    return digest([[file.name, file.read_text(encoding="utf-8")] for file in files])[:12]
