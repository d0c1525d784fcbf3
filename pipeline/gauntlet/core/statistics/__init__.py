"""The statistics that the model gates stand on: estimates with intervals, tests and their power; no gate's opinion."""
