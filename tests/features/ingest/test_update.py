"""A store that grew step by step is the store of one ingest of everything, and a step builds only what it changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config.sections import Config
from features.errors import StoreError
from features.ingest import build, update
from features.ingest.changed_buckets import StagedFiles
from features.ingest.deduplicate import repeated_rows
from features.ingest.report import render
from features.log import staging
from features.log.schema import bucket_of
from features.store.statistics import statistics
from features.system import duck
from features.system.files import digest
from features.timeline import DAY_US, instant
from tests.support.digests import state_digest
from tests.support.log_files import config, event, opened, run, write

PEOPLE = {"source": ["people*"], "customer": "who", "known": "since"}
BUCKETS = 8
NAMES = [f"é{number} 😀" for number in range(500)]
SOME = st.sampled_from(
    [next(name for name in NAMES if bucket_of(name, BUCKETS) == number) for number in range(BUCKETS)]
)
DAYS = st.integers(1, 4).map(lambda day: f"2025-01-0{day}")
LOGS = ["log/a.csv", "log/b.parquet"]
EVENT = {
    "who": SOME,
    "at": DAYS,
    "what": st.sampled_from(["buy", "view"]),
    "money": st.sampled_from([None, 1.0, 2.5]),
    "seen": st.one_of(st.none(), DAYS),
    "bill": st.sampled_from([None, "1", "2"]),
    "key": st.sampled_from([None, "1", "2", "3"]),
    "note": st.sampled_from([None, "good", "evil"]),
    "channel": st.sampled_from([None, "web", "ü"]),
}
FACT = {"who": SOME, "since": DAYS, "age": st.sampled_from([None, 1.0, 2.0]), "plan": st.sampled_from([None, "a", "b"])}
EVENTS = st.lists(st.fixed_dictionaries(EVENT), min_size=1, max_size=4)
FACTS = st.lists(st.fixed_dictionaries(FACT), min_size=1, max_size=3)
STEP = st.one_of(
    st.tuples(st.sampled_from(LOGS), EVENTS),
    st.tuples(st.just("people.jsonl"), FACTS),
    st.tuples(st.just("people-2.jsonl"), FACTS),
)
SHOP: dict[str, Any] = {"known": "seen", "order": "bill", "categories": ["channel"], "profile": PEOPLE}


@settings(max_examples=10)
@given(
    first=EVENTS,
    steps=st.lists(st.lists(STEP, min_size=1, max_size=2), min_size=1, max_size=3),
    apart=st.sampled_from([True, True, False]),
    more=st.sampled_from([{"id": "key"}, {"id": "key", "text": "note"}, {"drop_duplicates": True, "text": "note"}]),
)
def test_a_store_that_grew_is_the_store_of_one_ingest_of_everything(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Any],
    steps: list[list[tuple[str, list[Any]]]],
    apart: bool,
    more: dict[str, Any],
) -> None:
    folder, once = tmp_path_factory.mktemp("grown"), tmp_path_factory.mktemp("once")
    shop = config(folder, **SHOP, **more)
    (folder / "people.jsonl").write_text('{"who": "carl", "since": "2025-01-01", "age": 1}\n')
    last, arrived = 0, dict[str, int]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "ROWS_PER_BUCKET", 4)
        patched.setattr(staging, "ROWS", 5)
        for module in (build, update) if apart else ():  # each customer in a bucket that stays its own
            patched.setattr(module, "buckets_for", lambda _: BUCKETS)
        for step in [[("log/a.csv", first)], *steps]:
            for name, rows in step:
                write(folder / name, rows)
            run(shop)
            last, arrived = _arrived(last, arrived, folder)
        _assert_as_if_built_whole(shop, folder / "whole", arrived)
        for path in (*folder.glob("log/*"), *folder.glob("people*")):
            copy = once / path.relative_to(folder)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
        other = config(once, **SHOP, **more)
        run(other)
    assert opened(shop).manifest.statistics == opened(other).manifest.statistics
    assert state_digest(opened(shop)) == state_digest(opened(other))


def _arrived(last: int, arrived: dict[str, int], folder: Path) -> tuple[int, dict[str, int]]:
    """The number of the last ingest that brought rows, and that of every content; what went and came back is new."""
    contents = {digest(path) for path in (*folder.glob("log/*"), *folder.glob("people*"))}
    last += not contents <= arrived.keys()
    return last, {content: arrived.get(content, last) for content in contents}


def _assert_as_if_built_whole(shop: Config, folder: Path, arrived: dict[str, int]) -> None:
    """The same files, names and digests, from the taken files alone; every content with the ingest that brought it."""
    manifest = opened(shop).manifest
    assert {file.digest: file.arrival for file in manifest.taken} == arrived
    logs, profiles = (
        tuple(update.staged_path(shop, file) for file in manifest.taken if file.kind == kind)
        for kind in ("log", "profile")
    )
    staged = StagedFiles(logs, profiles)
    if shop.log.id:
        with duck.connect(folder) as connection:
            staged = replace(staged, repeated=repeated_rows(connection, logs, shop, {}))
    built = build.build(folder, staged, shop)
    assert [files for files, _ in built] == list(manifest.buckets)
    assert [counted for _, counted in built] == list(manifest.tallies)
    repeated_ids = sum(int(mask.sum()) for mask in staged.repeated.values())
    equal_dropped = shop.log.drop_duplicates
    assert manifest.statistics == statistics(manifest.tallies, repeated_ids=repeated_ids, equal_dropped=equal_dropped)


def shop_of_sixteen(folder: Path, monkeypatch: pytest.MonkeyPatch, **log: Any) -> Config:
    """Four events of each of 30 customers, in 16 buckets."""
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", 10)
    rows = [
        event(
            who=f"c{number % 30}", at=f"2025-01-{1 + number % 28:02}", money=float(number), key=f"{number}", seen=None
        )
        for number in range(120)
    ]
    write(folder / "log" / "a.csv", rows)
    shop = config(folder, **log)
    assert run(shop).buckets == 16
    return shop


def seen(shop: Config) -> dict[str, tuple[int, int]]:
    """Inode and time of writing of each bucket file."""
    folder = shop.workspace_path / "store"
    return {
        name: ((folder / name).stat().st_ino, (folder / name).stat().st_mtime_ns)
        for name in opened(shop).manifest.files
    }


def test_a_new_file_builds_its_buckets_and_neither_reads_nor_writes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    files, touched = opened(shop).manifest.buckets, bucket_of("c1", 16)
    for bucket in files[:touched] + files[touched + 1 :]:
        (tmp_path / "workspace" / "store" / bucket.events).write_bytes(b"nobody looks at this")
    before = seen(shop)
    write(tmp_path / "log" / "b.csv", [event(who="c1", at="2025-01-02")])
    report = run(shop)
    assert (report.built, report.buckets) == (1, 16)
    assert "1 of 16 built anew" in render(report)
    buckets_now = opened(shop).manifest.buckets
    assert [number for number in range(16) if buckets_now[number] != files[number]] == [touched]
    assert len(before.items() - seen(shop).items()) == 1  # nobody has a profile


def test_a_late_event_lands_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch, known="seen")
    write(tmp_path / "log" / "late.csv", [event(who="c1", at="2025-01-03T12:00:00", seen="2025-02-01")])
    assert run(shop).built == 1
    journey = opened(shop).find("c1")
    place = journey.time.tolist().index(instant("2025-01-03T12:00:00"))
    assert 0 < place < 4
    assert journey.time.tolist() == sorted(journey.time.tolist())
    assert (journey.arrival[place], journey.known[place]) == (2, instant("2025-02-01"))


def test_a_replaced_file_builds_the_buckets_of_its_old_and_its_new_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    write(tmp_path / "log" / "b.csv", [event(who="c1")])
    run(shop)
    write(tmp_path / "log" / "b.csv", [event(who="c2")])
    assert bucket_of("c1", 16) != bucket_of("c2", 16)
    assert run(shop).built == 2
    assert [opened(shop).find(who).rows for who in ("c1", "c2")] == [4, 5]


def test_a_profile_builds_the_buckets_of_its_customers_unless_it_brings_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "people.jsonl", [{"who": "c1", "since": "2025-01-01", "age": 3}])
    shop = shop_of_sixteen(tmp_path, monkeypatch, profile=PEOPLE)
    write(tmp_path / "people.jsonl", [{"who": who, "since": "2025-01-01", "age": 4} for who in ("c1", "c2")])
    assert run(shop).built == 2
    assert [opened(shop).find(who).profile.numbers["age"].tolist() for who in ("c1", "c2")] == [[4], [4]]
    write(tmp_path / "people-2.jsonl", [{"who": "c1", "since": "2025-01-02", "city": "Oslo"}])
    assert run(shop).built == 16


def test_an_id_at_another_customer_moves_between_the_two_buckets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch, id="key")
    write(tmp_path / "log" / "b.csv", [event(who="c2", at="2025-06-01", key="1")])  # c1 was first
    report = run(shop)
    assert (report.built, report.statistics.repeated_ids) == (0, 1)
    write(tmp_path / "log" / "c.csv", [event(who="c3", at="2024-01-01", key="1")])  # now c3 is
    report = run(shop)
    assert (report.built, report.statistics.repeated_ids) == (2, 2)
    assert [opened(shop).find(who).rows for who in ("c1", "c2", "c3")] == [3, 4, 5]
    write(tmp_path / "log" / "c.csv", [event(who="c4", at="2024-01-01", key="else")])  # and c1 again
    report = run(shop)
    assert (report.built, report.statistics.repeated_ids) == (3, 1)
    assert [opened(shop).find(who).rows for who in ("c1", "c2", "c3", "c4")] == [4, 4, 4, 5]


def test_a_log_that_outgrows_its_buckets_has_all_of_them_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    write(tmp_path / "log" / "b.csv", [event(who="c1", at=f"2025-02-{day:02}") for day in range(1, 29)] * 2)
    report = run(shop)
    assert (report.built, report.buckets) == (32, 32)


def test_an_ingest_that_brings_nothing_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    before = seen(shop)
    assert run(shop).built == 0
    (tmp_path / "log" / "copy.csv").write_bytes((tmp_path / "log" / "a.csv").read_bytes())
    assert run(shop).built == 0
    assert seen(shop) == before


def test_a_bucket_whose_file_is_gone_is_built_by_the_next_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    before = state_digest(opened(shop))
    (tmp_path / "workspace" / "store" / opened(shop).manifest.buckets[bucket_of("c1", 16)].events).unlink()
    assert run(shop).built == 1
    assert state_digest(opened(shop)) == before


def test_a_taken_file_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    (taken,) = (tmp_path / "workspace" / "store" / "taken").glob("log-*")
    taken.unlink()
    write(tmp_path / "log" / "b.csv", [event(who="c1")])
    with pytest.raises(StoreError, match=r"expected .*log-.*arrow, found none; remove .*store and `ingest` all files"):
        run(shop)


def test_the_statistics_are_the_sum_of_the_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_sixteen(tmp_path, monkeypatch)
    write(tmp_path / "log" / "b.csv", [event(who="c1", at="2025-03-01", what="view"), event(who="c2", at="2025-02-01")])
    statistics, store = run(shop).statistics, opened(shop)
    tallies = store.manifest.tallies
    for counted, journeys in zip(tallies, store.buckets(), strict=True):
        assert (counted.rows, counted.customers) == (journeys.rows, len(journeys))
        assert counted.newest == max(journeys.time, default=None)
        assert counted.newest_known == max(journeys.known, default=None)
    assert sum(counted.rows for counted in tallies) == statistics.rows == 122
    assert sum(counted.customers for counted in tallies) == statistics.customers == 30
    assert statistics.events == {"purchase": 121, "view": 1}
    assert (statistics.days_without, statistics.longest_gap_days) == (3 + 27, 27)
    assert statistics.longest_gap_from == instant("2025-02-02")


def test_a_customer_with_a_million_events_is_a_customer(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    count = 1_000_000
    who = np.where(np.arange(count + 50_000) < count, "robot", "somebody")
    day = rng.integers(1, 29, len(who))  # so that a hundred thousand rows share their time
    table = pa.table(
        {
            "who": who,
            "at": pa.array(instant("2025-01-01") + day * DAY_US).cast(pa.timestamp("us")),
            "what": pa.array(["view", "buy"]).take(pa.array(rng.integers(0, 2, len(who)))),
            "money": rng.integers(0, 5, len(who)).astype(float),
            "bill": pa.array(rng.integers(0, count // 3, len(who))).cast(pa.string()),
        }
    )
    (tmp_path / "log").mkdir()
    pq.write_table(table, tmp_path / "log" / "a.parquet")
    shop = config(tmp_path, order="bill")
    report = run(shop)
    robot = opened(shop).find("robot")
    assert (report.buckets, robot.rows) == (4, count)
    assert (np.diff(robot.time) >= 0).all()
    assert robot.occurrence is not None
    of_robot = table.slice(0, count)
    assert robot.occurrence.max() + 1 == of_robot.group_by(["what", "bill"]).aggregate([]).num_rows
    assert robot.value.sum() == pc.sum(of_robot.column("money")).as_py()
    write(tmp_path / "log" / "b.csv", [event(who="robot", bill=None)])
    assert run(shop).built == 1
    assert opened(shop).find("robot").rows == count + 1
