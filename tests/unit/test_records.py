from __future__ import annotations

import gzip
import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from gauntlet.adapters import delimited, records
from gauntlet.adapters.records import copy_texts, match_columns
from gauntlet.core.errors import DataError, RequirementError, SourceError
from gauntlet.core.problem import Column, Source
from tests.made_problem import COLUMNS, HEADER

pytestmark = pytest.mark.unit

SHOP = [Column.model_validate(column) for column in COLUMNS]
NAMES = [column.name for column in SHOP]
ROW = "1.5,2,true,basic,yes"


def copied(path: Path, *, columns: list[Column] = SHOP, **keys: Any) -> list[dict[str, Any]]:
    """Return the rows of the copy that Spark would read."""
    source = Source(name="shop", file=path.name, **keys)
    copy = path.parent / "copy.parquet"
    copy_texts(path, source=source, columns=columns, names=[column.name for column in columns], copy=copy)
    rows: list[dict[str, Any]] = parquet.read_table(copy).to_pylist()
    return rows


def rows_of(path: Path, *, columns: list[Column] = SHOP, **keys: Any) -> list[list[str | None]]:
    return [[row[column.name] for column in columns] for row in copied(path, columns=columns, **keys)]


def written(folder: Path, content: bytes | str, *, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(header: str = HEADER, *, end: str = "\n") -> bytes:
    return f"{header}{end}{ROW}{end}".encode()


def two_columns(*rows: str, end: str = "\n") -> str:
    return "size,left\n" + "\n".join(rows) + end


SIZE_LEFT = [SHOP[0], SHOP[4]]


@pytest.mark.parametrize(
    "content",
    [
        table(),
        table(end="\r\n"),
        table(end="\r"),
        b"\xef\xbb\xbf" + table(),
        b"\n\n" + table(),
        table() + b"\n  \n",
        table(HEADER.replace("Price Plan", "Price_Plan")),
        table(HEADER.replace("Price Plan", '"Price\nPlan"')),
        table(",".join(f'"{name}"' for name in HEADER.split(","))),
        table(HEADER.replace(",", " , ")),
        table()[:-1],
    ],
)
def test_accepts_the_ways_of_writing_one_table(tmp_path: Path, content: bytes) -> None:
    assert rows_of(written(tmp_path, content)) == [["1.5", "2", "true", "basic", "yes"]]


def test_finds_columns_in_any_order(tmp_path: Path) -> None:
    content = table("left,Price Plan,size,visits,member")
    assert rows_of(written(tmp_path, content)) == [["true", "basic", "yes", "2", "1.5"]]


def test_accepts_a_single_column(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, b"size\n1\n\n2\n"), columns=SHOP[:1]) == [["1"], ["2"]]


def test_keeps_line_breaks_and_quotes_inside_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, two_columns('"1","say ""no""\r\nand go"', "2,b"))
    assert rows_of(path, columns=SIZE_LEFT) == [["1", 'say "no"\r\nand go'], ["2", "b"]]


def test_reads_cells_of_any_length(tmp_path: Path) -> None:
    long = "x" * 300_000
    assert rows_of(written(tmp_path, two_columns(f"1,{long}")), columns=SIZE_LEFT) == [["1", long]]


def test_rows_of_other_lengths_are_broken_and_keep_their_place(tmp_path: Path) -> None:
    found = copied(written(tmp_path, two_columns("1,a", "2", "3,c,d", "4,e")), columns=SIZE_LEFT)
    assert [(row["place"], row["size"], row["broken"]) for row in found] == [
        (0, "1", None),
        (1, None, "the row has not 2 fields: '2'"),
        (2, None, "the row has not 2 fields: '3,c,d'"),
        (3, "4", None),
    ]


def test_places_go_on_from_batch_to_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_BATCH_ROWS", 2)
    found = copied(written(tmp_path, two_columns(*(f"{n},a" for n in range(5)))), columns=SIZE_LEFT)
    assert [(row["place"], row["size"]) for row in found] == [(n, str(n)) for n in range(5)]


@pytest.mark.parametrize(
    ("encoding", "key"),
    [("latin-1", "latin-1"), ("cp1252", "cp1252"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le")],
)
def test_decodes(tmp_path: Path, encoding: str, key: str) -> None:
    path = written(tmp_path, two_columns("1,größe").encode(encoding))
    assert rows_of(path, columns=SIZE_LEFT, encoding=key) == [["1", "größe"]]


def test_unpacks(tmp_path: Path) -> None:
    packed = tmp_path / "shop.csv.gz"
    packed.write_bytes(gzip.compress(table()))
    assert len(rows_of(packed, compression="gzip")) == 1
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("folder/shop.csv", table())
        opened.writestr("__MACOSX/folder/._shop.csv", b"noise")
    assert len(rows_of(archive, compression="zip")) == 1
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("other.csv", table())
    with pytest.raises(DataError, match=r"the ZIP archive holds folder/shop\.csv, other\.csv; give one with just"):
        rows_of(archive, compression="zip")


@pytest.mark.parametrize("compression", ["gzip", "zip"])
def test_refuses_damaged_archives(tmp_path: Path, compression: str) -> None:
    whole = gzip.compress(table() * 500) if compression == "gzip" else b"PK\x03\x04 and no more"
    path = written(tmp_path, whole[:-20] if compression == "gzip" else whole)
    with pytest.raises(DataError, match=rf"shop\.csv: the {compression} file is damaged or cut off"):
        rows_of(path, compression=compression)


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
        (table("," + HEADER), r"column 1 has no name; name it in the header, or set ignore_unnamed = true"),
        (table().decode().encode("utf-16"), r"shop\.csv: UTF-16 text, not utf-8; set encoding = \"utf-16\""),
        (table().decode().encode("utf-16-le"), r"shop\.csv: UTF-16 text"),
        (table() + "größe".encode("latin-1"), r"not UTF-8 text at byte 58 \(0xf6\); set encoding for source 'shop'"),
        (b"\xef\xbb\xbf" + table() + b"\xff", r"not UTF-8 text at byte 59 \(0xff\)"),
        (table() + "ö".encode()[:1], r"ends in the middle of a UTF-8 character, so it is truncated"),
        (b"<html><body>gone</body></html>", r"an HTML page in place of a CSV file"),
        (gzip.compress(table(), mtime=0), r"packed by gzip; set compression = \"gzip\" for source 'shop'"),
        (b"PK\x03\x04", r"a ZIP archive or workbook; set compression = \"zip\" or format = \"xlsx\""),
    ],
)
def test_refuses_what_is_not_the_table_that_was_promised(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        rows_of(written(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (two_columns("1,a", '2,"b', "3,c"), r"a quote that is opened in the record of line 3 is never closed"),
        (two_columns('1,"a', '2,"b'), r"the record of lines 2 to 3: text follows a closing quote"),
        (two_columns('1,"a"b'), r"line 2: text follows a closing quote"),
        (two_columns(*["1,yes", "2,no"] * 20, "3,ye", end=""), r"the last value 'ye' begins 'yes'; fetch it again"),
        (two_columns(*["1,yes", "2,no"] * 20, "3,", end=""), r"the file seems to be cut off"),
    ],
)
def test_a_half_record_never_passes_as_a_row(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        rows_of(written(tmp_path, text), columns=SIZE_LEFT)


@pytest.mark.parametrize(
    "text",
    [
        two_columns(*["1,yes", "2,no"] * 20, "3,yes", end=""),  # another row has the last value
        two_columns(*["1,yes", "2,no"] * 20, "3,maybe", end=""),  # it begins no other
        two_columns(*["1,yes", "2,no"] * 20, "3,ye"),  # the line has an end
        two_columns(*(f"{n},{n / 8}" for n in range(1, 60)), "0,7", end=""),  # the column does not repeat its values
    ],
)
def test_a_last_line_without_end_is_whole_where_nothing_speaks_against_it(tmp_path: Path, text: str) -> None:
    assert len(rows_of(written(tmp_path, text), columns=SIZE_LEFT)) == text.count("\n") + (text[-1] != "\n") - 1


def test_names_the_wrong_byte_wherever_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = table() + "ööö".encode() + b"\xe4,"
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr(delimited, "_CHUNK", size)
        with pytest.raises(DataError, match=rf"byte {len(content) - 2} \(0xe4\)"):
            rows_of(written(tmp_path, content))


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read \(No such file or directory\)"):
        rows_of(tmp_path / "gone.csv")


def test_leaves_unnamed_columns_out_where_the_problem_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, ",size,left\n0,1,a\n1,2,b\n")
    assert rows_of(path, columns=SIZE_LEFT, ignore_unnamed=True) == [["1", "a"], ["2", "b"]]


def test_tells_names_apart_that_are_alike_but_for_case_or_spaces() -> None:
    names = ["Size", "size", "a b", "a_b"]
    columns = [Column(name=f"c{number}", source_name=name) for number, name in enumerate(names)]
    assert match_columns(names, columns=columns, where="table") == [0, 1, 2, 3]


def test_several_columns_may_read_one() -> None:
    columns = [Column(name="a", source_name="x"), Column(name="b", source_name="x"), Column(name="y")]
    assert match_columns(["y", "x"], columns=columns, where="table") == [1, 1, 0]


def test_long_lists_of_columns_are_shortened() -> None:
    with pytest.raises(DataError, match=r"'c7' and 12 more is not expected"):
        match_columns([f"c{number}" for number in range(20)], columns=[], where="table")


def workbook(path: Path, *rows: list[Any], sheet: str | None = None) -> Path:
    book = openpyxl.Workbook()
    page = book.active if sheet is None else book.create_sheet(sheet)
    for row in rows:
        page.append(row)
    book.save(path)
    return path


def test_reads_workbooks(tmp_path: Path) -> None:
    rows = (
        [None],
        ["size", "left"],
        [1.5, "a"],
        [2, True],
        [],
        [3.0, date(2024, 2, 3)],
        [None, datetime(2024, 2, 3, 4)],
    )
    path = workbook(tmp_path / "shop.xlsx", *rows, [None, time(4, 5)])
    found = [["1.5", "a"], ["2", "true"], ["3", "2024-02-03"], ["", "2024-02-03 04:00:00"], ["", "04:05:00"]]
    assert rows_of(path, columns=SIZE_LEFT, format="xlsx") == found


def test_reads_a_sheet_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "shop.xlsx", ["size", "left"], [1, "a", "more"], sheet="May")
    (row,) = copied(path, columns=SIZE_LEFT, format="xlsx", sheet="May")
    assert row["broken"] == "the row has not 2 fields: 'more' stands beyond the header"
    with pytest.raises(DataError, match=r"there is no sheet 'June'; it has 'Sheet', 'May'"):
        rows_of(path, format="xlsx", sheet="June")
    with pytest.raises(DataError, match="not a workbook that can be read"):
        rows_of(written(tmp_path, b"PK\x03\x04 nothing", name="no.xlsx"), format="xlsx")


def test_says_what_workbooks_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RequirementError, match=r"pip install 'gauntlet-mlops\[excel\]'"):
        rows_of(tmp_path / "shop.xlsx", format="xlsx")


ARROW: tuple[tuple[pa.Array, list[str | None]], ...] = (
    (pa.array([1, None], pa.uint8()), ["1", None]),
    (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
    (pa.array([0.1, float("nan"), None, float("inf")], pa.float64()), ["0.1", None, None, "inf"]),
    (pa.array([0.1, 1e20], pa.float32()), ["0.1", "1e+20"]),
    (pa.array(np.array([0.1, np.nan], np.float16)), ["0.1", None]),
    (pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)), ["1.50", None]),
    (pa.array([Decimal("1.50")], pa.decimal256(60, 2)), ["1.50"]),
    (pa.array([True, None]), ["true", None]),
    (pa.array(["a", None], pa.large_string()), ["a", None]),
    (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    (pa.array([b"a"], pa.binary()), ["a"]),
    (pa.array([None], pa.null()), [None]),
    (pa.array([date(2024, 2, 3)], pa.date32()), ["2024-02-03"]),
    (pa.array([date(2024, 2, 3)], pa.date64()), ["2024-02-03"]),
    (pa.array([datetime(2024, 2, 3, 4, 5, 6)], pa.timestamp("ns")), ["2024-02-03 04:05:06"]),
    (pa.array([datetime(2024, 2, 3, 4, 5, 6, 700_000)], pa.timestamp("us")), ["2024-02-03 04:05:06.7"]),
    (pa.array([datetime(2024, 2, 3, 4, 5, 6)], pa.timestamp("ms", tz="Europe/Paris")), ["2024-02-03 04:05:06"]),
    (pa.array([time(4, 5, 6, 500_000)], pa.time64("ns")), ["04:05:06.5"]),
    (pa.array([time(4, 5, 6)], pa.time32("s")), ["04:05:06"]),
    (pa.array([7], pa.duration("s")), ["7"]),
)


@pytest.mark.parametrize(("column", "texts"), ARROW, ids=[str(column.type) for column, _ in ARROW])
def test_reads_every_type_of_parquet(tmp_path: Path, column: pa.Array, texts: list[str | None]) -> None:
    path = tmp_path / "shop.parquet"
    parquet.write_table(pa.table({"size": column}), path)
    assert rows_of(path, columns=SHOP[:1], format="parquet") == [[text] for text in texts]


def test_refuses_parquet_columns_that_are_no_values(tmp_path: Path) -> None:
    path = tmp_path / "shop.parquet"
    parquet.write_table(pa.table({"size": [[1.0]]}), path)
    with pytest.raises(DataError, match=r"column 'size' is of type list<"):
        rows_of(path, columns=SHOP[:1], format="parquet")
    with pytest.raises(DataError, match=r"no\.parquet: not a Parquet file that can be read"):
        rows_of(written(tmp_path, b"PAR1 and no more", name="no.parquet"), columns=SHOP[:1], format="parquet")


def test_reads_folders_of_mixed_widths(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "left=a%20b").mkdir(parents=True)
    (folder / "left=c").mkdir()
    parquet.write_table(pa.table({"size": pa.array([1], pa.int32())}), folder / "left=a%20b" / "1.parquet")
    parquet.write_table(pa.table({"size": pa.array([2.5], pa.float64())}), folder / "left=c" / "2.parquet")
    assert rows_of(folder, columns=SIZE_LEFT, format="parquet") == [["1", "a b"], ["2.5", "c"]]
    parquet.write_table(pa.table({"sizes": [2.5]}), folder / "left=c" / "3.parquet")
    with pytest.raises(DataError, match=r"3\.parquet: the files of the folder differ in column 'size'"):
        rows_of(folder, columns=SIZE_LEFT, format="parquet")
