"""The layer of stages: one module each, a function from typed inputs to a typed result."""
