"""A worker: takes part in the search of a task's growth, on any host, and leaves the rest to `train`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from features.config.sections import Config
from features.errors import InputError
from features.store.reader import Store
from models.promotion import Promotion
from training.dataset.split import split
from training.horizon import asked_rows, budget_of, parted
from training.run import prepare
from training.selection.choose import tune
from training.tuning.search import SearchResult
from training.tuning.warm_start import champions_parameters


@dataclass(frozen=True)
class Worked:
    """The study of one horizon, its name and what it holds now; nothing where the task has too few rows for trees."""

    study: str
    horizon_days: int
    found: SearchResult | None

    def told(self) -> str:
        """In a line."""
        if self.found is None:
            return f"{self.study}: too few rows for trees, so there is nothing to search"
        states = [row["state"] for row in self.found.trials]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{self.study}: {len(states)} trials ({counts}), best loss {self.found.loss:.6g}"


def work(
    config: Config,
    store: Store,
    task_name: str,
    *,
    as_of: str | int | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Worked]:
    """Search as `train` with the same log, TOML and options does, in the same studies, until their budget is used."""
    task = config.task(task_name)
    if task.ranks_actions:
        raise InputError(f"expected a task with a search, found the {task.kind} task '{task.name}'; `train` it instead")
    setting, _ = prepare(config, store, as_of=as_of, trials=trials, minutes=minutes, progress=progress)
    setting = replace(
        setting, champions=champions_parameters(Promotion.open(config, [task.name]), setting.as_of, [task])
    )
    worked = []
    for days in sorted(task.horizons_days):
        cut = split(days, setting.first, setting.end)
        question, rows = asked_rows(setting, task, cut)
        parts, budget = parted(rows, cut), budget_of(setting, task, cut)
        found = tune(question, parts["choosing"], parts["validation"], budget)
        worked.append(Worked(budget.place.name if budget.place else "", days, found))
    return worked
