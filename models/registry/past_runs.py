"""What a run kept, read back: its figures, its parameters, its files.

A run that was deleted in MLflow's UI still holds all of it until `mlflow gc` takes it away; then there is none to read.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException

from models.registry.client import explained
from models.registry.versions import Registry


@dataclass(frozen=True)
class PastRun:
    """A run as MLflow has it. `metrics` holds finite figures only; `data` is the digest of what it was trained on."""

    id: str
    name: str
    experiment: str
    deleted: bool
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    data: str | None


@explained
def read_run(registry: Registry, run_id: str) -> PastRun | None:
    """The run of that id; None when MLflow holds it no more."""
    try:
        run = registry.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    datasets = run.inputs.dataset_inputs if run.inputs else []
    return PastRun(
        id=run.info.run_id,
        name=str(run.info.run_name),
        experiment=str(run.info.experiment_id),
        deleted=run.info.lifecycle_stage == "deleted",
        metrics={name: value for name, value in run.data.metrics.items() if math.isfinite(value)},
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        data=datasets[0].dataset.digest if datasets else None,
    )


@explained
def finished_training(registry: Registry, task_name: str, **tags: str) -> PastRun | None:
    """The newest run of a training of a task that has these tags and went through to its end."""
    experiment = registry.client.get_experiment_by_name(f"{registry.shop}.{task_name}")
    if experiment is None:
        return None
    conditions = ["attributes.status = 'FINISHED'", *(f"tags.{name} = '{value}'" for name, value in tags.items())]
    runs = registry.client.search_runs([experiment.experiment_id], " and ".join(conditions), max_results=1)
    return read_run(registry, runs[0].info.run_id) if runs else None


def read_files(registry: Registry, run_id: str, path: str) -> dict[str, bytes]:
    """The run's artifact `path`, or all files of that folder, by their paths below it; nothing where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = Path(registry.client.download_artifacts(run_id, path, folder))
        except (MlflowException, OSError):  # which of the two a missing artifact is depends on where they are kept
            return {}
        if artifact.is_file():
            return {artifact.name: artifact.read_bytes()}
        files = sorted(file for file in artifact.rglob("*") if file.is_file())
        return {file.relative_to(artifact).as_posix(): file.read_bytes() for file in files}
