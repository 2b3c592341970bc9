"""Propensity: whether a customer does an event."""

from features.config.task_kinds.kind import (
    AUROC,
    COMMON_KEYS,
    LOG_LOSS,
    NARROWING_KEYS,
    POPULATION_KEYS,
    RECENCY_BASELINE,
    TaskKind,
    listed,
)

PROPENSITY = TaskKind(
    name="propensity",
    keys=COMMON_KEYS | POPULATION_KEYS | NARROWING_KEYS,
    needs=(("event",),),
    outcome=lambda _: "event",
    baseline=RECENCY_BASELINE,
    purpose="the probability that a customer does it. People who run campaigns use it to decide whom to ask.",
    misuse="the effect of asking: whoever is likely to buy may buy anyway; a next_action task measures effects",
    label=lambda task: f"1 if {listed(task.event)} comes",
    figures=(AUROC, LOG_LOSS),
    gained="customers who did it",
    outcomes=("did it", "did not"),
)
