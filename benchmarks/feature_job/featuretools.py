"""featuretools does the job, in an environment of its own: `python -m experiments.peers.environments featuretools`.

Where it was not made, the peer is left out. `featuretools_panel.py` is what runs there; log and values pass as Parquet.
"""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.feature_job.job import COUNT_DAYS, DISTINCT_DAYS, EVENTS, SUM_DAYS, Job
from experiments.peers.environments import FEATURETOOLS

HERE = Path(__file__).parent
Measured = dict[str, float]


def run(job: Job, *, tuned: bool) -> tuple[Measured, pa.Table]:
    """What the work took there, and the panel."""
    with TemporaryDirectory() as folder:
        saved = Path(folder) / "panel.parquet"
        task = {
            "log": [str(file) for file in job.log],
            "cutoffs": job.cutoffs.tolist(),
            "features": _features(recency="newest" if tuned else "recency"),
            "save": str(saved),
        }
        done = subprocess.run(  # -I: a script's own folder is no place to import from
            [FEATURETOOLS.python, "-I", HERE / "featuretools_panel.py"],
            input=json.dumps(task),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return json.loads(done.stdout.splitlines()[-1]), pq.read_table(saved)


def _features(recency: str) -> list[dict[str, Any]]:
    """The job in words that need none of this project, in the order of the columns."""

    def one(name: str, what: str, event: str | None = None, days: int | None = None) -> dict[str, Any]:
        return {"name": name, "what": what, "event": event, "days": days}

    return [
        *(one(f"{event}_count_{days}d", "count", event, days) for event in EVENTS for days in COUNT_DAYS),
        *(one(f"{event}_recency", recency, event) for event in EVENTS),
        *(one(f"value_sum_{days}d", "sum", days=days) for days in SUM_DAYS),
        *(one(f"product_distinct_{days}d", "distinct", days=days) for days in DISTINCT_DAYS),
    ]
