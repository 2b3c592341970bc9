"""What a challenger has to fulfil on rows shared with the champion: loss, calibration, grade, no segment harmed.

Intervals hold 90 % and are paired: customers are drawn for both at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.timeline import iso
from training.evaluation.segments import Mask, Segment
from training.gate.conditions import Condition
from training.gate.shared_rows import Match, Scored
from training.metrics.grade import grade
from training.metrics.paired import Error, Interval, Sums, bias, calibration_error, missed_coverage, relative_loss

WORSE_BY = 0.01  # of the champion's loss: more is refused even where it may be chance
LEVEL = 0.001  # of the champion's loss: less is no difference to a person
SAME = 1e-9  # relative difference of losses that is none
MIN_ROWS, MIN_MINORITY = 100, 10  # of a segment, under which it is not judged
HARM, SURE_OF_HARM = 0.05, 0.99  # of the champion's loss in a segment; level of that interval
LEAST_ECE = 0.02  # of the rarer outcome's rate: a smaller difference of calibration errors harms nobody
LEAST_OFF = 0.01  # the same of the bias of money, and of coverage
SEEN = {"fair": "which neither had seen", "refitted": "both recipes refitted on the same earlier cutoffs"}


def loss(match: Match) -> Condition:
    """Not surely worse, and not by more than one in a hundred."""
    difference = relative_loss(match.rows.customer, *_losses(match), match.question.seed)
    message = f"its loss {_against(difference)} on {_where(match)}"
    passed = difference.low <= SAME and difference.value <= WORSE_BY
    means = {name: float(losses.mean()) for name, losses in zip(("own", "champion"), _losses(match), strict=True)}
    return Condition("loss", passed, message, _figures(match, difference.figures | means))


def calibration(match: Match) -> Condition:
    """Not surely worse calibrated than the champion, beyond chance and beyond what anybody would notice."""
    rows, seed = match.rows, match.question.seed
    challenger, champion = match.challenger, match.champion
    if not match.question.is_money:
        error = calibration_error(rows.customer, rows.outcome, challenger.mean, champion.mean, seed)
        least = LEAST_ECE * float(min(rows.outcome.mean(), 1 - rows.outcome.mean()))
        return _calibrated(match, [_Measured("calibration error (ECE)", error, least)])
    money = bias(rows.customer, rows.outcome, challenger.mean, champion.mean, seed)
    covered = missed_coverage(rows.customer, _inside(match, challenger), _inside(match, champion), seed)
    coverage = _Measured("distance of coverage from 90 %", covered, LEAST_OFF)
    if money is None:
        return _without_bias(_calibrated(match, [coverage]), coverage)
    return _calibrated(match, [_Measured("bias", money, LEAST_OFF), coverage])


def _without_bias(judged: Condition, coverage: "_Measured") -> Condition:
    """The condition judged by coverage alone, which says that there was no bias to judge."""
    message = f"{judged.message}; its bias could not be measured, because the outcomes of these rows sum to no money"
    return replace(
        judged, message=message, figures={**judged.figures, "parts": {"bias": None, coverage.name: coverage.figures}}
    )


@dataclass(frozen=True)
class _Measured:
    name: str
    error: Error
    least: float

    @property
    def fails(self) -> bool:
        error = self.error
        return error.more.low > 0 and error.more.value > self.least and error.own > error.by_chance

    @property
    def message(self) -> str:
        error, more = self.error, self.error.more
        side = "above" if more.value > 0 else "below"
        ends = _ends(more)
        own, far, low, high, chance = (
            f"{100 * share:.2f}" for share in (error.own, abs(more.value), *ends, error.by_chance)
        )
        lies = f"its {self.name} of {own} % lies {far} points {side} the champion's ({low} to {high})"
        return f"{lies}; chance alone gives up to {chance} %"

    @property
    def figures(self) -> dict[str, float]:
        error = self.error
        return {"own": error.own, "champion": error.other, **error.more.figures, "by_chance": error.by_chance}


def _calibrated(match: Match, measured: list[_Measured]) -> Condition:
    first = next((part for part in measured if part.fails), measured[0])
    figures: dict[str, Any] = {**first.figures, "what": first.name}
    if len(measured) > 1:
        figures["parts"] = {part.name: part.figures for part in measured}
    return Condition("calibration", not first.fails, f"{first.message}, on {_where(match)}", _figures(match, figures))


def graded(match: Match) -> Condition:
    """Not a lower grade than the champion would get on these rows, both against the challenger's baseline."""
    own, other = _losses(match)
    baseline = match.question.losses(match.rows, match.baseline, match.cap)
    sums = Sums.of(match.rows.customer, [own, other, baseline], match.question.seed).drawn
    skill = 1 - sums[:, :2] / np.maximum(sums[:, 2:], SAME)
    lows = np.quantile(skill, 0.05, axis=0).tolist()
    reached = [_grade(match, low, scored) for low, scored in zip(lows, (match.challenger, match.champion), strict=True)]
    message = f"it would be graded {reached[0]}, the champion {reached[1]}, on {_where(match)}"
    figures = {"own": reached[0], "champion": reached[1], "own_skill_low": lows[0], "champion_skill_low": lows[1]}
    return Condition("grade", reached[0] <= reached[1], message, _figures(match, figures))


def _grade(match: Match, low: float, scored: Scored) -> str:
    rows = match.rows
    return grade(low, customers=len(rows), minority=_minority(match), at_most=scored.best_grade)


def unharmed(match: Match, parts: list[Segment]) -> Condition:
    """In no segment surely worse, and there by more than one in twenty."""
    large = [(name, mask) for name, mask in parts if mask.sum() >= MIN_ROWS and _minority(match, mask) >= MIN_MINORITY]
    if not large:
        message = f"no segment has {MIN_ROWS} rows and {MIN_MINORITY} of the rarer outcome"
        return Condition("segments", True, message, _figures(match, {"value": None, "segments": {}}))
    measured = {name: _in_segment(match, mask) for name, mask in large}
    name, worst = min(measured.items(), key=lambda item: (not _harms(item[1]), -item[1].value))
    counts = {name: int(mask.sum()) for name, mask in large}
    by_segment = {segment: {**interval.figures, "rows": counts[segment]} for segment, interval in measured.items()}
    figures = _figures(match, {**worst.figures, "segment": name, "segments": by_segment})
    verdict = "it harms the segment" if _harms(worst) else f"the worst off of {len(large)} judged segment(s) is"
    message = f"{verdict} '{name}': there its loss {_against(worst)} on {counts[name]:,} rows"
    return Condition("segments", not _harms(worst), message, figures)


def _in_segment(match: Match, mask: Mask) -> Interval:
    own, other = _losses(match)
    return relative_loss(match.rows.customer[mask], own[mask], other[mask], match.question.seed, SURE_OF_HARM)


def _harms(difference: Interval) -> bool:
    return difference.value > HARM and difference.low > 0


def _losses(match: Match) -> tuple[Any, Any]:
    return match.losses(match.challenger.mean), match.losses(match.champion.mean)


def _minority(match: Match, mask: Mask | slice = slice(None)) -> int:
    happened = match.rows.labels.count[mask] > 0
    return int(min(happened.sum(), (~happened).sum()))


def _inside(match: Match, scored: Scored) -> Any:
    truth = match.rows.outcome
    return ((truth >= scored.low) & (truth <= scored.high)).astype(np.float64)


def _figures(match: Match, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "horizon_days": match.horizon_days,
        "method": match.method,
        "cutoff": iso(match.cutoff),
        "rows": len(match.rows),
        **more,
    }


def _against(difference: Interval) -> str:
    if abs(difference.value) <= SAME and difference.high - difference.low <= SAME:
        return "equals the champion's"
    side, ends = "above" if difference.value > 0 else "below", _ends(difference)
    between = f"({100 * ends[0]:z.1f} to {100 * ends[1]:z.1f})"
    if abs(difference.value) < LEVEL:
        return f"is level with the champion's, {100 * abs(difference.value):.1f} % {side} {between}"
    return f"is {100 * abs(difference.value):.1f} % {side} the champion's {between}"


def _ends(difference: Interval) -> tuple[float, float]:
    """The ends as they read beside "above" or "below", the smaller first."""
    return (difference.low, difference.high) if difference.value > 0 else (-difference.high, -difference.low)


def _where(match: Match) -> str:
    return f"{len(match.rows):,} rows of {iso(match.cutoff)[:10]}, {SEEN[match.method]}"
