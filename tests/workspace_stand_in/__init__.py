"""A stand-in for a Databricks workspace, for tests only: the REST paths that the real clients call.

It is no workspace: it has no Spark, runs no job, and knows only what is written here. It refuses what the real one is
documented to refuse, in the real one's words and error codes as far as they are known.
"""
