"""featuretools, in an environment of its own: its newest release (1.31) does not work with pandas 3.

    python -m benchmarks.feature_job.peer       makes that environment, with the versions of featuretools.txt

Where it was not made, the peer is left out. `synthesis.py` is what runs there; log and values pass as Parquet.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.feature_job.job import COUNT_DAYS, DISTINCT_DAYS, EVENTS, SUM_DAYS, Job

HERE = Path(__file__).parent
PINS = HERE / "featuretools.txt"
ENVIRONMENT = HERE.parents[1] / ".cache" / "featuretools"
PYTHON = ENVIRONMENT / "bin" / "python"
MADE = ENVIRONMENT / "made.txt"

Measured = dict[str, float]


def main() -> int:
    """Make the environment, unless it is there with these versions."""
    if not is_here():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", PINS], check=True)
        MADE.write_text(PINS.read_text())
    print(f"featuretools is in {ENVIRONMENT}")
    return 0


def is_here() -> bool:
    """Whether the environment was made, with the versions that are asked for now."""
    return MADE.exists() and MADE.read_text() == PINS.read_text()


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
            [PYTHON, "-I", HERE / "synthesis.py"], input=json.dumps(task), check=True, stdout=subprocess.PIPE, text=True
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


if __name__ == "__main__":
    sys.exit(main())
