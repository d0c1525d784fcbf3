"""The pure layer: problem, seeds, digests, results, metrics; it imports neither pyspark nor mlflow."""
