"""One partition of a distributed log: rows checked, then journeys, then their panel. Nothing here knows Spark.

Every job maps Arrow batches to Arrow batches, a chunk at a time, by the code that ingests and builds on one machine.
Its arguments are plain data, which reach a process before our modules do; `folder` is a private place for what is
written meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import Ints
from features.config.sections import Config
from features.errors import LogError, StoreError
from features.ingest.build import assemble, attributes, event_columns
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.log import staging
from features.log.files.open_file import open_file
from features.log.validate import Source, SourceKind, attribute_kinds, profile_columns, validate_file
from features.panel.build import Panel, Rows, build
from features.panel.comparisons import count_keys
from features.sets import user_module as own
from features.store import global_counts
from features.store.ordering import sort_rows
from features.system import duck

CHUNK_ROWS = 250_000  # rows held at a time, or one customer's when that is more
CELLS = 4_000_000  # of one batch of the panel: 32 MB
MEMORY = "1GB"  # for DuckDB, beside the chunk
ARRIVAL = 1  # all rows come at once
EVENT, PROFILE, ASKED = range(3)  # the kind of a row in `panels`, where `at` is its time, known or cutoff
ATTRIBUTE = "profile."  # stands before the columns of a profile's row
REASON, RAW = "reason", "raw"
COUNTS = pa.schema([("key", pa.int64()), ("count", pa.int64())])

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Checks:
    """How rows are checked: `kinds` says what the attributes of a profile are (see `attribute_kinds`)."""

    config: Config
    kind: SourceKind
    now_us: int
    kinds: Mapping[str, str]


def plain(config: Config) -> dict[str, Any]:
    """What of a configuration decides how rows become journeys, as plain data that `Config` reads again."""
    stored = {"categories": config.stored_categories, "numbers": config.stored_numbers}
    log = config.log.model_copy(update=stored)
    return {
        "folder": str(config.folder),
        "log": log.model_dump(mode="json"),
        "profile": config.profile.model_dump(mode="json"),
    }


def kinds(batches: Batches, folder: Path, *, config: Mapping[str, Any]) -> Batches:
    """The kinds of attributes (`column`, `kind`) in each chunk of a profile."""
    read = Config.model_validate(config)
    with TemporaryDirectory(dir=folder) as scratch, _database(scratch) as connection:
        chunk_file = Path(scratch) / "given.parquet"
        for chunk in _chunks(batches):
            pq.write_table(chunk, chunk_file)
            opened = open_file(connection, chunk_file, profile_columns(read), "profile")
            kinds_by_column = attribute_kinds(connection, opened, read)
            columns = pa.array(kinds_by_column, pa.string())
            column_kinds = pa.array(kinds_by_column.values(), pa.string())
            yield pa.record_batch([columns, column_kinds], names=["column", "kind"])


def check(batches: Batches, folder: Path, **checks: Any) -> Batches:
    """Every row checked, by the fields of `Checks`.

    A good row in the form that `assemble` reads, with its `customer` (and `id`); of a bad one only `reason`, and `raw`,
    what it held as JSON.
    """
    read = Checks(**{**checks, "config": Config.model_validate(checks["config"])})
    with TemporaryDirectory(dir=folder) as scratch, _database(scratch) as connection:
        for chunk in _chunks(batches):
            yield from _checked(connection, Path(scratch), chunk, read).to_batches()


def check_schema(schema: pa.Schema, folder: Path, checks: Checks) -> pa.Schema:
    """The schema of what `check` gives for rows of `schema`."""
    with TemporaryDirectory(dir=folder) as scratch, _database(scratch) as connection:
        return _checked(connection, Path(scratch), schema.empty_table(), checks).schema


def panels(
    batches: Batches,
    _folder: Path,
    *,
    config: Mapping[str, Any],
    features: Mapping[str, Any],
    cutoffs: Sequence[int] | None,
    module: tuple[str, bytes] | None = None,
    counts_file: str | None = None,
) -> Batches:
    """The panel of a partition whose rows are ordered by `customer`, `kind` and `at`.

    Of every customer at `cutoffs` (µs UTC), or, when these are None, of the rows of kind `ASKED`. `module` is the file
    that some of the features come from, name and bytes; `counts_file` holds the global counts, for features that read
    them.
    """
    read, chosen = Config.model_validate(config), FeatureSet.from_json(features)
    if module is not None:
        chosen = replace(chosen, module=own.read(*module, chosen.timezone).module)
    counts = None if counts_file is None else global_counts.read(Path(counts_file), count_keys(chosen))
    for chunk in _whole_customers(batches, CHUNK_ROWS):
        journeys, requested = _journeys(chunk, read)
        journeys = replace(journeys, global_counts=counts)
        rows = requested if cutoffs is None else Rows.grid(len(journeys), np.array(cutoffs, np.int64))
        step = max(CELLS // max(len(chosen), 1), 1)
        for first in range(0, len(rows), step):
            part = rows[np.arange(first, min(first + step, len(rows)))]
            yield _batch(journeys, build(journeys, part, chosen))


def counts(batches: Batches, _folder: Path, *, config: Mapping[str, Any], features: Mapping[str, Any]) -> Batches:
    """What the customers of a partition, ordered as in `panels`, add to the global counts: `COUNTS`, with repeats."""
    read, keys = Config.model_validate(config), count_keys(FeatureSet.from_json(features))
    for chunk in _whole_customers(batches, CHUNK_ROWS):
        added = global_counts.counted(_journeys(chunk, read)[0], keys)
        yield pa.RecordBatch.from_arrays([pa.array(added.keys), pa.array(added.counts)], schema=COUNTS)


def panel_schema(features: FeatureSet) -> pa.Schema:
    """The columns that `panels` gives: the customer, the cutoff, and a double for each feature."""
    keys = [("customer_id", pa.string()), ("cutoff", pa.timestamp("us", tz="UTC"))]
    return pa.schema([*keys, *((name, pa.float64()) for name in features.names)])


def _database(scratch: str) -> Any:
    return duck.connect(Path(scratch), memory=MEMORY, threads=1)


def _checked(connection: duck.Connection, scratch: Path, chunk: pa.Table, checks: Checks) -> pa.Table:
    chunk_file, staged, quarantine = (
        scratch / name for name in ("given.parquet", "staged.arrow", "quarantine.parquet")
    )
    pq.write_table(chunk, chunk_file)
    source, config = Source(chunk_file, checks.kind, ARRIVAL), checks.config
    counts = validate_file(connection, source, config, staged, quarantine, checks.now_us, checks.kinds)
    if counts.rows != len(chunk):
        raise StoreError(f"expected {len(chunk)} checked rows, found {counts.rows}; this is a defect, please report it")
    columns = ", ".join(_columns(checks))
    connection.register("good", pa.concat_tables(staging.plain(staged)))
    good = duck.table(connection, f"SELECT {columns} FROM good")  # noqa: S608
    schema = pa.schema([*good.schema, (REASON, pa.string()), (RAW, pa.string())])
    bad = [duck.table(connection, f"SELECT reason, raw FROM {_file(quarantine)}")] if counts.quarantined else []  # noqa: S608
    return pa.concat_tables([schema.empty_table(), good, *bad], promote_options="default").cast(schema)


def _columns(checks: Checks) -> list[str]:
    """What is kept of a good row, as items of a SELECT."""
    if checks.kind == "log":
        return ["customer", *event_columns(checks.config), *(["id"] if checks.config.log.id else [])]
    names = sorted(f"{'category' if kind == 'category' else 'number'}.{name}" for name, kind in checks.kinds.items())
    return ["customer", "known", *map(duck.name, names)]


def _file(path: Path) -> str:
    return f"read_parquet({duck.text(duck.pattern(path))})"


def _chunks(batches: Batches) -> Iterator[pa.Table]:
    """Tables of about `CHUNK_ROWS` rows, none for no rows."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(map(len, pending)) >= CHUNK_ROWS:
            yield pa.Table.from_batches(pending)
            pending = []
    if any(map(len, pending)):
        yield pa.Table.from_batches(pending)


def _whole_customers(batches: Batches, most: int) -> Iterator[pa.Table]:
    """Tables of about `most` rows, from batches ordered by customer; a customer is never cut, however long."""
    pending: list[pa.RecordBatch] = []
    count, limit = 0, most
    for batch in batches:
        pending.append(batch)
        count += len(batch)
        if count < limit:
            continue
        table = pa.Table.from_batches(pending)
        start = pc.index(table.column("customer"), table.column("customer")[-1]).as_py()
        if start:
            yield table.slice(0, start)
        pending, count = table.slice(start).to_batches(), count - start
        limit = max(most, 2 * count)  # so that a customer of any length is looked through a few times only
    if count:
        yield pa.Table.from_batches(pending)


def _journeys(chunk: pa.Table, config: Config) -> tuple[Journeys, Rows]:
    """The journeys of whole customers, and what is asked about them."""
    if chunk.column("customer").null_count or chunk.column("at").null_count:
        raise LogError("expected a customer_id and a cutoff in every row that is asked for, found null; leave it out")
    customers = pc.dictionary_encode(chunk.column("customer").combine_chunks())
    owner = customers.indices.to_numpy().astype(np.int64)
    kind, at = (chunk.column(name).to_numpy() for name in ("kind", "at"))
    if (np.diff(owner) < 0).any() or not np.isin(kind, (EVENT, PROFILE, ASKED)).all():
        raise StoreError("expected rows of known kinds ordered by customer; this is a defect, please report it")
    names = customers.dictionary.to_numpy(zero_copy_only=False).astype(object)
    event_names = [name for name in chunk.schema.names if not name.startswith(ATTRIBUTE)]
    attribute_names = [name for name in chunk.schema.names if name.startswith(ATTRIBUTE)]
    events = _renamed(chunk.filter(kind == EVENT), event_names, {"at": "time"})
    facts = _renamed(chunk.filter(kind == PROFILE), ["at", *attribute_names], {"at": "known"})
    profile = attributes(owner[kind == PROFILE], facts, len(names))
    unsorted = assemble(names, owner[kind == EVENT], events, profile)
    journeys, _ = sort_rows(unsorted, drop_equal=config.log.drop_duplicates)
    return journeys, Rows(owner[kind == ASKED], _int64(at[kind == ASKED]))


def _renamed(table: pa.Table, columns: Sequence[str], names: Mapping[str, str]) -> pa.Table:
    return table.select(columns).rename_columns([names.get(name, name.removeprefix(ATTRIBUTE)) for name in columns])


def _int64(values: Any) -> Ints:
    return np.asarray(values, np.int64)


def _batch(journeys: Journeys, panel: Panel) -> pa.RecordBatch:
    """A part of the panel; columns stand in the order of the schema, for Spark goes by place and not by name."""
    customers = pa.array(journeys.customers, pa.string()).take(pa.array(panel.rows.customer))
    cutoffs = pa.array(panel.rows.cutoff).cast(pa.timestamp("us", tz="UTC"))
    values = [pa.array(column) for column in np.ascontiguousarray(panel.values.T)]
    return pa.RecordBatch.from_arrays([customers, cutoffs, *values], schema=panel_schema(panel.features))
