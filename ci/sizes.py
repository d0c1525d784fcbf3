"""Print the sizes of the installed distributions, largest first: what a newcomer waits for.

Usage: python ci/sizes.py [--top N]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path


def sizes() -> dict[str, int]:
    """Return the bytes of each distribution beside the running interpreter; compiled modules do not count."""
    found: dict[str, int] = {}
    for distribution in importlib.metadata.distributions():
        paths = (Path(str(file.locate())) for file in distribution.files or () if file.suffix != ".pyc")
        found[distribution.name] = sum(path.stat().st_size for path in paths if path.is_file())
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--top", type=int, help="show so many only")
    options = parser.parse_args(arguments)
    found = sorted(sizes().items(), key=lambda item: (-item[1], item[0]))
    for name, size in found[: options.top]:
        print(f"{size / 2**20:9.1f} MB  {name}")
    print(f"{sum(size for _, size in found) / 2**20:9.1f} MB  in {len(found)} distributions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
