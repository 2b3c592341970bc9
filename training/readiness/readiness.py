"""What every task has, what the next steps need, when that will be there, and what one gets meanwhile.

Nothing is fitted and nothing is written. The steps are those of a training (`training.readiness.requirements`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.errors import ConfigError
from features.journeys import Journeys
from features.panel.build import Rows
from features.store.reader import Store
from features.timeline import DAY_US, instant, iso
from models.tasks import outcome_stream, population
from training.dataset.examples import Parts, history_start
from training.dataset.split import split
from training.fit.actions import Logged, gather
from training.readiness.forecast import TaskCounts, count_task
from training.readiness.requirements import (
    AGAINST,
    DECIDED,
    FULL,
    GRADED,
    LEARNT,
    OWN,
    READY,
    TEST,
    TREES,
    Step,
    steps,
    steps_of_actions,
)

INDENT = (0, 0, 0, 2)


@dataclass(frozen=True)
class TaskReadiness:
    """One task and horizon: sentences on what is there, the steps, and sentences on what one gets meanwhile."""

    task: TaskConfig
    horizon_days: int
    there: tuple[str, ...]
    steps: tuple[Step, ...]
    meanwhile: tuple[str, ...]


def readiness(
    config: Config, store: Store, tasks: Sequence[str] | None = None, *, as_of: str | int | None = None
) -> list[TaskReadiness]:
    """One for each task (all when none is named) and horizon, as the log stands at the as-of (default: its end)."""
    requested = [config.task(name) for name in tasks] if tasks else list(config.tasks.values())
    if not requested:
        raise ConfigError("expected at least one table [tasks.NAME] in the configuration, found none; add a task")
    given = instant(as_of, config.log.timezone) if isinstance(as_of, str) else as_of
    now = store.end(config) if given is None else given
    end = store.label_end(now, config)

    def parts() -> Iterable[Journeys]:
        return (journeys.as_of(now) for journeys in store.buckets())

    first = _first(parts, end)
    return [ready for task in requested for ready in _ready(parts, task, first, end, now)]


def page(tasks: Sequence[TaskReadiness]) -> RenderableType:
    """All of it for a person, at 80 columns."""
    return Group(*(renderable for ready in tasks for renderable in _section(ready)))


def _section(ready: TaskReadiness) -> Iterator[RenderableType]:
    yield Text(f"{ready.task.name}, {_days(ready.horizon_days)}", style="bold")
    yield from (Padding(Text(sentence), INDENT) for sentence in ready.there)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("step", "there now", "needed", "when"):
        table.add_column(name, overflow="fold")
    for step in ready.steps:
        table.add_row(*(Text(cell) for cell in (step.name, step.there, step.needed, step.when)))
    yield Padding(table, INDENT)
    yield from (Padding(Text(sentence), INDENT) for sentence in ready.meanwhile)
    yield Text("")


def _first(parts: Parts, end: int) -> int:
    """Where history starts, as a training sees it."""
    firsts = [int(part.time.min()) for part in parts() if part.rows]
    return min(history_start(parts, min(firsts)), end) if firsts else end


def _ready(parts: Parts, task: TaskConfig, first: int, end: int, now: int) -> Iterator[TaskReadiness]:
    if task.ranks_actions:
        logged, customers = gather(task, parts, end), _customers(parts, task, now)
        taken = steps_of_actions(task, logged, end)
        there = (_span(first, end, f"{customers:,} customers to choose for now"), _decisions(logged))
        yield TaskReadiness(task, task.horizons_days[0], there, taken, tuple(_meanwhile_acting(task, taken)))
        return
    for horizon in sorted(task.horizons_days):
        task_counts = count_task(parts, task, split(horizon, first, end), now)
        taken = steps(task, task_counts)
        grown = round(task_counts.population - task_counts.population_before)
        change = f"{abs(grown):,} {'fewer' if grown < 0 else 'more'} than {_days(task_counts.pace_days)} ago"
        members = f"{task_counts.population:,} customers asked about now, {change}"
        there = _span(first, end, members), _outcomes(task, task_counts)
        yield TaskReadiness(task, horizon, there, taken, tuple(_meanwhile(task, task_counts, taken)))


def _customers(parts: Parts, task: TaskConfig, now: int) -> int:
    """How many the task asks about, of those of whom anything is known."""
    total = 0
    for part in parts():
        known = (np.diff(part.starts) > 0) | (np.diff(part.profile.starts) > 0)
        total += int((population(task, part, Rows.grid(len(part), np.array([now]))) & known).sum())
    return total


def _span(first: int, end: int, members: str) -> str:
    return f"{_days((end - first) // DAY_US)} of history ({iso(first)[:10]} to {iso(end)[:10]}), {members}."


def _outcomes(task: TaskConfig, task_counts: TaskCounts) -> str:
    test = task_counts.current.parts["test"]
    if not test.rows:
        return "Of no customer the outcome is known yet."
    did = outcome_stream(task).text("")
    window = f"in the {_days(task_counts.split.fitted_days)} after {iso(task_counts.split.test)[:10]}"
    counts = f"{test.happened:,.0f} did {did} {window}, {test.rows - test.happened:,.0f} did not"
    money = f"; {task_counts.orders:,} orders brought {task_counts.money:,.0f}" if task.is_money else ""
    return f"Of {test.rows:,.0f} customers with a known outcome {counts}{money}."


def _decisions(logged: Logged) -> str:
    counts = np.bincount(logged.action, minlength=len(logged.names))
    by_action = ", ".join(f"{name} {count:,}" for name, count in zip(logged.names, counts, strict=True))
    out = f"; {logged.left_out:,} that name no action or probability are left out" if logged.left_out else ""
    whole = f"{len(logged):,} decisions with their whole {logged.horizon_days} days seen"
    return f"{whole}{f' ({by_action})' if by_action else ''}, {int(logged.rewarded.sum()):,} rewarded{out}."


def _meanwhile(task: TaskConfig, task_counts: TaskCounts, taken: Sequence[Step]) -> Iterator[str]:
    missing = {step.name for step in taken if not step.is_ready}
    if not task_counts.population:
        yield "Nobody is asked about now, so only customers that nobody knows get a score: the average."
    if LEARNT in missing:
        yield f"The rule serves: {task.definition.baseline}."
    elif TREES in missing:
        yield "What was best on later rows serves: a purchase process, a logistic or the rule."
    else:
        yield "What was best on later rows serves, a learnt model or the rule."
    if FULL in missing:
        fitted = f"{task_counts.split.fitted_days} of {task_counts.split.horizon_days} days"
        yield f"It is fitted on {fitted} and carried over: the flag `extrapolated`."
    if TEST in missing:
        yield "The grade is D, because no rows are left to test on, and the intervals are wide."
    elif GRADED in missing:
        yield "The grade is D, because the test is small, and the intervals are wide."
    elif missing - {TREES}:
        yield "The best grade is C."
    else:
        yield "Every grade can be had: by how much the answer beats the named baseline."
    if task_counts.thin:
        yield f"The flag `thin_data` on {task_counts.thin:,} of {task_counts.population:,} customers."


def _meanwhile_acting(task: TaskConfig, taken: Sequence[Step]) -> Iterator[str]:
    by_name = {step.name: step.when == READY for step in taken}
    if not by_name[DECIDED]:
        yield f"'{task.nothing}' is what serves, with grade D: nothing is known to be better."
        return
    yield "The action that was best on average serves, the same for everybody."
    if not by_name[AGAINST.format(task.nothing)]:
        yield "Gains are against the average of what was done, and the grade is D."
    elif not by_name[GRADED]:
        yield "The grade is D, because too few decisions were rewarded or too few customers had one."
    else:
        yield "Every grade can be had: by how surely one action beats the others."
    if not by_name[OWN]:
        yield "Actions with few decisions have wide intervals, by the spread of all rewards."


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"
