"""The panel in Spark against the same panel on one machine, from the same Parquet files to numbers in memory.

    python -m benchmarks.spark          1M events, 20k customers, 12 cutoffs, 31 features; values compared to the bit
    python -m benchmarks.spark --quick  a tenth of it, once: fails on wrong values

Both have two cores. Spark's first run starts its Python workers and compiles in each executor; it is told apart.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.feature_job import journeycast
from benchmarks.feature_job.job import END, Job
from features.config.load import parse

SETTINGS = {"spark.driver.memory": "4g", "spark.driver.maxResultSize": "0", "spark.driver.host": "127.0.0.1"}


def main() -> int:
    """The exit code: 1 when values differ."""
    options = _options()
    if not find_spec("pyspark"):
        print("left out: PySpark is not installed; `make spark` does it")
        return 0
    from features.spark.panel import session

    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder), 100_000 if options.quick else options.events)
        job.write()
        print(
            f"{job.events:,} events, {job.customers:,} customers, {len(job.cutoffs)} cutoffs in {len(job.log)} file(s)"
        )
        started = time.perf_counter()
        spark = session(Path(folder) / "spark", options.master, SETTINGS)
        print(f"session       {time.perf_counter() - started:7.2f} s")
        try:
            return _compare(job, spark, 1 if options.quick else options.repeats)
        finally:
            spark.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100k events, once")
    parser.add_argument("--events", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--master", default="local[2,3]")
    return parser.parse_args()


def _compare(job: Job, spark: Any, repeats: int) -> int:
    """Time both in turn, then hold their values against each other."""
    first = _seconds(lambda: _in_spark(job, spark).write.format("noop").mode("overwrite").save())
    print(f"spark, first  {first:7.2f} s")
    runs: dict[str, list[float]] = {"local": [], "spark": []}
    for _ in range(repeats):
        runs["local"].append(_seconds(lambda: _here(job)))
        runs["spark"].append(_seconds(lambda: _in_spark(job, spark).write.format("noop").mode("overwrite").save()))
    middle = {name: statistics.median(seconds) for name, seconds in runs.items()}
    for name, seconds in runs.items():
        print(f"{name:13} {middle[name]:7.2f} s  ({' '.join(f'{run:.2f}' for run in seconds)})")
    print(f"Spark takes {middle['spark'] / middle['local']:.1f} times as long as one process")
    equal = _equal(job, spark)
    print("values equal to the bit" if equal else "VALUES DIFFER")
    return 0 if equal else 1


def _in_spark(job: Job, spark: Any) -> Any:
    from features.spark.panel import panel

    config = parse({"log": {"value": "value", "categories": ["product"]}}, folder=job.folder)
    events = spark.read.parquet(*map(str, job.log))
    return panel(events, job.cutoffs.tolist(), journeycast.FEATURES, config, now_us=END)


def _here(job: Job) -> journeycast.Panels:
    return journeycast.from_parquet(job, journeycast.fresh(job, job.folder / "local"))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _equal(job: Job, spark: Any) -> bool:
    table = _in_spark(job, spark).toArrow()
    local = {
        customer: rows for names, panel in _here(job) for customer, rows in zip(names, _by_customer(panel), strict=True)
    }
    customers = table.column("customer_id").to_pylist()[:: len(job.cutoffs)]
    found = np.stack([column.to_numpy() for column in table.columns[2:]], axis=1)
    expected = np.concatenate([local[customer] for customer in customers])
    return sorted(customers) == sorted(local) and found.tobytes() == expected.tobytes()


def _by_customer(panel: Any) -> Any:
    """The values as (customers, cutoffs, features)."""
    return panel.values.reshape(panel.rows.customer[-1] + 1, -1, panel.values.shape[1])


if __name__ == "__main__":
    sys.exit(main())
