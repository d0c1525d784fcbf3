"""This module provides the ``gauntlet`` command. What it imports at the top, ``gauntlet --help`` waits for."""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gauntlet import __version__
from gauntlet.adapters.held_key import keys_held_back
from gauntlet.cli_databricks import deploy, job
from gauntlet.cli_infra import infra
from gauntlet.cli_options import Command, common_options, problem_option, settings_option, target_option
from gauntlet.cli_serve import serve
from gauntlet.cli_stack import stack
from gauntlet.cli_state import state
from gauntlet.core.errors import ExitCode, GauntletError, InputError
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.commands.opening import RoadOptions

_stage_choice = click.Choice(STAGE_NAMES)
_common = common_options(state="The folder where runs keep what they make.")


def _problem(command: Command) -> Command:
    """Add the options that choose and change the problem."""
    return problem_option(_circumstances(command))


def _problems(command: Command) -> Command:
    """Add the options that choose and change one problem or several."""
    several = click.option(
        "--problem",
        "problems",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A problem file (TOML), or a folder of them; may be given often. By default the wine problem that ships"
        " with the package. Each of several problems gets a folder of its name inside the state folder.",
    )
    return several(_circumstances(command))


def _circumstances(command: Command) -> Command:
    """Add the options that say where a problem runs, and what of it is replaced."""
    options = (
        target_option(help="Where Spark, the tables and MLflow are."),
        click.option("--protocol", type=click.Choice(("honest", "notebook")), help="Replaces split.protocol."),
        click.option("--seed", type=click.IntRange(min=0), help="Replaces the problem's seed."),
        settings_option,
        click.option("--no-synthetic", is_flag=True, help="Fail rather than use generated data."),
        click.option("--workers", type=click.IntRange(min=1), help="Spark's worker threads; by default one a core."),
        click.option(
            "--wait",
            type=click.FloatRange(min=0),
            default=0.0,
            metavar="SECONDS",
            help="How long to wait for another run that uses the state folder.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _road(options: dict[str, Any]) -> tuple[RoadOptions, Terminal]:
    """Return the options of ``_problem`` and ``_common`` as the commands take them."""
    from gauntlet.commands.opening import RoadOptions  # noqa: PLC0415 - keeps --help fast

    terminal = Terminal(quiet=options.pop("quiet"), machine=options.pop("machine"))
    return RoadOptions(**options), terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(__version__, "--version", "-V", prog_name="gauntlet")
def cli() -> None:
    """Gauntlet: every step from the data to the promoted model is a test.

    Exit codes: 0 done, 1 a check said no (nothing promoted), 2 the input or configuration is wrong,
    3 the environment lacks something, 70 a defect in Gauntlet, 130 interrupted.
    """


@cli.command()
@_problems
@_common
@click.option("--until", "last", type=_stage_choice, default=STAGE_NAMES[-1], help="Stop after this stage.")
@click.option("--from", "first", type=_stage_choice, help="Redo this stage and all after it, done or not.")
@click.option("--fresh", is_flag=True, help="Redo all stages, done or not.")
@click.option(
    "--parallel", type=click.IntRange(min=1), help="Problems at once; by default one a core, and four at most."
)
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and do nothing.")
def run(  # noqa: PLR0913 - one argument an option of the command
    problems: tuple[Path, ...],
    last: str,
    first: str | None,
    *,
    fresh: bool,
    parallel: int | None,
    dry_run: bool,
    **options: Any,
) -> int:
    """Walk the whole road: from the data to a promoted model, a scored table and a report.

    Stages whose inputs did not change since they were done are not done again.
    """
    from gauntlet.commands.many_roads import run_many_roads  # noqa: PLC0415 - keeps --help fast
    from gauntlet.commands.opening import Steps  # noqa: PLC0415 - keeps --help fast
    from gauntlet.commands.road import run_road  # noqa: PLC0415 - keeps --help fast

    first = STAGE_NAMES[0] if fresh else first
    if first is not None and STAGE_NAMES.index(first) > STAGE_NAMES.index(last):
        raise InputError(f"--from {first} comes after --until {last}; there would be nothing to do")
    steps = Steps(first=first, last=last)
    if len(problems) > 1 or any(problem.is_dir() for problem in problems):
        return run_many_roads(*_road(options), steps, problems=problems, parallel=parallel, dry_run=dry_run)
    return run_road(*_road(options | {"problem": next(iter(problems), None)}), steps, dry_run=dry_run)


@cli.command()
@click.argument("name", type=_stage_choice)
@_problem
@_common
@click.option("--incremental", is_flag=True, help="Score only rows without a prediction; the others keep theirs.")
def stage(name: str, *, incremental: bool, **options: Any) -> int:
    """Run one stage alone, as a task of a job would; the stages before it must be done."""
    from gauntlet.commands.opening import Steps  # noqa: PLC0415 - keeps --help fast
    from gauntlet.commands.road import run_road  # noqa: PLC0415 - keeps --help fast

    if incremental and name != "score":
        raise InputError(f"--incremental is for the stage score, not for {name}; leave it out")
    return run_road(*_road(options), Steps(last=name, only=True, incremental=incremental))


@cli.group(no_args_is_help=True)
def gates() -> None:
    """Say what the gates guard; `pytest -m gates` asks them."""


@gates.command(name="list")
@_problem
@_common
def list_(**options: Any) -> int:
    """List the gates that the problem's candidates must pass."""
    from gauntlet.commands.judging import list_gates  # noqa: PLC0415 - keeps --help fast

    return list_gates(*_road(options))


@gates.command()
@click.argument("gate")
@_problem
@_common
def explain(gate: str, **options: Any) -> int:
    """Explain one gate: what it guards, its bounds and where they are set, what to do when it is red."""
    from gauntlet.commands.judging import explain_gate  # noqa: PLC0415 - keeps --help fast

    return explain_gate(*_road(options), name=gate)


@cli.command()
@click.argument("saboteurs", nargs=-1)
@_problem
@_common
def sabotage(saboteurs: tuple[str, ...], **options: Any) -> int:
    """Test the gates: break a sound candidate in every way there is (or in those named), and see it caught.

    A saboteur that its gate does not catch is exit code 1. Nothing is promoted, and nothing that is kept is changed.
    """
    from gauntlet.commands.judging import run_sabotage  # noqa: PLC0415 - keeps --help fast

    return run_sabotage(*_road(options), chosen=saboteurs)


_evidence_argument = click.argument("evidence", required=False)


@cli.group(name="evidence", no_args_is_help=True)
def evidence_group() -> None:
    """Show or verify the signed evidence of a judgement: a file, the first digits of its SHA-256, or the newest."""


@evidence_group.command()
@_evidence_argument
@_problem
@_common
def show(evidence: str | None, **options: Any) -> int:
    """Show what a judgement stands on, once its signature is proven."""
    from gauntlet.commands.promotion import show_evidence  # noqa: PLC0415 - keeps --help fast

    return show_evidence(*_road(options), given=evidence)


@evidence_group.command(name="hand-over")
@_evidence_argument
@_problem
@_common
def hand_over(evidence: str | None, **options: Any) -> int:
    """Hand evidence to the next job of GitHub Actions or Azure DevOps.

    Its SHA-256 becomes the output `evidence` of the step, and its verdicts the step's summary, for whoever approves.
    """
    from gauntlet.commands.promotion import hand_evidence_over  # noqa: PLC0415 - keeps --help fast

    return hand_evidence_over(*_road(options), given=evidence)


@evidence_group.command()
@_evidence_argument
@_problem
@_common
def verify(evidence: str | None, **options: Any) -> int:
    """Hold evidence against what is stored now, byte by byte; exit code 1 names the first thing that differs."""
    from gauntlet.commands.promotion import verify_evidence  # noqa: PLC0415 - keeps --help fast

    return verify_evidence(*_road(options), given=evidence)


@cli.command()
@_evidence_argument
@_problem
@_common
def promote(evidence: str | None, **options: Any) -> int:
    """Make the model champion that was judged, by its evidence: the newest, a file, or a SHA-256.

    Everything that the evidence speaks of is verified first. Without an argument it ends with exit code 2 if fresh
    evidence speaks for more than one model. Needs no Spark.
    """
    from gauntlet.commands.promotion import promote_evidence  # noqa: PLC0415 - keeps --help fast

    return promote_evidence(*_road(options), given=evidence)


@cli.command()
@_problem
@_common
def rollback(**options: Any) -> int:
    """Make the former champion champion again, with its own evidence. Needs no Spark."""
    from gauntlet.commands.promotion import roll_back_champion  # noqa: PLC0415 - keeps --help fast

    return roll_back_champion(*_road(options))


@cli.command()
@_problem
@_common
@click.option(
    "--sign-ledger",
    is_flag=True,
    help="First sign the ledger of a version that did not sign entries, if nothing else is wrong.",
)
def audit(sign_ledger: bool, **options: Any) -> int:
    """Walk registry and ledger: any alias moved by hand, any evidence or artefact changed since? Needs no Spark."""
    from gauntlet.commands.promotion import audit_champions  # noqa: PLC0415 - keeps --help fast

    return audit_champions(*_road(options), sign=sign_ledger)


@cli.command()
@_common
@target_option(help="The target that a run would have.")
def doctor(**options: Any) -> int:
    """Show what the environment has, what it lacks, and the exact thing to do."""
    from gauntlet.commands.road import show_environment  # noqa: PLC0415 - keeps --help fast

    return show_environment(**options)


@cli.command()
@_common
@click.option("--anew", is_flag=True, help="Write the class archive again, though there is one.")
def prepare(**options: Any) -> int:
    """Make this machine ready: fetch Delta's jars, and write the archive with which Spark starts in half the time.

    Nothing else needs it: without it the first run fetches the jars, and Spark starts as slowly as ever. It is for
    machines that run often, and for images and caches of CI systems.
    """
    from gauntlet.commands.preparation import prepare_machine  # noqa: PLC0415 - keeps --help fast

    return prepare_machine(**options)


@cli.command()
@click.option("--from", "table", type=click.Path(path_type=Path), required=True, help="A CSV or Parquet table.")
@click.option("--label", required=True, help="The column that holds the label.")
@click.option("--positive", help="The positive class: a value of the label, or a comparison such as '>= 7'.")
@click.option("--name", help="The problem's name; by default the table's.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file; by default NAME.toml.")
@_common
def init(**options: Any) -> int:
    """Write a commented problem file and first expectation suites for a table.

    Run again, it drafts anew what was drafted and keeps what was edited.
    """
    from gauntlet.commands.drafts import write_draft  # noqa: PLC0415 - keeps --help fast

    return write_draft(**options)


@cli.group(no_args_is_help=True)
def suites() -> None:
    """Keep the expectation suites in step with the problem file and the data."""


@suites.command()
@problem_option
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if anything would change.")
@_common
def sync(**options: Any) -> int:
    """Draft the suites anew from the data: drafted entries follow, edited ones stay. Shows the difference.

    An entry counts as drafted while it has the digest that its meta.drafted says. Needs no Spark.
    """
    from gauntlet.commands.drafts import sync_suites  # noqa: PLC0415 - keeps --help fast

    return sync_suites(**options)


@cli.command()
@_common
@click.option("--yes", is_flag=True, help="Delete; without it the command only shows what it would free.")
def clean(**options: Any) -> int:
    """Show, and with --yes delete, what no current result needs; the champion's evidence and all tables stay."""
    from gauntlet.commands.road import clean_state  # noqa: PLC0415 - keeps --help fast

    return clean_state(**options)


@cli.command()
@_common
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report(**options: Any) -> int:
    """Say where the last run's report is."""
    from gauntlet.commands.road import find_report  # noqa: PLC0415 - keeps --help fast

    return find_report(**options)


@cli.command()
@_common
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
def ui(**options: Any) -> int:
    """Open MLflow's pages on this state folder's runs and models; Ctrl-C ends it."""
    from gauntlet.commands.road import serve_mlflow  # noqa: PLC0415 - keeps --help fast

    return serve_mlflow(**options)


cli.add_command(deploy)
cli.add_command(infra)
cli.add_command(job)
cli.add_command(serve)
cli.add_command(stack)
cli.add_command(state)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code; mistakes of users never show a traceback."""
    # At its end Python would search hundreds of modules for garbage, for up to a second.
    atexit.register(gc.freeze)
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(_exit_code(arguments))


def stage_main() -> None:
    """Run ``gauntlet stage`` with the process's arguments: the wheel's entry point for the tasks of a job.

    After success it returns: a job calls it as a function, and may take any ``SystemExit`` for a failed task.
    """
    code = _exit_code(["stage", *sys.argv[1:]])
    if code:
        sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    terminal = Terminal(machine="--json" in arguments)
    try:
        with keys_held_back():
            code = cli.main(args=arguments, prog_name="gauntlet", standalone_mode=False)
    except click.ClickException as error:
        return _complain(terminal, error.format_message(), ExitCode.INPUT)
    except (KeyboardInterrupt, click.Abort):
        return _complain(terminal, "interrupted; run the same command again to go on from here", ExitCode.INTERRUPTED)
    except GauntletError as error:
        return _complain(terminal, str(error), error.exit_code)
    return int(code or 0)


def _complain(terminal: Terminal, message: str, code: ExitCode) -> int:
    if terminal.machine:
        terminal.document({"error": message, "exit_code": int(code)})
    else:
        terminal.complain(message)
    return int(code)
