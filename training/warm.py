"""Where a search begins: with how the trees grew that serve now."""

from collections.abc import Sequence

from features.config import TaskConfig
from features.errors import BundleError
from models.boosted import Growth
from models.bundle import load
from models.registry.versions import Registry
from training.setting import Setting

Grown = dict[tuple[str, int], Growth]


def grown_before(registry: Registry, setting: Setting, tasks: Sequence[TaskConfig]) -> Grown:
    """The growth of the champions' trees, by task and horizon; of champions trained before this as-of.

    One of the same as-of is left out, so that the same training again gives the same bundle.
    """
    return {(task.name, days): growth for task in tasks for days, growth in _of(registry, setting, task).items()}


def _of(registry: Registry, setting: Setting, task: TaskConfig) -> dict[int, Growth]:
    version = registry.champion(task.name)
    if version is None:
        return {}
    try:
        champion = load(registry.fetch(version, setting.config.workspace_path / "bundles"), version.digest)
    except BundleError:
        return {}  # the gate tells what is wrong with it
    if champion.trained_as_of_us >= setting.as_of:
        return {}
    return {int(days): Growth(**growth) for days, growth in champion.facts.get("growth", {}).items()}
