"""The server of the champion against ``mlflow models serve``: latency and requests a second, in the same run.

Both serve the same champion, each in a process of its own and with its defaults, and are loaded in turns by a third
process: the times of one are taken under the same conditions as those of the other. Latency is that of one connection,
requests a second those of eight. The figures are medians over the turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gauntlet.adapters.registry import CHAMPION
from gauntlet.adapters.target import LocalTarget
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.champions import open_champions
from tests.commands import SMALL_ROAD
from tests.scoring_servers import Server, gauntlet_server, mlflow_server

_CONNECTIONS = 8
# The most requests of one turn, by rows.
_REQUESTS = {1: 1000, 1000: 150}
_SECONDS = 10.0
_OURS, _ANCHOR = "gauntlet serve", "mlflow models serve"


def serving(turns: int, state_folder: Path | None = None) -> dict[str, Any]:
    """Load both servers in turns, and return what they took.

    Args:
        turns: How often each is loaded.
        state_folder: The state folder of the wine problem whose champion is served; None makes one by the small road.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = _champion(Path(folder)) if state_folder is None else State(state_folder)
        problem = load_problem()
        registry = open_champions(LocalTarget(problem=problem, state=state), state).registry
        with (
            registry.artefact(_version(registry)) as artefact,
            gauntlet_server(state.root) as ours,
            mlflow_server(artefact) as anchor,
        ):
            bodies = {rows: _body(rows, [column.name for column in problem.features]) for rows in _REQUESTS}
            servers = {_OURS: ours, _ANCHOR: anchor}
            _require_same_answers(servers, bodies)
            table = _table(servers, bodies, Path(folder), turns)
    found = {(row["server"], row["rows"]): row for row in table}
    mine, other = found[_OURS, 1], found[_ANCHOR, 1]
    return {
        "p99_ratio_to_anchor": round(mine["p99_ms"] / other["p99_ms"], 3),
        "speedup_over_anchor": round(mine["requests_per_second"] / other["requests_per_second"], 2),
        "turns": turns,
        "connections": _CONNECTIONS,
        "table": table,
    }


def _champion(folder: Path) -> State:
    """Walk the small road, and return its state folder."""
    state = folder / "state"
    command = [sys.executable, "-m", "gauntlet", "run", "--json", "--state", str(state), *SMALL_ROAD]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"gauntlet run ended with {done.returncode}: {done.stdout}{done.stderr}")
    return State(state)


def _version(registry: Any) -> Any:
    version = registry.version_of(CHAMPION)
    if version is None:
        raise SystemExit("the small road promoted no champion")
    return version


def _body(rows: int, names: list[str]) -> bytes:
    frame = pd.DataFrame(np.random.default_rng(3).normal(10, 4, (rows, len(names))).round(3), columns=names)
    return json.dumps({"dataframe_split": frame.to_dict("split")}).encode()


def _require_same_answers(servers: dict[str, Server], bodies: dict[int, bytes]) -> None:
    for body in bodies.values():
        given = [server.ask(body) for server in servers.values()]
        if given[0] != given[1] or given[0][0] != 200:
            raise SystemExit(f"the servers do not answer alike: {given}")


def _table(servers: dict[str, Server], bodies: dict[int, bytes], folder: Path, turns: int) -> list[dict[str, Any]]:
    """Return one row for each server and number of rows."""
    figures: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for rows, body in bodies.items():
        file = folder / f"{rows}.json"
        file.write_bytes(body)
        for _ in range(turns):
            for name, server in servers.items():
                alone = _load(server, file, connections=1, requests=_REQUESTS[rows])
                together = _load(server, file, connections=_CONNECTIONS, requests=_REQUESTS[rows])
                p50, p99 = np.quantile(alone["milliseconds"], (0.5, 0.99))
                figure = (float(p50), float(p99), together["requests"] / together["seconds"])
                figures.setdefault((name, rows), []).append(figure)
    return [
        {
            "server": name,
            "rows": rows,
            **{
                key: round(statistics.median(values), 2)
                for key, values in zip(
                    ("p50_ms", "p99_ms", "requests_per_second"), zip(*found, strict=True), strict=True
                )
            },
        }
        for (name, rows), found in figures.items()
    ]


def _load(server: Server, file: Path, *, connections: int, requests: int) -> dict[str, Any]:
    options = ("--connections", str(connections), "--requests", str(requests), "--seconds", str(_SECONDS))
    command = [sys.executable, "-m", "tests.benchmarks.serving_load", server.host, str(file), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the load on {server.host} ended with {done.returncode}: {done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
