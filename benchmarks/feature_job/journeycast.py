"""The job done by Journeycast: from the ingested store, and from the raw files."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd  # noqa: F401  imported at the first conversion to Arrow, which is not what is measured

from benchmarks.feature_job.job import COUNT_DAYS, DISTINCT_DAYS, END, EVENTS, SUM_DAYS, Job
from features.arrays import Floats
from features.config.load import parse
from features.config.sections import Config
from features.ingest.report import IngestReport
from features.ingest.run import ingest
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows, build
from features.store.reader import Store
from features.system.threads import ordered_map

THREADS = 2

FEATURES = FeatureSet(
    (
        *(Feature("count", Stream((event,)), window_days=days) for event in EVENTS for days in COUNT_DAYS),
        *(Feature("recency", Stream((event,))) for event in EVENTS),
        *(Feature("sum", window_days=days) for days in SUM_DAYS),
        *(Feature("distinct", column="product", window_days=days) for days in DISTINCT_DAYS),
    )
)

Panels = list[tuple[list[str], Panel]]


def stored(job: Job, folder: Path) -> Store:
    """The store of the job's log below `folder`, ingested now unless it was before."""
    job.write()
    config = _config(job, folder / f"store-{job.events}-{job.seed}")
    ingest(config, clock=lambda: END)
    return Store.open(config.workspace_path, config)


def removed(job: Job, folder: Path) -> Path:
    """The folder, with the job's log and without a store of it."""
    shutil.rmtree(folder / f"store-{job.events}-{job.seed}", ignore_errors=True)
    job.write()
    return folder


def fresh(job: Job, folder: Path) -> TemporaryDirectory[str]:
    """An empty folder, which goes when the process ends."""
    job.write()
    folder.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=folder)


def before_a_day(job: Job, folder: Path) -> Config:
    """A copy of the job's store, which does not hold yet what a few customers did on its last day."""
    store = stored(job, folder)
    workspace = folder / f"store-{job.events}-{job.seed}-day"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(store.folder.parent, workspace)
    return _config(job, workspace, [job.day()])


def one_day(_: Job, config: Config) -> IngestReport:
    """Ingest that day."""
    report = ingest(config, clock=lambda: END)
    print(f"{report.built} of {report.buckets} buckets built")
    return report


def from_parquet(job: Job, folder: TemporaryDirectory[str]) -> Panels:
    """Ingest into the folder, then the panel."""
    return from_store(job, stored(job, Path(folder.name)))


def from_store(job: Job, store: Store) -> Panels:
    """The panel of all buckets, in memory."""
    return list(panels(job, store))


def panels(job: Job, store: Store) -> Iterator[tuple[list[str], Panel]]:
    """Customers and panel of every bucket, a few buckets at a time in memory."""

    def one(index: int) -> tuple[list[str], Panel]:
        journeys = store.bucket(index)
        return list(journeys.customers), build(journeys, Rows.grid(len(journeys), job.cutoffs), FEATURES)

    yield from ordered_map(one, range(len(store)), threads=THREADS)


def totals(job: Job, store: Store) -> Floats:
    """The sum of every feature: each bucket's panel is dropped when it was looked at."""
    return np.sum([np.nansum(panel.values, axis=0) for _, panel in panels(job, store)], axis=0)


def _config(job: Job, workspace: Path, more: Sequence[Path] = ()) -> Config:
    log = {"source": [str(file) for file in (*job.log, *more)], "value": "value", "categories": ["product"]}
    return parse({"workspace": str(workspace), "log": log}, folder=job.folder)
