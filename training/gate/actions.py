"""Two best actions against each other, on decisions later than all that the champion knew."""

import numpy as np

from models.bundle import Bundle
from training.context import TrainingContext
from training.fit.actions import gather, snips
from training.gate.conditions import Condition, recorded_skill

FEWEST_DECISIONS = 200


def value(context: TrainingContext, challenger: Bundle, champion: Bundle) -> Condition:
    """Not surely worth less than the champion's action; by what each recorded where too few decisions are new.

    The challenger has read those decisions when it chose, which is told with the figures.
    """
    own, other = challenger.actions, champion.actions
    if own is None or other is None:
        raise TypeError("expected two bundles of a next_action task")
    logged = gather(challenger.task, context.parts, context.end)
    new = logged[logged.cutoff > champion.trained_as_of_us] if len(logged) else logged
    if len(new) < FEWEST_DECISIONS or not {own.best, other.best} <= set(logged.names):
        return recorded_skill(own, other)
    taken = [snips(new, new.action == logged.names.index(actions.best)) for actions in (own, other)]
    value, low, high = taken[0].minus(taken[1]).figure(new.customer) if own.best != other.best else (0.0, 0.0, 0.0)
    figures = {
        "horizon_days": own.horizon_days,
        "method": "decisions",
        "rows": len(new),
        "own_action": own.best,
        "champion_action": other.best,
        "difference": value,
        "low": low,
        "high": high,
        "read_by_challenger": True,
    }
    where = f"on {len(new):,} decisions since the champion was trained"
    if own.best == other.best:
        return Condition("loss", True, f"its best action is the champion's, '{own.best}'", figures)
    message = f"'{own.best}' is worth {value:+.3g} a decision against '{other.best}' ({low:.3g} to {high:.3g}) {where}"
    return Condition("loss", bool(np.isfinite(high) and high >= 0), message, figures)
