"""Who does the job, and every result in one form: an array of shape (customers, cutoffs, features)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.feature_job import featuretools, sql
from benchmarks.feature_job import journeycast as product
from benchmarks.feature_job.job import COLUMNS, Job
from experiments.peers.environments import FEATURETOOLS
from features.arrays import Floats

EXACT = [place for place, name in enumerate(COLUMNS) if "_count_" in name or "_distinct_" in name]
RECENCIES = [place for place, name in enumerate(COLUMNS) if name.endswith("_recency")]


@dataclass(frozen=True)
class Measurement:
    """Of one run: wall time and processor time in s, peak resident memory of its process in MiB."""

    seconds: float
    processor_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Contender:
    """`ready` makes what is not measured, `run` does the job with it, `values` gives its result as an array."""

    name: str
    text: str
    ready: Callable[[Job, Path], Any]
    run: Callable[[Job, Any], Any]
    values: Callable[[Job, Any], Floats]
    needs: str = ""  # a package that may be missing
    found: Callable[[str], Any] = find_spec  # whether it is not
    measured: Callable[[Any], Measurement] | None = None  # by itself, where it runs in a process of its own anyhow

    @property
    def is_here(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or bool(self.found(self.needs))


def _empty(job: Job) -> Floats:
    values = np.zeros((job.customers, len(job.cutoffs), len(COLUMNS)))
    values[:, :, RECENCIES] = np.nan
    return values


def _of_panels(job: Job, panels: Iterable[tuple[list[str], Any]]) -> Floats:
    values = _empty(job)
    for customers, panel in panels:
        numbers = np.array([int(name[1:]) for name in customers])
        values[numbers] = panel.values.reshape(len(numbers), len(job.cutoffs), -1)
    return values


def _of_table(job: Job, table: pa.Table) -> Floats:
    values = _empty(job)
    customers = table.column("customer_id").cast(pa.string()).to_pylist()
    where = (
        np.array([int(name[1:]) for name in customers]),
        np.searchsorted(job.cutoffs, table.column("cutoff").to_numpy()),
    )
    for place, name in enumerate(COLUMNS):
        values[(*where, place)] = table.column(name).cast(pa.float64()).to_numpy()
    return values


def _in_sql(query: Callable[[Job, sql.Connection], None], job: Job, spill: Path) -> sql.Connection:
    connection = sql.connect(spill)
    query(job, connection)
    return connection


def _listed(*contenders: Contender) -> Mapping[str, Contender]:
    return {contender.name: contender for contender in contenders}


def _sql(name: str, text: str, query: Callable[[Job, sql.Connection], None]) -> Contender:
    return Contender(
        name,
        text,
        ready=lambda _, folder: folder / "spill",
        run=partial(_in_sql, query),
        values=lambda job, connection: _of_table(job, connection.sql("FROM panel").to_arrow_table()),
    )


def _featuretools(name: str, text: str, *, tuned: bool) -> Contender:
    return Contender(
        name,
        text,
        ready=lambda job, _: job.write(),
        run=lambda job, _: featuretools.run(job, tuned=tuned),
        values=lambda job, result: _of_table(job, result[1]),
        needs="featuretools in an environment of its own (python -m experiments.peers.environments featuretools)",
        found=lambda _: FEATURETOOLS.is_made(),
        measured=lambda result: Measurement(**result[0]),
    )


def _frame(library: str, job: Job, _: Any) -> Any:
    from benchmarks.feature_job import frames  # not at the top: pandas would be in everybody's memory

    return getattr(frames, library)(job)


CONTENDERS = _listed(
    Contender("store", "Journeycast, from the ingested store", product.stored, product.from_store, _of_panels),
    Contender("parquet", "Journeycast, from Parquet, ingest included", product.fresh, product.from_parquet, _of_panels),
    Contender(
        "ingest",
        "ingest",
        product.removed,
        product.stored,
        lambda job, store: _of_panels(job, product.panels(job, store)),
    ),
    Contender(
        "day",
        "ingest of one more day, few customers",
        product.before_a_day,
        product.one_day,
        lambda job, _: _empty(job),
    ),
    Contender("stream", "panel, bucket by bucket", product.stored, product.totals, lambda job, _: _empty(job)),
    _sql("duckdb", "DuckDB SQL, one pass of filtered aggregates", sql.one_pass),
    _sql("duckdb_tuned", "DuckDB SQL, aggregated by event first", sql.tuned),
    Contender(
        "polars",
        "Polars, lazy and streaming",
        ready=lambda *_: None,
        run=partial(_frame, "polars"),
        values=lambda job, frame: _of_table(job, frame.to_arrow()),
        needs="polars",
    ),
    Contender(
        "pandas",
        "pandas, a pass for each cutoff and window",
        ready=lambda *_: None,
        run=partial(_frame, "pandas"),
        values=lambda job, frame: _of_table(job, pa.Table.from_pandas(frame)),
    ),
    _featuretools("featuretools", "featuretools, a call for each window", tuned=False),
    _featuretools("featuretools_tuned", "featuretools, recency as a maximum", tuned=True),
)


def differences(found: NDArray[Any], expected: NDArray[Any]) -> list[str]:
    """A sentence for each feature whose values differ: counts at all, sums and recencies by more than rounding."""
    told = []
    for place, name in enumerate(COLUMNS):
        one, other = found[:, :, place], expected[:, :, place]
        close = one == other if place in EXACT else np.isclose(one, other, rtol=1e-12, atol=1e-9, equal_nan=True)
        if not close.all():
            where = np.unravel_index(np.argmin(close), close.shape)
            count = f"{np.count_nonzero(~close):,} of {close.size:,}"
            told.append(f"{name}: {count} differ, the first {one[where]} and {other[where]}")
    return told
