"""Small shops with registered versions that can be promoted: real bundles, which take milliseconds to make and load."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from features.config.load import parse
from features.config.sections import Config
from features.timeline import instant
from models.actor import Actor
from models.bundle import save
from models.promotion import Promotion
from models.registry.runs import Run
from models.registry.version import Version
from models.registry.versions import Registry
from tests.support.bundles import offer

TASK = "offer"
LOG = {"source": ["log/*"], "customer": "who", "time": "at", "event": "what", "value": "money"}
ASKED = {
    "kind": "next_action",
    "event": "email",
    "action": "channel",
    "nothing": "none",
    "reward": "purchase",
    "horizon_days": 14,
}


def shop(folder: Path, name: str = "shop", **log: object) -> Config:
    return parse({"name": name, "log": {**LOG, **log}, "tasks": {TASK: ASKED}}, folder=folder)


def prepared(folder: Path, tracking_database: Path) -> Config:
    """A shop whose MLflow database is there already: making one takes seconds."""
    config = shop(folder)
    config.workspace_path.mkdir(parents=True)
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    return config


def register(config: Config, registry: Registry, seed: int) -> Version:
    """A version of its own for each seed, as a training registers it."""
    folder = save(offer(seed=seed), config.workspace_path / "bundles")
    with registry.run(TASK, f"training {seed}") as run:
        return register_folder(registry, TASK, run, folder)


def register_folder(
    registry: Registry, task_name: str, run: Run, folder: Path, tags: Mapping[str, str] | None = None
) -> Version:
    """A version made of the plain folder of a bundle, as versions were before they were MLflow models."""

    def log_artifact() -> str:
        run.log_folder("bundle", folder)
        return "bundle"

    return registry.register(task_name, run, folder.name, log_artifact, tags)


def hand(minute: int = 0, who: str = "anna") -> Actor:
    return Actor(who, instant("2025-02-20T13:20") + minute * 60_000_000)


def promote(succession: Promotion, version: Version, minute: int = 0) -> None:
    succession.promote(TASK, version, hand(minute), why="it is better", evidence={"auroc": 0.75})
