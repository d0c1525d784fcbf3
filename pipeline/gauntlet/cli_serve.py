"""This module provides ``gauntlet serve``. What it imports at the top, ``gauntlet --help`` waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gauntlet.cli_options import common_options, problem_option, settings_option, target_option
from gauntlet.serving.settings import ServerSettings
from gauntlet.terminal import Terminal

_DEFAULTS = ServerSettings()


@click.command()
@problem_option
@target_option(help="Where MLflow and the ledger of promotions are.")
@settings_option
@click.option(
    "--host", default=_DEFAULTS.host, show_default=True, help="Where to listen; beyond loopback needs a token."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULTS.port,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file with the access token that clients must show; by default GAUNTLET_SERVE_TOKEN, else none.",
)
@click.option(
    "--poll",
    "poll_seconds",
    type=click.FloatRange(min=0.1),
    default=_DEFAULTS.poll_seconds,
    show_default=True,
    metavar="SECONDS",
    help="How often to look whether there is another champion.",
)
@click.option(
    "--max-bytes",
    "body_bytes",
    type=click.IntRange(min=1),
    default=_DEFAULTS.limits.body_bytes,
    show_default=True,
    help="The largest body of a request.",
)
@click.option(
    "--max-rows",
    "rows",
    type=click.IntRange(min=1),
    default=_DEFAULTS.limits.rows,
    show_default=True,
    help="Rows of a request.",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.limits.seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long a body may take to arrive, and an answer to be made.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=_DEFAULTS.limits.concurrency,
    show_default=True,
    help="Requests in work at once; others are told to come again (503).",
)
@click.option(
    "--drain",
    "drain_seconds",
    type=click.FloatRange(min=0),
    default=_DEFAULTS.drain_seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long requests in work may go on after SIGTERM.",
)
@click.option("--access-log", metavar="FILE", help="Append one line a request, without its data; - is standard error.")
@common_options(state="The folder where runs keep what they make.")
def serve(**options: Any) -> int:
    """Serve the champion over HTTP by MLflow's protocol: /invocations, /ping, /version; also /model and /metrics.

    Another champion takes over without a lost request. SIGTERM or Ctrl-C answers what is in work, then ends it. With
    --json the document is printed on one line, once the server answers.
    """
    from gauntlet.commands.opening import RoadOptions  # noqa: PLC0415 - keeps --help fast
    from gauntlet.commands.serving import ServeOptions, serve_champion  # noqa: PLC0415 - keeps --help fast

    terminal = Terminal(quiet=options.pop("quiet"), machine=options.pop("machine"))
    road = RoadOptions(**{name: options.pop(name) for name in ("problem", "target", "settings", "state")})
    return serve_champion(road, ServeOptions(**options), terminal)
