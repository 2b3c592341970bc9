"""The sorted store from the taken files, bucket by bucket: what belongs to it from every file.

A bucket is cut from the runs of all files, put in its one order and written; only a few are in memory at a time. How
many there are follows from the rows alone, so that a log that grows past it, by half of its rows at the least, has all
of them built anew, and a store tells nothing of the steps it grew by.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Floats, Ints, Strings
from features.config.sections import Config
from features.ingest.changed_buckets import StagedFiles
from features.journeys import NO_ORDER, Category, Journeys, Profile
from features.log import staging
from features.log.schema import CATEGORY, HASHES, NUMBER
from features.store import bucket
from features.store.bucket import BucketFiles, coded, names_of, starts_of
from features.store.ordering import sort_profile, sort_rows
from features.store.statistics import BucketStatistics, bucket_statistics
from features.system import duck
from features.system.threads import ordered_map

ROWS_PER_BUCKET = 500_000

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
Bucket = tuple[BucketFiles, BucketStatistics]


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def build(
    folder: Path,
    staged: StagedFiles,
    config: Config,
    unchanged: Mapping[int, Bucket] = MappingProxyType({}),
    progress: Progress = no_progress,
) -> list[Bucket]:
    """Every bucket of `staged` in order: those that are `unchanged`, by number, as they lie, the others written."""
    edges = np.linspace(0, HASHES, buckets_for(staged.rows) + 1).astype(int).tolist()
    missing = [number for number in range(len(edges) - 1) if number not in unchanged]

    def write(number: int) -> Bucket:
        span = edges[number], edges[number + 1]
        journeys = _journeys(_events(staged, span), _facts(staged, span), config)
        arranged, equal = sort_rows(journeys, drop_equal=config.log.drop_duplicates)
        return bucket.write(folder, arranged), bucket_statistics(arranged, equal)

    buckets = dict(unchanged)
    written = zip(missing, ordered_map(write, missing, threads=duck.THREADS), strict=True)
    for done, (number, files) in enumerate(written, 1):
        buckets[number] = files
        progress("buckets", done, len(missing))
    return [buckets[number] for number in range(len(edges) - 1)]


def buckets_for(rows: int) -> int:
    """How many buckets hold that many rows: a power of two, about `ROWS_PER_BUCKET` each.

    >>> buckets_for(0), buckets_for(500_000), buckets_for(10_000_000)
    (1, 1, 32)
    """
    return min(1 << max(-(-rows // ROWS_PER_BUCKET) - 1, 0).bit_length(), HASHES)


def _events(staged: StagedFiles, span: tuple[int, int]) -> pa.Table:
    """The events of the customers with a hash in `span`, in no order."""
    parts = []
    for path in staged.logs:
        repeated = staged.repeated.get(path, np.zeros(0, bool))
        for part in staging.cut(path, *span):
            repeated_here = repeated[part.places]
            parts.append(part.rows.filter(pa.array(~repeated_here)) if repeated_here.any() else part.rows)
    return pa.Table.from_batches(parts)


def _facts(staged: StagedFiles, span: tuple[int, int]) -> pa.Table:
    """The profile of the customers with a hash in `span`, in no order; a column may be in some files only."""
    parts = [pa.Table.from_batches([part.rows]) for path in staged.profiles for part in staging.cut(path, *span)]
    empty = pa.table({"customer": pa.array([], pa.string()).dictionary_encode(), "known": pa.array([], pa.int64())})
    facts = pa.concat_tables([empty, *parts], promote_options="default")
    return facts.select(sorted(facts.schema.names))


def _journeys(events: pa.Table, facts: pa.Table, config: Config) -> Journeys:
    """The journeys of a bucket in order of customer and time, before `sort_rows`."""
    customers = coded(pa.chunked_array([*events.column("customer").chunks, *facts.column("customer").chunks]))
    owner, holder = np.split(customers.codes.astype(np.int64), [len(events)])
    profile = sort_profile(holder, attributes(holder, facts, len(customers.names)))
    journeys = assemble(customers.names, owner, _with_text_length(events, config), profile)
    return journeys.reordered(_by_owner_and_time(owner, journeys.time))


def _with_text_length(events: pa.Table, config: Config) -> pa.Table:
    if not config.log.text_length:
        return events
    length = pc.cast(pc.utf8_length(events.column("text")), pa.float64())
    return events.append_column(NUMBER + config.log.text_length, length)


def _by_owner_and_time(owner: Ints, time: Ints) -> Ints:
    """The order of rows by owner and time; one sort of both in one number, where they fit, is faster than two."""
    span = int(np.ptp(time)) + 1 if len(time) else 1
    if (int(owner.max(initial=0)) + 1) * span < 2**63:
        return np.argsort(owner * span + (time - time.min(initial=0)))
    return np.lexsort((time, owner))


def event_columns(config: Config) -> list[str]:
    """What `assemble` reads of taken events, as items of a SELECT; without `known` it takes the time for it."""
    columns = [
        "time",
        "known" if config.log.known else "time AS known",
        "event",
        *_value_and_order(config),
        *_stored(config),
        "arrival",
    ]
    if config.log.text_length:
        columns.append(f"length(text)::DOUBLE AS {duck.name(NUMBER + config.log.text_length)}")
    if config.log.id or config.log.text:
        columns.append("identity")
    return columns


def _value_and_order(config: Config) -> list[str]:
    return (["value"] if config.log.value else []) + (['"order"'] if config.log.order else [])


def _stored(config: Config) -> list[str]:
    categories = [duck.name(CATEGORY + name) for name in config.stored_categories]
    return categories + [duck.name(NUMBER + name) for name in config.stored_numbers]


def assemble(customers: Strings, owner: Ints, events: pa.Table, profile: Profile) -> Journeys:
    """The journeys of sorted `customers` from `event_columns` in order of customer and time, before `sort_rows`.

    `owner` is the index of the customer of every row.
    """
    columns = {name: events.column(name) for name in events.schema.names}
    return Journeys(
        customers=customers,
        starts=starts_of(owner, len(customers)),
        time=columns["time"].to_numpy(),
        known=columns.get("known", columns["time"]).to_numpy(),
        event=coded(columns["event"]),
        value=_floats(columns["value"]) if "value" in columns else np.full(len(events), np.nan),
        occurrence=None,
        order=_keys(columns.get("order")),
        arrival=columns["arrival"].to_numpy(),
        categories=_categories(events),
        numbers=_numbers(events),
        profile=profile,
        identity=_keys(columns.get("identity")),
    )


def attributes(owner: Ints, rows: pa.Table, customers: int) -> Profile:
    """The profile from distinct rows in order of customer, `known` and all columns by name, nulls first."""
    return Profile(starts_of(owner, customers), rows.column("known").to_numpy(), _categories(rows), _numbers(rows))


def _categories(table: pa.Table) -> dict[str, Category]:
    return {name: coded(table.column(CATEGORY + name)) for name in names_of(table, CATEGORY)}


def _numbers(table: pa.Table) -> dict[str, Floats]:
    return {name: _floats(table.column(NUMBER + name)) for name in names_of(table, NUMBER)}


def _floats(column: pa.ChunkedArray) -> Floats:
    """Null as NaN, and -0 as 0, which would be equal and yet not the same to the bit."""
    values: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return values + 0.0


def _keys(column: pa.ChunkedArray | None) -> Ints | None:
    return None if column is None else column.fill_null(NO_ORDER).to_numpy()
