"""Which bundles serve: the champions of the registry, loaded from the workspace."""

from collections.abc import Sequence

from features.config import Config
from features.errors import BundleError
from models.bundle import load
from models.registry import Registry
from serving.served import Served


def champions(config: Config, tasks: Sequence[str] | None = None) -> tuple[Served, ...]:
    """The champion of each task, in the order of the configuration; of every task when none is named.

    Raises:
        BundleError: a task has no champion yet.
    """
    wanted = [config.task(name) for name in tasks] if tasks else list(config.tasks.values())
    registry = Registry.open(config)
    return tuple(_champion(config, registry, task.name) for task in wanted)


def _champion(config: Config, registry: Registry, name: str) -> Served:
    version = registry.champion(name)
    if version is None:
        raise BundleError(f"expected a champion for task '{name}', found none; run `journeycast train {name}` first")
    folder = registry.fetch(version, config.workspace_path / "bundles")
    return Served(load(folder, version.digest), str(version.version))
