"""Each kind of bad input, with what a person is told about it."""

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigError, InputError, JourneycastError, LogError
from features.log import staging, validate
from features.log.files import csv_file, text_bytes
from features.store import bucket
from features.timeline import DAY_US
from tests.support.digests import state_digest
from tests.support.log_files import NOW, config, event, opened, run, write

GOOD = event(who="good")
BAD_ROWS = [
    (event(who=None), "who: empty"),
    (event(who=""), "who: empty"),
    (event(who="  "), "who: empty"),
    (event(who="x" * 10_000), "who: longer than 256 bytes"),
    (event(who="😀" * 65), "who: longer than 256 bytes"),
    (event(who="a\u0000b"), "who: holds control characters"),
    (event(who="a\u0085b"), "who: holds control characters"),
    (event(who=["a"]), "who: not a single value"),
    (event(at=None), "at: empty"),
    (event(at="yesterday"), "at: not an ISO 8601 date or time"),
    (event(at=1735689600), "at: not an ISO 8601 date or time"),
    (event(at="2025-02-30"), "at: not an ISO 8601 date or time"),
    (event(at="01/02/2025"), "at: not an ISO 8601 date or time"),
    (event(at="1969-12-31T23:59:59"), "at: before 1970"),
    (event(at="2345-01-01"), "at: more than a day in the future"),
    (event(what=None), "what: empty"),
    (event(what=""), "what: empty"),
    (event(what={"a": 1}), "what: not a single value"),
    (event(money="abc"), "money: not a finite number"),
    (event(money="inf"), "money: not a finite number"),
    (event(who="nan"), "who: empty"),
    (event(at="NULL"), "at: empty"),
    (event(what="\\N"), "what: empty"),
    (event(money="1e999"), "money: not a finite number"),
    (event(money=[1]), "money: not a finite number"),
    (event(pieces="two"), "pieces: not a finite number"),
    (event(channel=["web"]), "channel: not a single value"),
    (event(seen="soon"), "seen: not an ISO 8601 date or time"),
    (event(seen="2345-01-01"), "seen: more than a day in the future"),
]
EVERYTHING: dict[str, Any] = {"known": "seen", "categories": ["channel"], "numbers": ["pieces"]}
NOTHING = {"seen": None, "channel": None, "pieces": None}


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS, ids=[f"{reason} {i}" for i, (_, reason) in enumerate(BAD_ROWS)])
def test_a_bad_row_is_quarantined_with_its_reason(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    write(tmp_path / "log" / "a.jsonl", [NOTHING | GOOD, NOTHING | bad])
    shop = config(tmp_path, **EVERYTHING)
    report = run(shop)
    assert (report.quarantined, report.statistics.rows) == ({reason: 1}, 1)
    (row,) = quarantined(tmp_path)
    assert (row["file"], row["row"], row["reason"]) == (str(tmp_path / "log" / "a.jsonl"), 2, reason)
    assert json.loads(row["raw"]) == NOTHING | bad


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_quarantined(tmp_path: Path, number: float) -> None:
    rows = [event(money=1.0, pieces=1.0), event(money=number, pieces=1.0), event(money=1.0, pieces=number)]
    write(tmp_path / "log" / "a.parquet", rows)
    report = run(config(tmp_path, numbers=["pieces"]))
    assert report.quarantined == {"money: not a finite number": 1, "pieces: not a finite number": 1}
    assert [row["row"] for row in quarantined(tmp_path)] == [2, 3]


@pytest.mark.parametrize(
    "who", ["anna@shop.example", "gid://shop/Customer/1", "😀👨‍👩‍👧", "x" * 256, "ß d'or\\", '"q"', "0012"]
)
@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_any_utf_8_of_256_bytes_is_an_id(tmp_path: Path, who: str, name: str) -> None:
    write(tmp_path / "log" / name, [event(who=who)])
    shop = config(tmp_path)
    assert run(shop).quarantined == {}
    assert opened(shop).find(who).rows == 1


def test_numbers_as_text_are_numbers(tmp_path: Path) -> None:
    write(
        tmp_path / "log" / "a.jsonl", [event(money="12.50"), event(money=" 7 "), event(money="-1e2"), event(money="")]
    )
    shop = config(tmp_path)
    run(shop)
    assert [str(value) for value in opened(shop).find("anna").value] == ["nan", "-100.0", "7.0", "12.5"]


def test_broken_lines_of_csv_are_quarantined_with_their_row_and_text(tmp_path: Path) -> None:
    lines = [
        b"who,at,what,money", b"a,2025-01-01,buy,1", b"b,2025-01-01,buy", b'"c\nc",2025-01-01,buy,1',
        b"d,2025-01-01,buy,1,1", b"\xff,2025-01-01,buy,1", b"e,never,buy,1",
        b'"f"f,2025-01-01,buy,1', b"g,2025-01-01,buy,1",
    ]  # fmt: skip
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_bytes(b"\n".join(lines))
    report = run(config(tmp_path))
    assert (report.rows, report.statistics.rows) == (8, 2)
    bad_rows = {row["row"]: (row["reason"].split(":")[0], json.loads(row["raw"])) for row in quarantined(tmp_path)}
    assert {row: reason for row, (reason, _) in bad_rows.items()} == {
        2: "broken line", 3: "who", 4: "broken line", 5: "broken line", 6: "at", 7: "broken line",
    }  # fmt: skip
    assert bad_rows[2][1] == "b,2025-01-01,buy"
    assert bad_rows[6][1]["who"] == "e"


def test_rows_after_a_line_that_breaks_the_parser_are_kept_apart_too(tmp_path: Path) -> None:
    row = b'"anna"\t"2025-01-01"\t"buy"\t"1"\n'
    broken, late = row.replace(b"\t", b"\r", 1), row.replace(b"2025-01-01", b"never")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.tsv").write_bytes(b"who\tat\twhat\tmoney\n" + row + broken + row + late + row)
    report = run(config(tmp_path))
    assert (report.rows, report.statistics.rows) == (5, 3)
    assert [(row["row"], row["reason"].split(":")[0]) for row in quarantined(tmp_path)] == [
        (2, "broken line"),
        (4, "at"),
    ]


def test_broken_lines_of_json_are_quarantined(tmp_path: Path) -> None:
    good = json.dumps(event()).encode()
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.jsonl").write_bytes(
        b"\n".join([good, b"{", b"", b"[1]", b'{"who": NaN}', b'{"who": "\xff"}', good])
    )
    report = run(config(tmp_path))
    assert report.statistics.rows == 2
    assert report.quarantined == {"not a JSON object": 2, "broken line: invalid encoding": 1, "who: empty": 1}
    assert [row["row"] for row in quarantined(tmp_path)] == [2, 4, 5, 6]


def test_a_file_with_all_nulls_in_an_optional_column_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(money=None, channel=None), event(money=None, channel=None)])
    shop = config(tmp_path, categories=["channel"])
    run(shop)
    assert opened(shop).find("anna").categories["channel"].codes.tolist() == [-1, -1]


def test_one_customer_with_one_event_is_a_log(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event()])
    report = run(config(tmp_path))
    assert (report.statistics.rows, report.statistics.customers) == (1, 1)


def test_a_header_alone_is_no_row_and_no_fault(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_text("who,at,what,money\n")
    with pytest.raises(LogError, match="holds no row at all"):
        run(config(tmp_path))
    write(tmp_path / "log" / "b.csv", [event()])
    assert run(config(tmp_path)).rows == 1


def test_a_log_without_a_good_row_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(at="1/2/2025 8:26"), event(at=None)])
    with pytest.raises(LogError, match=r"no good row among the 2 of the log: 1 × at: empty; 1 × at: not an ISO 8601"):
        run(config(tmp_path))
    assert len(quarantined(tmp_path)) == 2


def test_a_log_of_nulls_has_no_good_row(tmp_path: Path) -> None:
    table = pa.table({name: pa.nulls(3) for name in event()})
    (tmp_path / "log").mkdir()
    pq.write_table(table, tmp_path / "log" / "a.parquet")
    with pytest.raises(LogError, match="no good row among the 3 of the log: 3 × who: empty"):
        run(config(tmp_path))


def test_columns_of_the_wrong_type_have_no_good_row(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.parquet", [event(at=1_735_689_600), event(at=1_735_689_601)])
    with pytest.raises(LogError, match="2 × at: not an ISO 8601 date or time"):
        run(config(tmp_path))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.csv.gz"])
def test_an_empty_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / name).touch()
    with pytest.raises(LogError, match=rf"{name} is empty \(0 bytes\)"):
        run(config(tmp_path))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_a_missing_column_is_named_with_the_nearest_and_all_there_are(tmp_path: Path, name: str) -> None:
    write(tmp_path / "log" / name, [{"whom": "anna", "at": "2025-01-01", "what": "buy", "money": 1}])
    expected = r"no column 'who', which \[log\] names as `customer`; did you mean 'whom'\? Columns found: .*whom"
    with pytest.raises(LogError, match=expected):
        run(config(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 this is no parquet PAR1"),
        ("a.csv.gz", b"\x1f\x8b\x08 this is no gzip"),
        ("a.csv", b"who,at,what,money\r\na,2025-01-01,buy,1\nb,2025-01-01,buy,1\r\n"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / name).write_bytes(content)
    with pytest.raises(LogError, match=rf"{name} cannot be read: "):
        run(config(tmp_path))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_line_without_an_end_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_bytes, "MAX_LINE", 5_000)
    monkeypatch.setattr(text_bytes, "PIECE", 1_000)
    (tmp_path / "log").mkdir()
    keep = gzip.compress if name.endswith(".gz") else bytes
    row = b"anna,2025-01-01," + b"x" * 4_950 + b",1\n"
    (tmp_path / "log" / name).write_bytes(keep(b"who,at,what,money\n" + row * 3))
    assert run(config(tmp_path)).rows == 3
    (tmp_path / "log" / name).write_bytes(keep(b"who,at,what,money\n" + row + row.replace(b"xxx", b"xxxx") * 3 + row))
    with pytest.raises(LogError, match=rf"{name} cannot be read: it holds a line of more than 5,000 bytes"):
        run(config(tmp_path))


def test_a_file_whose_many_first_lines_are_no_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MANY_LINES", 20)
    write(tmp_path / "log" / "a.csv", [event()])
    with (tmp_path / "log" / "b.csv").open("w") as file:
        file.write("who,at,what,money\n" + "a,b\n" * 21 + "anna,2025-01-01,purchase,1\n" * 20)
    with pytest.raises(LogError, match=r"b\.csv: expected lines of 4 fields .* found fewer in 21 of the first 41;"):
        run(config(tmp_path))


def test_a_file_of_very_many_bad_rows_and_fewer_good_ones_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "MOST_BAD", 10)
    shop = config(tmp_path)
    write(tmp_path / "log" / "a.csv", [event(), *[event(at="then")] * 9])
    run(shop)
    before = state_digest(opened(shop))
    write(tmp_path / "log" / "b.csv", [event(who="bob"), *[event(at="then")] * 10])
    with pytest.raises(LogError, match=r"b\.csv: expected mostly good rows, found 10 bad beside 1 good .* 10 × at: "):
        run(shop)
    assert state_digest(opened(shop)) == before
    write(tmp_path / "log" / "b.csv", [*[event(who="bob")] * 11, *[event(at="then")] * 10])
    run(shop)
    assert state_digest(opened(shop)) != before


def test_a_header_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_bytes(b"x" * 200_000)
    with pytest.raises(LogError, match=r"a.csv cannot be read: its first line is no header: field larger than"):
        run(config(tmp_path))


def test_a_truncated_file_is_refused_and_the_store_stays(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event()])
    shop = config(tmp_path)
    run(shop)
    before = opened(shop).manifest
    complete = write(tmp_path / "log" / "b.parquet", [event(who=str(i)) for i in range(100)])
    complete.write_bytes(complete.read_bytes()[:-50])
    with pytest.raises(LogError, match=r"b\.parquet cannot be read"):
        run(shop)
    assert opened(shop).manifest == before


def test_no_file_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no file matches source 'log/\*'"):
        run(config(tmp_path))
    with pytest.raises(ConfigError, match="set `source` in"):
        run(config(tmp_path).model_copy(update={"log": config(tmp_path).log.model_copy(update={"source": ()})}))
    with pytest.raises(LogError, match="found nothing"):
        run(config(tmp_path), [tmp_path / "absent.csv"])


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.xlsx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"expected a name ending in \.parquet.*got 'a\.xlsx'"):
        run(config(tmp_path))


def test_names_that_look_like_globs_are_plain_files(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a[1].csv", [event(who="bracket")])
    write(tmp_path / "log" / "a1.csv", [event(who="plain"), event(who="it's")])
    shop = config(tmp_path)
    run(shop)
    assert opened(shop).manifest.statistics.customers == 3


def test_columns_with_strange_names_are_read(tmp_path: Path) -> None:
    name = "a \"quoted\" 'column'/~;--"
    for file in ("a.parquet", "b.csv", "c.jsonl"):
        write(tmp_path / "log" / file, [{**event(), name: file}])
    shop = config(tmp_path, categories=[name])
    run(shop)
    assert opened(shop).find("anna").categories[name].names.tolist() == ["a.parquet", "b.csv", "c.jsonl"]


def test_columns_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(Channel="a", channel="b")])
    with pytest.raises(ConfigError, match="columns 'Channel' and 'channel' differ in case alone"):
        run(config(tmp_path, categories=["Channel", "channel"]))


def test_columns_named_like_our_own_are_read(tmp_path: Path) -> None:
    names = ["time", "row", "reason", "arrival", "known", "given", "turn", "day"]
    write(tmp_path / "log" / "a.csv", [{**event(), **dict.fromkeys(names, "x")}])
    shop = config(tmp_path, categories=names, timezone="Europe/Paris")
    run(shop)
    assert {column.names[0] for column in opened(shop).find("anna").categories.values()} == {"x"}


def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(tmp_path / "log" / "a.csv", [event()])
    monkeypatch.setattr(bucket, "write", full)
    with pytest.raises(JourneycastError, match=r"sorting the log into the store failed: .*No space left"):
        run(config(tmp_path))
    monkeypatch.setattr(staging, "write", full)
    write(tmp_path / "log" / "a.csv", [event(who="bob")])
    with pytest.raises(JourneycastError, match=r"a.csv cannot be taken: .*No space left.*; make room on the disk"):
        run(config(tmp_path))


def test_a_file_that_breaks_in_its_middle_is_told(tmp_path: Path) -> None:
    rows = [event(who=f"{number * 7919 % 1_000_003}") for number in range(50_000)]
    path = tmp_path / "log" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10_000, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    middle = int(len(content) * 0.7)
    content[middle : middle + 5_000] = bytes(5_000)
    path.write_bytes(content)
    with pytest.raises(LogError, match=r"a.parquet cannot be read: .*; repair it or take it out of the source"):
        run(config(tmp_path))


def test_a_bad_profile_row_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event()])
    people: list[dict[str, Any]] = [
        {"who": "anna", "age": 1.0},
        {"who": None, "age": 1.0},
        {"who": "bob", "age": float("inf")},
    ]
    write(tmp_path / "people.parquet", people)
    report = run(config(tmp_path, profile={"source": ["people.parquet"], "customer": "who"}))
    assert report.profile_quarantined == {"age: not a finite number": 1, "who: empty": 1}


def test_the_clock_decides_what_is_too_far_ahead(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(), event(at="2025-06-01")])
    assert run(config(tmp_path), now=NOW - 300 * DAY_US).quarantined == {"at: more than a day in the future": 1}


def quarantined(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "workspace" / "quarantine").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]
