"""The sorted store from the taken files: ids made unique, customers spread over buckets, one bucket at a time.

DuckDB sorts all rows by bucket, customer and time, spilling to disk when it must, and streams them; each bucket is cut
from the stream, put in its one order and written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from features import bucket, duck
from features.arrange import arrange
from features.bucket import CATEGORY, HASH_BITS, NUMBER, BucketFiles, coded, names_of, starts_of
from features.config import Config
from features.journeys import NO_ORDER, Category, Floats, Ints, Journeys, Profile, Strings
from features.manifest import Statistics
from features.tally import Tally, statistics, tally

ROWS_PER_BUCKET = 500_000
BATCH_ROWS = 250_000

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


def text_length(column: str) -> str:
    """The name of the number that stands for a text column: its length in characters."""
    return f"{column}_length"


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Built:
    """The buckets, the columns they hold and what was found."""

    buckets: tuple[BucketFiles, ...]
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    statistics: Statistics


def build(
    connection: duck.Connection,
    folder: Path,
    logs: Sequence[Path],
    profiles: Sequence[Path],
    config: Config,
    progress: Progress = no_progress,
) -> Built:
    """Write every bucket of the good rows in the taken files `logs` and `profiles` into `folder`."""
    _views(connection, logs, profiles)
    repeated = _one_event_an_id(connection, config)
    starts = _spread_customers(connection)
    _sort_profiles(connection)
    side = connection.cursor()  # asks for customers and profiles while the events stream
    files: list[BucketFiles] = []
    tallies: list[Tally] = []
    for index, events in enumerate(_cut(duck.stream(connection, _sorted_events(config), BATCH_ROWS), starts)):
        journeys, equal = arrange(_journeys(side, starts, index, events), drop_equal=config.log.drop_duplicates)
        files.append(bucket.write(folder, journeys))
        tallies.append(tally(journeys, equal))
        progress("buckets", index + 1, len(starts) - 1)
    found = statistics(tallies, repeated_ids=repeated, equal_dropped=config.log.drop_duplicates)
    return Built(tuple(files), tuple(journeys.categories), tuple(journeys.numbers), found)


def buckets_for(rows: int) -> int:
    """How many buckets hold that many rows: a power of two, about `ROWS_PER_BUCKET` each.

    >>> buckets_for(0), buckets_for(500_000), buckets_for(10_000_000)
    (1, 1, 32)
    """
    return 1 << min(max(-(-rows // ROWS_PER_BUCKET) - 1, 0).bit_length(), HASH_BITS)


def bucket_sql(customer: str, buckets: int) -> str:
    """`features.bucket.bucket_of` in SQL."""
    return f"(((md5_number_lower({customer}) >> {64 - HASH_BITS})::BIGINT * {buckets}) >> {HASH_BITS})"


def _views(connection: duck.Connection, logs: Sequence[Path], profiles: Sequence[Path]) -> None:
    listed = duck.texts(duck.pattern(path) for path in logs)
    connection.execute(f"CREATE VIEW good AS FROM read_parquet({listed}) WHERE reason IS NULL")
    connection.execute("CREATE VIEW events AS FROM good")
    if profiles:
        listed = duck.texts(duck.pattern(path) for path in profiles)
        connection.execute(
            f"CREATE VIEW attributes AS FROM read_parquet({listed}, union_by_name=true) WHERE reason IS NULL"
        )
    else:
        connection.execute(
            "CREATE VIEW attributes AS SELECT ''::VARCHAR AS customer, 0::BIGINT AS known, 0::INTEGER AS arrival, "
            "0::BIGINT AS row, ''::VARCHAR AS reason WHERE false"
        )


def _one_event_an_id(connection: duck.Connection, config: Config) -> int:
    """Keep one event of every id: the one known first, then the smallest by all columns. Returns how many rows went."""
    if not config.log.id:
        return 0
    connection.execute(
        "CREATE TABLE repeated AS SELECT identity FROM good WHERE id IS NOT NULL GROUP BY identity HAVING count(*) > 1"
    )
    text_length = ["length(text)"] if config.log.text else []
    order = [
        "known" if config.log.known else "time",
        "customer",
        "time",
        "event",
        *_value_and_order(config),
        *_stored(config),
        *text_length,
        "arrival",
    ]
    listed = ", ".join(f"{column} NULLS FIRST" for column in order)
    connection.execute(
        "CREATE TABLE winners AS FROM good SEMI JOIN repeated USING (identity) WHERE id IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY id ORDER BY {listed}) = 1"
    )
    connection.execute(
        "CREATE OR REPLACE VIEW events AS FROM good ANTI JOIN repeated USING (identity) UNION ALL BY NAME FROM winners"
    )
    return duck.number(
        connection,
        "SELECT (SELECT count(*) FROM good SEMI JOIN repeated USING (identity)) - (SELECT count(*) FROM winners)",
    )


def _value_and_order(config: Config) -> list[str]:
    return (["value"] if config.log.value else []) + (['"order"'] if config.log.order else [])


def _stored(config: Config) -> list[str]:
    categories = [duck.name(CATEGORY + name) for name in config.stored_categories]
    return categories + [duck.name(NUMBER + name) for name in config.stored_numbers]


def _spread_customers(connection: duck.Connection) -> Ints:
    """Number all customers by bucket and name; returns where the numbers of every bucket start, and their end."""
    rows = duck.number(connection, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM attributes)")
    buckets = buckets_for(rows)
    connection.execute(
        "CREATE TABLE customers AS SELECT *, (row_number() OVER (ORDER BY bucket, customer) - 1)::INTEGER AS number "
        f"FROM (SELECT customer, {bucket_sql('customer', buckets)} AS bucket "
        "FROM (SELECT customer FROM events UNION SELECT customer FROM attributes)) ORDER BY number"
    )
    counts = np.zeros(buckets, np.int64)
    for index, count in duck.rows(connection, "SELECT bucket, count(*) FROM customers GROUP BY bucket"):
        counts[int(str(index))] = int(str(count))
    return np.concatenate([[0], np.cumsum(counts)])


def _sort_profiles(connection: duck.Connection) -> None:
    """Every profile row once, by number of the customer and in one order."""
    columns = [str(row[0]) for row in duck.rows(connection, "DESCRIBE attributes")]
    named = sorted(column for column in columns if column.startswith((CATEGORY, NUMBER)))
    listed = ", ".join(duck.name(column) for column in named)
    ordered = "".join(f", {duck.name(column)} NULLS FIRST" for column in named)
    connection.execute(
        f"CREATE TABLE profiles AS SELECT DISTINCT number, known{', ' + listed if listed else ''} "
        f"FROM attributes JOIN customers USING (customer) ORDER BY number, known{ordered}"
    )


def _sorted_events(config: Config) -> str:
    """The query that gives all events by bucket, customer and time."""
    columns = ", ".join(event_columns(config))
    return f"SELECT number, {columns} FROM events JOIN customers USING (customer) ORDER BY number, time"


def event_columns(config: Config) -> list[str]:
    """What `assemble` reads of taken events, as items of a SELECT."""
    columns = [
        "time",
        "known" if config.log.known else "time AS known",
        "event",
        *_value_and_order(config),
        *_stored(config),
        "arrival",
    ]
    if config.log.text:
        columns.append(f"length(text)::DOUBLE AS {duck.name(NUMBER + text_length(config.log.text))}")
    if config.log.id or config.log.text:
        columns.append("identity")
    return columns


def _cut(pieces: Iterator[pa.Table], starts: Ints) -> Iterator[pa.Table]:
    """The sorted events of every bucket in turn, cut from a stream of pieces."""
    held: list[pa.Table] = []
    index, empty = 0, None
    for piece in pieces:
        empty = piece.slice(0, 0)
        ends = np.searchsorted(piece.column("number").to_numpy(), starts[index + 1 :])
        taken = 0
        for end in ends[ends < len(piece)]:
            yield pa.concat_tables([*held, piece.slice(taken, end - taken)])
            held, taken, index = [], int(end), index + 1
        held.append(piece.slice(taken))
    for _ in range(index, len(starts) - 1):
        yield pa.concat_tables(held or [empty])
        held = []


def _journeys(connection: duck.Connection, starts: Ints, index: int, events: pa.Table) -> Journeys:
    """The events of a bucket as they come, with its customers and their profile."""
    first, last = int(starts[index]), int(starts[index + 1])
    customers = duck.table(
        connection, f"SELECT customer FROM customers WHERE number >= {first} AND number < {last} ORDER BY number"
    )
    profiles = duck.table(
        connection, f"FROM profiles WHERE number >= {first} AND number < {last} ORDER BY ALL NULLS FIRST"
    )
    names = customers.column(0).to_numpy().astype(object)
    owner = events.column("number").to_numpy() - first
    return assemble(
        names, owner, events, attributes(profiles.column("number").to_numpy() - first, profiles, len(names))
    )


def assemble(customers: Strings, owner: Ints, events: pa.Table, profile: Profile) -> Journeys:
    """The journeys of sorted `customers` from `event_columns` in order of customer and time, before `arrange`.

    `owner` is the index of the customer of every row.
    """
    columns = {name: events.column(name).combine_chunks() for name in events.schema.names}
    return Journeys(
        customers=customers,
        starts=starts_of(owner, len(customers)),
        time=columns["time"].to_numpy(),
        known=columns["known"].to_numpy(),
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
    return {name: coded(table.column(CATEGORY + name).combine_chunks()) for name in names_of(table, CATEGORY)}


def _numbers(table: pa.Table) -> dict[str, Floats]:
    return {name: _floats(table.column(NUMBER + name).combine_chunks()) for name in names_of(table, NUMBER)}


def _floats(column: pa.Array) -> Floats:
    """Null as NaN, and -0 as 0, which would be equal and yet not the same to the bit."""
    floats: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return floats + 0.0


def _keys(column: pa.Array | None) -> Ints | None:
    return None if column is None else column.fill_null(NO_ORDER).to_numpy()
