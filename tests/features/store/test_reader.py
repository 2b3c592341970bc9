"""The store: whole or not at all, the same whatever the order, split and number of buckets, and cheap to look into."""

import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config.sections import Config
from features.errors import StoreError
from features.ingest import build
from features.ingest import run as ingest
from features.journeys import Journeys
from features.log import staging, validate
from features.log.schema import bucket_of
from features.store import manifest
from features.store.reader import Store
from features.system.files import digest
from features.timeline import DAY_US, instant
from tests.support.digests import journey_digest, state_digest
from tests.support.log_files import NOW, config, digest_of, event, opened, run, write

SHOP: dict[str, Any] = {"known": "seen", "order": "bill", "categories": ["channel"], "numbers": ["pieces"]}

whole_days = st.integers(1, 4).map(lambda day: f"2025-01-0{day}")
events = st.fixed_dictionaries(
    {
        "who": st.sampled_from(["anna", "bob", "😀", "é"]),
        "at": whole_days,
        "what": st.sampled_from(["buy", "view"]),
        "money": st.sampled_from([None, -1.0, 0.0, -0.0, 2.5]),
        "seen": st.one_of(st.none(), whole_days),
        "bill": st.sampled_from([None, "1", "2"]),
        "channel": st.sampled_from([None, "web", "Web", "ü"]),
        "pieces": st.sampled_from([None, 1.0, 2.0]),
    }
)
logs = st.lists(events, min_size=1, max_size=12)


def small_shop(folder: Path, customers: int = 30, **log: Any) -> Config:
    rows = [
        event(who=f"c{i % customers} 😀", at=f"2025-01-{1 + i % 28:02}", money=float(i)) for i in range(4 * customers)
    ]
    write(folder / "log" / "a.csv", rows)
    return config(folder, **log)


@settings(max_examples=8)
@given(rows=logs, data=st.data())
def test_order_and_split_of_rows_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], data: Any
) -> None:
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    whole = digest_of(tmp_path_factory.mktemp("whole"), {"a.parquet": rows}, **SHOP)
    folder = tmp_path_factory.mktemp("split")
    shop = config(folder, **SHOP)
    for name, part in (("b.csv", shuffled[:cut]), ("a.jsonl", shuffled[cut:])):
        if part:
            write(folder / "log" / name, part)
            run(shop)
    if shuffled[:cut] != shuffled[cut:]:  # an equal file is the same file, and taken once
        assert state_digest(opened(shop)) == whole


@settings(max_examples=5)
@given(rows=logs, copies=st.integers(1, 3))
def test_events_with_ids_may_come_any_number_of_times(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], copies: int
) -> None:
    named = [{**row, "key": str(i)} for i, row in enumerate(rows)]
    once = digest_of(tmp_path_factory.mktemp("once"), {"a.csv": named}, **SHOP, id="key")
    files = {"a.jsonl": named * copies, "b.csv": named[::-1]}
    assert digest_of(tmp_path_factory.mktemp("often"), files, **SHOP, id="key") == once


def test_ingest_twice_is_ingest_once(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    before = digest(tmp_path / "workspace" / "store" / "manifest.json")
    report = run(shop)
    assert (report.taken, report.skipped) == ((), ("log/a.csv",))
    assert digest(tmp_path / "workspace" / "store" / "manifest.json") == before


def test_the_number_of_buckets_changes_no_journey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    expected = state_digest(opened(shop))
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", 10)
    monkeypatch.setattr(staging, "ROWS", 7)
    monkeypatch.setattr(validate, "PIECE_ROWS", 5)
    shutil.rmtree(tmp_path / "workspace")
    run(shop)
    many = opened(shop)
    assert len(many) == 16
    assert state_digest(many) == expected
    assert [journeys.rows for journeys in many.buckets()] == [tally.rows for tally in many.manifest.tallies]


def test_every_customer_is_found_with_its_rows_and_nobody_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", 10)
    shop = small_shop(tmp_path)
    run(shop)
    store = opened(shop)
    for journeys in store.buckets():
        assert journeys.customers.tolist() == sorted(journeys.customers.tolist())
        for index, customer in enumerate(journeys.customers):
            alone = store.find(customer)
            assert alone.customers.tolist() == [customer]
            assert journey_digest(alone) == journey_digest(journeys.select(np.array([index])))
    assert (len(store.find("nobody")), store.find("nobody").rows) == (0, 0)


@given(st.text(min_size=1), st.integers(0, 15))
def test_twice_as_many_buckets_split_each(customer: str, power: int) -> None:
    assert bucket_of(customer, 2 << power) // 2 == bucket_of(customer, 1 << power)


def test_a_bucket_is_views_of_the_mapped_file(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    journeys = opened(shop).bucket(0)
    for column in (journeys.time, journeys.known, journeys.value, journeys.event.codes, journeys.arrival):
        assert not column.flags.owndata
        assert not column.flags.writeable


def test_default_as_of_and_end_of_labels(tmp_path: Path) -> None:
    write(
        tmp_path / "log" / "a.csv",
        [event(at="2025-01-01", seen="2025-01-09"), event(at="2025-01-05", seen="2025-01-05")],
    )
    shop = config(tmp_path, known="seen")
    run(shop)
    store = opened(shop)

    def day(number: int) -> int:
        return instant(f"2025-01-{number:02}")

    assert store.end(shop) == store.newest_known == day(9)
    assert [store.label_end(day(at), shop) for at in (9, 20, 6, 5, 4)] == [day(5), day(5), day(5), day(5), day(4)]
    complete = config(tmp_path, known="seen", complete_until="2025-01-07")
    assert opened(complete).end(complete) == day(7)
    assert [store.label_end(day(at), complete) for at in (9, 7, 6)] == [day(7), day(7), day(6)]


def test_a_missing_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run `ingest` first"):
        Store.open(tmp_path)


def test_a_store_of_another_mapping_is_refused(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    other = config(tmp_path, timezone="Europe/Paris")
    with pytest.raises(StoreError, match="have changed since the store was made; run `ingest` again"):
        opened(other)
    assert Store.open(shop.workspace_path).manifest.arrival == 1


def test_a_store_of_another_version_is_refused_and_made_anew_by_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = small_shop(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "VERSION", 1)
        patched.setattr(ingest, "VERSION", 1)
        run(shop)
    with pytest.raises(StoreError, match="expected a store of version 4, found 1; run `ingest` again"):
        opened(shop)
    run(shop)
    assert opened(shop).manifest.statistics.rows == 120


def test_a_store_of_another_form_is_refused_by_its_version(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    path = tmp_path / "workspace" / "store" / "manifest.json"
    former = {name: value for name, value in json.loads(path.read_text()).items() if name != "tallies"}
    path.write_text(json.dumps(former | {"version": 3}))
    for read in (opened, run):
        with pytest.raises(StoreError, match=r"expected a store of version 4, found 3; remove .*store and `ingest`"):
            read(shop)


def test_changed_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    store = opened(shop)
    path = store.folder / store.manifest.buckets[0].events
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="was changed: expected SHA-256"):
        list(store.buckets())
    (store.folder / "manifest.json").write_text('{"version": 1')
    with pytest.raises(StoreError, match="is no manifest of this version; remove"):
        opened(shop)


def test_a_reader_keeps_its_generation_through_one_ingest(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    run(shop)
    old = opened(shop)
    before = state_digest(old)
    write(tmp_path / "log" / "b.csv", [event(who="new")])
    run(shop)
    assert state_digest(old) == before
    write(tmp_path / "log" / "c.csv", [event(who="newer")])
    run(shop)
    with pytest.raises(StoreError, match="found none; it was moved or deleted"):
        state_digest(old)
    kept = {path.name for path in old.folder.glob("*.arrow")}
    assert kept == opened(shop).manifest.files | set(opened(shop).manifest.previous)


def test_two_ingests_at_once_are_refused(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(shop.workspace_path, ready, done))
    other.start()
    assert ready.wait(10)
    with pytest.raises(StoreError, match="another ingest is at work"):
        run(shop)
    done.set()
    other.join(10)
    assert run(shop).statistics.rows == 120


def _hold(workspace: Path, ready: Any, done: Any) -> None:
    from features.ingest.run import ingest_lock

    with ingest_lock(workspace):
        ready.set()
        done.wait(10)


def test_equal_journeys_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    rows = [event(), event(who="bob"), event(who="carl", money=6.0)]
    write(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path)
    run(shop)
    anna, bob, carl = (journey_digest(_found(shop, name)) for name in ("anna", "bob", "carl"))
    assert anna == bob != carl


def _found(shop: Config, customer: str) -> Journeys:
    return opened(shop).find(customer)


def test_rows_per_bucket_are_about_what_was_asked(tmp_path: Path) -> None:
    assert [build.buckets_for(rows) for rows in (1, 500_000, 500_001, 1_000_001, 10**9)] == [1, 1, 2, 4, 2048]


def test_the_span_is_in_microseconds(tmp_path: Path) -> None:
    shop = small_shop(tmp_path)
    statistics = run(shop, now=NOW).statistics
    assert statistics.newest is not None
    assert statistics.first is not None
    assert statistics.newest - statistics.first == 27 * DAY_US
