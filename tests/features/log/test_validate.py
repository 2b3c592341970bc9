"""Reading the log: formats, mapping, time zones, `known`, ids, duplicates, profile, and what is told about them."""

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config.load import parse
from features.ingest.report import render
from features.log.cells import LATE
from features.store.reader import Store
from features.timeline import BEGINNING, DAY_US, instant
from features.timezones import local_days
from tests.support.digests import state_digest
from tests.support.log_files import NOW, config, digest_of, event, opened, run, write

ROWS = [
    event(who="anna", at="2025-01-01T10:00:00", money=12.5, channel="web", pieces=2),
    event(who="böb 😀", at="2025-02-01 11:30:00.25", what="view", money=None, channel=None, pieces=None),
    event(who="12346", at="2025-03-01", money=-3.0, channel="app", pieces=0.5),
]
MORE: dict[str, Any] = {"categories": ["channel"], "numbers": ["pieces"]}


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.ndjson"])
def test_every_format_gives_the_same_store(tmp_path: Path, name: str) -> None:
    assert digest_of(tmp_path / "x", {name: ROWS}, **MORE) == digest_of(tmp_path / "y", {"a.csv": ROWS}, **MORE)


def test_compressed_and_otherwise_delimited_files_are_read(tmp_path: Path) -> None:
    plain = write(tmp_path / "log" / "a.csv", ROWS).read_text()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.csv.gz").write_bytes(gzip.compress(plain.encode("utf-8-sig")))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.csv").write_text(plain.replace(",", ";"))
    digests = set()
    for folder in ("log", "b", "c"):
        shop = config(tmp_path, f"{folder}/*", **MORE).model_copy(update={"workspace": f"ws-{folder}"})
        run(shop)
        digests.add(state_digest(opened(shop)))
    assert len(digests) == 1


def test_typed_columns_become_text_and_numbers_the_natural_way(tmp_path: Path) -> None:
    table = pa.table(
        {
            "who": pa.array([12346.0, 12347.0]),
            "at": pa.array(["2025-01-01", "2025-01-02"]).cast(pa.timestamp("ns")),
            "what": pa.array(["buy", "buy"]).dictionary_encode(),
            "money": pa.array([1, 2], pa.int8()),
            "channel": pa.array([True, None]),
            "pieces": pa.array([1, 0], pa.float32()),
        }
    )
    (tmp_path / "log").mkdir()
    pq.write_table(table, tmp_path / "log" / "a.parquet")
    shop = config(tmp_path, **MORE)
    run(shop)
    journey = opened(shop).find("12346")
    assert (journey.time.tolist(), journey.value.tolist()) == ([instant("2025-01-01")], [1.0])
    assert journey.categories["channel"].names[journey.categories["channel"].codes[0]] == "true"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime.fromisoformat("2025-07-01T12:00"), instant("2025-07-01T12:00:00", "Europe/Paris")),
        (datetime(2025, 7, 1, 12, tzinfo=UTC), instant("2025-07-01T12:00:00")),
        (date(2025, 7, 1), instant("2025-07-01", "Europe/Paris")),
    ],
)
def test_only_naive_times_are_local(tmp_path: Path, at: Any, expected: int) -> None:
    write(tmp_path / "log" / "a.parquet", [event(at=at)])
    shop = config(tmp_path, timezone="Europe/Paris")
    run(shop)
    assert opened(shop).find("anna").time.tolist() == [expected]


TURNS = {
    "Europe/Paris": ["2024-03-31T02:00", "2024-03-31T03:00", "2024-10-27T02:00", "2024-10-27T03:00"],
    "America/New_York": ["2024-03-10T02:00", "2024-11-03T01:00", "2024-11-03T02:00"],
    "Australia/Lord_Howe": ["2024-10-06T02:00", "2024-04-07T01:30", "2024-04-07T02:00"],
    "America/Sao_Paulo": ["2018-11-04T00:00", "2018-02-17T23:00", "2018-02-18T00:00"],
    "Pacific/Apia": ["2011-12-30T00:00", "2011-12-31T00:00"],
    "Asia/Kathmandu": ["1986-01-01T00:00"],
}


@pytest.mark.parametrize("zone", TURNS)
def test_local_times_around_a_clock_change_are_placed_as_everywhere_else(tmp_path: Path, zone: str) -> None:
    seconds = [timedelta(seconds=shift) for shift in (-1, 0, 1, 900, 1799, 1800)]
    times = [datetime.fromisoformat(turn) + shift for turn in TURNS[zone] for shift in seconds]
    write(tmp_path / "log" / "a.parquet", [event(at=at) for at in times])
    write(tmp_path / "log" / "b.csv", [event(at=at.isoformat()) for at in times])
    shop = config(tmp_path, timezone=zone)
    run(shop)
    assert opened(shop).find("anna").time.tolist() == sorted(2 * [instant(at, zone) for at in times])


@pytest.mark.parametrize("zone", TURNS)
def test_a_date_is_its_first_instant(tmp_path: Path, zone: str) -> None:
    days = [date.fromisoformat(turn[:10]) for turn in TURNS[zone]]
    write(tmp_path / "log" / "a.parquet", [event(at=day) for day in days])
    write(tmp_path / "log" / "b.csv", [event(at=day.isoformat()) for day in days])
    shop = config(tmp_path, timezone=zone)
    run(shop)
    assert opened(shop).find("anna").time.tolist() == sorted(2 * [instant(day, zone) for day in days])


EPOCH = datetime.fromisoformat("1970-01-01")


@settings(max_examples=30)
@given(
    st.sampled_from(["Europe/London", "America/St_Johns", "Africa/Casablanca", "Asia/Tehran"]),
    st.datetimes(EPOCH, datetime.fromisoformat("2026-01-01")),
)
def test_the_table_of_local_days_agrees_with_the_one_rule(zone: str, at: datetime) -> None:
    days = local_days(zone, 20_500).to_pandas().set_index("day")
    local_us = (at - EPOCH) // timedelta(microseconds=1)
    day = days.loc[local_us // DAY_US]
    offset = day["later"] if local_us >= day["turn"] else day["earlier"]
    assert local_us - offset == instant(at, zone)


def test_known_defaults_to_time_and_is_never_before_it(tmp_path: Path) -> None:
    rows = [
        event(at="2025-01-02", seen=None),
        event(at="2025-01-03", seen="2025-01-01"),
        event(at="2025-01-04", seen="2025-02-01"),
    ]
    write(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path, known="seen")
    run(shop)
    known = opened(shop).find("anna").known.tolist()
    assert known == [instant("2025-01-02"), instant("2025-01-03"), instant("2025-02-01")]


def test_rows_of_one_order_are_one_occurrence(tmp_path: Path) -> None:
    rows = [
        event(at=f"2025-01-0{day}", bill=bill)
        for day, bill in [(1, "a"), (1, "a"), (2, None), (2, None), (3, "a"), (4, "b")]
    ]
    write(tmp_path / "log" / "a.csv", [*rows, event(at="2025-01-03", what="return", bill="a")])
    shop = config(tmp_path, order="bill")
    run(shop)
    journey = opened(shop).find("anna")
    assert journey.occurrence is not None
    assert journey.occurrence.tolist() == [0, 0, 1, 2, 0, 3, 4]


def test_one_event_an_id_the_one_known_first_then_the_smallest(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(money=3, key="e1"), event(money=2, key="e2"), event(money=9, key=None)])
    write(
        tmp_path / "log" / "b.csv",
        [event(money=1, key="e1"), event(who="bob", money=2, key="e2"), event(money=9, key=None)],
    )
    shop = config(tmp_path, id="key")
    report = run(shop)
    assert opened(shop).find("anna").value.tolist() == [1, 2, 9, 9]
    assert len(opened(shop).find("bob")) == 0
    assert (report.statistics.repeated_ids, report.statistics.equal_rows) == (2, 1)


def test_of_one_id_at_two_customers_the_earlier_event_stays(tmp_path: Path) -> None:
    rows = [event(who="anna", at="2025-01-02", key="e"), event(who="bob", at="2025-01-01", key="e")]
    write(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path, id="key")
    run(shop)
    assert [opened(shop).find(who).rows for who in ("anna", "bob")] == [0, 1]


def test_an_id_known_earlier_wins_over_a_smaller_row(tmp_path: Path) -> None:
    rows = [event(money=1, key="e", seen="2025-03-01"), event(money=2, key="e", seen="2025-02-01")]
    write(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path, id="key", known="seen")
    run(shop)
    assert opened(shop).find("anna").value.tolist() == [2]


@pytest.mark.parametrize(("drop", "stored"), [(False, 4), (True, 2)])
def test_equal_rows_are_kept_and_counted_or_dropped(tmp_path: Path, drop: bool, stored: int) -> None:
    write(tmp_path / "log" / "a.csv", [event(), event(), event(money=None), event(money=None)])
    shop = config(tmp_path, drop_duplicates=drop)
    report = run(shop)
    assert (report.statistics.rows, report.statistics.equal_rows) == (stored, 2)
    assert ("dropped" if drop else "kept") in render(report)


def test_rows_that_differ_in_text_alone_are_not_equal(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(note="good"), event(note="evil"), event(note="evil"), event(note=None)])
    shop = config(tmp_path, text="note", drop_duplicates=True)
    report = run(shop)
    lengths = opened(shop).find("anna").numbers["note_length"]
    np.testing.assert_array_equal(lengths, [np.nan, 4, 4])
    assert report.statistics.equal_rows == 1


@pytest.mark.parametrize("name", ["people.parquet", "people.csv", "people.jsonl"])
def test_profiles_hold_every_other_column_by_its_kind(tmp_path: Path, name: str) -> None:
    people: list[dict[str, Any]] = [
        {"who": "anna", "since": "2025-01-01", "city": "Oslo", "age": 30, "zip": "01234", "nil": None},
        {"who": "anna", "since": "2025-06-01", "city": "Rome", "age": 31, "zip": "01234", "nil": None},
        {"who": "carl", "since": None, "city": None, "age": None, "zip": "99999", "nil": None},
        {"who": "carl", "since": None, "city": None, "age": None, "zip": "99999", "nil": None},
    ]
    write(tmp_path / "log" / "a.csv", [event()])
    write(tmp_path / name, people)
    shop = config(tmp_path, profile={"source": [name], "customer": "who", "known": "since"})
    assert run(shop).profile_rows == 4
    anna, carl = opened(shop).find("anna").profile, opened(shop).find("carl")
    assert (sorted(anna.categories), sorted(anna.numbers)) == (["city", "zip"], ["age"])
    assert anna.numbers["age"].tolist() == [30, 31]
    assert (carl.rows, carl.profile.known.tolist()) == (0, [BEGINNING])


def test_new_files_are_taken_old_ones_skipped_changed_ones_replaced(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(who="anna")])
    shop = config(tmp_path)
    assert run(shop).taken == ("log/a.csv",)
    write(tmp_path / "log" / "b.csv", [event(who="bob")])
    assert (run(shop).taken, opened(shop).log_position) == (("log/b.csv",), 2)
    write(tmp_path / "log" / "a.csv", [event(who="carl")])
    report = run(shop)
    assert (report.taken, report.skipped, report.replaced) == ((), ("log/b.csv",), ("log/a.csv",))
    store = opened(shop)
    assert [store.find(name).rows for name in ("anna", "bob", "carl")] == [0, 1, 1]
    assert [store.find(name).arrival.tolist() for name in ("bob", "carl")] == [[2], [3]]


def test_a_file_that_moved_still_gives_what_it_gave(tmp_path: Path) -> None:
    first = write(tmp_path / "log" / "a.csv", [event(who="anna")])
    shop = config(tmp_path)
    run(shop)
    first.rename(tmp_path / "log" / "a-1.csv")
    write(tmp_path / "log" / "a.csv", [event(who="bob")])
    run(shop)
    assert [opened(shop).find(name).rows for name in ("anna", "bob")] == [1, 1]


def test_a_new_file_alone_needs_no_old_source(tmp_path: Path) -> None:
    old = write(tmp_path / "log" / "a.csv", [event(who="anna")])
    shop = config(tmp_path)
    run(shop)
    old.unlink()
    run(shop, [write(tmp_path / "extra.jsonl", [event(who="bob")])])
    assert opened(shop).manifest.statistics.rows == 2


def test_a_changed_mapping_reads_everything_again_and_keeps_arrivals(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(channel="web")])
    run(config(tmp_path))
    write(tmp_path / "log" / "b.csv", [event(channel="app")])
    run(config(tmp_path))
    shop = config(tmp_path, categories=["channel"])
    run(shop)
    journey = opened(shop).find("anna")
    assert journey.categories["channel"].names.tolist() == ["app", "web"]
    assert sorted(journey.arrival.tolist()) == [1, 2]


def test_columns_that_tasks_read_are_stored(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(kind="mens", chance=0.5)])
    base = config(tmp_path)
    task = {"kind": "next_action", "event": "mail", "action": "kind", "nothing": "none", "probability": "chance"}
    given_tasks = {"offer": {**task, "reward": "purchase", "horizon_days": 7}}
    shop = parse({"log": base.log.model_dump(exclude_none=True), "tasks": given_tasks}, folder=tmp_path)
    run(shop)
    assert list(opened(shop).find("anna").categories) == ["kind"]
    assert opened(shop).find("anna").numbers["chance"].tolist() == [0.5]


def test_an_event_up_to_a_day_ahead_of_the_clock_is_kept(tmp_path: Path) -> None:
    rows = [event(at="2026-01-02T00:00:00"), event(at="2026-01-02T00:00:00.000001")]
    write(tmp_path / "log" / "a.csv", rows)
    assert run(config(tmp_path), now=NOW).quarantined == {f"at: {LATE}": 1}


def test_the_report_tells_what_was_found(tmp_path: Path) -> None:
    rows = [event(at="2025-01-01"), event(who="bob", at="2025-01-05", what="view"), event(at="nonsense")]
    write(tmp_path / "log" / "a.csv", rows)
    text = render(run(config(tmp_path)))
    for line in (
        "2 stored of 3", "customers  2", "2025-01-01T00:00:00Z to 2025-01-05T00:00:00Z", "purchase 1, view 1",
        "the longest gap 3 days from 2025-01-02", "33.33% of rows (1)", "at: not an ISO 8601 date or time",
    ):  # fmt: skip
        assert line in text


def test_online_retail_is_taken_whole(tmp_path: Path, data_folder: Path) -> None:
    shop = parse(
        {
            "log": {
                "source": [str(data_folder / "online_retail_ii" / "events.parquet")],
                "value": "value",
                "order": "invoice_no",
                "categories": ["stock_code", "country"],
                "numbers": ["quantity", "unit_price"],
            }
        },
        folder=tmp_path,
    )
    report = run(shop)
    assert (report.rows, report.statistics.rows, report.statistics.customers) == (809_560, 809_560, 5_942)
    assert report.quarantined == {}
    assert Store.open(tmp_path / "workspace", shop).find("12346").rows == 48
