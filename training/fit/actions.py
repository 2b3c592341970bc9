"""Next best action, first rung: what each action gains over doing nothing, from logged decisions.

The value of always taking one action is estimated by self-normalised inverse propensity (SNIPS: Swaminathan and
Joachims 2015) with the logged probabilities; without them the assignment is taken to be random and the estimate is a
plain mean. Intervals hold 90 % and come from the influence function, summed by customer. Rewards are after costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints
from features.config.tasks import TaskConfig
from features.panel.build import Rows
from models.predictor.actions import Actions
from models.predictor.intervals import Z
from training.dataset.examples import Parts
from training.dataset.labels import compute_labels, decisions, has_whole_window
from training.dataset.sampling import stable_hash
from training.metrics.bootstrap import Figures
from training.metrics.grade import grade

POLICY_FOLDS = 5
LATER_SHARE = 0.3  # of the decisions, when they are spread over time
MIN_LATER_DECISIONS = 200  # decisions on either side of the split in time
FEW = 100  # decisions of an action, under which its own variance is not trusted


@dataclass(frozen=True)
class Logged:
    """Decisions with their whole reward window seen. `action` numbers `names`; `weight` is 1 / probability.

    `reward` is after the action's cost; `rewarded` tells whether any came.
    """

    names: tuple[str, ...]
    horizon_days: int
    customer: NDArray[np.uint64]
    cutoff: Ints
    action: Ints
    weight: Floats
    reward: Floats
    rewarded: NDArray[np.bool_]
    left_out: int

    def __len__(self) -> int:
        return len(self.action)

    def __getitem__(self, rows: NDArray[np.bool_]) -> "Logged":
        names = ("customer", "cutoff", "action", "weight", "reward", "rewarded")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class Estimate:
    """A value with the influence of every decision on it: their mean is 0, their variance is that of the value."""

    value: float
    influence: Floats
    least_variance: float = 0.0  # of the value, where an action's own few rewards cannot tell

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference of two values from the same decisions."""
        least = self.least_variance + other.least_variance
        return Estimate(self.value - other.value, self.influence - other.influence, least)

    def figure(self, customer: NDArray[np.uint64]) -> list[float]:
        """[value, low, high]."""
        _, who = np.unique(customer, return_inverse=True)
        variance = float((np.bincount(who, self.influence) ** 2).sum()) / max(len(customer), 1) ** 2
        width = Z * float(np.sqrt(max(variance, self.least_variance)))
        return [self.value, self.value - width, self.value + width]


def learn(task: TaskConfig, parts: Parts, end: int) -> Actions:
    """The actions of a next_action task, from every decision whose reward window ends by `end`."""
    logged = gather(task, parts, end)
    if not len(logged):
        return _unknown(task)
    constant = [snips(logged, logged.action == action) for action in range(len(logged.names))]
    nothing = logged.names.index(task.nothing or "") if task.nothing in logged.names else None
    against = _average(logged) if nothing is None else constant[nothing]
    gains = [estimate.minus(against).figure(logged.customer) for estimate in constant]
    if nothing is not None:
        gains[nothing] = [0.0, 0.0, 0.0]
    figures, how = _held_out_figures(logged, constant, nothing)
    return Actions(
        horizon_days=task.horizons_days[0],
        nothing=task.nothing or "",
        actions=logged.names,
        value=tuple(estimate.value for estimate in constant),
        gain=tuple(gain[0] for gain in gains),
        low=tuple(gain[1] for gain in gains),
        high=tuple(gain[2] for gain in gains),
        count=tuple(np.bincount(logged.action, minlength=len(logged.names)).tolist()),
        costs=tuple(task.costs.get(name, 0.0) for name in logged.names),
        grade=_grade(logged, gains, against, nothing),
        metrics=figures,
        baseline_metrics={"policy_value": figures["nothing_value"], "gain": [0.0, 0.0, 0.0]},
        notes=(how, *_notes(task, logged, nothing)),
    )


def gather(task: TaskConfig, parts: Parts, end: int) -> Logged:
    """Every decision that can be used, whatever bucket it is in."""
    horizon = task.horizons_days[0]
    customers, cutoffs, names, probabilities, rewards = [], [], [], [], []
    for part in parts():
        taken = decisions(task, part)
        seen = has_whole_window(taken.rows, horizon, end)
        rows = taken.rows[seen]
        customers.append(stable_hash(part.customers)[rows.customer])
        cutoffs.append(rows.cutoff)
        names.append(taken.action[seen])
        probabilities.append(taken.probability[seen])
        rewards.append(compute_labels(task, part, rows, horizon).outcome)
    return _logged(
        task,
        np.concatenate([np.zeros(0, np.uint64), *customers]),
        np.concatenate([np.zeros(0, np.int64), *cutoffs]),
        np.concatenate([np.zeros(0, object), *names]),
        np.concatenate([np.zeros(0), *probabilities]),
        np.concatenate([np.zeros(0), *rewards]),
    )


def _logged(
    task: TaskConfig,
    customer: NDArray[np.uint64],
    cutoff: Ints,
    name: NDArray[np.object_],
    probability: Floats,
    reward: Floats,
) -> Logged:
    usable = np.array([action_name is not None for action_name in name], bool)
    if task.probability:
        usable &= (probability > 0) & (probability <= 1)
    order = np.lexsort((cutoff[usable], customer[usable]))  # the same sums whatever the order of buckets
    kept = np.flatnonzero(usable)[order]
    names, action = np.unique(name[kept].astype(np.str_), return_inverse=True)
    cost = np.array([task.costs.get(str(action_name), 0.0) for action_name in names])
    return Logged(
        names=tuple(str(action_name) for action_name in names),
        horizon_days=task.horizons_days[0],
        customer=customer[kept],
        cutoff=cutoff[kept],
        action=action,
        weight=1 / probability[kept] if task.probability else np.ones(len(kept)),
        reward=reward[kept] - cost[action] if len(kept) else reward[kept],
        rewarded=reward[kept] != 0,
        left_out=int((~usable).sum()),
    )


def snips(logged: Logged, matched: NDArray[np.bool_]) -> Estimate:
    """The value of a policy that would have done what was done where `matched`."""
    weight, reward = logged.weight * matched, logged.reward
    total = float(weight.sum())
    if total == 0:
        return Estimate(0.0, np.zeros(len(logged)), float(np.max(np.abs(reward), initial=1.0)) ** 2)
    value = float(weight @ reward) / total
    influence = weight * (reward - value) * len(logged) / total
    count = int(matched.sum())
    if count >= FEW:
        return Estimate(value, influence)
    largest = float(np.max(np.abs(reward), initial=1.0))
    variance = (float(((reward - reward.mean()) ** 2).sum()) + largest**2) / (len(reward) + 1)
    return Estimate(value, influence, variance / count)


def _average(logged: Logged) -> Estimate:
    """The value of what was done."""
    return Estimate(float(logged.reward.mean()), logged.reward - logged.reward.mean())


def _held_out_figures(logged: Logged, constant: Sequence[Estimate], nothing: int | None) -> tuple[Figures, str]:
    """Figures of choosing the best action on some decisions and taking it on others."""
    chosen, test, how = _chosen(logged)
    seen = logged[test]
    policy = snips(seen, seen.action == chosen[test])
    best = snips(seen, seen.action == int(np.argmax([estimate.value for estimate in constant])))
    average = _average(seen)
    against = average if nothing is None else snips(seen, seen.action == nothing)
    figures: Figures = {
        "policy_value": [*policy.figure(seen.customer)],
        "gain": [*policy.minus(against).figure(seen.customer)],
        "difference_to_best_constant": [*policy.minus(best).figure(seen.customer)],
        "best_constant_value": [*best.figure(seen.customer)],
        "logged_value": [*average.figure(seen.customer)],
        "nothing_value": [*against.figure(seen.customer)],
    }
    weight = seen.weight[seen.action == chosen[test]]
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0
    return figures | {"effective_sample_size": [effective, effective, effective]}, how


def _chosen(logged: Logged) -> tuple[Ints, NDArray[np.bool_], str]:
    """The action chosen for every decision without looking at it, which decisions it is judged on, and how."""
    border = int(np.quantile(logged.cutoff, 1 - LATER_SHARE))
    later = logged.cutoff > border
    earlier = has_whole_window(Rows(logged.action, logged.cutoff), logged.horizon_days, border)
    if min(later.sum(), earlier.sum()) >= MIN_LATER_DECISIONS:
        return np.full(len(logged), _winner(logged, earlier)), later, "chosen on earlier decisions, measured on later"
    fold = logged.customer % np.uint64(POLICY_FOLDS)
    winners = np.array([_winner(logged, fold != number) for number in range(POLICY_FOLDS)])
    how = f"decisions share one period: chosen and measured by {POLICY_FOLDS}-fold cross-fitting over customers"
    return winners[fold.astype(np.int64)], np.ones(len(logged), bool), how


def _winner(logged: Logged, rows: NDArray[np.bool_]) -> int:
    count = len(logged.names)
    weight = np.bincount(logged.action[rows], logged.weight[rows], count)
    reward = np.bincount(logged.action[rows], (logged.weight * logged.reward)[rows], count)
    means = np.divide(reward, weight, out=np.full(count, -np.inf), where=weight > 0)
    return int(np.argmax(means))


def _grade(logged: Logged, gains: Sequence[Sequence[float]], against: Estimate, nothing: int | None) -> str:
    """By how surely the best action, or doing nothing, beats the other; relative to the value of doing nothing."""
    scale = abs(against.value) or float(np.abs(logged.reward).mean()) or 1.0
    others = [gain for action, gain in enumerate(gains) if action != nothing]
    best_low = max((low for _, low, _ in others), default=0.0)
    nothing_low = -max((high for _, _, high in others), default=0.0)
    return grade(
        max(best_low, nothing_low) / scale,
        customers=len(np.unique(logged.customer)),
        minority=int(logged.rewarded.sum()),
        at_most="D" if nothing is None else "A",
    )


def _notes(task: TaskConfig, logged: Logged, nothing: int | None) -> tuple[str, ...]:
    notes = []
    if not task.probability:
        notes.append("no logged probabilities: actions are taken to have been given at random")
    if logged.left_out:
        notes.append(f"{logged.left_out} decisions without an action or a usable probability were left out")
    if nothing is None:
        notes.append(f"'{task.nothing}' was never logged: gains are against the average of what was done")
    return tuple(notes)


def _unknown(task: TaskConfig) -> Actions:
    """Before any decision has been seen to its end, nothing is known to be better than nothing."""
    nothing = task.nothing or ""
    note = f"no decision has a whole reward window of {task.horizons_days[0]} days yet, so '{nothing}' is what serves"
    zero = (0.0,)
    return Actions(
        task.horizons_days[0],
        nothing,
        (nothing,),
        zero,
        zero,
        zero,
        zero,
        (0,),
        (task.costs.get(nothing, 0.0),),
        "D",
        notes=(note,),
    )
