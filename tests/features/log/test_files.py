"""Containers and damage of whole files: what is read by content, what is refused, and what is never lost."""

import gzip
import zipfile
from pathlib import Path

import pytest

from features.errors import LogError
from tests.support.log_files import config, event, run, write

HEADER = "who,at,what,money,note\n"
GOOD = "anna,2025-01-01T10:00:00,purchase,5,\n"


def csv(folder: Path, *lines: str, ends: str = "\n", name: str = "a.csv") -> Path:
    path = folder / "log" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join((HEADER, *lines)).replace("\n", ends).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("later", ["", 'anna,2025-01-02,purchase,5,"fine"\n'], ids=["to the end", "to another quote"])
def test_a_quote_that_does_not_close_refuses_the_file_and_names_its_line(
    tmp_path: Path, later: str, name: str, ends: str
) -> None:
    csv(tmp_path, GOOD, 'anna,2025-01-02,purchase,5,"open\n', *[GOOD] * 30, later, GOOD, ends=ends, name=name)
    with pytest.raises(LogError, match="line 3 opens a quote") as refusal:
        run(config(tmp_path))
    assert "remove that quote or double it" in str(refusal.value)


def test_a_quote_in_the_middle_of_one_line_costs_that_line_alone(tmp_path: Path) -> None:
    csv(tmp_path, GOOD, 'anna,2025-01-02,purchase,5,"so" so\n', 'anna,2025-01-03,purchase,5,"two\nlines"\n', GOOD)
    report = run(config(tmp_path, text="note"))
    assert (report.rows, report.quarantined) == (4, {"broken line: unquoted value": 1})


def test_gzip_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "log" / "a.csv", [event(), event(who="bert")])
    path.write_bytes(gzip.compress(path.read_bytes()))
    write(tmp_path / "log" / "b.csv", [event(who="carl")]).rename(tmp_path / "log" / "b.csv.gz")
    lines = write(tmp_path / "log" / "c.jsonl", [event(who="dora")])
    lines.write_bytes(gzip.compress(lines.read_bytes()))
    assert run(config(tmp_path)).statistics.customers == 4


@pytest.mark.parametrize("name", ["a.csv", "a.zip", "a.jsonl", "a.parquet"])
def test_an_archive_is_refused_for_what_it_is_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "log" / name
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("orders.csv", HEADER + GOOD)
        archive.writestr("more.csv", HEADER + GOOD)
    with pytest.raises(LogError, match=r"is a ZIP archive, which holds orders\.csv and 1 more; unpack it"):
        run(config(tmp_path))


def test_a_workbook_is_refused_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log" / "a.xlsx"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(LogError, match="is an Excel workbook, expected text or Parquet; save its sheet as CSV"):
        run(config(tmp_path))


@pytest.mark.parametrize("start", ["", "\ufeff", " \n\t"], ids=["bare", "byte order mark", "after spaces"])
def test_one_json_array_is_refused_with_the_command_that_makes_lines_of_it(tmp_path: Path, start: str) -> None:
    path = tmp_path / "log" / "my events.json"
    path.parent.mkdir()
    path.write_text(start + '[\n {"who": "anna", "at": "2025-01-01", "what": "purchase", "money": 1}\n]', "utf-8")
    with pytest.raises(LogError, match=r"one JSON array.*jq -c '\.\[\]' 'my events\.json' > 'my events\.jsonl'"):
        run(config(tmp_path))
