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


def loss(found: Match) -> Condition:
    """Not surely worse, and not by more than one in a hundred."""
    off = relative_loss(found.rows.customer, *_losses(found), found.question.seed)
    told = f"its loss {_against(off)} on {_where(found)}"
    passed = off.low <= SAME and off.value <= WORSE_BY
    means = {name: float(one.mean()) for name, one in zip(("own", "champion"), _losses(found), strict=True)}
    return Condition("loss", passed, told, _figures(found, off.figures | means))


def calibration(found: Match) -> Condition:
    """Not surely worse calibrated than the champion, beyond chance and beyond what anybody would notice."""
    rows, seed = found.rows, found.question.seed
    own, other = found.challenger, found.champion
    if not found.question.is_money:
        error = calibration_error(rows.customer, rows.outcome, own.mean, other.mean, seed)
        least = LEAST_ECE * float(min(rows.outcome.mean(), 1 - rows.outcome.mean()))
        return _calibrated(found, [_Measured("calibration error (ECE)", error, least)])
    money = bias(rows.customer, rows.outcome, own.mean, other.mean, seed)
    covered = missed_coverage(rows.customer, _inside(found, own), _inside(found, other), seed)
    coverage = _Measured("distance of coverage from 90 %", covered, LEAST_OFF)
    if money is None:
        return _without_bias(_calibrated(found, [coverage]), coverage)
    return _calibrated(found, [_Measured("bias", money, LEAST_OFF), coverage])


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
            f"{100 * one:.2f}" for one in (error.own, abs(more.value), *ends, error.by_chance)
        )
        lies = f"its {self.name} of {own} % lies {far} points {side} the champion's ({low} to {high})"
        return f"{lies}; chance alone gives up to {chance} %"

    @property
    def figures(self) -> dict[str, float]:
        error = self.error
        return {"own": error.own, "champion": error.other, **error.more.figures, "by_chance": error.by_chance}


def _calibrated(found: Match, measured: list[_Measured]) -> Condition:
    first = next((one for one in measured if one.fails), measured[0])
    figures: dict[str, Any] = {**first.figures, "what": first.name}
    if len(measured) > 1:
        figures["parts"] = {one.name: one.figures for one in measured}
    return Condition("calibration", not first.fails, f"{first.message}, on {_where(found)}", _figures(found, figures))


def graded(found: Match) -> Condition:
    """Not a lower grade than the champion would get on these rows, both against the challenger's baseline."""
    own, other = _losses(found)
    usual = found.question.losses(found.rows, found.baseline, found.cap)
    sums = Sums.of(found.rows.customer, [own, other, usual], found.question.seed).drawn
    skill = 1 - sums[:, :2] / np.maximum(sums[:, 2:], SAME)
    lows = np.quantile(skill, 0.05, axis=0).tolist()
    reached = [_grade(found, low, one) for low, one in zip(lows, (found.challenger, found.champion), strict=True)]
    told = f"it would be graded {reached[0]}, the champion {reached[1]}, on {_where(found)}"
    figures = {"own": reached[0], "champion": reached[1], "own_skill_low": lows[0], "champion_skill_low": lows[1]}
    return Condition("grade", reached[0] <= reached[1], told, _figures(found, figures))


def _grade(found: Match, low: float, said: Scored) -> str:
    rows = found.rows
    return grade(low, customers=len(rows), rarer=_minority(found), at_most=said.best_grade)


def unharmed(found: Match, parts: list[Segment]) -> Condition:
    """In no segment surely worse, and there by more than one in twenty."""
    large = [(name, mask) for name, mask in parts if mask.sum() >= MIN_ROWS and _minority(found, mask) >= MIN_MINORITY]
    if not large:
        told = f"no segment has {MIN_ROWS} rows and {MIN_MINORITY} of the rarer outcome"
        return Condition("segments", True, told, _figures(found, {"value": None, "segments": {}}))
    measured = {name: _in_segment(found, mask) for name, mask in large}
    name, off = min(measured.items(), key=lambda one: (not _harms(one[1]), -one[1].value))
    counts = {name: int(mask.sum()) for name, mask in large}
    every = {segment: {**one.figures, "rows": counts[segment]} for segment, one in measured.items()}
    figures = _figures(found, {**off.figures, "segment": name, "segments": every})
    said = "it harms the segment" if _harms(off) else f"the worst off of {len(large)} judged segment(s) is"
    told = f"{said} '{name}': there its loss {_against(off)} on {counts[name]:,} rows"
    return Condition("segments", not _harms(off), told, figures)


def _in_segment(found: Match, mask: Mask) -> Interval:
    own, other = _losses(found)
    return relative_loss(found.rows.customer[mask], own[mask], other[mask], found.question.seed, SURE_OF_HARM)


def _harms(off: Interval) -> bool:
    return off.value > HARM and off.low > 0


def _losses(found: Match) -> tuple[Any, Any]:
    return found.losses(found.challenger.mean), found.losses(found.champion.mean)


def _minority(found: Match, mask: Mask | slice = slice(None)) -> int:
    happened = found.rows.labels.count[mask] > 0
    return int(min(happened.sum(), (~happened).sum()))


def _inside(found: Match, said: Scored) -> Any:
    truth = found.rows.outcome
    return ((truth >= said.low) & (truth <= said.high)).astype(np.float64)


def _figures(found: Match, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "horizon_days": found.horizon_days,
        "method": found.method,
        "cutoff": iso(found.cutoff),
        "rows": len(found.rows),
        **more,
    }


def _against(off: Interval) -> str:
    if abs(off.value) <= SAME and off.high - off.low <= SAME:
        return "equals the champion's"
    side, ends = "above" if off.value > 0 else "below", _ends(off)
    between = f"({100 * ends[0]:z.1f} to {100 * ends[1]:z.1f})"
    if abs(off.value) < LEVEL:
        return f"is level with the champion's, {100 * abs(off.value):.1f} % {side} {between}"
    return f"is {100 * abs(off.value):.1f} % {side} the champion's {between}"


def _ends(off: Interval) -> tuple[float, float]:
    """The ends as they read beside "above" or "below", the smaller first."""
    return (off.low, off.high) if off.value > 0 else (-off.high, -off.low)


def _where(found: Match) -> str:
    return f"{len(found.rows):,} rows of {iso(found.cutoff)[:10]}, {SEEN[found.method]}"
