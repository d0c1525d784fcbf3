"""What a test suite takes from Gauntlet: its gates as pytest items, for a problem file or for a pipeline of its own.

Example:
    A suite that judges a scikit-learn estimator, one item a gate::

        from gauntlet.testing import Pipeline, parametrize_with_gates

        CHURN = Pipeline(model=LogisticRegression(max_iter=1000), table=load_customers, label="churned")

        @parametrize_with_gates(CHURN)
        def test_gate(gate):
            gate()
"""

from __future__ import annotations

from gauntlet.testing.conformance import parametrize_with_gates
from gauntlet.testing.user_pipeline import Pipeline

__all__ = ["Pipeline", "parametrize_with_gates"]
