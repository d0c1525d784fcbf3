"""The model of this project, judged: one item a gate."""

import pipeline
from pipeline import customers

from gauntlet.testing import Pipeline, parametrize_with_gates

CUSTOMERS = Pipeline(
    model=customers.model(),
    table=customers.load,
    label="leaves",
    name="customers",
    resolution={"spend": 0.01, "calls": 1},
    costs={"false_positive": 1, "false_negative": 2},
    code=(customers.__file__,),
)


@parametrize_with_gates(CUSTOMERS)
def test_gate(gate):
    gate()


def test_the_package_is_the_projects_own():
    assert "own folder" in pipeline.__doc__
