"""Several problems in one run: side by side, a folder each, failures isolated, one summary, the worst exit code."""

import json
import sys
import threading

import pytest

from gauntlet import cli
from gauntlet.commands import many_roads
from gauntlet.core.errors import DataError, ExitCode, GauntletError, InputError, RefusedError, RequirementError
from gauntlet.core.problem_file import default_problem_path

pytestmark = pytest.mark.unit

CHAMPION = {"model": "m", "version": 2, "auc_test": 0.8}
WARNINGS = [{"gate": "model::calibrated", "sentence": "perhaps beyond its bound"}]
STAGES = {"ingest": "ran", "report": "ran"}


@pytest.fixture
def write(tmp_path):
    """Write a problem file of a name; the file's name is that of the problem unless said otherwise."""

    def write(name, *, file=None):
        text = default_problem_path().read_text(encoding="utf-8")
        path = tmp_path / f"{file or name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace('name = "wine_quality"', f'name = "{name}"', 1), encoding="utf-8")
        return path

    return write


@pytest.fixture
def walks(monkeypatch):
    """Replace the walking of a road; how each ends is looked up by the name of its file."""
    ends, walked = {}, []

    def walk(options, terminal, steps):
        walked.append((options.problem.stem, options.state.name, options.state.parent.name, steps.last))
        end = ends.get(options.problem.stem)
        if callable(end):
            end = end(terminal)
        if isinstance(end, BaseException):
            raise end
        code = int(ExitCode.REFUSED if end else ExitCode.DONE)
        reasons = [{"source": "m::g", "sentence": end, "answer": "x"}] * 2 if end else []
        return {
            "refusal": end,
            "reasons": reasons,
            "warnings": WARNINGS,
            "champion": None if end else CHAMPION,
            "stages": STAGES,
            "exit_code": code,
        }

    monkeypatch.setattr(many_roads, "walked", walk)
    return ends, walked


@pytest.fixture
def run(capfd, tmp_path):
    """Run the command; return its exit code, its output and its errors."""

    def run(*problems, more=()):
        given = [word for problem in problems for word in ("--problem", str(problem))]
        with pytest.raises(SystemExit) as caught:
            cli.main(["run", *given, "--state", str(tmp_path / "state"), *more])
        captured = capfd.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("the data refused", 1),
        (RefusedError("there is no candidate"), 1),
        (DataError("the label has one class"), 2),
        (RequirementError("the folder is in use"), 3),
        (GauntletError("a defect"), 70),
    ],
    ids=lambda value: str(value)[:12],
)
def test_one_that_fails_does_not_stop_the_others_and_gives_its_exit_code(write, walks, run, end, code):
    ends, walked = walks
    ends["second"] = end
    found, out, err = run(write("first"), write("second"), write("third"))
    assert found == code
    assert sorted(name for name, *_ in walked) == ["first", "second", "third"]
    summary = out[out.index("how it ended") :]
    assert summary.count("m version 2, AUC 0.8000 on test, 1 warning") == 2
    assert str(end) in summary
    assert "Traceback" not in out + err


def test_each_has_a_state_folder_of_its_name(write, walks, run):
    assert run(write("a", file="one"), write("b", file="two"), more=("--until", "split"))[0] == 0
    assert sorted(walks[1]) == [("one", "a", "state", "split"), ("two", "b", "state", "split")]


def test_the_worst_exit_code_counts(write, walks, run):
    walks[0].update(a="refused", b=RequirementError("no Java"), c=DataError("bad"))
    assert run(*map(write, "abcd"))[0] == 3


def test_one_whose_file_cannot_be_read_fails_alone(write, walks, run, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", encoding="utf-8")
    code, out, err = run(broken, write("sound"), tmp_path / "none.toml")
    assert code == ExitCode.INPUT
    assert [name for name, *_ in walks[1]] == ["sound"]
    assert "none.toml" in out
    assert "none.toml: cannot be read" in " ".join(err.split())
    assert err.count("error: ") == 2


def test_the_json_is_one_list_of_documents(write, walks, run):
    walks[0]["b"] = DataError("bad table")
    code, out, _ = run(write("a"), write("b"), more=("--json",))
    found = json.loads(out)
    assert code == found["exit_code"] == 2
    first, second = found["runs"]
    assert (first["problem"], first["champion"], first["exit_code"]) == ("a", CHAMPION, 0)
    assert (second["problem"], second["error"], second["exit_code"]) == ("b", "bad table", 2)
    assert [run["file"] for run in found["runs"]] == [str(write("a")), str(write("b"))]


def test_a_folder_stands_for_its_problem_files_even_if_there_is_one(write, walks, run, tmp_path):
    for name in "ba":
        write(name, file=f"many/{name}")
    (tmp_path / "many" / "notes.md").write_text("none\n", encoding="utf-8")
    assert run(tmp_path / "many")[0] == 0
    assert sorted(name for name, *_ in walks[1]) == ["a", "b"]
    write("c", file="single/c")
    assert run(tmp_path / "single")[0] == 0
    assert walks[1][-1][:3] == ("c", "c", "state")


@pytest.mark.parametrize("case", ["empty", "twice", "same name"])
def test_what_cannot_be_told_apart_is_refused_before_anything_runs(write, walks, run, tmp_path, case):
    (tmp_path / "empty").mkdir()
    problems, message = {
        "empty": ((tmp_path / "empty",), "holds no problem file"),
        "twice": ((write("a"), tmp_path / "empty" / ".." / "a.toml"), "named twice"),
        "same name": ((write("a"), write("a", file="other")), "both problems are named 'a'"),
    }[case]
    code, _, err = run(*problems)
    assert code == ExitCode.INPUT
    assert message in err
    assert walks[1] == []


def test_they_run_side_by_side_as_many_as_asked_for(write, walks, run):
    meeting = threading.Barrier(2, timeout=60)
    walks[0].update(dict.fromkeys("abcd", lambda _terminal: meeting.wait() and None))
    assert run(*map(write, "abcd"), more=("--parallel", "2"))[0] == 0  # each waits until another is at work too
    at_work, most = [], []

    def count(_terminal):
        at_work.append(1)
        most.append(len(at_work))
        at_work.pop()

    walks[0].update(dict.fromkeys("abcd", count))
    assert run(*map(write, "abcd"), more=("--parallel", "1"))[0] == 0
    assert most == [1, 1, 1, 1]


def test_lines_bear_the_name_of_their_problem_and_what_it_prints_goes_to_its_own_log(write, walks, run, tmp_path):
    meeting = threading.Barrier(2, timeout=60)

    def speak(terminal):
        with terminal.noise_to(tmp_path / f"{threading.current_thread().name}.log"):
            meeting.wait()
            for _ in range(50):
                terminal.say("ingest\nexpectations")
                print(f"noise of {threading.get_ident()}")
                print(f"noise of {threading.get_ident()}", file=sys.stderr)

    walks[0].update(a=speak, b=speak)
    _, out, err = run(write("a"), write("b"), more=("--parallel", "2"))
    lines = out.splitlines()
    for name in "ab":
        assert [line for line in lines if line.startswith(f"{name}  ")] == [
            f"{name}  ingest",
            f"{name}  expectations",
        ] * 50
    assert "noise" not in out + err
    logs = [file.read_text(encoding="utf-8").splitlines() for file in sorted(tmp_path.glob("road *.log"))]
    assert [(len(log), len(set(log))) for log in logs] == [(100, 1)] * 2


def test_an_interruption_ends_all(write, walks, run):
    walks[0]["a"] = KeyboardInterrupt()
    assert run(write("a"), write("b"), more=("--parallel", "1"))[0] == ExitCode.INTERRUPTED
    assert [name for name, *_ in walks[1]] == ["a"]


def test_after_an_interruption_the_others_are_not_waited_for_and_say_nothing_more(write, walks, run, capfd):
    begun, interrupted, done = threading.Event(), threading.Event(), threading.Event()

    def interrupt(_terminal):
        begun.wait(60)
        return KeyboardInterrupt()

    def go_on(terminal):
        begun.set()
        interrupted.wait(60)
        terminal.say("too late")
        terminal.complain("too late")
        done.set()

    walks[0].update(a=interrupt, b=go_on)
    assert run(write("a"), write("b"), write("c"), more=("--parallel", "2"))[0] == ExitCode.INTERRUPTED
    interrupted.set()
    assert done.wait(60)
    assert "too late" not in "".join(capfd.readouterr())
    assert sorted(name for name, *_ in walks[1]) == ["a", "b"]


def test_problem_files_keep_the_order_they_are_given_in(write):
    later, earlier = write("z"), write("a")
    assert many_roads.problem_files([later, earlier]) == (later, earlier)
    with pytest.raises(InputError, match="named twice"):
        many_roads.problem_files([later, later])
