"""Features of the wines."""
