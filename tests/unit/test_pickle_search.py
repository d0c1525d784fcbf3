"""The search for pickles: none hides behind a name, a packing or a trick, and innocent files are let be."""

import base64
import bz2
import collections
import datetime
import gzip
import io
import json
import lzma
import pickle
import tarfile
import warnings
import zipfile
import zlib

import joblib
import numpy as np
import pytest
import skops.io
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from gauntlet.adapters import pickle_search
from gauntlet.adapters.pickle_search import holds_pickle

pytestmark = pytest.mark.unit

PROTOCOLS = range(6)
OBJECTS = (
    datetime.date(2026, 7, 1),
    collections.Counter("aab"),
    {"a": [1, 2.5, None]},
    np.arange(3),
    len,
    ValueError(1),
)
BOMB = b"cos\nsystem\n(S'true'\ntR."


def _saved(function, *arguments, **options):
    stream = io.BytesIO()
    function(*arguments, stream, **options)
    return stream.getvalue()


def _joblib(value, **options):
    return _saved(lambda stream: joblib.dump(value, stream, **options))


def _zip(**members):
    def write(stream):
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return _saved(write)


def _tar(content):
    def write(stream):
        with tarfile.open(fileobj=stream, mode="w") as archive:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.LNKTYPE, "nowhere"
            archive.addfile(link)
            info = tarfile.TarInfo("weights")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    return _saved(write)


def _npy(array):
    return _saved(lambda stream: np.save(stream, array, allow_pickle=True))


def _forest():
    rng = np.random.default_rng(5)
    return RandomForestClassifier(3, max_depth=2, random_state=5).fit(rng.random((40, 3)), rng.integers(0, 2, 40))


def _booster():
    rng = np.random.default_rng(5)
    data = xgboost.DMatrix(rng.random((40, 3)), rng.integers(0, 2, 40))
    return bytes(xgboost.train({"nthread": 1}, data, 2).save_raw("ubj"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_a_pickle_of_every_protocol_is_found(value, protocol):
    plain = pickle.dumps(value, protocol)
    assert holds_pickle(plain)
    assert holds_pickle(plain.removeprefix(b"\x80" + bytes([protocol])))  # unpicklers do without it


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)], ids=str)
def test_joblibs_files_are_found(compress, protocol):
    assert holds_pickle(_joblib({"weights": np.arange(50.0)}, compress=compress, protocol=protocol))


PICKLE = pickle.dumps(OBJECTS[0], 0)
TEXT_CHECKSUM = zlib.crc32(b"text").to_bytes(4, "little")
PACKED = {
    "zlib": zlib.compress(PICKLE),
    "zlib, second stream": zlib.compress(b"") + zlib.compress(PICKLE),
    "gzip, second member": gzip.compress(b"") + gzip.compress(PICKLE),
    "gzip that breaks off": gzip.compress(PICKLE + bytes(range(256)) * 200)[:-20],
    "bz2": bz2.compress(PICKLE),
    "lzma of the old form": lzma.compress(PICKLE, format=lzma.FORMAT_ALONE),
    "zip": _zip(readme="no", weights=PICKLE),
    "zip behind other bytes": b"#!/bin/sh\n" + _zip(weights=PICKLE),
    "zip in zip": _zip(inner=_zip(weights=PICKLE)),
    "PyTorch's layout": _zip(**{"archive/data.pkl": pickle.dumps({"w": 1}, 2), "archive/data/0": bytes(64)}),
    "tar": _tar(PICKLE),
    "tar in gzip": gzip.compress(_tar(PICKLE)),
    "array of objects": _npy(np.array([{"a": 1}], dtype=object)),
    "structured array with objects": _npy(np.array([(1, "a")], dtype=[("number", "i4"), ("thing", "O")])),
    "npz with objects": _saved(lambda stream: np.savez(stream, good=np.arange(3), bad=np.array([None]))),
    "packed too often": _zip(a=_zip(b=_zip(c=_zip(d=_zip(e=_zip(f=b"text")))))),
    "joblib before 0.10": b"ZF" + hex(len(PICKLE)).ljust(19).encode() + zlib.compress(PICKLE),
    "joblib's LZ4": b"\x04\x22\x4d\x18" + bytes(9),
    "a zip that breaks off": _zip(weights=PICKLE)[:60],
    "a zip with a wrong checksum": _zip(a=b"text").replace(TEXT_CHECKSUM, b"abcd"),
    "an array's header that numpy refuses": b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O',",
}


@pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)
def test_a_packed_pickle_is_found(content):
    assert holds_pickle(content)


TRICKS = {
    "a call and no end": BOMB[:-1],
    "a call and rubbish behind": BOMB[:-1] + b"\xff",
    "a call behind a plain value": b"N." + BOMB,
    "numbers that genops does not read": b"I0x1\n0" + BOMB,
    "a text for an unpickler told latin-1": b"S'\xff'\n0" + BOMB,
    "a number that ends early": b"I1\x00text\n0" + BOMB,
    "the older calls": b"(S'true'\nios\nsystem\n.",
    "the class first": b"(cos\nsystem\nS'true'\no\xff",
    "an object made": b"cos\nsystem\n)\x81\xff",
    "an object made with names": b"cos\nsystem\n)}\x92\xff",
    "a mark taken off again": b"(0" + BOMB,
    "a number that ends at once": b"I\x00\n0" + BOMB,
    "an import that ends the file": b"(ios\nsystem ",
    "a list of arguments": b"cos\nsystem\n]R",
    "only an import, and rubbish": b"cos\nsystem\n.rubbish",
    # CPython's faster unpickler leaves out the rest of a frame in which a longer one begins.
    "a frame within a frame": b"\x95\x17"
    + bytes(7)
    + b"cos\nsystem\n"
    + b"\x95\x04"
    + bytes(7)
    + b"\xff\xff\xff"
    + b")R.N",
    "an older protocol said aloud": b"\x80\x00" + BOMB,
}


@pytest.mark.parametrize("content", TRICKS.values(), ids=TRICKS)
def test_a_pickle_that_tries_to_hide_is_found(content):
    assert holds_pickle(content)


INNOCENT = {
    "nothing": b"",
    "booster": _booster,
    "forest": lambda: skops.io.dumps(_forest()),
    "MLmodel": b"flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\nmodel_id: m-1\n",
    "JSON": lambda: json.dumps({"columns": ["alcohol"], "pickle": "c\nd\n."}).encode(),
    "a pickle as text": lambda: base64.b64encode(pickle.dumps(OBJECTS[0])),
    "Python": b"class Model:\n    pass\n.real\n",
    "an import by its first letter": b"cat\ndog\ncow\nbee\nbat\n",
    "words, one a line": b"Value\ncat\ndog\nRow\nbee\n",
    "names with a call": b"colour\nname\nVery\nRed\n",
    "numbers": b"0.5\n1.5\n",
    "a number": b"0.",
    "a bracket": b"(.",
    "a word that is no number": b"In\n.",
    "no number": b"I\n.",
    "a call of nothing imported": b"])R\xff",
    "a call of nothing": b"cos\nsystem\n(o\xff",
    "a length below nothing": b"T\x00\x00\x00\x88.",
    "an argument that is missing": b"N\x80",
    "a frame that is not all there": b"\x95" + bytes(range(1, 9)) + b"N\xff",
    "a protocol of the future": b"\x80\x09N.",
    "requirements": b"xgboost==3.2.0\nnumpy==2.4.0\n",
    "abbreviation": b"N. America\n",
    "brackets": b"(a)\n].\n}.\n",
    "text in UTF-16": "Wein\n".encode("utf-16"),
    "PNG": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17),
    "numbers of numpy": lambda: _npy(np.arange(5.0)),
    "numbers of numpy, long header": lambda: _saved(
        lambda stream: np.lib.format.write_array(stream, np.arange(5.0), version=(2, 0))
    ),
    "npz of numbers": lambda: _saved(lambda stream: np.savez_compressed(stream, a=np.arange(3))),
    "gzip of text": lambda: gzip.compress(b"class Model:\n"),
    "zip of text": lambda: _zip(a=b"text", b=_zip(c=b"text")),
    "tar of text": lambda: _tar(b"text"),
    "only the mark of a protocol": b"\x80\x04",
    "Parquet": b"PAR1\x15\x00\x15" + bytes(40) + b"PAR1",
    "BZh as text": b"BZh is a magic number\n",
}


@pytest.mark.parametrize("content", INNOCENT.values(), ids=INNOCENT)
def test_an_innocent_file_is_let_be(content):
    assert not holds_pickle(content() if callable(content) else content)


def test_what_expands_too_far_to_be_ruled_out_counts_as_a_pickle(monkeypatch):
    monkeypatch.setattr(pickle_search, "EXPANDED_BYTES", 10_000)
    hidden = b"V" + b" " * 50_000 + b"\n0" + BOMB
    assert holds_pickle(gzip.compress(hidden))
    assert holds_pickle(_zip(member=hidden))
    assert holds_pickle(gzip.compress(b"N" * (2 * 8192 - 1) + BOMB))  # cut behind its first letter
    assert holds_pickle(gzip.compress(b"N" * 50_000 + b"\xff"))
    assert not holds_pickle(gzip.compress(b"[" + b" " * 50_000))
    assert not holds_pickle(b"N" * 50_000 + b"\xff")


def test_an_encrypted_member_counts_as_a_pickle():
    content = bytearray(_zip(member=b"text"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    assert holds_pickle(bytes(content))


class _CalledError(Exception):
    """Something was called while unpickling."""


def _calls_something(content):
    """Unpickle with both of Python's unpicklers, every import replaced by something that tells of its call."""

    class Thing:
        def __new__(cls, *_, **__):
            raise _CalledError

    def find(_, module, name):
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise ImportError(name)
        return Thing

    for base in (pickle.Unpickler, pickle._Unpickler):
        unpickler = type("Unpickler", (base,), {"find_class": find, "persistent_load": lambda _, name: name})
        try:
            unpickler(io.BytesIO(content)).load()
        except _CalledError:
            return True
        except Exception:  # noqa: S112 - a broken pickle may fail in any way
            continue
    return False


_PIECES = [pickle.dumps(value, protocol) for value in OBJECTS[:3] for protocol in PROTOCOLS] + [*TRICKS.values(), BOMB]
_NOISE = [bytes([byte]) for byte in b"(cos\nS'tR.012IJKLNVXpqghl]}da\x85\x86\x93\x8cbeu\x81\x94"]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(_PIECES), st.integers(0, 12), st.integers(0, 60), st.sampled_from(_NOISE)),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_makes_an_unpickler_call_something_is_found(pieces):
    content = b"".join(piece[start : start + length] + noise for piece, start, length, noise in pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that mean nothing
        called = _calls_something(content)
    assert holds_pickle(content) or not called
