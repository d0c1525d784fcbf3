"""Gauntlet: a pytest-driven MLOps test harness for Spark and Databricks machine-learning pipelines."""

__version__ = "0.1.0"
