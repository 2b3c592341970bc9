"""A small ingested base with bundles in service, for the tests of batch, HTTP and notebooks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config.sections import Config
from features.ingest import build
from features.store.reader import Store
from features.timeline import instant
from models.bundle import load, save
from serving.scoring.online import Online
from serving.scoring.score_journeys import ScoringOptions
from serving.scoring.served_model import ServedBundle
from tests.support import bundles, log_files
from tests.support.log_files import Row, event

TRAINED = instant("2025-01-01")
AS_OF = "2025-05-01"
FACTS: dict[str, Any] = {"trained_as_of_us": TRAINED}
BUNDLES = (bundles.churn((30, 90), **FACTS), bundles.buys(**FACTS), bundles.value(**FACTS), bundles.offer(**FACTS))
CUSTOMERS = 60
EMOJI = "🛒-ünï@example.org"


def rows(seed: int = 1) -> list[Row]:
    """The log of `CUSTOMERS` customers over a year, in no order."""
    rng = np.random.default_rng(seed)
    names = [EMOJI, *(f"customer {number}" for number in range(1, CUSTOMERS))]
    return [
        event(
            who=names[int(rng.integers(len(names)))],
            at=f"{np.datetime64('2024-06-01T00:00:00', 's') + int(rng.integers(0, 330 * 86_400))}",
            what=str(rng.choice(["purchase", "view"])),
            money=None if rng.random() < 0.3 else float(np.round(rng.gamma(2, 10), 2)),
            channel=str(rng.choice(["web", "shop"])),
        )
        for _ in range(900)
    ]


def base(folder: Path, log: list[Row], **keys: Any) -> Online:
    """The log ingested into many buckets, with every kind of task in service."""
    log_files.write(folder / "log" / "events.jsonl", log)
    config = configuration(folder, **keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "ROWS_PER_BUCKET", 200)
        log_files.run(config)
    saved = [save(bundle, config.workspace_path / "bundles") for bundle in BUNDLES]
    served = tuple(ServedBundle(load(path, path.name), str(version)) for version, path in enumerate(saved, start=1))
    return Online(config, Store.open(config.workspace_path, config), served)


def configuration(folder: Path, **keys: Any) -> Config:
    config = log_files.config(folder, categories=["channel"], **keys)
    return config.model_copy(update={"tasks": {bundle.task.name: bundle.task for bundle in BUNDLES}})


def options(online: Online, **keys: Any) -> ScoringOptions:
    return replace(ScoringOptions(instant(AS_OF), online.store.log_position), **keys)


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the file as JSON has it: nulls in `details` are left out."""
    if row["details"] is not None:
        row["details"] = {name: value for name, value in row["details"].items() if value is not None}
    return row
