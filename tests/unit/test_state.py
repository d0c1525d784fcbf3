"""The state folder: complete or not there, and one writer at a time."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gauntlet.core.errors import RequirementError
from gauntlet.core.results import FileRef, ReportResult, StageResult, TableRef
from gauntlet.core.state import State, append_line, write_atomically

pytestmark = pytest.mark.unit

KEY = "a" * 64
RESULT = ReportResult(file=FileRef(path="x/report.html", sha256="0"))


def test_a_saved_result_is_read_back(tmp_path):
    state = State(tmp_path)
    state.save_result("report", KEY, RESULT, parts={"seed": "1"})
    assert state.result("report", KEY, ReportResult) == RESULT
    assert state.parts("report") == {"seed": "1"}


@pytest.mark.parametrize(
    "content", ["", "{", '{"key": "b", "result": {}}', json.dumps({"key": KEY, "result": {}}), "[]"]
)
def test_a_result_that_cannot_be_read_counts_as_missing(tmp_path, content):
    state = State(tmp_path)
    state.save_result("report", KEY, RESULT, parts={})
    (state.stage_folder("report", KEY) / "result.json").write_text(content, encoding="utf-8")
    assert state.result("report", KEY, ReportResult) is None


def test_a_result_of_another_key_with_the_same_folder_counts_as_missing(tmp_path):
    state = State(tmp_path)
    state.save_result("report", KEY, RESULT, parts={})
    assert state.result("report", KEY[:16] + "b" * 48, ReportResult) is None


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    state = State(tmp_path / "state")
    code = (
        "import sys; from pathlib import Path; from gauntlet.core.state import State\n"
        "with State(Path(sys.argv[1])).locked():\n print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(state.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RequirementError, match=rf"in use by process {holder.pid}; wait for it"), state.locked():
            pytest.fail("two writers at once")
        holder.communicate()
    with state.locked():
        assert (state.root / "holder.txt").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RequirementError, match="cannot be written"), State(tmp_path / "file" / "state").locked():
        pytest.fail("a folder inside a file")


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch):
    path, opened = tmp_path / "reads.jsonl", Path.open
    append_line(path, "first")

    def full(self, mode="r", *args, **options):
        stream = opened(self, mode, *args, **options)
        if mode == "a":
            with opened(self, "ab") as half:
                half.write(b"sec")
            stream.write = lambda _text: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
        return stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OSError, match="No space"):
            append_line(path, "second")
    assert path.read_text(encoding="utf-8") == "first\n"


def test_what_a_killed_writer_left_of_a_line_is_removed_by_the_next(tmp_path):
    path = tmp_path / "reads.jsonl"
    for torn in ("fir", "first\nsec"):
        path.write_text(torn, encoding="utf-8")
        append_line(path, "more")
        assert path.read_text(encoding="utf-8") == torn[: torn.find("\n") + 1] + "more\n"


def test_a_renamed_file_is_renamed_on_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    write_atomically(tmp_path / "summary.json", "new")
    assert synced[-1] == tmp_path


@pytest.mark.parametrize("step", ["open", "write"])
@pytest.mark.parametrize(("number", "known"), [(errno.EOPNOTSUPP, True), (errno.ESPIPE, True), (errno.ENOSPC, False)])
def test_a_line_is_added_where_files_cannot_be_appended_to(tmp_path, monkeypatch, step, number, known):
    path, opened, synced = tmp_path / "reads.jsonl", Path.open, os.fsync
    append_line(path, "first")

    def no_appending(self, mode="r", *args, **options):
        if mode == "a":
            if step == "open":
                raise OSError(number, os.strerror(number))
            monkeypatch.setattr("os.fsync", fails_once)
        return opened(self, mode, *args, **options)

    def fails_once(_descriptor):
        monkeypatch.setattr("os.fsync", synced)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", no_appending)
    if known:
        append_line(path, "second")
        assert path.read_text(encoding="utf-8") == "first\nsecond\n"
    else:
        with pytest.raises(OSError, match="No space"):
            append_line(path, "second")


def test_a_results_digest_ignores_table_versions_and_nothing_else():
    class Holder(StageResult):
        table: TableRef

    table = TableRef(name="raw", full_name="a.b.raw", format="delta", version=1, rows=5, fingerprint="f")
    one = Holder(table=table)
    assert one.digest() == Holder(table=table.model_copy(update={"version": 9})).digest()
    for change in ({"rows": 6}, {"fingerprint": "g"}, {"name": "curated"}):
        assert one.digest() != Holder(table=table.model_copy(update=change)).digest()
    assert json.loads(one.model_dump_json())["table"]["version"] == 1
