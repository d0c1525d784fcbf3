"""The layer of gates: functions from a candidate to a verdict."""
