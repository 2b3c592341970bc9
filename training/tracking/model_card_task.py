"""A task in words, for who reads its card: what it is for, whom it is about, what is asked, and what it is not for."""

import tomllib

from features.config.tasks import TaskConfig

USES = {
    "churn": "the probability that a customer is lost. People who run retention use it to see whom to care for first.",
    "propensity": "the probability that a customer does it. People who run campaigns use it to decide whom to ask.",
    "cltv": "the money a customer will bring. People who plan budgets use it to decide how much a customer may cost.",
    "next_action": "what each action brings over doing nothing. People who run campaigns use it to choose the action.",
}
NAMES = ("event", "churn_event", "active_event", "ended_by", "never", "reward")
EVERY = (
    "decisions with legal effect on a person, credit, insurance, employment or prices of one's own",
    "people outside of the population above, or another shop's",
)
MISUSE = {
    "churn": ("the reason why somebody leaves: what moves a score is no cause, and acting on it need not help",),
    "propensity": (
        "the effect of asking: whoever is likely to buy may buy anyway; a next_action task measures effects",
    ),
    "cltv": ("one customer's promise: the interval of one person is wide, sums over many are what it is good at",),
    "next_action": ("actions, costs or customers that were never tried: nothing is known of them",),
}


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
    return f"It says {USES[task.kind]}"


def population(task: TaskConfig) -> str:
    """Whom the task is about at a cutoff."""
    if task.kind == "next_action" and not task.model_fields_set & {"active_event", "active_days"}:
        return "Every decision that was logged; when it serves, every customer of log or profile."
    active = f"at least one {_listed(task.active_event)}" if task.active_event else "any event"
    span = f"`(cutoff - {task.active_days} days, cutoff]`"
    text = f"Customers with {active} in the {task.active_days} days up to the cutoff, {span}"
    if task.ended_by:
        text += f", and no {_listed(task.ended_by)} since"
    if task.never:
        text += f", who never did {_listed(task.never)}"
    return text + "."


def label(task: TaskConfig) -> str:
    """What is asked of the time after the cutoff."""
    days = ", ".join(map(str, sorted(task.horizons_days)))
    span = f"`(cutoff, cutoff + {days} days]`"
    narrowed = ", narrowed by the task's filters" if task.where or task.at_least or task.at_most else ""
    what = {
        "churn": f"1 if {_listed(task.churn_event)} comes"
        if task.churn_event
        else f"1 if no {_listed(task.event)} comes",
        "propensity": f"1 if {_listed(task.event)} comes",
        "cltv": f"the sum of `{task.amount or 'value'}` of {_listed(task.event)}, returns taken off,",
        "next_action": f"the {task.reward_unit} of {_listed(task.reward)} that comes",
    }[task.kind]
    censored = "A window that runs past the end of the log is left out, never counted as nothing."
    return f"{what[0].upper()}{what[1:]} within {span}{narrowed}. {censored}"


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def misuse(task: TaskConfig) -> tuple[str, ...]:
    """What it must not be used for."""
    return (*MISUSE[task.kind], *EVERY)
