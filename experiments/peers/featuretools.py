"""The matrix that deep feature synthesis makes of a log, at the very rows of the panel that other peers learn from.

Two tables deep (rows, orders, customers), aggregations over everything and by kind of event. featuretools has an
environment of its own: `python -m experiments.peers.environments featuretools` makes it.
"""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from experiments.peers.environments import FEATURETOOLS
from experiments.peers.sql_features import Floats
from experiments.questions import Case

HERE = Path(__file__).parent
AGGREGATIONS = ["count", "sum", "mean", "max", "min", "std", "num_unique"]
WHERE = ["count", "sum", "max"]
TRANSFORMS = ["weekday", "hour"]


def matrix(case: Case, rows: list[tuple[pd.Index, str]]) -> list[Floats]:
    """A matrix for each population and cutoff, all with the same columns."""
    question = case.question
    numbers = (*(("value",) if question.valued else ()), *question.numbers)
    order = (question.order,) if question.order else ()
    asked = pd.concat(
        [
            pd.DataFrame({"customer_id": customers.astype(str), "cutoff": pd.Timestamp(cutoff).as_unit("us")})
            for customers, cutoff in rows
        ],
        ignore_index=True,
    )
    with TemporaryDirectory() as folder:
        saved = f"{folder}/matrix.parquet"
        asked.to_parquet(f"{folder}/rows.parquet", index=False)
        task = {
            "log": str(question.file),
            "rows": f"{folder}/rows.parquet",
            "columns": ["customer_id", "timestamp", "event_type", *order, *question.categories, *numbers],
            "order": question.order,
            "categories": question.categories,
            "numbers": numbers,
            "aggregations": AGGREGATIONS,
            "where": WHERE,
            "transforms": TRANSFORMS,
            "depth": 2,
            "save": saved,
        }
        command: list[str | Path] = [FEATURETOOLS.python, "-I", HERE / "featuretools_matrix.py"]
        subprocess.run(command, input=json.dumps(task), check=True, text=True)  # noqa: S603  our own words
        values = pd.read_parquet(saved).to_numpy(float)
    ends = np.cumsum([len(customers) for customers, _ in rows])
    return np.split(np.where(np.isinf(values), np.nan, values), ends[:-1])
