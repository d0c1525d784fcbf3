"""Files below a mounted path that is no folder here: read through Spark, kept by digest, or refused in one sentence.

The scheme ``file`` stands in for Databricks' ``dbfs``: Spark knows it, and Python takes it for no folder.
"""

from __future__ import annotations

import pytest

from gauntlet.adapters import mounted_files
from gauntlet.adapters.mounted_files import MountedFolder
from gauntlet.adapters.origins import fetch
from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import SourceError
from tests.made_problem import make_problem

pytestmark = [pytest.mark.data, pytest.mark.local_only("reads files of this machine through its own Spark")]

CSV = b"size,visits\n1,2\n3,4\n"


@pytest.fixture
def samples(tmp_path):
    folder = tmp_path / "samples [1], all"
    folder.mkdir()
    (folder / "shop.csv").write_bytes(CSV)
    return folder


def found(spark, samples, tmp_path, **source):
    problem = make_problem(
        origins=[{"kind": "mounted", "path": f"file:{samples}", "targets": ["databricks"]}],
        sources=[{"name": "shop", "file": "shop.csv", **source}],
    )
    return fetch(
        problem, target_name="databricks", cache=tmp_path / "cache", synthetic_allowed=False, spark=lambda: spark
    )


def test_a_file_comes_through_spark_and_what_was_promised_comes_once(spark, samples, tmp_path):
    whole = found(spark, samples, tmp_path)
    assert whole.files["shop"].read_bytes() == CSV
    assert whole.source.description == f"mounted path file:{samples}"
    promised = file_digest(samples / "shop.csv")
    assert whole.source.files == {"shop": promised}
    (samples / "shop.csv").unlink()
    assert found(None, samples, tmp_path, sha256=promised).files == whole.files


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "shop.csv").unlink(), r"shop\.csv: Spark cannot read it \(.*PATH_NOT_FOUND"),
        (lambda folder: (folder / "shop.csv").write_bytes(b""), r"shop\.csv: the file is empty"),
        (lambda folder: (folder / "shop.csv").write_bytes(b"<html>"), "an HTML page in place of a csv file"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(spark, samples, tmp_path, spoil, says):
    spoil(samples)
    with pytest.raises(SourceError, match=says) as caught:
        found(spark, samples, tmp_path)
    assert "JVM" not in str(caught.value)


def test_other_bytes_than_were_promised_are_refused(spark, samples, tmp_path):
    with pytest.raises(SourceError, match="wrong checksum"):
        found(spark, samples, tmp_path, sha256="0" * 64)


def test_a_file_too_large_for_one_message_and_a_folder_are_refused(spark, samples, tmp_path, monkeypatch):
    monkeypatch.setattr(mounted_files, "LARGEST_BYTES", len(CSV) - 1)
    with pytest.raises(SourceError, match="too much to be read through Spark; run as a job"):
        found(spark, samples, tmp_path)
    (samples / "more").mkdir()
    for name in ("first", "second"):
        (samples / "more" / name).write_bytes(CSV)
    with pytest.raises(SourceError, match="a folder, of which Spark cannot"):
        found(spark, samples, tmp_path, file="more")


def test_a_folder_of_this_machine_is_read_where_it_is(samples, tmp_path):
    assert MountedFolder(f"dbfs:{samples}", lambda: pytest.fail("no session is needed"), tmp_path).here == samples
