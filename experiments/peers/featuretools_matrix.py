"""Deep feature synthesis by featuretools. Runs by itself in its own environment.

Reads a task from the standard input (`featuretools.py` writes it): the log as Parquet, rows (customer_id, cutoff) as
Parquet, columns, primitives. Leaves the matrix in Parquet, in the order of the rows. Nothing of this project is
imported.

featuretools' own recencies call Python for every group, hours for a log; instead the time is a number, `day`, among the
others, and what is aggregated of it is counted back from the cutoff.
"""

import json
import sys
import warnings

import featuretools as ft
import pandas as pd
from woodwork.logical_types import Categorical, Datetime, Double


def main():
    """Make the matrix of the rows asked for."""
    warnings.filterwarnings("ignore")
    task = json.load(sys.stdin)
    rows = pd.read_parquet(task["rows"])
    matrix, _ = ft.dfs(
        entityset=_entities(task),
        target_dataframe_name="customers",
        cutoff_time=rows.rename(columns={"cutoff": "time"}),
        cutoff_time_in_index=True,
        agg_primitives=task["aggregations"],
        where_primitives=task["where"],
        trans_primitives=task["transforms"],
        max_depth=task["depth"],
    )
    asked = pd.MultiIndex.from_frame(rows[["customer_id", "cutoff"]])
    numbers = matrix.reindex(asked).select_dtypes(["number", "bool", "boolean"]).astype(float).reset_index(drop=True)
    _aged(numbers, _days(rows["cutoff"])).to_parquet(task["save"])


def _aged(numbers, now):
    """Days as ages: the spread of days stays, sums of days say nothing."""
    kept = {}
    for name, values in numbers.items():
        if "day" not in name.replace("weekday", ""):
            kept[name] = values
        elif "SUM" not in name:
            kept[name] = values if "STD" in name else now.to_numpy() - values
    return pd.DataFrame(kept)


def _days(times):
    return times.astype("datetime64[us]").astype("int64") / 86_400_000_000


def _entities(task):
    """Rows belong to orders, where there are any, and these to customers, of whom nothing is known but the id."""
    events = pd.read_parquet(task["log"], columns=task["columns"])
    events["id"] = range(len(events))
    events["day"] = _days(events["timestamp"])
    types = dict.fromkeys(("customer_id", "event_type", *task["categories"]), Categorical)
    types |= dict.fromkeys(("day", *task["numbers"]), Double) | {"timestamp": Datetime}
    if task["order"]:
        events["order_id"] = events["customer_id"] + "|" + events[task["order"]].astype(str)
        types["order_id"] = Categorical
    events = events[["id", *types]].sort_values("timestamp", kind="stable")
    entities = ft.EntitySet("shop").add_dataframe(
        events, dataframe_name="events", index="id", time_index="timestamp", logical_types=types
    )
    if task["order"]:
        entities.normalize_dataframe("events", "orders", "order_id", additional_columns=["customer_id"])
    entities.normalize_dataframe("orders" if task["order"] else "events", "customers", "customer_id")
    kinds = list(events["event_type"].unique())
    if len(kinds) > 1:
        entities.add_interesting_values(dataframe_name="events", values={"event_type": kinds})
    return entities


if __name__ == "__main__":
    main()
