"""What MLflow keeps of a shop, taken away: runs with their artifacts, and versions that no alias names.

MLflow has no public way to take a run out of its tables: it is marked deleted, as in its UI, and `mlflow gc` takes out
what is marked. Its artifacts go first, so that a run that still shows is one whose artifacts may still be there.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mlflow.entities import LoggedModel
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from features.errors import JourneycastError
from models.registry.client import explained
from models.registry.version import DIGEST, Version
from models.registry.versions import MOST, Registry

PARENT = "mlflow.parentRunId"
PAGE = 1000  # runs or models that are asked for at once


@dataclass(frozen=True)
class ListedRun:
    """A run that MLflow shows; `ended_us` is when it ended, else when it began, µs UTC by MLflow's clock."""

    id: str
    task: str
    name: str
    status: str
    ended_us: int
    parent: str | None


@explained
def past_runs(registry: Registry) -> tuple[ListedRun, ...]:
    """Every run of the shop, with those that run in other runs, newest first."""
    # `_` in a name stands for any character in LIKE, and names may hold dots: the name is looked at again, below
    experiments = registry.client.search_experiments(filter_string=f"name LIKE '{registry.shop}.%'")
    names = {str(experiment.experiment_id): experiment.name for experiment in experiments}
    runs = [
        _past(run)
        for run in _every_run(registry.client, list(names))
        if names[run.info.experiment_id] == f"{registry.shop}.{run.data.tags.get('task')}"
    ]
    return tuple(sorted(runs, key=lambda run: run.ended_us, reverse=True))


@explained
def trained_tasks(registry: Registry) -> tuple[str, ...]:
    """Names of the tasks of the shop that have a registered model, of the TOML or no longer."""
    registered = registry.client.search_registered_models(f"name LIKE '{registry.shop}.%'", max_results=PAGE)
    start = f"{registry.shop}."
    return tuple(sorted(model.name.removeprefix(start) for model in registered if model.name.startswith(start)))


@explained
def named_digests(registry: Registry, without: Collection[tuple[str, int]] = ()) -> frozenset[str]:
    """The bundles of all versions there are, of this shop and of others; `without` are (name, version) left out."""
    digests: set[str] = set()
    token = None
    while True:
        page = registry.client.search_model_versions(max_results=MOST, page_token=token)
        versions = [version for version in page if (version.name, int(version.version)) not in without]
        digests |= {version.tags[DIGEST] for version in versions if DIGEST in version.tags}
        token = page.token
        if not token:
            return frozenset(digests)


@explained
def run_size(registry: Registry, run_id: str) -> int:
    """Bytes of the run's artifacts, as far as their store tells."""
    return sum(_size(place, None) for place in _places(registry, run_id))


@explained
def remove_run(registry: Registry, run_id: str) -> None:
    """The run marked deleted and its artifacts gone; killed in between, it does the rest when it is called again."""
    for place in _places(registry, run_id):
        place.delete_artifacts()  # type: ignore[no-untyped-call]
    for model in _models(registry, run_id):
        registry.client.delete_logged_model(model.model_id)
    registry.client.delete_run(run_id)


@explained
def remove_version(registry: Registry, task_name: str, version: Version) -> None:
    """The version gone, if it was still there; JourneycastError when an alias names it, which would be lost with it."""
    current = next(
        (candidate for candidate in registry.versions(task_name) if candidate.version == version.version), None
    )
    if current is None:
        return
    if current.aliases:
        raise JourneycastError(
            f"expected version {version.version} of {version.name} to serve nobody, found it is the "
            f"{' and the '.join(current.aliases)}; it stays"
        )
    registry.client.delete_model_version(current.name, str(current.version))


def _every_run(client: MlflowClient, experiments: list[str]) -> Iterator[MlflowRun]:
    token = None
    while experiments:
        page = client.search_runs(experiments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _past(run: MlflowRun) -> ListedRun:
    info, tags = run.info, run.data.tags
    ended_us = 1000 * (info.end_time or info.start_time)
    return ListedRun(info.run_id, tags["task"], str(info.run_name), str(info.status), ended_us, tags.get(PARENT))


def _places(registry: Registry, run_id: str) -> list[ArtifactRepository]:
    """Where the run's artifacts lie, and those of the models logged by it."""
    addresses = [registry.client.get_run(run_id).info.artifact_uri]
    addresses += [model.artifact_location for model in _models(registry, run_id)]
    return [get_artifact_repository(address, registry.address, registry.address) for address in addresses]


def _models(registry: Registry, run_id: str) -> list[LoggedModel]:
    experiment = registry.client.get_run(run_id).info.experiment_id
    return list(registry.client.search_logged_models([experiment], f"source_run_id = '{run_id}'"))


def _size(place: ArtifactRepository, path: str | None) -> int:
    try:
        artifacts = place.list_artifacts(path)
    except (MlflowException, OSError):  # no artifact was ever logged, or they went before
        return 0
    return sum(_size(place, artifact.path) if artifact.is_dir else artifact.file_size or 0 for artifact in artifacts)
