"""Which bundles serve: the champions of the registry, loaded from the workspace."""

import logging
from collections.abc import Sequence

from features.config.sections import Config
from features.errors import BundleError, ConfigError
from features.language.feature_set import FeatureSet
from features.sets.user_module import load_user_features
from models.bundle import Bundle, equipped, load
from models.registry.version import Version
from models.registry.versions import Registry
from serving.scoring.served_model import ServedBundle

logger = logging.getLogger(__name__)


def champions(config: Config, tasks: Sequence[str] | None = None) -> tuple[ServedBundle, ...]:
    """The champions of these tasks in their order; without names, of every task of the TOML that has one.

    Raises:
        BundleError: a named task has no champion yet, or none has; or it was trained with another module of features.
        ConfigError: the module of features that a champion needs is missing or cannot be used.
    """
    if not config.tasks:
        raise ConfigError("expected at least one [tasks.NAME] in the TOML, found none; name what is to be predicted")
    registry = Registry.open(config)  # its alias, not the ledger: a service starts without a ledger and writes none
    names = [config.task(name).name for name in (tasks or config.tasks)]
    versions = {name: registry.champion(name) for name in dict.fromkeys(names)}
    missing = [name for name, version in versions.items() if version is None]
    if missing and (tasks or len(missing) == len(versions)):
        raise BundleError(
            f"expected a champion for task '{missing[0]}', found none; run `journeycast train {missing[0]}` first"
        )
    for name in missing:
        logger.warning("task '%s' has no champion and is left out; run `journeycast train %s`", name, name)
    loaded = [(_bundle(config, registry, version), version) for version in versions.values() if version is not None]
    user_features = (
        load_user_features(config) if any(bundle.features.module for bundle, _ in loaded) else FeatureSet(())
    )
    return tuple(ServedBundle(equipped(bundle, user_features), str(version.version)) for bundle, version in loaded)


def _bundle(config: Config, registry: Registry, version: Version) -> Bundle:
    return load(registry.fetch(version, config.workspace_path / "bundles"), version.digest)
