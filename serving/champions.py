"""Which bundles serve: the champions of the registry, loaded from the workspace."""

import logging
from collections.abc import Sequence

from features.config import Config
from features.errors import BundleError, ConfigError
from models.bundle import load
from models.registry import Registry, Version
from serving.served import Served

logger = logging.getLogger(__name__)


def champions(config: Config, tasks: Sequence[str] | None = None) -> tuple[Served, ...]:
    """The champions of these tasks in their order; without names, of every task of the TOML that has one.

    Raises:
        BundleError: a named task has no champion yet, or none has.
    """
    if not config.tasks:
        raise ConfigError("expected at least one [tasks.NAME] in the TOML, found none; name what is to be predicted")
    registry = Registry.open(config)
    wanted = [config.task(name).name for name in (tasks or config.tasks)]
    found = {name: registry.champion(name) for name in dict.fromkeys(wanted)}
    missing = [name for name, version in found.items() if version is None]
    if missing and (tasks or len(missing) == len(found)):
        raise BundleError(
            f"expected a champion for task '{missing[0]}', found none; run `journeycast train {missing[0]}` first"
        )
    for name in missing:
        logger.warning("task '%s' has no champion and is left out; run `journeycast train %s`", name, name)
    return tuple(_served(config, registry, version) for version in found.values() if version is not None)


def _served(config: Config, registry: Registry, version: Version) -> Served:
    folder = registry.fetch(version, config.workspace_path / "bundles")
    return Served(load(folder, version.digest), str(version.version))
