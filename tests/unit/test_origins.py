from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from gauntlet.adapters import downloads, origin_files, origins
from gauntlet.adapters.faults import explained
from gauntlet.adapters.origins import Fetched, fetch, local_bytes
from gauntlet.core.errors import RequirementError, SourceError
from gauntlet.core.problem import Problem
from tests.made_problem import make_problem

pytestmark = pytest.mark.unit

CSV = b"size,visits\n1,2\n3,4\n"
HTML = b"\n<!DOCTYPE html><html><body>Not here</body></html>"


@dataclass
class Answer:
    """What the site gives once: with ``declared`` larger than the body, the connection breaks off."""

    body: bytes = b""
    status: int = 200
    declared: int | None = None
    location: str | None = None


@dataclass
class Site:
    """A web site on this machine; of several answers for a path each is given once, the last for ever."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def give(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    def take(self, path: str) -> Answer:
        self.asked.append(path)
        waiting = self.answers.get(path, [Answer(status=404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(downloads, "_BACKOFF_SECONDS", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = made.take(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(answer.declared or len(answer.body)))
            if answer.location is not None:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def problem_of(*origins: dict[str, Any], **source: Any) -> Problem:
    return make_problem(origins=origins, sources=[{"name": "shop", "file": "shop.csv", **source}])


def got(problem: Problem, cache: Path, *, target_name: str = "local", synthetic_allowed: bool = True) -> Fetched:
    return fetch(problem, target_name=target_name, cache=cache, synthetic_allowed=synthetic_allowed, spark=no_session)


def no_session() -> Any:
    raise RequirementError("no session")


def archive(url: str, sha256: str | None = None) -> dict[str, Any]:
    return {"kind": "archive", "url": url, "sha256": sha256}


def links(url: str) -> dict[str, Any]:
    return {"kind": "links", "base_url": url}


def test_takes_files_from_a_folder_and_writes_down_their_digests(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_bytes(CSV)
    fetched = got(problem_of({"kind": "folder", "path": str(tmp_path)}), tmp_path / "cache")
    assert fetched.files == {"shop": tmp_path / "shop.csv"}
    assert fetched.source.files == {"shop": sha256(CSV)}
    assert (fetched.source.origin, fetched.source.synthetic, fetched.source.refused) == ("folder", False, ())


def test_takes_the_folder_from_an_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.csv").write_bytes(CSV)
    monkeypatch.setenv("CUSTOMERS_DIR", str(tmp_path))
    fetched = got(problem_of({"kind": "folder", "variable": "CUSTOMERS_DIR"}), tmp_path / "cache")
    assert fetched.source.description == f"folder {tmp_path} (CUSTOMERS_DIR)"


@pytest.mark.parametrize("value", [None, ""])
def test_says_that_the_variable_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("CUSTOMERS_DIR", raising=False)
    if value is not None:
        monkeypatch.setenv("CUSTOMERS_DIR", value)
    with pytest.raises(SourceError, match=r"folder: CUSTOMERS_DIR is not set"):
        got(problem_of({"kind": "folder", "variable": "CUSTOMERS_DIR"}), tmp_path)


def test_a_relative_folder_counts_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop.csv").write_bytes(CSV)
    monkeypatch.chdir(tmp_path)
    assert got(problem_of({"kind": "folder", "path": "data"}), tmp_path).files["shop"] == tmp_path / "data" / "shop.csv"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.csv").write_bytes(CSV)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert got(problem_of({"kind": "folder", "path": "~"}), tmp_path).files["shop"] == tmp_path / "shop.csv"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"shop\.csv: there is no such file"),
        (b"", r"shop\.csv: the file is empty"),
        (HTML, r"shop\.csv: an HTML page in place of a csv file"),
    ],
)
def test_refuses_a_file_that_is_no_data(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "shop.csv").write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        got(problem_of({"kind": "folder", "path": str(tmp_path)}), tmp_path)


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: there is no such folder"):
        got(problem_of({"kind": "folder", "path": str(tmp_path / "nowhere")}), tmp_path)


def test_refuses_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CSV)
    with pytest.raises(SourceError, match=r"file: not a folder"):
        got(problem_of({"kind": "folder", "path": str(tmp_path / "file")}), tmp_path)


def test_refuses_an_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbid)  # a superuser may read any folder, so its bits would not do
    with pytest.raises(SourceError, match=r"cannot be read \(Permission denied\)"):
        got(problem_of({"kind": "folder", "path": str(tmp_path)}), tmp_path)


def test_refuses_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "shop.csv").write_bytes(CSV)
    monkeypatch.setattr(origin_files, "file_digest", forbid)
    with pytest.raises(SourceError, match=r"shop\.csv: cannot be read \(Permission denied\)"):
        got(problem_of({"kind": "folder", "path": str(tmp_path)}), tmp_path)


def test_refuses_a_wrong_checksum_and_tries_the_next_origin(tmp_path: Path) -> None:
    for name, content in (("wrong", CSV + b"5,6\n"), ("right", CSV)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.csv").write_bytes(content)
    folders = [{"kind": "folder", "path": str(tmp_path / name)} for name in ("wrong", "right")]
    fetched = got(problem_of(*folders, sha256=sha256(CSV)), tmp_path)
    assert fetched.files["shop"].parent.name == "right"
    (refused,) = fetched.source.refused
    assert "wrong checksum (SHA-256 " in refused
    assert f"instead of {sha256(CSV)[:12]}" in refused


def test_a_mounted_path_counts_on_its_targets_only(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_bytes(CSV)
    problem = problem_of({"kind": "mounted", "path": str(tmp_path), "targets": ["databricks"]})
    assert got(problem, tmp_path, target_name="databricks").source.origin == "mounted"
    with pytest.raises(SourceError, match=r"mounted: .*: there on target databricks only"):
        got(problem, tmp_path)


def test_a_mounted_path_that_is_no_folder_here_needs_a_session(tmp_path: Path) -> None:
    problem = problem_of({"kind": "mounted", "path": "dbfs:/databricks-datasets/nothing"})
    with pytest.raises(RequirementError, match="no session"):
        got(problem, tmp_path, target_name="databricks")


def test_generated_data_comes_last_and_says_why(tmp_path: Path) -> None:
    problem = problem_of({"kind": "folder", "path": str(tmp_path / "nowhere")}, {"kind": "synthetic", "rows": 500})
    fetched = got(problem, tmp_path)
    assert fetched.source.synthetic
    assert fetched.files == {}
    assert "no such folder" in fetched.source.refused[0]


def test_generated_data_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"synthetic: refused by --no-synthetic"):
        got(problem_of({"kind": "synthetic"}), tmp_path, synthetic_allowed=False)


def test_lists_every_origin_that_failed(tmp_path: Path, site: Site) -> None:
    problem = problem_of(
        {"kind": "folder", "path": str(tmp_path / "nowhere")},
        archive(site.url + "/a.zip"),
        links(site.url),
        {"kind": "synthetic"},
    )
    with pytest.raises(SourceError) as caught:
        got(problem, tmp_path, synthetic_allowed=False)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:5]] == ["folder", "archive", "links", "synthetic"]
    assert "there is no such file (404)" in lines[2]


@pytest.mark.parametrize("member", ["shop_csv", "inner__shop_csv"])
def test_takes_a_file_out_of_an_archive(tmp_path: Path, site: Site, member: str) -> None:
    content = zipped(**{member: CSV})
    url = site.give("/data.zip", Answer(content))
    fetched = got(problem_of(archive(url, sha256(content)), sha256=sha256(CSV)), tmp_path)
    assert fetched.files["shop"].read_bytes() == CSV
    assert fetched.files["shop"].name == "shop.csv"
    assert fetched.source.description == f"archive {url}"


def test_refuses_an_archive_that_is_made_to_fill_the_disk(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "_UNPACKED_BYTES", 1 << 20)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("shop.csv", b"0" * (8 << 20))
    url = site.give("/data.zip", Answer(stream.getvalue()))
    with pytest.raises(SourceError, match=r"shop\.csv: refused, it has more than [0-9,]+ bytes"):
        got(problem_of(archive(url)), tmp_path)
    assert not list((tmp_path / "files").glob(".incoming-*"))
    monkeypatch.setattr(origins, "_UNPACKED_BYTES", 8 << 20)
    assert got(problem_of(archive(url)), tmp_path).files["shop"].stat().st_size == 8 << 20


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"_MOST_BYTES": len(CSV) - 1}, r"shop\.csv: refused, it has more than [0-9]+ bytes"),
        ({"_MOST_SECONDS": -1}, r"shop\.csv: given up after"),
    ],
)
def test_a_download_has_an_end(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int], sentence: str
) -> None:
    site.give("/shop.csv", Answer(CSV))
    for name, value in limit.items():
        monkeypatch.setattr(downloads, name, value)
    with pytest.raises(SourceError, match=sentence):
        got(problem_of(links(site.url)), tmp_path)


@pytest.mark.parametrize(
    ("asked", "leads_to", "refused"),
    [
        ("https://192.0.43.8/a.csv", "http://127.0.0.1:5000/a.csv", True),
        ("https://192.0.43.8/a.csv", "https://localhost/a.csv", True),
        ("https://192.0.43.8/a.csv", "https://10.1.2.3/a.csv", True),
        ("https://192.0.43.8/a.csv", "https://[fd00::1]/a.csv", True),
        ("https://192.0.43.8/a.csv", "https://169.254.169.254/latest", True),
        ("https://192.0.43.8/a.csv", "https://192.0.43.9/a.csv", False),
        ("https://192.0.43.8/a.csv", "/b.csv", False),
        ("https://10.1.2.3/a.csv", "https://10.9.9.9/a.csv", False),
    ],
)
def test_no_redirect_leads_from_the_outside_to_the_inside(asked: str, leads_to: str, refused: bool) -> None:
    answer = requests.Response()
    answer.url, answer.status_code, answer.headers["location"] = asked, 302, leads_to
    (check,) = downloads._session().hooks["response"]
    if not refused:
        check(answer)
        return
    with pytest.raises(SourceError, match="which is no public address"):
        check(answer)


def test_a_cached_archive_is_used_without_the_network(tmp_path: Path, site: Site) -> None:
    content = zipped(shop_csv=CSV)
    problem = problem_of(archive(site.give("/data.zip", Answer(content)), sha256(content)))
    got(problem, tmp_path)
    assert got(problem, tmp_path).files["shop"].read_bytes() == CSV
    assert site.asked == ["/data.zip"]


def test_a_damaged_copy_in_the_cache_is_fetched_again(tmp_path: Path, site: Site) -> None:
    content = zipped(shop_csv=CSV)
    problem = problem_of(archive(site.give("/data.zip", Answer(content)), sha256(content)))
    got(problem, tmp_path)
    copy = tmp_path / "files" / sha256(content) / "data.zip"
    copy.write_bytes(content[:-1] + b"x")
    assert got(problem, tmp_path).files["shop"].read_bytes() == CSV
    assert copy.read_bytes() == content


def test_without_a_promised_digest_the_last_copy_serves_when_the_network_is_off(tmp_path: Path, site: Site) -> None:
    problem = problem_of(links(site.url))
    site.give("/shop.csv", Answer(CSV), Answer(CSV + b"5,6\n"), Answer(status=404))
    assert got(problem, tmp_path).source.files["shop"] == sha256(CSV)
    assert got(problem, tmp_path).source.files["shop"] == sha256(CSV + b"5,6\n")
    last = got(problem, tmp_path)
    assert last.source.files["shop"] == sha256(CSV + b"5,6\n")
    last.files["shop"].write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"there is no such file \(404\)"):
        got(problem, tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"data\.zip: the file is empty"),
        (HTML, r"data\.zip: an HTML page in place of a ZIP archive"),
        (b"size,visits\n", r"data\.zip: not a ZIP archive"),
        (zipped(shop_csv=CSV)[:-10], r"data\.zip: a truncated ZIP archive"),
        (zipped(other_csv=CSV), r"data\.zip: the ZIP archive has no file shop\.csv; it holds other\.csv"),
        (
            zipped(shop_csv=CSV).replace(CSV, CSV[:-2] + b"9\n", 1),
            r"shop\.csv cannot be unpacked, the ZIP archive is damaged",
        ),
    ],
)
def test_refuses_an_archive_that_is_none(tmp_path: Path, site: Site, content: bytes, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        got(problem_of(archive(site.give("/data.zip", Answer(content)))), tmp_path)
    assert not list((tmp_path / "files").rglob(".incoming-*"))


def test_refuses_an_archive_with_a_wrong_checksum(tmp_path: Path, site: Site) -> None:
    url = site.give("/data.zip", Answer(zipped(shop_csv=CSV)))
    with pytest.raises(SourceError, match=r"data\.zip: wrong checksum"):
        got(problem_of(archive(url, "0" * 64)), tmp_path)


def test_refuses_an_archive_whose_file_has_a_wrong_checksum(tmp_path: Path, site: Site) -> None:
    url = site.give("/data.zip", Answer(zipped(shop_csv=CSV)))
    with pytest.raises(SourceError, match=r"data\.zip \(shop\.csv\): wrong checksum"):
        got(problem_of(archive(url), sha256="0" * 64), tmp_path)


def test_tries_a_busy_server_again(tmp_path: Path, site: Site) -> None:
    site.give("/shop.csv", Answer(status=503), Answer(status=503), Answer(CSV))
    assert got(problem_of(links(site.url + "/")), tmp_path).files["shop"].read_bytes() == CSV
    assert site.asked == ["/shop.csv"] * 3


def test_gives_up_on_a_server_that_stays_busy(tmp_path: Path, site: Site) -> None:
    site.give("/shop.csv", Answer(status=503))
    with pytest.raises(SourceError, match=r"shop\.csv: the server answers 503"):
        got(problem_of(links(site.url)), tmp_path)
    assert len(site.asked) == 4


def test_asks_again_for_a_body_that_broke_off(tmp_path: Path, site: Site) -> None:
    site.give("/shop.csv", Answer(CSV[:5], declared=len(CSV)), Answer(CSV))
    assert got(problem_of(links(site.url)), tmp_path).files["shop"].read_bytes() == CSV


def test_refuses_a_truncated_file(tmp_path: Path, site: Site) -> None:
    site.give("/shop.csv", Answer(CSV[:5], declared=len(CSV)))
    with pytest.raises(SourceError, match=r"shop\.csv: truncated \(the connection broke off"):
        got(problem_of(links(site.url)), tmp_path)
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(status=404), r"shop\.csv: there is no such file \(404\)"),
        (Answer(status=403), r"shop\.csv: the server answers 403"),
        (Answer(HTML), r"shop\.csv: an HTML page in place of a csv file"),
        (Answer(b""), r"shop\.csv: the file is empty"),
        (Answer(CSV), r"shop\.csv: wrong checksum"),
        (Answer(status=302, location="http://example.org/a"), r"http://example\.org/a: refused, because only https"),
    ],
)
def test_refuses_a_link_that_gives_no_data(tmp_path: Path, site: Site, answer: Answer, sentence: str) -> None:
    site.give("/shop.csv", answer)
    with pytest.raises(SourceError, match=sentence):
        got(problem_of(links(site.url), sha256="0" * 64), tmp_path)


def test_follows_a_link_that_has_moved(tmp_path: Path, site: Site) -> None:
    site.give("/shop.csv", Answer(status=301, location="/new/shop.csv"))
    site.give("/new/shop.csv", Answer(CSV))
    assert got(problem_of(links(site.url)), tmp_path).files["shop"].read_bytes() == CSV


def test_says_that_the_network_is_off(tmp_path: Path, site: Site) -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/shop\.csv: cannot be reached"):
        got(problem_of(links("http://127.0.0.1:1")), tmp_path)


@pytest.mark.parametrize("url", ["http://example.org", "ftp://example.org", "file:///etc", "example.org"])
def test_refuses_addresses_without_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError, match=r"refused, because only https:// is safe"):
        got(problem_of(links(url)), tmp_path)


@pytest.mark.parametrize("make", [archive, links])
def test_a_delta_table_cannot_come_as_a_file(tmp_path: Path, make: Any) -> None:
    with pytest.raises(SourceError, match=r"cannot give the Delta table shop\.csv, which is a folder"):
        got(problem_of(make("https://127.0.0.1:1/x"), format="delta"), tmp_path)


def test_says_that_the_cache_cannot_be_used(tmp_path: Path, site: Site) -> None:
    (tmp_path / "cache").write_text("a file in its place", encoding="utf-8")
    site.give("/shop.csv", Answer(CSV))
    with pytest.raises(SourceError, match=r"the cache cannot be used .*set GAUNTLET_CACHE_DIR"):
        got(problem_of(links(site.url)), tmp_path / "cache")


def test_a_full_disk_stops_the_search(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any, **__: Any) -> None:
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"x")

    site.give("/shop.csv", Answer(CSV))
    monkeypatch.setattr(downloads, "_write", fill)
    with pytest.raises(RequirementError, match="the disk is full"):
        got(problem_of(links(site.url), {"kind": "synthetic"}), tmp_path)


def parquet_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for part in (0, 1):
        pd.DataFrame({"size": [part, 2]}).to_parquet(folder / f"part-{part}.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def folder_digest(folder: Path, kind: str = "parquet") -> str:
    problem = problem_of({"kind": "folder", "path": str(folder.parent)}, file=folder.name, format=kind)
    return got(problem, folder.parent / "cache").source.files["shop"]


def test_a_folders_digest_is_that_of_its_data_files(tmp_path: Path) -> None:
    one, two = parquet_folder(tmp_path / "one" / "table"), parquet_folder(tmp_path / "two" / "table")
    (two / "_SUCCESS").unlink()
    (two / ".part-0.parquet.crc").touch()
    assert folder_digest(one) == folder_digest(two)
    (two / "part-1.parquet").rename(two / "part-2.parquet")
    assert folder_digest(one) != folder_digest(two)


def test_the_log_of_a_delta_table_is_part_of_its_digest(tmp_path: Path) -> None:
    folder = parquet_folder(tmp_path / "table")
    with pytest.raises(SourceError, match=r"not a Delta table \(it has no _delta_log\)"):
        folder_digest(folder, "delta")
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "00000000000000000000.json").write_text("{}", encoding="utf-8")
    before = folder_digest(folder, "delta")
    (folder / "_delta_log" / "00000000000000000001.json").write_text("{}", encoding="utf-8")
    assert folder_digest(folder, "delta") != before


def test_refuses_parquet_that_is_none(tmp_path: Path) -> None:
    folder = parquet_folder(tmp_path / "table")
    part = folder / "part-1.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-20])
    with pytest.raises(SourceError, match=r"part-1\.parquet: a truncated Parquet file"):
        folder_digest(folder)
    part.write_bytes(CSV)
    with pytest.raises(SourceError, match=r"part-1\.parquet: not a Parquet file"):
        folder_digest(folder)
    with pytest.raises(SourceError, match=r"part-1\.parquet: not a Delta table"):
        folder_digest(part, "delta")
    for file in folder.glob("*.parquet"):
        file.unlink()
    with pytest.raises(SourceError, match=r"table: the folder holds no Parquet file"):
        folder_digest(folder)
    with pytest.raises(SourceError, match=r"table: a folder in place of a CSV file"):
        folder_digest(folder, "csv")


def wrapped(inner: BaseException) -> BaseException:
    try:
        raise RuntimeError("the job failed") from inner
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, os.strerror(28)),
        Exception("java.io.IOException: No space left on device"),
        Exception("(sqlite3.OperationalError) database or disk is full"),
        wrapped(OSError(122, "Disk quota exceeded")),
    ],
)
def test_explains_a_full_disk(error: BaseException) -> None:
    assert isinstance(explained(error), RequirementError)


def test_explains_nothing_else() -> None:
    assert explained(ValueError("no space for jokes")) is None
    assert explained(SourceError("No space left on device, says a user's file")) is None


def test_how_much_data_is_here_is_known_before_any_is_read(tmp_path, monkeypatch):
    problem = make_problem(
        origins=[
            {"kind": "folder", "variable": "MADE_DATA_DIR"},
            {"kind": "folder", "path": str(tmp_path / "nowhere")},
            {"kind": "folder", "path": str(tmp_path)},
        ]
    )
    monkeypatch.delenv("MADE_DATA_DIR", raising=False)
    assert local_bytes(problem) == 0
    [source] = problem.sources
    (tmp_path / source.file).write_bytes(CSV)
    assert local_bytes(problem) == len(CSV)
    monkeypatch.setenv("MADE_DATA_DIR", str(tmp_path / "more"))
    (tmp_path / "more" / source.file).mkdir(parents=True)
    for part in ("part-1", "part-2"):
        (tmp_path / "more" / source.file / part).write_bytes(CSV)
    assert local_bytes(problem) == 2 * len(CSV)
