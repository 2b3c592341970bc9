"""May the challenger serve? Conditions against the champion, all of them recorded (docs/gate.md).

It may when there is no champion or the question has changed, unless somebody took this very bundle out of service.
Else it has to fulfil every condition: on rows that neither was fitted on (`training.gate.shared_rows`) its loss,
calibration, grade and segments; beside them its size and its audit.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.errors import BundleError, ConfigError
from models.bundle import Bundle, load
from models.ledger import Entry
from models.registry.version import Version
from models.registry.versions import Registry
from training.context import TrainingContext
from training.dataset.examples import base_values
from training.evaluation.segments import segments
from training.gate import actions, performance
from training.gate.conditions import Condition, audited, recorded_grade, recorded_skill, rolled_back, size, worst
from training.gate.shared_rows import match, readable
from training.horizon import Trained

RECORD = "gate.json"  # the file of a run that keeps what its gate said
TIMED_ROWS = 1000
METHODS = ("decisions", "fair", "refitted", "record")  # what is surest first


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and why, in a sentence.

    `against` is plain JSON: champion, method, test cutoff and horizon by which it was judged.
    """

    reason: str
    conditions: tuple[Condition, ...] = ()
    serves_already: bool = False
    against: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Every condition is fulfilled."""
        return all(one.passed for one in self.conditions)

    def record(self) -> dict[str, Any]:
        """Plain JSON of all of it, None where a figure is no number."""
        conditions = [
            {"name": one.name, "passed": one.passed, "told": one.told, "figures": _plain(one.figures)}
            for one in self.conditions
        ]
        told = {"passed": self.passed, "reason": self.reason, "serves_already": self.serves_already}
        return {**told, **_plain(self.against), "conditions": conditions}


@dataclass(frozen=True, eq=False)
class Rivals:
    """Challenger and champion, with how the challenger came about."""

    setting: TrainingContext
    challenger: Bundle
    champion: Bundle
    trained: Sequence[Trained]


def verdict(
    registry: Registry,
    setting: TrainingContext,
    bundle: Bundle,
    trained: Sequence[Trained],
    *,
    history: Sequence[Entry] = (),
    timer: Callable[[], float] = time.perf_counter,
) -> Verdict:
    """May this bundle replace the champion? `history` is the task's ledger, oldest first; `timer` counts seconds."""
    version = registry.champion(bundle.task.name)
    put_aside = rolled_back(bundle.digest, history)
    if version is None:
        return _alone("there was no champion", bundle, put_aside)
    if version.digest == bundle.digest:
        return Verdict("it is the champion, bit by bit", serves_already=True, against=_named(version))
    try:
        champion = load(registry.fetch(version, setting.config.workspace_path / "bundles"), version.digest)
    except BundleError as error:
        found = _alone(f"the champion cannot be read any more: {error}", bundle, put_aside)
    else:
        found = judge(Rivals(setting, bundle, champion, trained), put_aside, timer)
    return Verdict(found.reason, found.conditions, against=_named(version) | dict(found.against))


def judge(rivals: Rivals, put_aside: Condition, timer: Callable[[], float] = time.perf_counter) -> Verdict:
    """The verdict on a challenger with a champion; `put_aside` tells whether somebody took it out of service."""
    own, other = rivals.challenger, rivals.champion
    if own.task.model_dump(mode="json") != other.task.model_dump(mode="json"):
        return _alone("the question has changed since the champion was trained", own, put_aside)
    question = Condition("question", True, "the question is the champion's")
    sized = size(own, other, _latency(rivals, timer))
    if own.actions is not None and other.actions is not None:
        judged = [actions.value(rivals.setting, own, other), sized, recorded_grade(own.actions, other.actions)]
    else:
        judged = _judged(rivals, sized)
    conditions = (question, *judged, put_aside)
    loss = next(one for one in conditions if one.name == "loss")
    first = next((one for one in conditions if not one.passed), loss)
    return Verdict(first.told, conditions, against=_method(judged))


def _judged(rivals: Rivals, sized: Condition) -> list[Condition]:
    """All conditions of a task that is measured on rows, horizon by horizon; the worst decides."""
    setting, task = rivals.setting, rivals.challenger.task
    found: dict[str, list[Condition]] = {"loss": [], "calibration": [], "grade": [], "segments": []}
    for one, own, other in zip(rivals.trained, rivals.challenger.predictors, rivals.champion.predictors, strict=True):
        met = match(setting, rivals.champion, one)
        if met is None:
            found["loss"].append(recorded_skill(own, other))
            found["grade"].append(recorded_grade(own, other))
            continue
        found["loss"].append(performance.loss(met))
        found["calibration"].append(performance.calibration(met))
        found["grade"].append(performance.graded(met))
        found["segments"].append(performance.unharmed(met, segments(setting, task, met.rows)))
    measured = {name: worst(parts) if parts else _unmeasured(name) for name, parts in found.items()}
    audit = audited(rivals.challenger, rivals.champion)
    return [measured["loss"], measured["calibration"], sized, audit, measured["grade"], measured["segments"]]


def _unmeasured(name: str) -> Condition:
    told = "no rows show champion and challenger side by side, so only what each recorded was compared"
    return Condition(name, True, told, {"method": "record"})


def _alone(reason: str, bundle: Bundle, put_aside: Condition) -> Verdict:
    """Without a champion to be compared with."""
    reason = reason if put_aside.passed else put_aside.told
    conditions = (Condition("question", True, reason), audited(bundle, None), put_aside)
    return Verdict(reason, conditions, against={"method": None})


def _method(judged: Sequence[Condition]) -> dict[str, Any]:
    """By what the loss was judged, at the horizon that decided; the method is the least sure of all horizons."""
    figures = judged[0].figures
    every = [one["method"] for one in figures.get("horizons", {"": figures}).values()]
    said = {"method": max(every, key=METHODS.index), "test_cutoff": figures.get("cutoff")}
    return {**said, "horizon_days": figures.get("horizon_days"), "rows": figures.get("rows")}


def _named(version: Version) -> dict[str, Any]:
    return {"champion": {"version": version.version, "digest": version.digest, "run_id": version.run_id}}


def _latency(rivals: Rivals, timer: Callable[[], float]) -> dict[str, float | None]:
    """What scoring one row among many takes, µs; None where it was not measured."""
    named = {"latency_us": rivals.challenger, "champion_latency_us": readable(rivals.setting, rivals.champion)}
    return {name: _timed(rivals.setting, bundle, timer) for name, bundle in named.items()}


def _timed(setting: TrainingContext, bundle: Bundle | None, timer: Callable[[], float]) -> float | None:
    if bundle is None or not bundle.predictors:
        return None
    try:
        values = base_values(setting.parts, bundle.task, bundle.features, setting.as_of, TIMED_ROWS)
    except ConfigError:  # a column that it reads has left the store
        return None
    took = []
    for _ in range(3):
        started = timer()
        for answer in bundle.predictors:
            answer.predict(values, bundle.features.position, setting.as_of)
        took.append(timer() - started)
    return min(took) / len(values) * 1e6 if len(values) else None


def _plain(value: Any) -> Any:
    """The same as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
