"""This module provides ``gauntlet deploy`` and ``gauntlet job``. What it imports, ``gauntlet --help`` waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gauntlet.cli_options import common_options
from gauntlet.core.errors import InputError
from gauntlet.terminal import Terminal

_common = common_options(state="Not used here: nothing of it is sent.")
_file = click.Path(path_type=Path, dir_okay=False)


def _terminal(options: dict[str, Any]) -> Terminal:
    return Terminal(quiet=options["quiet"], machine=options["machine"])


@click.command()
@click.option("--problem", type=_file, help="A problem file (TOML); by default the one in the wheel is used.")
@click.option("--wheel", type=_file, help="The wheel; by default the newest in dist.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="GAUNTLET_DATA_DIR",
    show_envvar=True,
    help="The folder of the problem's source files; without it no data are brought.",
)
@click.option("--notebook", type=_file, help="A notebook to bring as well.")
@click.option("--folder", help="The workspace's folder for notebooks; by default the experiment's.")
@_common
def deploy(**options: Any) -> int:
    """Bring wheel, suites, data and a notebook into a Databricks workspace, where a job finds them.

    The workspace is found as Databricks' own SDK does. Files go to the problem's volume, which Terraform makes
    (infra_modules/unity_catalog); infra_modules/ml_assets does the same within a plan.
    """
    from gauntlet.commands.deployment import Deployment, deploy  # noqa: PLC0415 - keeps --help fast

    what = {name: options[name] for name in ("problem", "wheel", "data", "notebook", "folder")}
    return deploy(Deployment(**what), _terminal(options))


@click.group(no_args_is_help=True)
def job() -> None:
    """Run the pipeline's job in a Databricks workspace (infra_modules/ml_job makes it)."""


@job.command(name="run")
@click.argument("name")
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter's value for this run: --parameter seed=7. May be given often.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait between two looks.",
)
@_common
def run_(name: str, parameters: tuple[str, ...], interval: float, **options: Any) -> int:
    """Start the job of that name or number, and follow it; exit code 1 when a stage refuses.

    Interrupting ends the following, not the run.
    """
    from gauntlet.commands.job import run_job  # noqa: PLC0415 - keeps --help fast

    return run_job(name, _terminal(options), parameters=_pairs(parameters), interval=interval)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--parameter {text}: expected NAME=VALUE, for example seed=7")
        pairs[name] = value
    return pairs
