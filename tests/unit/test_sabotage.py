"""The sabotage of gates: what its gate does not catch is red, and a gate that only breaks has caught nothing."""

import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.progress import SilentProgress
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate, saboteur
from gauntlet.gates.sabotage import sabotage
from tests.made_candidate import made_candidate

pytestmark = pytest.mark.unit


@pytest.fixture
def sound(tmp_path):
    return made_candidate(tmp_path)


@pytest.fixture
def asked():
    """Count how often each gate is asked."""
    return []


@pytest.fixture
def gates(asked):
    def made(name, condition):
        @gate(name, remedy="none")
        def judged(candidate):
            """Guard something."""
            asked.append(name)
            status = Status.PASS if condition(candidate) else Status.FAIL
            return Verdict(name, status, "it says so", measured=1.0)

        return judged

    return [
        made("model::threshold", lambda candidate: candidate.threshold < 0.5),
        made("model::chosen", lambda candidate: candidate.chosen == "sweep"),
        made("model::both", lambda candidate: candidate.threshold < 0.5 and candidate.chosen == "sweep"),
    ]


@saboteur("model::threshold")
def threshold_moved(candidate):
    """Move the threshold."""
    return candidate.changed(threshold=0.9)


@saboteur("model::chosen")
def nothing_done(candidate):
    """Change nothing at all."""
    return candidate


@saboteur("model::threshold")
def clumsy(_candidate):
    """Fail."""
    raise OSError("no disk")


@saboteur("model::imaginary")
def misdirected(candidate):
    """Aim at a gate that does not exist."""
    return candidate


def test_a_caught_saboteur_names_the_others_that_fired(sound, gates):
    (outcome,) = sabotage(sound, gates, [threshold_moved], progress=SilentProgress())
    assert outcome.caught
    assert outcome.others == ("model::both",)
    assert (sound.threshold, outcome.name) != (0.9, "")


@pytest.mark.parametrize(
    ("status", "advisory", "caught"),
    [
        (Status.NOTE, "a gap", False),
        (Status.WARN, "", False),
        (Status.WARN, "a gap", True),
        (Status.FAIL, "", True),
        (Status.CONFIG_ERROR, "", True),
    ],
)
def test_a_warning_catches_only_for_gates_that_never_fail(sound, status, advisory, caught):
    @gate("model::threshold", remedy="none", advisory=advisory)
    def judged(candidate):
        """Guard something."""
        return Verdict(
            "model::threshold", Status.PASS if candidate.threshold < 0.5 else status, "it says so", measured=1.0
        )

    (outcome,) = sabotage(sound, [judged], [threshold_moved], progress=SilentProgress())
    assert outcome.caught is caught


def test_a_warning_of_the_sound_candidate_too_has_caught_nothing(sound):
    @gate("model::threshold", remedy="none", advisory="everything")
    def judged(candidate):
        """Guard something."""
        return Verdict("model::threshold", Status.WARN, f"threshold {candidate.threshold}", measured=1.0)

    (outcome,) = sabotage(sound, [judged], [threshold_moved], progress=SilentProgress())
    assert not outcome.caught


def test_strict_gates_turn_a_warning_into_a_failure(sound):
    @gate("model::threshold", remedy="none")
    def judged(candidate):
        """Guard something."""
        return Verdict("model::threshold", Status.WARN, "beyond its bound", measured=1.0)

    gates = sound.problem.gates.model_copy(update={"strict": True})
    strict = sound.changed(problem=sound.problem.model_copy(update={"gates": gates}))
    assert judged(sound).status is Status.WARN
    assert judged(strict).status is Status.FAIL
    assert "gates.strict" in judged(strict).sentence


@pytest.mark.parametrize(
    ("one", "said"),
    [(nothing_done, "it says so"), (clumsy, "OSError: no disk"), (misdirected, "there is no such gate")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_not_caught_is_said(sound, gates, one, said):
    (outcome,) = sabotage(sound, gates, [one], progress=SilentProgress())
    assert not outcome.caught
    assert said in outcome.sentence


def test_a_gate_is_asked_again_only_where_a_part_that_it_read_was_replaced(sound, gates, asked):
    sabotage(sound, gates, [threshold_moved], progress=SilentProgress())
    assert asked.count("model::chosen") == 1
    assert asked.count("model::threshold") == asked.count("model::both") == 2


def test_a_gate_that_only_breaks_has_caught_nothing(sound):
    @gate("model::fragile", remedy="none")
    def fragile(candidate):
        """Guard nothing, and stumble."""
        if candidate.threshold > 0.5:
            raise TypeError("unexpected")
        return Verdict("model::fragile", Status.PASS, "fine", measured=1.0)

    aimed = saboteur("model::fragile")(threshold_moved.function)
    (outcome,) = sabotage(sound, [fragile], [aimed], progress=SilentProgress())
    assert not outcome.caught
    assert "TypeError" in outcome.sentence


def test_a_candidate_that_is_not_sound_cannot_be_sabotaged(sound, gates):
    with pytest.raises(DataError, match=r"passes every gate, and 2 say no: .*model::threshold"):
        sabotage(sound.changed(threshold=0.9), gates, [threshold_moved], progress=SilentProgress())


def test_gates_and_saboteurs_must_be_documented():
    with pytest.raises(ValueError, match="docstring"):
        gate("a::b", remedy="none")(lambda candidate: candidate)
    with pytest.raises(ValueError, match="docstring"):
        saboteur("a::b")(lambda candidate: candidate)
