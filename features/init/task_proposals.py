"""Questions worth asking of a log, with horizons from its rhythm, and how much data each has.

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
    Answers,
    Occurrences,
    answers,
    contract_ends,
    customers_with,
    follow_up_days,
    returners,
    rewarded,
    silence_days,
)
from features.init.vocabulary import BROWSE, PURCHASE, parts, speaks_of

HUMAN_DAYS = (1, 2, 3, 7, 14, 30, 60, 90, 180, 365)
HORIZONS = 3 + 1 / 3  # of history, that training needs: to fit, to choose, to judge, and a third to look back on
ENOUGH = 100  # of each answer, below which a rule may serve as well as a model
OFTEN = 0.1  # share of customers who come back, below which silence says nothing
RARE = 0.02  # base rate below which a longer horizon is taken
OFFER_DAYS = 14  # how long an offer is given to work

Value = str | int | tuple[str, ...]


@dataclass(frozen=True)
class TaskProposal:
    """A task to be. `why` says how it was come by, what data it has and, if it is not `ready`, what it lacks."""

    name: str
    table: dict[str, Value]
    asks: str
    why: tuple[str, ...] = ()
    ready: bool = True


def propose(log: Occurrences, cast: EventRoles, action: Action | None) -> list[TaskProposal]:
    """Churn, propensity, value, contracts and actions, as far as the log speaks of them; at least one is ready."""
    questions = [
        _churn(log, cast),
        _propensity(log, cast),
        *([_value(log, cast)] if cast.earns else []),
        *([_cancels(log, cast)] if cast.ends and cast.contracts else []),
        *(_actions(log, cast, action) if action else []),
    ]
    if not any(question.ready for question in questions):
        questions[0] = replace(questions[0], ready=True)
    return questions


def snapped(days: float, longest_days: float) -> int:
    """The nearest of `HUMAN_DAYS` by ratio, none longer than `longest_days` unless that is less than a day.

    >>> snapped(75, 1000), snapped(192, 246), snapped(75, 80), snapped(5, 0.3)
    (90, 180, 60, 1)
    """
    possible = [human for human in HUMAN_DAYS if human <= longest_days] or [1]
    return min(possible, key=lambda human: abs(math.log(human / max(days, 1))))


def _churn(log: Occurrences, cast: EventRoles) -> TaskProposal:
    events = _habit(log, cast)
    horizon, why = _silence(log, events)
    active = snapped(2 * horizon, 365)
    question = TaskProposal(
        "churn",
        {"kind": "churn", "event": events, "horizon_days": horizon, "active_days": active},
        f"no {_listed(events)} in the next {_days(horizon)}, among those active in the last {_days(active)}",
        (why,),
    )
    return _weighed(
        log, question, "silent", lambda back: _others(answers(log, events, events, (active, horizon), back))
    )


def _propensity(log: Occurrences, cast: EventRoles) -> TaskProposal:
    key, habit = (cast.key,), _habit(log, cast)
    longest, _ = _silence(log, habit)
    active = snapped(2 * longest, 365)
    who = key if habit == key and len(log.names) > 1 else ()
    shortest = snapped(longest / 3, longest / 3)
    horizons = [days for days in HUMAN_DAYS if shortest <= days <= longest]
    often = (days for days in horizons if answers(log, key, who, (active, days), 1).share >= RARE)
    horizon = next(often, horizons[-1])
    buys = speaks_of(cast.key, PURCHASE)
    question = TaskProposal(
        ("buys_again" if habit == key else "buys") if buys else f"next_{_slug(cast.key)}",
        {
            "kind": "propensity",
            "event": key,
            **({"active_event": who} if who else {}),
            "horizon_days": horizon,
            "active_days": active,
        },
        f"{_listed(key)} in the next {_days(horizon)}",
        ("shorter than the silence that means churn: soon enough to act on",),
    )
    return _weighed(log, question, f"with a {cast.key}", lambda back: answers(log, key, who, (active, horizon), back))


def _value(log: Occurrences, cast: EventRoles) -> TaskProposal:
    events, horizon = (cast.key, *cast.refunds), snapped(365, log.history_days / HORIZONS)
    silence, _ = _silence(log, (cast.key,))
    active = max(snapped(2 * silence, 365), horizon)
    deducted = f", {_listed(cast.refunds)} deducted" if cast.refunds else ""
    question = TaskProposal(
        "value",
        {"kind": "cltv", "event": events, "active_event": (cast.key,), "horizon_days": horizon, "active_days": active},
        f"money of {cast.key} in the next {_days(horizon)}{deducted}",
        ("as long as the history allows",),
    )
    return _weighed(
        log, question, "bring any", lambda back: answers(log, (cast.key,), (cast.key,), (active, horizon), back)
    )


def _cancels(log: Occurrences, cast: EventRoles) -> TaskProposal:
    horizon, active = snapped(30, log.history_days / HORIZONS), HUMAN_DAYS[-1]
    question = TaskProposal(
        "cancels",
        {
            "kind": "churn",
            "churn_event": cast.ends,
            "active_event": cast.contracts,
            "horizon_days": horizon,
            "active_days": active,
        },
        f"{_listed(cast.ends)} in the next {_days(horizon)}, among those with a live contract",
        (f"a contract is live after {_listed(cast.contracts)}; `active_days` is to be longer than the longest term",),
    )
    return _weighed(
        log, question, "lost", lambda back: contract_ends(log, cast.ends, cast.contracts, (active, horizon), back)
    )


def _actions(log: Occurrences, cast: EventRoles, action: Action) -> list[TaskProposal]:
    """What to do, for the money it brings where there is some, and for the commonest thing that follows."""
    rewards = [(cast.key, "value" if cast.earns else "count")]
    browsing = [name for name in cast.acts if name != cast.key and speaks_of(name, BROWSE)]
    rewards += [(max(browsing, key=lambda name: int(log.of([name]).sum())), "count")] if browsing else []
    asked = [_action(log, action, reward, unit) for reward, unit in rewards]
    return asked[:1] if asked[0].ready else [*reversed(asked)]


def _action(log: Occurrences, action: Action, reward: str, unit: str) -> TaskProposal:
    followed = min(follow_up_days(log, action.event), log.history_days)
    horizon = snapped(OFFER_DAYS, min(followed, OFFER_DAYS))
    if not rewarded(log, action.event, (reward,), horizon).did:
        horizon = max(min(int(followed), OFFER_DAYS), 1)  # a log that ends so soon needs every day of it
    table: dict[str, Value] = {"kind": "next_action", "event": (action.event,), "action": action.column}
    table |= {"nothing": action.nothing or action.levels[0]}
    table |= {"probability": action.probability} if action.probability else {}
    table |= {"reward": (reward,)} | ({"reward_unit": "count"} if unit == "count" else {}) | {"horizon_days": horizon}
    found = rewarded(log, action.event, (reward,), horizon)
    lacking = []
    if action.nothing is None:
        lacking = ["no action sounds like doing nothing: name the one that is"]
    elif not found.did:
        lacking = [f"nothing to learn from: the log ends {_days(followed)} after half of the decisions"]
    return TaskProposal(
        f"offer_{_slug(reward)}" if unit == "count" else "offer",
        table,
        f"which {action.column} brings most {reward} in {_days(horizon)}: {', '.join(action.levels)}",
        (
            f"{found.asked:,} decisions with all {_days(horizon)} in the log, {reward} after {found.share:.1%} of them",
            *lacking,
        ),
        ready=not lacking,
    )


def _weighed(log: Occurrences, question: TaskProposal, yes: str, count: Callable[[int], Answers]) -> TaskProposal:
    """The question with what data it has; not ready when one of its answers is hardly ever given.

    `count` gives the answers so many horizons before the end, and `yes` says what became of those who did.
    """
    horizon = int(str(question.table["horizon_days"]))
    last, before = count(1), count(2)
    rarest = [min(found.did, found.asked - found.did) for found in (last, before)]
    if TASK_KINDS[str(question.table["kind"])].predicts_money:
        rarest = [last.did, before.did]  # a sum is worth asking for where everybody buys, too
    history = f"history of {_days(log.history_days)}, where {_days(math.ceil(HORIZONS * horizon))} are needed"
    asked = f"{last.asked:,} customers at the last full cutoff, {last.share:.1%} of them {yes}"
    why = [*question.why, history, f"{asked}; one horizon before {before.share:.1%} of {before.asked:,}"]
    if not min(rarest):
        lacking = "nothing to learn from: at one of two cutoffs one answer was never given; wait for more data"
        return replace(question, why=(*why, lacking), ready=False)
    if rarest[0] < ENOUGH:
        why.append(f"thin: {rarest[0]} with the rarer answer, where {ENOUGH} make a model worth more than a rule")
    return replace(question, why=tuple(why))


def _habit(log: Occurrences, cast: EventRoles) -> tuple[str, ...]:
    """The event whose silence says something: the key event if it comes back, else all that customers do."""
    key = (cast.key,)
    return key if returners(log, key) >= OFTEN * customers_with(log, key) else cast.acts


def _silence(log: Occurrences, events: tuple[str, ...]) -> tuple[int, str]:
    """The churn horizon in days, and how it was come by."""
    silent = silence_days(log, events)
    horizon = snapped(silent, log.history_days / HORIZONS)
    why = f"fewer than {LATE_RETURNS:.0%} of returns come after {_days(silent)} of silence"
    return horizon, why if horizon >= 0.75 * silent else f"{why}; cut to what the history allows"


def _others(found: Answers) -> Answers:
    return replace(found, did=found.asked - found.did)


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
