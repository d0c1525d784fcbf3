"""The plugin's fixtures: the example in each docstring is a test that passes."""

import inspect
import textwrap

import pandas as pd
import pytest

from gauntlet.testing import fixtures
from gauntlet.testing.fixtures import factory

pytestmark = pytest.mark.gates


def _example(name):
    definition = getattr(fixtures, name)
    text = inspect.cleandoc(definition._get_wrapped_function().__doc__)
    code = textwrap.dedent(text.split("Example:\n    ::\n", 1)[1])
    namespace = {"pd": pd}
    exec(compile(code, name, "exec"), namespace)  # noqa: S102 - our own docstring
    (test,) = [value for key, value in namespace.items() if key.startswith("test_")]
    return test


@pytest.mark.parametrize("name", fixtures.__all__)
def test_the_example_of_each_fixture_passes(spark, request, name):
    test = _example(name)
    parameters = inspect.signature(test).parameters
    assert name in parameters
    test(**{parameter: request.getfixturevalue(parameter) for parameter in parameters})


def test_what_a_factory_made_is_removed_in_reverse_and_errors_are_reported():
    removed = []

    def remove(thing):
        removed.append(thing)
        if thing == 2:
            raise OSError("busy")

    making = factory(lambda thing: thing, remove, name="things")
    make = next(making)
    assert [make(number) for number in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(ExceptionGroup, match="things: 1 of 3 could not be removed"):
        next(making)
    assert removed == [3, 2, 1]
