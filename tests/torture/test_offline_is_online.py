"""A row is the same to the bit from the batch and online, whatever part of the journey came with the request; and no
later event changes it."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arrays import Floats
from features.config.sections import Config
from features.ingest import build
from features.journeys import Journeys
from features.panel.build import Rows
from features.panel.build import build as panel
from features.store.merge import merge
from features.timeline import DAY_US
from tests.support.log_files import opened, run
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import CUTOFFS, EDGES, EVERY_FEATURE, Event, Fact, World, events, facts, same_bits, worlds
from tests.torture.support.sizes import Toll, size

CUSTOMERS, TIMES, EVENTS_EACH = size((150, 2, 8), (10_000, 1, 6), (10_000, 20, 12))
FRESH = "2.parquet"  # of the crowd's three files, the one that comes with the requests


def test_online_is_batch_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toll: Toll) -> None:
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", 10_000)
    shop = crowd(tmp_path, CUSTOMERS, events_each=EVENTS_EACH, without="id")
    files = sorted((tmp_path / "log").iterdir())
    whole = shop.model_copy(update={"workspace": "whole"})
    run(shop, [file for file in files if file.name != FRESH], now=NOW)
    run(whole, now=NOW)
    fresh, store = good_rows(whole), opened(shop)
    for journeys in opened(whole).buckets():
        cutoffs = random_times(len(journeys))
        batch = values(journeys, np.repeat(np.arange(len(journeys)), TIMES), cutoffs.ravel())
        for index, customer in enumerate(journeys.customers):
            merged = merge(store.find(customer), customer, fresh[customer], shop, NOW)
            for at, expected in zip(cutoffs[index], batch[index * TIMES : (index + 1) * TIMES], strict=True):
                toll.fault(bool(fresh[customer]))
                found = values(merged.as_of(int(at)), np.zeros(1, np.int64), np.array([at]))[0]
                toll.hold(same_bits(found, expected), f"'{customer}' at {at}: {different(found, expected)}")
    toll.tell(rows=TIMES * CUSTOMERS)
    toll.settle(at_least=TIMES * CUSTOMERS // 2)


def test_no_later_event_changes_a_row(toll: Toll) -> None:
    @settings(max_examples=size(100, 1_000, 10_000))
    @given(worlds(), st.sampled_from(CUTOFFS), st.data())
    def no_leak(of: World, cutoff: int, data: st.DataObject) -> None:
        more = data.draw(st.lists(later(cutoff), min_size=1, max_size=6))
        toll.fault(len(more))
        assert same_bits(everybody(of.adding(*more), cutoff), everybody(of, cutoff))

    no_leak()
    toll.settle(at_least=size(100, 1_000, 10_000))


def later(cutoff: int) -> st.SearchStrategy[Event | Fact]:
    """Rows that happen or become known after the cutoff, many of them at once after it."""
    after = st.sampled_from((1, DAY_US, 30 * DAY_US)).map(lambda beyond: cutoff + beyond)
    happening = st.builds(lambda row, at: replace(row, time=at), events(), after)
    learnt = st.builds(lambda row, at: replace(row, known=at), events(), after)
    return happening | learnt | st.builds(lambda row, at: replace(row, known=at), facts(), after)


def good_rows(shop: Config) -> dict[str, list[dict[str, Any]]]:
    """The rows of the fresh file by customer, without those that ingest put into quarantine."""
    bad = {
        row["row"]
        for file in (shop.workspace_path / "quarantine").glob("log-*.parquet")
        for row in pq.read_table(file).to_pylist()
        if row["file"].endswith(FRESH)
    }
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, row in enumerate(pq.read_table(shop.folder / "log" / FRESH).to_pylist(), 1):
        if number not in bad:
            rows[row["who"]].append(row)
    return rows


def random_times(customers: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Some times for each customer, half of them on edges."""
    dice = np.random.default_rng(customers)
    anywhere = dice.integers(min(EDGES), CUTOFFS[-1] + 1, (customers, TIMES))
    return np.where(dice.random((customers, TIMES)) < 0.5, dice.choice(EDGES, (customers, TIMES)), anywhere)


def everybody(of: World, cutoff: int) -> Floats:
    journeys = of.journeys()
    return values(journeys, np.arange(len(journeys)), np.full(len(journeys), cutoff))


def values(of: Journeys, customers: Any, cutoffs: Any) -> Floats:
    return panel(of, Rows(customers, cutoffs), EVERY_FEATURE).values


def different(one: Floats, other: Floats) -> list[str]:
    pairs = zip(EVERY_FEATURE.names, one, other, strict=True)
    return [f"{name} {a!r} != {b!r}" for name, a, b in pairs if not same_bits(np.array([a]), np.array([b]))][:5]
