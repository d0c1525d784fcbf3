from __future__ import annotations

from pathlib import Path

import pytest

from gauntlet.adapters import delimited
from gauntlet.adapters.delimited import check_delimited, match_columns
from gauntlet.core.errors import DataError, SourceError
from gauntlet.core.problem import Column, Source
from tests.made_problem import COLUMNS, HEADER

pytestmark = pytest.mark.unit

SHOP = [Column.model_validate(column) for column in COLUMNS]
ROW = "1.5,2,true,basic,yes"


def checked(tmp_path: Path, content: bytes, *, delimiter: str = ",", columns: list[Column] = SHOP) -> list[str]:
    path = tmp_path / "shop.csv"
    path.write_bytes(content)
    source = Source(name="shop", file="shop.csv", delimiter=delimiter)
    return [column.name for column in check_delimited(path, source=source, columns=columns)]


def table(header: str = HEADER, *, end: str = "\n") -> bytes:
    return f"{header}{end}{ROW}{end}".encode()


@pytest.mark.parametrize(
    "content",
    [
        table(),
        table(end="\r\n"),
        table(end="\r"),
        b"\xef\xbb\xbf" + table(),
        b"\n\n" + table(),
        table(HEADER.replace("Price Plan", "Price_Plan")),
        table(",".join(f'"{name}"' for name in HEADER.split(","))),
        table(HEADER.replace(",", " , ")),
        table()[:-1],
    ],
)
def test_accepts_the_ways_of_writing_one_header(tmp_path: Path, content: bytes) -> None:
    assert checked(tmp_path, content) == ["size", "visits", "member", "plan", "left"]


def test_returns_the_columns_in_the_files_order(tmp_path: Path) -> None:
    assert checked(tmp_path, table("left,Price Plan,size,visits,member"))[:3] == ["left", "plan", "size"]


def test_accepts_a_single_column(tmp_path: Path) -> None:
    assert checked(tmp_path, b"size\n1\n", columns=SHOP[:1]) == ["size"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"shop\.csv: the file is empty; give a file with a header and rows"),
        (b"\n \n\r\n", r"shop\.csv: the file is empty"),
        (HEADER.encode(), r"shop\.csv: a header and no rows; give a file with data"),
        (table(HEADER + "\n\n")[: len(HEADER) + 2], r"shop\.csv: a header and no rows"),
        (table(HEADER.replace(",", ";")), r"separated by ';', not ','; set delimiter = \";\" for source 'shop'"),
        (table(HEADER.replace(",", "\t")), r"separated by '\\t', not ','; set delimiter = \"\\t\""),
        (table("size,visits,member,left"), r"column 'Price Plan' is missing; the file has 'size', 'visits'"),
        (table("just text"), r"column 'size', 'visits', 'member', 'Price Plan', 'left' is missing"),
        (table(HEADER + ",age"), r"column 'age' is not expected; add it to \[\[columns\]\]"),
        (table(HEADER + ",size"), r"column 'size' is there more than once"),
        (table().decode().encode("utf-16"), r"shop\.csv: UTF-16 text; save the file as UTF-8"),
        (table().decode().encode("utf-16-le"), r"shop\.csv: UTF-16 text"),
        (table() + "größe".encode("latin-1"), r"not UTF-8 text at byte 58 \(0xf6\); save the file as UTF-8"),
        (b"\xef\xbb\xbf" + table() + b"\xff", r"not UTF-8 text at byte 59 \(0xff\)"),
        (table() + "ö".encode()[:1], r"ends in the middle of a UTF-8 character, so it is truncated"),
        (b"<html><body>gone</body></html>", r"an HTML page in place of a CSV file"),
    ],
)
def test_refuses_what_spark_would_read_wrongly(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        checked(tmp_path, content)


def test_names_the_wrong_byte_wherever_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = table() + "ööö".encode() + b"\xe4,"
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr(delimited, "_CHUNK", size)
        with pytest.raises(DataError, match=rf"byte {len(content) - 2} \(0xe4\)"):
            checked(tmp_path, content)


def test_reads_the_header_wherever_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (4, 7, 64):  # the byte order mark of three bytes is never cut: real pieces are a million times larger
        monkeypatch.setattr(delimited, "_CHUNK", size)
        assert checked(tmp_path, b"\xef\xbb\xbf" + table(end="\r\n"))[-1] == "left"


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read \(No such file or directory\)"):
        check_delimited(tmp_path / "gone.csv", source=Source(name="shop", file="gone.csv"), columns=SHOP)


def test_long_lists_of_columns_are_shortened() -> None:
    with pytest.raises(DataError, match=r"'c7' and 12 more is not expected"):
        match_columns([f"c{number}" for number in range(20)], columns=[], where="table")
