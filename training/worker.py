"""A worker: takes part in the search of a task's growth, on any host, and leaves the rest to `train`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from features.config.sections import Config
from features.errors import InputError
from features.store.reader import Store
from models.promotion import Promotion
from training.dataset.split import split
from training.horizon import panel_rows, search_budget, split_rows
from training.run import prepare
from training.selection.choose import tune
from training.tuning.search import SearchResult
from training.tuning.warm_start import champions_parameters


@dataclass(frozen=True)
class WorkerResult:
    """The study of one horizon, its name and what it holds now; nothing where the task has too few rows for trees."""

    study: str
    horizon_days: int
    search: SearchResult | None

    def summary(self) -> str:
        """In a line."""
        if self.search is None:
            return f"{self.study}: too few rows for trees, so there is nothing to search"
        states = [row["state"] for row in self.search.trials]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{self.study}: {len(states)} trials ({counts}), best loss {self.search.loss:.6g}"


def work(
    config: Config,
    store: Store,
    task_name: str,
    *,
    as_of: str | int | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[WorkerResult]:
    """Search as `train` with the same log, TOML and options does, in the same studies, until their budget is used."""
    task = config.task(task_name)
    if task.ranks_actions:
        raise InputError(f"expected a task with a search, found the {task.kind} task '{task.name}'; `train` it instead")
    context, _ = prepare(config, store, as_of=as_of, trials=trials, minutes=minutes, progress=progress)
    context = replace(
        context, champions=champions_parameters(Promotion.open(config, [task.name]), context.as_of, [task])
    )
    results = []
    for days in sorted(task.horizons_days):
        cut = split(days, context.first, context.end)
        question, rows = panel_rows(context, task, cut)
        parts, budget = split_rows(rows, cut), search_budget(context, task, cut)
        search = tune(question, parts["choosing"], parts["validation"], budget)
        results.append(WorkerResult(budget.study.name if budget.study else "", days, search))
    return results
