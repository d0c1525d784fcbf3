"""An artefact's files: each is accounted for, and none holds a pickle under whatever name."""

import gzip
import hashlib
import os
import pickle

import pytest

from gauntlet.adapters.artefact_files import file_digests, pickles_in, require_same_files
from gauntlet.core.errors import EvidenceError

pytestmark = pytest.mark.unit

FILES = {"MLmodel": b"flavors: {}\n", "artifacts/model.ubj": b"{", "artifacts/Zebra": b"", "a/b/c.txt": b"c"}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "model"


def test_every_file_is_digested_by_its_path_in_order(folder):
    (folder / "empty").mkdir()
    expected = {name: hashlib.sha256(FILES[name]).hexdigest() for name in sorted(FILES)}
    assert list(file_digests(folder).items()) == list(expected.items())


@pytest.mark.parametrize("target", ["MLmodel", "artifacts", "nowhere", "/etc/hostname"])
@pytest.mark.parametrize("ask", [file_digests, pickles_in])
def test_a_link_is_refused(folder, target, ask):
    (folder / "a" / "link").symlink_to(folder / target)
    with pytest.raises(EvidenceError, match="a/link is a link"):
        ask(folder)


def test_what_is_neither_a_file_nor_a_folder_is_refused(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(EvidenceError, match="pipe is neither"):
        file_digests(folder)


def test_a_name_that_cannot_be_written_down_is_refused(folder):
    (folder / os.fsdecode(b"\xff")).write_bytes(b"")
    with pytest.raises(EvidenceError, match="not UTF-8"):
        file_digests(folder)


@pytest.mark.parametrize("ask", [file_digests, pickles_in])
@pytest.mark.parametrize("place", ["nowhere", "MLmodel"])
def test_what_cannot_be_read_is_refused(folder, place, ask):
    with pytest.raises(EvidenceError, match=f"{place}: cannot be read"):
        ask(folder / place)


def test_a_file_that_cannot_be_read_is_named(folder, monkeypatch):
    def denied(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(EvidenceError, match=r"MLmodel: cannot be read \(Permission denied\)"):
        file_digests(folder)


def _change(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: _change(folder, "MLmodel", b"flavors: {}\r"), "MLmodel has changed"),
        (lambda folder: _change(folder, "artifacts/Zebra", b"\0"), "artifacts/Zebra has changed"),
        (lambda folder: _change(folder, "artifacts/.hidden", b""), r"artifacts/\.hidden was added"),
        (lambda folder: (folder / "a/b/c.txt").unlink(), r"a/b/c\.txt is missing"),
        (lambda folder: (folder / "a/b/c.txt").rename(folder / "a/c.txt"), r"a/b/c\.txt is missing"),
    ],
    ids=["changed", "grown", "added", "removed", "moved"],
)
def test_a_folder_that_differs_is_refused_by_the_files_name(folder, change, message):
    expected = file_digests(folder)
    require_same_files(expected, folder, what="version 3")
    change(folder)
    with pytest.raises(EvidenceError, match=f"version 3: {message}"):
        require_same_files(expected, folder, what="version 3")


def test_pickles_are_found_by_what_they_are(folder):
    assert pickles_in(folder) == ()
    _change(folder, "artifacts/model.json", pickle.dumps(FILES))
    _change(folder, "a/README.md", gzip.compress(pickle.dumps(FILES, 0)))
    _change(folder, "model.pkl", b"a name is no proof")
    assert pickles_in(folder) == ("a/README.md", "artifacts/model.json")
