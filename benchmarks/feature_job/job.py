"""The job that all contenders do: 31 features of every customer at every cutoff, and the log they are read from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import Ints
from features.timeline import DAY_US, instant

EVENTS = ("cart", "purchase", "review", "search", "view")
SHARES = (0.12, 0.06, 0.02, 0.20, 0.60)
COUNT_DAYS = (7, 30, 90, 365)
SUM_DAYS = DISTINCT_DAYS = (30, 90, 365)
PRODUCTS = 5_000
START, END = instant("2023-01-01"), instant("2025-01-01")
MONTHS = [instant(f"{2023 + month // 12}-{month % 12 + 1:02}-01") for month in range(1, 25)]
EVENTS_PER_CUSTOMER = 50
ROWS_PER_FILE = 10_000_000
ROWS_PER_GROUP = 1_000_000
DAY_ROWS, DAY_CUSTOMERS = 1_000, 5

COLUMNS = (
    *(f"{event}_count_{days}d" for event in EVENTS for days in COUNT_DAYS),
    *(f"{event}_recency" for event in EVENTS),
    *(f"value_sum_{days}d" for days in SUM_DAYS),
    *(f"product_distinct_{days}d" for days in DISTINCT_DAYS),
)


@dataclass(frozen=True)
class Job:
    """A log of `events` rows below `folder`, looked at from the last `months` firsts of a month."""

    folder: Path
    events: int
    months: int = 12
    seed: int = 7

    @property
    def customers(self) -> int:
        """How many customers the log is drawn from."""
        return self.events // EVENTS_PER_CUSTOMER

    @property
    def cutoffs(self) -> Ints:
        """µs UTC, ascending; the last is the end of the log."""
        return np.array(MONTHS[-self.months :], np.int64)

    @property
    def log(self) -> list[Path]:
        """The Parquet files of the log."""
        folder = self.folder / f"log-{self.events}-{self.seed}"
        return [folder / f"{index:03}.parquet" for index in range(-(-self.events // ROWS_PER_FILE))]

    def write(self) -> None:
        """Write the files that are not there yet; rows in order of time, as logs come."""
        for index, file in enumerate(self.log):
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                rows = min(ROWS_PER_FILE, self.events - index * ROWS_PER_FILE)
                _write(self, file, rows, index / len(self.log), (index + 1) / len(self.log))

    def day(self) -> Path:
        """A further file, made anew: `DAY_ROWS` events of `DAY_CUSTOMERS` customers on the last day."""
        file = self.folder / f"day-{self.events}-{self.seed}.parquet"
        table = _rows(np.random.default_rng(self.seed), np.ones(1), DAY_ROWS, END - DAY_US, END)
        customers = np.arange(DAY_ROWS) % DAY_CUSTOMERS * (self.customers // DAY_CUSTOMERS)
        pq.write_table(table.set_column(0, "customer_id", _named("c", pa.array(customers), 8)), file)
        return file


def _write(job: Job, file: Path, rows: int, first: float, last: float) -> None:
    temporary = file.with_suffix(".tmp")
    parts = -(-rows // ROWS_PER_GROUP)
    edges = np.linspace(START + first * (END - START), START + last * (END - START), parts + 1).astype(np.int64)
    rng = np.random.default_rng([job.seed, round(first * 1e9)])
    shares = np.cumsum(np.random.default_rng(job.seed).lognormal(sigma=1.0, size=job.customers))
    writer = None
    for part in range(parts):
        size = min(ROWS_PER_GROUP, rows - part * ROWS_PER_GROUP)
        table = _rows(rng, shares / shares[-1], size, int(edges[part]), int(edges[part + 1]))
        writer = writer or pq.ParquetWriter(temporary, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    temporary.rename(file)


def _rows(rng: np.random.Generator, shares: np.ndarray, rows: int, start: int, end: int) -> pa.Table:
    """Events between two times; some customers come far more often than others, and some products too."""
    event = rng.choice(len(EVENTS), rows, p=SHARES)
    time = np.sort(rng.integers(start, end, rows))
    time -= np.where(rng.random(rows) < 0.05, time % DAY_US, 0)  # some at midnight, where cutoffs and windows begin
    product = (PRODUCTS * rng.random(rows) ** 2).astype(np.int32)
    value = np.round(rng.lognormal(3.0, 1.0, rows), 2)
    bought, searched = event == EVENTS.index("purchase"), event == EVENTS.index("search")
    customer = np.searchsorted(shares, rng.random(rows))
    return pa.table(
        {
            "customer_id": _named("c", pa.array(customer), 8),
            "timestamp": pa.array(time).cast(pa.timestamp("us")),
            "event_type": pa.array(EVENTS).take(pa.array(event)),
            "product": _named("p", pa.array(product, mask=searched), 5),
            "value": pa.array(value, mask=~bought),
        }
    )


def _named(prefix: str, numbers: pa.Array, digits: int) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(numbers.cast(pa.string()), digits, padding="0"), "")
