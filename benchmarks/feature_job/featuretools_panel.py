"""The job done by featuretools. Runs by itself, in an environment without anything of this project.

Reads the task from the standard input (`featuretools.py` writes it) and leaves the panel in Parquet; the last line is
what the work took. featuretools has one window a call, so there is a call for each window and one without. Its own
recency, `TimeSinceLast`, is a call of Python for each group; "newest" is the maximum of the time as a number instead.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import featuretools as ft
import pandas as pd
from featuretools.primitives import Count, Max, NumUnique, Sum, TimeSinceLast
from woodwork.logical_types import Categorical, Datetime, Double, Integer

STATUS = Path("/proc/self/status")  # getrusage would tell the peak of the process that started this one, were it higher
DAY_US = 86_400_000_000
TYPES = {
    "id": Integer,
    "customer_id": Categorical,
    "timestamp": Datetime,
    "event_type": Categorical,
    "product": Categorical,
    "value": Double,
    "us": Double,
}
PRIMITIVES = {
    "count": ("id", Count()),
    "recency": ("timestamp", TimeSinceLast(unit="days")),
    "newest": ("us", Max()),
    "sum": ("value", Sum()),
    "distinct": ("product", NumUnique()),
}


def main():
    warnings.filterwarnings("ignore")
    task = json.load(sys.stdin)
    started, worked = time.perf_counter(), time.process_time()
    found = panel(task)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    peak = next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    found.to_parquet(task["save"])
    print(json.dumps({"seconds": seconds, "processor_seconds": processor, "peak_mib": peak}))


def panel(task):
    """A row for each customer and cutoff in µs, a column for each feature of the task."""
    entities = _entities(task["log"])
    rows = pd.MultiIndex.from_product([entities["customers"]["customer_id"], task["cutoffs"]])
    looked_at = rows.to_frame(index=False, name=["customer_id", "time"])
    looked_at["time"] = pd.to_datetime(looked_at["time"], unit="us")
    parts = [
        ft.calculate_feature_matrix(
            [_feature(entities, feature) for feature in task["features"] if feature["days"] == days],
            entities,
            cutoff_time=looked_at,
            cutoff_time_in_index=True,
            training_window=days and f"{days} days",
        )
        for days in {feature["days"]: None for feature in task["features"]}
    ]
    found = pd.concat(parts, axis=1).reset_index()
    found["cutoff"] = found.pop("time").astype("datetime64[us]").astype("int64")
    for feature in task["features"]:
        if feature["what"] == "newest":
            found[feature["name"]] = (found["cutoff"] - found[feature["name"]]) / DAY_US
        elif feature["what"] == "distinct":
            found[feature["name"]] = found[feature["name"]].fillna(0)
    return found


def _entities(log):
    events = pd.concat([pd.read_parquet(file) for file in log], ignore_index=True)
    events["id"] = range(len(events))
    events["us"] = events["timestamp"].astype("datetime64[us]").astype("int64")
    entities = ft.EntitySet("shop").add_dataframe(
        events, dataframe_name="events", index="id", time_index="timestamp", logical_types=TYPES
    )
    return entities.normalize_dataframe("events", "customers", "customer_id", make_time_index=False)


def _feature(entities, feature):
    column, primitive = PRIMITIVES[feature["what"]]
    events = entities["events"].ww
    event = feature["event"]
    where = ft.Feature(events["event_type"]) == event if event else None
    said = ft.Feature(events[column], parent_dataframe_name="customers", primitive=primitive, where=where)
    return said.rename(feature["name"])


if __name__ == "__main__":
    main()
