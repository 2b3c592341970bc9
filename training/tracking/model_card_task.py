"""A task in words, for who reads its card: what it is for, whom it is about, what is asked, and what it is not for."""

import tomllib

from features.config.task_kinds.kind import listed
from features.config.tasks import TaskConfig

NAMES = ("event", "churn_event", "active_event", "ended_by", "never", "reward")
EVERY = (
    "decisions with legal effect on a person, credit, insurance, employment or prices of one's own",
    "people outside of the population above, or another shop's",
)


def as_written(task: TaskConfig, toml: str) -> TaskConfig:
    """The task with its names as they stand in the configuration's text, not as the environment filled them in."""
    given = tomllib.loads(toml).get("tasks", {}).get(task.name, {})
    names = {key: (given[key],) if isinstance(given[key], str) else tuple(given[key]) for key in NAMES if key in given}
    for key, default in (("active_event", "event"), ("ended_by", "churn_event")):
        if key not in names and default in names and getattr(task, key) == getattr(task, default):
            names[key] = names[default]
    return task.model_copy(update=names)


def purpose(task: TaskConfig) -> str:
    """What is said, and who uses it for what."""
    return f"It says {task.definition.purpose}"


def population(task: TaskConfig) -> str:
    """Whom the task is about at a cutoff."""
    if not task.asks_for_activity:
        return "Every decision that was logged; when it serves, every customer of log or profile."
    active = f"at least one {listed(task.active_event)}" if task.active_event else "any event"
    span = f"`(cutoff - {task.active_days} days, cutoff]`"
    text = f"Customers with {active} in the {task.active_days} days up to the cutoff, {span}"
    if task.ended_by:
        text += f", and no {listed(task.ended_by)} since"
    if task.never:
        text += f", who never did {listed(task.never)}"
    return text + "."


def label(task: TaskConfig) -> str:
    """What is asked of the time after the cutoff."""
    days = ", ".join(map(str, sorted(task.horizons_days)))
    span = f"`(cutoff, cutoff + {days} days]`"
    narrowed = ", narrowed by the task's filters" if task.where or task.at_least or task.at_most else ""
    text = task.definition.label(task)
    censored = "A window that runs past the end of the log is left out, never counted as nothing."
    return f"{text[0].upper()}{text[1:]} within {span}{narrowed}. {censored}"


def misuse(task: TaskConfig) -> tuple[str, ...]:
    """What it must not be used for."""
    return (task.definition.misuse, *EVERY)
