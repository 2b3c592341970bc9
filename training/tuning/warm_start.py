"""Where a search begins: with the parameters of the trees that served before."""

from collections.abc import Sequence

from features.config.tasks import TaskConfig
from features.errors import BundleError
from models.bundle import load
from models.ladder.lightgbm import TreeParameters, unpack_tree_parameters
from models.promotion import Promotion

ChampionsParameters = dict[tuple[str, int], TreeParameters]


def champions_parameters(succession: Promotion, as_of: int, tasks: Sequence[TaskConfig]) -> ChampionsParameters:
    """The parameters of the champions' trees, by task and horizon; of the newest one trained before `as_of` (µs UTC).

    Later ones are passed over, so that the same training again, whose own bundle may serve by then, begins as it did.
    """
    return {
        (task.name, days): parameters for task in tasks for days, parameters in _of(succession, as_of, task).items()
    }


def _of(succession: Promotion, as_of: int, task: TaskConfig) -> dict[int, TreeParameters]:
    for entry in succession.served(task.name):
        try:
            version = succession.version_of(task.name, entry)
            champion = load(succession.registry.fetch(version, succession.bundles), version.digest)
        except BundleError:
            continue  # the gate tells what is wrong with it
        if champion.trained_as_of_us < as_of:
            return {
                int(days): unpack_tree_parameters(growth) for days, growth in champion.facts.get("growth", {}).items()
            }
    return {}
