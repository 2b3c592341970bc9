"""Churn: whether a customer is lost, because an event stays away or because the event of leaving comes."""

from features.config.task_kinds.kind import (
    AUROC,
    COMMON_KEYS,
    LOG_LOSS,
    NARROWING_KEYS,
    POPULATION_KEYS,
    RECENCY_BASELINE,
    Outcome,
    TaskKeys,
    TaskKind,
    listed,
)


def _outcome(task: TaskKeys) -> Outcome:
    return "event" if task.churn_event else "silence"


def _label(task: TaskKeys) -> str:
    return f"1 if {listed(task.churn_event)} comes" if task.churn_event else f"1 if no {listed(task.event)} comes"


CHURN = TaskKind(
    name="churn",
    keys=COMMON_KEYS | POPULATION_KEYS | NARROWING_KEYS | {"churn_event"},
    needs=(("event",), ("churn_event",)),
    active_by_event=True,
    about_loss=True,
    outcome=_outcome,
    baseline=RECENCY_BASELINE + "; with `churn_event`, whose last `active_event` is",
    purpose="the probability that a customer is lost. People who run retention use it to see whom to care for first.",
    misuse="the reason why somebody leaves: what moves a score is no cause, and acting on it need not help",
    label=_label,
    figures=(AUROC, LOG_LOSS),
    gained="lost customers",
    outcomes=("lost", "stayed"),
)
