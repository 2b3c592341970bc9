"""What a challenger has to fulfil, whatever rows say: its size, its audit, its record, and what people have decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.bundle import Bundle
from models.ladder.average import Average
from models.ladder.hurdle import Hurdle, Orders
from models.ladder.lightgbm import Trees
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.ledger import PROMOTED, ROLLED_BACK, Entry
from models.predictor.actions import Actions
from models.predictor.predictor import Predictor

MOST_TREES, MOST_COLUMNS = 2000, 400  # where the champion has less than half of that
GROWS_BY = 2  # times the champion's


@dataclass(frozen=True)
class Condition:
    """One condition of the gate: whether it is fulfilled, in a sentence, and the figures that decided (plain JSON)."""

    name: str
    passed: bool
    message: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def worst(conditions: Sequence[Condition]) -> Condition:
    """Of the same condition at several horizons what fails, else what is nearest to it; with the figures of all."""
    decides = min(conditions, key=lambda condition: (condition.passed, -float(condition.figures.get("value") or 0.0)))
    if len(conditions) == 1:
        return decides
    days = decides.figures["horizon_days"]
    by_horizon = {
        str(condition.figures["horizon_days"]): {"passed": condition.passed, **condition.figures}
        for condition in conditions
    }
    message = f"at {days} days {decides.message}"
    return Condition(decides.name, decides.passed, message, {**decides.figures, "horizons": by_horizon})


def size(challenger: Bundle, champion: Bundle, latency: Mapping[str, float | None]) -> Condition:
    """Trees of the answer that has most, and feature columns; the time that scoring takes is only written down."""
    trees, champion_trees = (max(map(count_trees, bundle.predictors), default=0) for bundle in (challenger, champion))
    columns, champion_columns = len(challenger.features), len(champion.features)
    most_trees = max(GROWS_BY * champion_trees, MOST_TREES)
    most_columns = max(GROWS_BY * champion_columns, MOST_COLUMNS)
    counts = f"{trees:,} trees and {columns:,} columns, the champion {champion_trees:,} and {champion_columns:,}"
    figures: dict[str, float | None] = {
        "trees": trees,
        "champion_trees": champion_trees,
        "most_trees": most_trees,
        "columns": columns,
        "champion_columns": champion_columns,
        "most_columns": most_columns,
        **latency,
    }
    if trees > most_trees:
        return Condition("size", False, f"it grew too large: {counts}; {most_trees:,} trees at most", figures)
    if columns > most_columns:
        message = f"it grew too large: {counts}; {most_columns:,} columns at most"
        return Condition("size", False, message, figures)
    return Condition("size", True, f"it has {counts}", figures)


def count_trees(answer: Predictor) -> int:
    """All trees that a score of this answer walks."""
    return _trees(answer.rung) + (0 if answer.no_purchase is None else _trees(answer.no_purchase.rung))


def _trees(rung: Rung) -> int:
    ensembles: tuple[Trees, ...] = ()
    match rung:
        case Average():
            return sum(map(_trees, rung.rungs))
        case Probability() | Orders():
            ensembles = (rung.trees,)
        case Hurdle():
            ensembles = (rung.buys, rung.more)
    return sum(ensemble.count for ensemble in ensembles)


def audited(challenger: Bundle, champion: Bundle | None) -> Condition:
    """No check of the audit failed, or only such as the champion, too, was trained in spite of."""
    failed, known = _accepted(challenger), set() if champion is None else _accepted(champion)
    figures = {"accepted": sorted(failed), "champion_accepted": sorted(known)}
    if not failed:
        return Condition("audit", True, "the audit found nothing that refuses", figures)
    names = ", ".join(sorted(failed))
    if champion is None:
        return Condition("audit", True, f"the audit failed {names}, which [train] accept lets pass", figures)
    if failed <= known:
        return Condition("audit", True, f"the audit failed {names}, as it did for the champion", figures)
    new = ", ".join(sorted(failed - known))
    message = f"the audit failed {new}, which [train] accept lets train; promote by hand if you mean it"
    return Condition("audit", False, message, figures)


def _accepted(bundle: Bundle) -> set[str]:
    return {check for checks in bundle.facts.get("accepted", {}).values() for check in checks}


def rolled_back(digest: str, history: Sequence[Entry]) -> Condition:
    """Nobody took this very bundle out of service: by a rollback, or by promoting another one by hand.

    A promotion of training's holds the gate's conditions as its evidence, one by hand does not. Who promotes the bundle
    again by hand lifts this.
    """
    left: Entry | None = None
    digests = {entry.version: entry.digest for entry in history}
    for entry in history:
        if entry.what in (PROMOTED, ROLLED_BACK) and entry.digest == digest:
            left = None
        elif entry.before is not None and digests.get(entry.before) == digest and _is_by_hand(entry):
            left = entry
    if left is None:
        return Condition("rolled_back", True, "nobody took this bundle out of service")
    how = "rolled it back" if left.what == ROLLED_BACK else "put another version in its place"
    message = f"this very bundle served before, and {left.who} {how}; promote it by hand if you mean it"
    return Condition("rolled_back", False, message, {"who": left.who, "when_us": left.when_us, "what": left.what})


def _is_by_hand(entry: Entry) -> bool:
    if entry.what == ROLLED_BACK:
        return True
    judged = entry.evidence.get("gate", entry.evidence)
    return entry.what == PROMOTED and "conditions" not in judged


def recorded_skill(challenger: Predictor | Actions, champion: Predictor | Actions) -> Condition:
    """What each recorded of itself, by its own test: the challenger's must not lie below the champion's interval."""
    value, floor = _end(challenger, 0), _end(champion, 1)
    figures = {"horizon_days": challenger.horizon_days, "method": "record", "own": value, "champion_low": floor}
    if floor is None:
        return Condition("loss", True, "the champion recorded no skill to be below of", figures)
    if value is None or value < floor:
        shown = "unknown" if value is None else f"{value:.3g}"
        message = f"its recorded skill {shown} lies below the champion's interval ({floor:.3g} on)"
        return Condition("loss", False, message, figures)
    message = f"its recorded skill {value:.3g} is not below the champion's interval ({floor:.3g} on)"
    return Condition("loss", True, message, figures)


def recorded_grade(challenger: Predictor | Actions, champion: Predictor | Actions) -> Condition:
    """The grades that the two bundles carry."""
    message = f"it is graded {challenger.grade}, the champion {champion.grade}, each by its own test"
    figures = {
        "horizon_days": challenger.horizon_days,
        "method": "record",
        "own": challenger.grade,
        "champion": champion.grade,
    }
    return Condition("grade", challenger.grade <= champion.grade, message, figures)


def _end(answer: Predictor | Actions, end: int) -> float | None:
    figure = answer.metrics.get("skill") or answer.metrics.get("gain")
    return None if figure is None else figure[end]
