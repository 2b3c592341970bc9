"""Tasks that a log has the data for, with horizons from its return times, and how much data each has.

A horizon is a number of days that people use, and shorter than a third of the history: models are fitted on one part,
chosen on a later one and judged on the last, and the first cutoff looks back on something.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from features.config.task_kinds.registry import TASK_KINDS
from features.init.event_roles import EventRoles
from features.init.mapping import Action
from features.init.return_times import (
    LATE_RETURNS,
    LabelCounts,
    Occurrences,
    count_contract_ends,
    count_customers,
    count_labels,
    count_returning,
    count_rewarded,
    follow_up_days,
    silence_days,
)
from features.init.vocabulary import BROWSE, PURCHASE, parts, speaks_of

HUMAN_DAYS = (1, 2, 3, 7, 14, 30, 60, 90, 180, 365)
HORIZONS = 3 + 1 / 3  # of history, that training needs: to fit, to choose, to judge, and a third to look back on
ENOUGH = 100  # customers of each outcome, below which a rule may serve as well as a model
OFTEN = 0.1  # share of customers who come back, below which silence says nothing
RARE = 0.02  # base rate below which a longer horizon is taken
OFFER_DAYS = 14  # how long an offer is given to work

Value = str | int | tuple[str, ...]


@dataclass(frozen=True)
class TaskProposal:
    """A task to be. `reasons` say how it was found, what data it has and, if it is not `ready`, what it lacks."""

    name: str
    table: dict[str, Value]
    description: str
    reasons: tuple[str, ...] = ()
    ready: bool = True


def propose_tasks(log: Occurrences, event_roles: EventRoles, action: Action | None) -> list[TaskProposal]:
    """Churn, propensity, value, contracts and actions, as far as the log speaks of them; at least one is ready."""
    proposals = [
        _churn(log, event_roles),
        _propensity(log, event_roles),
        *([_value(log, event_roles)] if event_roles.earns else []),
        *([_cancels(log, event_roles)] if event_roles.ends and event_roles.contracts else []),
        *(_actions(log, event_roles, action) if action else []),
    ]
    if not any(proposal.ready for proposal in proposals):
        proposals[0] = replace(proposals[0], ready=True)
    return proposals


def nearest_horizon(days: float, longest_days: float) -> int:
    """The nearest of `HUMAN_DAYS` by ratio, none longer than `longest_days` unless that is less than a day.

    >>> nearest_horizon(75, 1000), nearest_horizon(192, 246), nearest_horizon(75, 80), nearest_horizon(5, 0.3)
    (90, 180, 60, 1)
    """
    possible = [horizon for horizon in HUMAN_DAYS if horizon <= longest_days] or [1]
    return min(possible, key=lambda horizon: abs(math.log(horizon / max(days, 1))))


def _churn(log: Occurrences, event_roles: EventRoles) -> TaskProposal:
    events = _churn_events(log, event_roles)
    horizon, reason = _churn_horizon(log, events)
    active = nearest_horizon(2 * horizon, 365)
    proposal = TaskProposal(
        "churn",
        {"kind": "churn", "event": events, "horizon_days": horizon, "active_days": active},
        f"no {_listed(events)} in the next {_days(horizon)}, among those active in the last {_days(active)}",
        (reason,),
    )
    return _with_evidence(
        log,
        proposal,
        "did not come back",
        lambda horizons_back: _complement(count_labels(log, events, events, (active, horizon), horizons_back)),
    )


def _propensity(log: Occurrences, event_roles: EventRoles) -> TaskProposal:
    key, habit = (event_roles.key,), _churn_events(log, event_roles)
    longest, _ = _churn_horizon(log, habit)
    active = nearest_horizon(2 * longest, 365)
    active_event = key if habit == key and len(log.names) > 1 else ()
    shortest = nearest_horizon(longest / 3, longest / 3)
    horizons = [days for days in HUMAN_DAYS if shortest <= days <= longest]
    frequent = (days for days in horizons if count_labels(log, key, active_event, (active, days), 1).share >= RARE)
    horizon = next(frequent, horizons[-1])
    buys = speaks_of(event_roles.key, PURCHASE)
    proposal = TaskProposal(
        ("buys_again" if habit == key else "buys") if buys else f"next_{_slug(event_roles.key)}",
        {
            "kind": "propensity",
            "event": key,
            **({"active_event": active_event} if active_event else {}),
            "horizon_days": horizon,
            "active_days": active,
        },
        f"{_listed(key)} in the next {_days(horizon)}",
        ("shorter than the churn horizon: soon enough to act on",),
    )
    return _with_evidence(
        log,
        proposal,
        f"had a {event_roles.key}",
        lambda horizons_back: count_labels(log, key, active_event, (active, horizon), horizons_back),
    )


def _value(log: Occurrences, event_roles: EventRoles) -> TaskProposal:
    events, horizon = (event_roles.key, *event_roles.refunds), nearest_horizon(365, log.history_days / HORIZONS)
    silence, _ = _churn_horizon(log, (event_roles.key,))
    active = max(nearest_horizon(2 * silence, 365), horizon)
    deducted = f", {_listed(event_roles.refunds)} deducted" if event_roles.refunds else ""
    proposal = TaskProposal(
        "value",
        {
            "kind": "cltv",
            "event": events,
            "active_event": (event_roles.key,),
            "horizon_days": horizon,
            "active_days": active,
        },
        f"value of {event_roles.key} in the next {_days(horizon)}{deducted}",
        ("as long as the history allows",),
    )
    return _with_evidence(
        log,
        proposal,
        "spent anything",
        lambda horizons_back: count_labels(
            log, (event_roles.key,), (event_roles.key,), (active, horizon), horizons_back
        ),
    )


def _cancels(log: Occurrences, event_roles: EventRoles) -> TaskProposal:
    horizon, active = nearest_horizon(30, log.history_days / HORIZONS), HUMAN_DAYS[-1]
    proposal = TaskProposal(
        "cancels",
        {
            "kind": "churn",
            "churn_event": event_roles.ends,
            "active_event": event_roles.contracts,
            "horizon_days": horizon,
            "active_days": active,
        },
        f"{_listed(event_roles.ends)} in the next {_days(horizon)}, among those with a live contract",
        (f"a contract is live after {_listed(event_roles.contracts)}; `active_days` must exceed the longest term",),
    )
    return _with_evidence(
        log,
        proposal,
        "were lost",
        lambda horizons_back: count_contract_ends(
            log, event_roles.ends, event_roles.contracts, (active, horizon), horizons_back
        ),
    )


def _actions(log: Occurrences, event_roles: EventRoles, action: Action) -> list[TaskProposal]:
    """What to do, for the money it brings where there is some, and for the commonest thing that follows."""
    rewards = [(event_roles.key, "value" if event_roles.earns else "count")]
    browsing = [name for name in event_roles.acts if name != event_roles.key and speaks_of(name, BROWSE)]
    rewards += [(max(browsing, key=lambda name: int(log.of([name]).sum())), "count")] if browsing else []
    proposals = [_action(log, action, reward, unit) for reward, unit in rewards]
    return proposals[:1] if proposals[0].ready else [*reversed(proposals)]


def _action(log: Occurrences, action: Action, reward: str, unit: str) -> TaskProposal:
    followed = min(follow_up_days(log, action.event), log.history_days)
    horizon = nearest_horizon(OFFER_DAYS, min(followed, OFFER_DAYS))
    if not count_rewarded(log, action.event, (reward,), horizon).positive:
        horizon = max(min(int(followed), OFFER_DAYS), 1)  # a log that ends so soon needs every day of it
    table: dict[str, Value] = {"kind": "next_action", "event": (action.event,), "action": action.column}
    table |= {"nothing": action.nothing or action.levels[0]}
    table |= {"probability": action.probability} if action.probability else {}
    table |= {"reward": (reward,)} | ({"reward_unit": "count"} if unit == "count" else {}) | {"horizon_days": horizon}
    counts = count_rewarded(log, action.event, (reward,), horizon)
    lacking = []
    if action.nothing is None:
        lacking = ["no action's name says that nothing was done: set `nothing` to the one that is"]
    elif not counts.positive:
        lacking = [f"nothing to learn from: for half of the decisions the log ends within {_days(followed)}"]
    gain = f"{reward} events" if unit == "count" else f"{reward} value"
    return TaskProposal(
        f"offer_{_slug(reward)}" if unit == "count" else "offer",
        table,
        f"which {action.column} brings the most {gain} in {_days(horizon)}: {', '.join(action.levels)}",
        (
            f"{counts.share:.1%} of {counts.eligible:,} decisions were followed by {reward} within {_days(horizon)}",
            *lacking,
        ),
        ready=not lacking,
    )


def _with_evidence(
    log: Occurrences, proposal: TaskProposal, outcome: str, count: Callable[[int], LabelCounts]
) -> TaskProposal:
    """The proposal with how much data it has; not ready when one outcome is missing at a cutoff.

    `count` gives the answers so many horizons before the end, and `outcome` says in words what a label of 1 means.
    """
    horizon = int(str(proposal.table["horizon_days"]))
    last, before = count(1), count(2)
    minority = [min(counts.positive, counts.eligible - counts.positive) for counts in (last, before)]
    if TASK_KINDS[str(proposal.table["kind"])].predicts_money:
        minority = [last.positive, before.positive]  # a sum is worth asking for where everybody buys, too
    history = f"the log covers {_days(log.history_days)}; this horizon needs {_days(math.ceil(HORIZONS * horizon))}"
    eligible = f"{last.share:.1%} of {last.eligible:,} customers {outcome} at the last cutoff with a full horizon"
    reasons = [*proposal.reasons, history, f"{eligible}; one horizon earlier {before.share:.1%} of {before.eligible:,}"]
    if not min(minority):
        lacking = (
            "nothing to learn from: at one of these two cutoffs one of the outcomes never occurred; wait for more data"
        )
        return replace(proposal, reasons=(*reasons, lacking), ready=False)
    if minority[0] < ENOUGH:
        reasons.append(
            f"few examples: {minority[0]} customers with the less common outcome; models need about {ENOUGH}"
        )
    return replace(proposal, reasons=tuple(reasons))


def _churn_events(log: Occurrences, event_roles: EventRoles) -> tuple[str, ...]:
    """The event whose absence means churn: the key event if it comes back, else all that customers do."""
    key = (event_roles.key,)
    return key if count_returning(log, key) >= OFTEN * count_customers(log, key) else event_roles.acts


def _churn_horizon(log: Occurrences, events: tuple[str, ...]) -> tuple[int, str]:
    """The churn horizon in days, and how it was found."""
    silent = silence_days(log, events)
    horizon = nearest_horizon(silent, log.history_days / HORIZONS)
    reason = f"fewer than {LATE_RETURNS:.0%} of returns come after a break of more than {_days(silent)}"
    return horizon, reason if horizon >= 0.75 * silent else f"{reason}; shortened to what the history allows"


def _complement(counts: LabelCounts) -> LabelCounts:
    return replace(counts, positive=counts.eligible - counts.positive)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", "_".join(parts(name))) or "event"


def _listed(events: tuple[str, ...]) -> str:
    """The events in words.

    >>> _listed(("view", "cart", "buy"))
    'view, cart or buy'
    """
    return " or ".join(part for part in (", ".join(events[:-1]), events[-1]) if part)


def _days(days: float) -> str:
    return f"{days:,.0f} day{'s' * (round(days) != 1)}"
