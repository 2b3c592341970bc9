"""The job done with data frames: Polars (lazy, streaming) and pandas (a pass for each cutoff and window)."""

from typing import Any

import numpy as np

from benchmarks.feature_job.job import COLUMNS, COUNT_DAYS, DISTINCT_DAYS, EVENTS, SUM_DAYS, Job
from features.timeline import DAY_US

KEYS = ["customer_id", "cutoff"]


def polars(job: Job) -> Any:
    """The panel as a Polars DataFrame, by one lazy query on the streaming engine."""
    import polars as pl

    cutoffs = pl.LazyFrame({"cutoff": job.cutoffs})
    events = pl.scan_parquet(job.log).with_columns(time=pl.col("timestamp").dt.epoch("us"))
    aged = events.join_where(cutoffs, pl.col("time") <= pl.col("cutoff")).with_columns(
        age=pl.col("cutoff") - pl.col("time")
    )
    age, event = pl.col("age"), pl.col("event_type")
    plain = aged.group_by(KEYS).agg(
        *(
            ((event == name) & (age < days * DAY_US)).sum().alias(f"{name}_count_{days}d")
            for name in EVENTS
            for days in COUNT_DAYS
        ),
        *((age.filter(event == name).min() / DAY_US).alias(f"{name}_recency") for name in EVENTS),
        *(pl.col("value").filter(age < days * DAY_US).sum().alias(f"value_sum_{days}d") for days in SUM_DAYS),
    )
    recent = aged.filter(pl.col("product").is_not_null() & (age < max(DISTINCT_DAYS) * DAY_US))
    newest = recent.group_by([*KEYS, "product"]).agg(age.min())
    distinct = newest.group_by(KEYS).agg(
        *((age < days * DAY_US).sum().alias(f"product_distinct_{days}d") for days in DISTINCT_DAYS)
    )
    joined = plain.join(distinct, on=KEYS, how="left").with_columns(pl.col(COLUMNS[-len(DISTINCT_DAYS) :]).fill_null(0))
    return joined.select([*KEYS, *COLUMNS]).collect(engine="streaming")


def pandas(job: Job) -> Any:
    """The panel as a pandas DataFrame."""
    import pandas as pd

    events = pd.concat([pd.read_parquet(file) for file in job.log])
    for name in ("customer_id", "event_type", "product"):
        events[name] = events[name].astype("category")  # strings would be several times slower
    events["time"] = events["timestamp"].astype("int64")
    return pd.concat([_at(events, cutoff) for cutoff in job.cutoffs.tolist()])


def _at(events: Any, cutoff: int) -> Any:
    import pandas as pd

    seen = events[events["time"] <= cutoff]
    age = cutoff - seen["time"]
    columns: dict[str, Any] = {}
    for days in COUNT_DAYS:
        counted = seen[age < days * DAY_US].groupby(["customer_id", "event_type"], observed=True).size().unstack()
        columns |= {f"{name}_count_{days}d": counted.get(name) for name in EVENTS}
    newest = seen.groupby(["customer_id", "event_type"], observed=True)["time"].max().unstack()
    columns |= {f"{name}_recency": (cutoff - newest[name]) / DAY_US if name in newest else None for name in EVENTS}
    for days in SUM_DAYS:
        by_customer = seen[age < days * DAY_US].groupby("customer_id", observed=True)
        columns[f"value_sum_{days}d"] = by_customer["value"].sum()
        columns[f"product_distinct_{days}d"] = by_customer["product"].nunique()
    empty = pd.Series(np.nan, index=newest.index)
    panel = pd.DataFrame(
        {name: empty if columns[name] is None else columns[name] for name in COLUMNS}, index=newest.index
    )
    rest = [name for name in COLUMNS if not name.endswith("_recency")]
    return panel.fillna(dict.fromkeys(rest, 0.0)).reset_index().assign(cutoff=cutoff)
