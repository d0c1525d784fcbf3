"""The wheel of this checkout, and environments with it in which this checkout cannot be seen."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def built_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, without the network."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.iterdir()
    return path


def environment_with(wheel: Path, folder: Path) -> Path:
    """Return the Python of a new environment with the wheel in it; the libraries are borrowed from this one."""
    venv.EnvBuilder(symlinks=True).create(folder)
    program = folder / "bin" / "python"
    # A folder named in a .pth file is searched, but its own .pth files are not read: the editable checkout stays out.
    where = subprocess.run(
        [program, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    Path(where.stdout.strip(), "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(program), "install", "--quiet", "--no-index", "--no-deps"]
    done = subprocess.run([*command, "--ignore-installed", str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program
