"""The jobs of executors, here in one process: equal to the bit to ingest and build, however the rows are cut."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config.load import parse
from features.config.sections import Config
from features.errors import LogError, StoreError
from features.global_counts import summed, together
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.panel.comparisons import count_keys
from features.spark import jobs
from features.spark.jobs import ASKED, ATTRIBUTE, EVENT, PROFILE, Checks
from features.store import global_counts
from features.store.reader import Store
from tests.support.log_files import run
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import COMPARISONS, CUTOFFS, EVERY_FEATURE, same_bits


@pytest.mark.parametrize("most", [40, 10**6])
def test_a_panel_of_chunks_is_the_panel_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    shop = crowd(tmp_path, 60, without="id")
    run(shop, now=NOW)
    monkeypatch.setattr(jobs, "CHUNK_ROWS", most)
    monkeypatch.setattr(jobs, "CELLS", 50 * most)
    given: dict[str, Any] = {"features": EVERY_FEATURE.to_json(), "cutoffs": CUTOFFS, "config": jobs.plain(shop)}
    batches = list(jobs.panels(_batches(_partition(shop)), shop.folder, **given))
    table = pa.Table.from_batches(batches, jobs.panel_schema(EVERY_FEATURE))
    journeys = Store.open(shop.workspace_path, shop).bucket(0)
    expected = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), EVERY_FEATURE)
    assert (len(batches) > 10) == (most == 40)
    assert table.column("customer_id").to_pylist() == list(journeys.customers[expected.rows.customer])
    assert table.column("cutoff").cast(pa.int64()).to_pylist() == expected.rows.cutoff.tolist()
    assert same_bits(np.stack([column.to_numpy() for column in table.columns[2:]], axis=1), expected.values)


@pytest.mark.parametrize("most", [40, 10**6])
def test_what_chunks_add_up_to_is_what_everybody_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    shop = crowd(tmp_path, 60, without="id")
    run(shop, now=NOW)
    monkeypatch.setattr(jobs, "CHUNK_ROWS", most)
    sent: dict[str, Any] = {"features": COMPARISONS.to_json(), "config": jobs.plain(shop)}
    counts = pa.Table.from_batches(jobs.counts(_batches(_partition(shop)), shop.folder, **sent), jobs.COUNTS)
    keys = count_keys(COMPARISONS)
    everybody = together([summed(counts.column("key").to_numpy(), counts.column("count").to_numpy())], keys)
    global_counts.write(tmp_path / "sent.arrow", everybody)
    sent |= {"cutoffs": CUTOFFS, "counts_file": str(tmp_path / "sent.arrow")}
    batches = jobs.panels(_batches(_partition(shop)), shop.folder, **sent)
    table = pa.Table.from_batches(batches, jobs.panel_schema(COMPARISONS))
    journeys = Store.open(shop.workspace_path, shop).with_global_counts(keys).bucket(0)
    expected = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), COMPARISONS)
    assert same_bits(np.stack([column.to_numpy() for column in table.columns[2:]], axis=1), expected.values)


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 9), st.integers(1, 20))
def test_a_customer_is_never_cut(lengths: list[int], size: int, most: int) -> None:
    names = [f"c{number}" for number, length in enumerate(lengths) for _ in range(length)]
    rows = pa.table({"customer": pa.array(names, pa.string()), "row": pa.array(range(len(names)), pa.int64())})
    chunks = list(jobs._whole_customers(_batches(rows, size), most))
    assert [row for chunk in chunks for row in chunk.column("row").to_pylist()] == list(range(len(names)))
    customers = [set(chunk.column("customer").to_pylist()) for chunk in chunks]
    assert sum(map(len, customers)) == len(set(names))


def test_every_bad_row_comes_back_with_its_reason_and_what_it_held(tmp_path: Path) -> None:
    shop = crowd(tmp_path, 60)
    report = run(shop, now=NOW)
    checked = _checked(shop, "log")
    bad = checked.filter(pc.is_valid(checked.column("reason")))
    assert len(checked) == report.rows
    assert dict(Counter(bad.column("reason").to_pylist())) == report.quarantined
    assert all("what" in raw for raw in bad.column("raw").to_pylist())


def test_an_attribute_is_a_number_only_where_every_chunk_has_numbers(tmp_path: Path) -> None:
    shop = parse({"profile": {"customer": "who"}}, folder=tmp_path)
    chunks = [pa.table({"who": ["a"], "size": [size], "none": pa.nulls(1, pa.string())}) for size in ("44", "XL")]
    kinds = [
        dict(zip(*batch.to_pydict().values(), strict=True))
        for chunk in chunks
        for batch in jobs.kinds(_batches(chunk), tmp_path, config=jobs.plain(shop))
    ]
    assert kinds == [{"size": "number"}, {"size": "category"}]


def test_what_is_sent_of_a_configuration_reads_rows_the_same_way(tmp_path: Path) -> None:
    offer = {
        "kind": "next_action",
        "event": "mail",
        "action": "campaign",
        "nothing": "none",
        "reward": "buy",
        "reward_unit": "count",
    }
    task = {**offer, "probability": "p", "horizon_days": 9}
    shop = parse(
        {"log": {"categories": ["c"], "complete_until": "2020-01-01"}, "tasks": {"offer": task}}, folder=tmp_path
    )
    read = Config.model_validate(jobs.plain(shop))
    assert (read.stored_categories, read.stored_numbers) == (("c", "campaign"), ("p",))
    assert read.log.complete_until_us == shop.log.complete_until_us


@pytest.mark.parametrize(
    ("customers", "at", "error", "message"),
    [
        (["a", "b", "a"], [1, 2, 3], StoreError, "ordered by customer"),
        (["a", "b", None], [1, 2, 3], LogError, "expected a customer_id and a cutoff in every row"),
        (["a", "b", "c"], [1, None, 3], LogError, "expected a customer_id and a cutoff in every row"),
    ],
)
def test_rows_that_cannot_be_right_are_refused(
    tmp_path: Path, customers: list[Any], at: list[Any], error: type[Exception], message: str
) -> None:
    rows = pa.table({"customer": customers, "kind": [ASKED] * 3, "at": pa.array(at, pa.int64())})
    none = FeatureSet(()).to_json()
    with pytest.raises(error, match=message):
        list(jobs.panels(_batches(rows), tmp_path, config={"folder": "."}, features=none, cutoffs=None))


def _partition(shop: Config) -> pa.Table:
    """All rows as Spark brings them to one partition."""
    log, profile = (_checked(shop, kind).filter(pc.field("reason").is_null()) for kind in ("log", "profile"))
    events = log.drop_columns(["reason", "raw"]).rename_columns({"time": "at"})
    facts = profile.drop_columns(["reason", "raw"])
    facts = facts.group_by(facts.schema.names).aggregate([])  # each once
    keys = {"customer": "customer", "known": "at"}
    facts = facts.rename_columns([keys.get(name, ATTRIBUTE + name) for name in facts.schema.names])
    parts = [
        part.append_column("kind", pa.array([kind] * len(part))) for part, kind in ((events, EVENT), (facts, PROFILE))
    ]
    whole = pa.concat_tables(parts, promote_options="default")
    ordered = ["customer", "kind", "at", *(name for name in whole.schema.names if name.startswith(ATTRIBUTE))]
    return whole.sort_by([(name, "ascending", "at_start") for name in ordered])


def _checked(shop: Config, kind: Any) -> pa.Table:
    files = sorted((shop.folder / {"log": "log", "profile": "people"}[kind]).iterdir())
    rows = pa.concat_tables(map(pq.read_table, files))
    sent = jobs.plain(shop)
    kinds: dict[str, str] = {}
    for batch in jobs.kinds(_batches(rows), shop.folder, config=sent) if kind == "profile" else ():
        kinds = dict(zip(*batch.to_pydict().values(), strict=True))
    schema = jobs.check_schema(rows.schema, shop.folder, Checks(shop, kind, NOW, kinds))
    batches = jobs.check(_batches(rows), shop.folder, config=sent, kind=kind, now_us=NOW, kinds=kinds)
    return pa.Table.from_batches(batches, schema)


def _batches(table: pa.Table, rows: int = 100) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=rows)
