"""The ledger of test reads: each opening is written, and none can be changed or taken out unseen."""

import pytest

from gauntlet.core.errors import EvidenceError, InputError
from gauntlet.core.test_reads import read_test_reads, record_test_read, require_reads_go_on

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "state" / "test_reads.jsonl"
    for number in range(4):
        record_test_read(path, split="s", selection=f"choice {number}", reason="judge", stage_key="k")
    return path


def test_openings_come_back_in_their_order(ledger):
    assert [read.selection for read in read_test_reads(ledger)] == [f"choice {number}" for number in range(4)]


def test_no_ledger_is_no_opening(tmp_path):
    assert read_test_reads(tmp_path / "none") == ()


@pytest.mark.parametrize("line", [0, 1, 3])
def test_a_changed_line_is_found(ledger, line):
    lines = ledger.read_text().splitlines(keepends=True)
    lines[line] = lines[line].replace("choice", "chance")
    ledger.write_text("".join(lines))
    with pytest.raises(InputError, match=f"line {line + 1} does not follow"):
        read_test_reads(ledger)


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_line_that_was_taken_out_is_found(ledger, line):
    lines = ledger.read_text().splitlines(keepends=True)
    del lines[line]
    ledger.write_text("".join(lines))
    with pytest.raises(InputError, match="taken out"):
        read_test_reads(ledger)
    with pytest.raises(InputError):
        record_test_read(ledger, split="s", selection="next", reason="judge", stage_key="k")


def test_half_a_line_of_a_full_disk_blocks_nothing(ledger):
    before = read_test_reads(ledger)
    with ledger.open("a", encoding="utf-8") as stream:
        stream.write('{"time": "2026')
    assert read_test_reads(ledger) == before
    record_test_read(ledger, split="s", selection="c", reason="again", stage_key="k")
    after = read_test_reads(ledger)
    assert (after[:-1], after[-1].reason) == (before, "again")


def test_what_is_no_opening_is_refused(ledger):
    ledger.write_text(ledger.read_text() + "{}\n")
    with pytest.raises(InputError, match="line 5 is no opening"):
        read_test_reads(ledger)


def test_openings_that_were_cut_off_since_are_missed(ledger):
    reads = read_test_reads(ledger)
    for count in range(5):
        require_reads_go_on(reads, count=count, chain=reads[count - 1].chain if count else None)
    for left, count, chain in ((3, 4, reads[3].chain), (0, 1, reads[0].chain), (4, 2, reads[0].chain), (4, 1, None)):
        with pytest.raises(EvidenceError, match=f"had {count} lines .* now \\({left} lines\\)"):
            require_reads_go_on(reads[:left], count=count, chain=chain)
