"""The crowd of a store: kept by bucket, made anew where the store is, the same for one customer as for everybody."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config.sections import Config
from features.errors import StoreError
from features.global_counts import GlobalCounts, together
from features.ingest import build as building
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.panel.comparisons import count_keys
from features.store import global_counts
from features.store.global_counts import FOLDER, LOCK, PART, counted, read, write
from features.store.merge import merge
from features.store.reader import Store
from features.system.processes import file_lock
from features.timeline import instant
from tests.support.log_files import config, event, opened, run
from tests.support.log_files import write as write_log
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import CUTOFFS, same_bits

FEATURES = FeatureSet(
    (
        Feature("popularity", Stream(), "product"),
        Feature("event_share", Stream(("purchase",)), "channel", 30, "view"),
        Feature("cohort_count"),
        Feature("cohort_count", Stream(("purchase",))),
        Feature("count"),
    ),
)
COUNT_KEYS = count_keys(FEATURES)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A shop of several buckets."""
    monkeypatch.setattr(building, "ROWS_PER_BUCKET", 300)
    made = crowd(tmp_path, 60)
    run(made, now=NOW)
    return made


def of(shop: Config) -> Store:
    return opened(shop).with_global_counts(COUNT_KEYS)


def names(shop: Config, pattern: str = "*.arrow") -> dict[str, int]:
    """Files of the crowd with the instant they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (shop.workspace_path / FOLDER).glob(pattern)}


def one_more_event(shop: Config) -> None:
    whole = pq.read_table(shop.folder / "log" / "0.parquet")
    row = {**dict.fromkeys(whole.schema.names), "who": "c2é", "at": "2021-02-01T10:00:00", "what": "view"}
    pq.write_table(pa.Table.from_pylist([row], whole.schema), shop.folder / "log" / "more.parquet")
    run(shop, now=NOW)


def counted_whole(store: Store) -> GlobalCounts:
    return together([counted(journeys, COUNT_KEYS) for journeys in store.buckets()], COUNT_KEYS)


def assert_same(actual: GlobalCounts | None, expected: GlobalCounts) -> None:
    assert actual is not None
    assert actual.count_keys == expected.count_keys
    for name in ("starts", "days", "totals"):
        assert np.array_equal(getattr(actual, name), getattr(expected, name))


def test_the_crowd_of_a_store_is_that_of_all_its_journeys(shop: Config) -> None:
    store = of(shop)
    assert len(store) > 2
    assert_same(store.global_counts, counted_whole(store))


def test_one_customer_gets_the_numbers_of_the_base_to_the_bit(shop: Config) -> None:
    store = of(shop)
    for journeys in store.buckets():
        every = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), FEATURES).values
        for index, customer in enumerate(journeys.customers):
            alone = build(store.find(customer), Rows.grid(1, np.array(CUTOFFS)), FEATURES).values
            assert same_bits(alone, every[index * len(CUTOFFS) : (index + 1) * len(CUTOFFS)])


def test_fresh_events_change_what_a_customer_touched_and_never_the_crowd(tmp_path: Path) -> None:
    rows = [event("anna", product="tea"), *(event(f"c{n}", product="cake") for n in range(3))]
    write_log(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path, categories=["product"])
    run(shop)
    store = opened(shop).with_global_counts(count_keys(FeatureSet((Feature("popularity", Stream(), "product"),))))
    fresh = {"at": "2025-01-02T10:00:00", "what": "purchase", "product": "cake"}
    later, features = np.array([instant("2025-01-03")]), FeatureSet((Feature("popularity", Stream(), "product"),))
    popularity = {
        name: build(merge(store.find(name), name, own, shop), Rows.grid(1, later), features).values[0, 0]
        for name, own in (("anna", [fresh]), ("nobody", [fresh]), ("c0", []), ("stranger", []))
    }
    assert popularity["anna"] == (1 / 4 + 3 / 4) / 2
    assert popularity["nobody"] == popularity["c0"] == 3 / 4
    assert np.isnan(popularity["stranger"])


def test_asked_again_nothing_is_written(shop: Config) -> None:
    first = of(shop).global_counts
    written = names(shop)
    assert first is not None
    assert_same(of(shop).global_counts, first)
    assert names(shop) == written


def test_an_ingest_counts_only_the_buckets_that_it_changed_and_what_is_gone_is_removed(shop: Config) -> None:
    before = of(shop)
    parts = names(shop, f"{PART}-*.arrow")
    one_more_event(shop)
    after = of(shop)
    changed = set(before.manifest.buckets) ^ set(after.manifest.buckets)
    assert len(changed) == 2  # one, as it was and as it is
    left = names(shop, f"{PART}-*.arrow")
    assert len(left) == len(parts)
    assert len(parts.items() & left.items()) == len(parts) - 1
    assert len(names(shop, "whole-*.arrow")) == 1
    assert_same(after.global_counts, counted_whole(after))


@pytest.mark.parametrize("what", ["changed", "cut", "gone", "without note", "with a torn note"])
def test_a_file_that_is_not_whole_is_made_anew(shop: Config, what: str) -> None:
    right = of(shop).global_counts
    assert right is not None
    for path in (shop.workspace_path / FOLDER).glob("*.arrow"):
        content = path.read_bytes()
        if what in ("changed", "cut"):
            path.unlink()  # the first crowd still looks at it
            path.write_bytes(content[:-30] if what == "cut" else content[:-300] + b"?" + content[-299:])
        elif what == "gone":
            path.unlink()
        elif what == "without note":
            path.with_suffix(".json").unlink()
        else:
            path.with_suffix(".json").write_text('{"dig')
    assert_same(of(shop).global_counts, right)


def test_a_crowd_that_was_sent_is_the_crowd(shop: Config, tmp_path: Path) -> None:
    sent = of(shop).global_counts
    assert sent is not None
    write(tmp_path / "sent.arrow", sent)
    assert_same(read(tmp_path / "sent.arrow", COUNT_KEYS), sent)
    with pytest.raises(StoreError, match=r"expected .*lost\.arrow as it was written, found it missing or changed"):
        read(tmp_path / "lost.arrow", COUNT_KEYS)


def test_a_reader_of_the_former_store_still_finds_everybody(shop: Config) -> None:
    former = opened(shop)
    right = former.with_global_counts(COUNT_KEYS).global_counts
    one_more_event(shop)
    of(shop)
    assert right is not None
    assert_same(former.with_global_counts(COUNT_KEYS).global_counts, right)
    assert replace(former, global_counts=None) == former


def test_one_process_at_a_time_makes_them_because_it_sweeps_what_is_unfinished(
    shop: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def during(folder: Path, _: set[str]) -> None:
        with pytest.raises(BlockingIOError), file_lock(folder / LOCK, wait=False):
            pass
        refused.append(folder)

    monkeypatch.setattr(global_counts, "_prune", during)
    first = of(shop).global_counts
    assert len(refused) == 1
    assert of(shop).global_counts is not first  # read, not made: nobody waits
    assert len(refused) == 1
