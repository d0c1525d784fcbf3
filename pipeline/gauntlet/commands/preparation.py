"""This module provides the command that makes a machine ready: Delta's jars and the class archive of Spark's JVM."""

from __future__ import annotations

from pathlib import Path

from gauntlet.adapters.class_archive import archive_at_hand, write_archive
from gauntlet.adapters.jars import delta_jars
from gauntlet.core.errors import ExitCode
from gauntlet.terminal import Terminal


def prepare_machine(*, state: Path, anew: bool, machine: bool, quiet: bool) -> int:  # noqa: ARG001 - state is a common option, without use here
    """Fetch the jars and write the archive, unless they are there."""
    terminal = Terminal(quiet=quiet, machine=machine)
    jars = delta_jars()
    terminal.say(f"Delta's jars: {jars[0].parent}")
    known = archive_at_hand(jars) and not anew
    if not known:
        terminal.say("Writing the class archive of Spark's JVM; this takes half a minute or so, once …")
        archive = write_archive(jars)
        terminal.say(f"Class archive: {archive} ({archive.stat().st_size // 2**20} MB)")
    else:
        terminal.say("Class archive: there already; --anew writes it again")
    if machine:
        terminal.document({"jars": [str(jar) for jar in jars], "archive_written": not known})
    return ExitCode.DONE
