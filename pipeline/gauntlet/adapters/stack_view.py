"""This module provides the view that the stack's servers have of the machine: another user, another temporary folder.

On one machine a path of the client's would work for a server by accident. Where this process is root and Linux can
make a mount namespace, the servers therefore run as an unprivileged user for whom the state folder holds nothing but
their own storage. What they need from folders that this user may not enter (a Python below /root) is shown to them at
the place where it is.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gauntlet
from gauntlet.adapters.java import java_program
from gauntlet.core.errors import InputError

DEFAULT_USER = "nobody"
_TRIAL_SECONDS = 60

# Its arguments: the user, the group, the number of covered folders, these, the number of kept ones, these, the command.
_SCRIPT = """
set -eu
user=$1; group=$2; shift 2
stage=/mnt
mount -t tmpfs -o mode=755 gauntlet "$stage"
covered=$1; shift
i=0; while [ "$i" -lt "$covered" ]; do eval "cover_$i=\\$1"; shift; i=$((i + 1)); done
kept=$1; shift
i=0; while [ "$i" -lt "$kept" ]; do
  eval "keep_$i=\\$1"
  if [ -d "$1" ]; then mkdir "$stage/$i"; else : > "$stage/$i"; fi
  mount --rbind "$1" "$stage/$i"
  shift; i=$((i + 1))
done
i=0; while [ "$i" -lt "$covered" ]; do
  eval "folder=\\$cover_$i"
  mount -t tmpfs -o mode=755 gauntlet "$folder"
  i=$((i + 1))
done
i=0; while [ "$i" -lt "$kept" ]; do
  eval "place=\\$keep_$i"
  if [ -d "$stage/$i" ]; then mkdir -p "$place"; else mkdir -p "$(dirname "$place")"; : >> "$place"; fi
  mount --rbind "$stage/$i" "$place"
  i=$((i + 1))
done
umount -l "$stage"
exec setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
"""


@dataclass(frozen=True)
class ServerView:
    """How the servers are started.

    Attributes:
        prefix: What comes before a server's own command.
        owner: The user and group that own the servers' files; None for those of this process.
        user: The user's name, for people.
        not_checked: What this view cannot show, one sentence each.
    """

    prefix: tuple[str, ...]
    owner: tuple[int, int] | None
    user: str
    not_checked: tuple[str, ...] = ()


def server_view(*, storage: Path, hidden: Path, user: str = DEFAULT_USER) -> ServerView:
    """Return the view that servers are started with, the best that is possible here.

    Args:
        storage: The servers' own folder.
        hidden: The folder of the client that they shall not see, although the storage may lie in it.
        user: The user's name.

    Raises:
        InputError: If there is no such user.
    """
    me = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() != 0 or user == me:
        reason = "they were started by root" if user != me else "another --user was given"
        return _same_user(me, unless=reason)
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise InputError(f"--user {user}: there is no such user; give one that this machine has") from error
    programs = [shutil.which(name) for name in ("unshare", "setpriv", "sh")]
    if sys.platform != "linux" or None in programs:
        return _same_user(me, unless="Linux's unshare and setpriv were here")
    kept = _outermost([storage, *_needed()])
    covered = [path for path in _covers([hidden, *kept], hidden=hidden) if path != storage]
    inside = [path for path in kept if any(path.is_relative_to(cover) for cover in covered)]
    prefix = (
        *(str(programs[0]), "--mount", "--propagation", "private", str(programs[2]), "-c", _SCRIPT, "gauntlet-stack"),
        *(str(entry.pw_uid), str(entry.pw_gid), str(len(covered)), *map(str, covered)),
        *(str(len(inside)), *map(str, inside)),
    )
    view = ServerView(prefix, (entry.pw_uid, entry.pw_gid), user)
    return view if _works(view) else _same_user(me, unless=f"{user} could run {sys.executable} in a mount namespace")


def _same_user(name: str, *, unless: str) -> ServerView:
    return ServerView(
        (),
        None,
        name,
        (
            f"The servers run as {name}, as the client does: a path of the client's may work there by accident "
            f"(it would not if {unless}).",
        ),
    )


def _needed() -> list[Path]:
    """Return the folders that a server cannot do without: Python, its libraries, this package, Java."""
    python = [sys.prefix, sys.base_prefix, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    java = java_program()
    folders = [*python, *(entry for entry in given if entry), str(Path(gauntlet.__file__).parent.parent)]
    paths = [Path(folder).resolve() for folder in folders]
    return [*paths, *([java.resolve().parent.parent] if java else [])]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that are there, without those that lie in another of them."""
    there = sorted({path.resolve() for path in paths if path.exists()})
    return [path for path in there if not any(path != other and path.is_relative_to(other) for other in there)]


def _covers(paths: Sequence[Path], *, hidden: Path) -> list[Path]:
    """Return the folders to cover: the hidden one, and those that others may not enter."""
    closed = [_closed_ancestor(path.resolve()) for path in paths]
    return _outermost([hidden, *(folder for folder in closed if folder is not None)])


def _closed_ancestor(path: Path) -> Path | None:
    """Return the first folder on the way to a path that not everybody may enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _works(view: ServerView) -> bool:
    """Try whether Python can be run in a view."""
    command = [*view.prefix, sys.executable, "-c", "import gauntlet"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TRIAL_SECONDS, check=False, cwd="/")  # noqa: S603 - our own arguments, no shell
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
