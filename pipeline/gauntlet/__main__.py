"""This module lets ``python -m gauntlet`` do what the ``gauntlet`` command does."""

from gauntlet.cli import main

if __name__ == "__main__":
    main()
