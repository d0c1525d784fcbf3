"""The layer that speaks to Spark, MLflow, Great Expectations, hyperopt and the places where data lies."""
