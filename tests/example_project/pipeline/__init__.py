"""A package called like Gauntlet's own folder: the two must not meet."""
