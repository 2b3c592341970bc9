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
RECORDED = {"passed", "reason", "serves_already", "conditions"}  # fields of that file that are not of `against`
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
        return all(condition.passed for condition in self.conditions)

    def record(self) -> dict[str, Any]:
        """Plain JSON of all of it, None where a figure is no number."""
        conditions = [
            {
                "name": condition.name,
                "passed": condition.passed,
                "told": condition.message,
                "figures": _json(condition.figures),
            }
            for condition in self.conditions
        ]
        head = {"passed": self.passed, "reason": self.reason, "serves_already": self.serves_already}
        return {**head, **_json(self.against), "conditions": conditions}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Verdict":
        """The verdict that `record` wrote; a field that is missing is empty, and unknown ones belong to `against`."""
        conditions = tuple(
            Condition(
                name=str(condition.get("name", "")),
                passed=bool(condition.get("passed")),
                message=str(condition.get("told", "")),
                figures=condition.get("figures") or {},
            )
            for condition in record.get("conditions", ())
        )
        against = {name: value for name, value in record.items() if name not in RECORDED}
        return cls(str(record.get("reason", "")), conditions, bool(record.get("serves_already")), against)


@dataclass(frozen=True, eq=False)
class GateSubjects:
    """Challenger and champion, with how the challenger came about."""

    context: TrainingContext
    challenger: Bundle
    champion: Bundle
    trained: Sequence[Trained]


def verdict(
    registry: Registry,
    context: TrainingContext,
    bundle: Bundle,
    trained: Sequence[Trained],
    *,
    history: Sequence[Entry] = (),
    timer: Callable[[], float] = time.perf_counter,
) -> Verdict:
    """May this bundle replace the champion? `history` is the task's ledger, oldest first; `timer` counts seconds."""
    version = registry.champion(bundle.task.name)
    out_of_service = rolled_back(bundle.digest, history)
    if version is None:
        return _without_champion("there was no champion", bundle, out_of_service)
    if version.digest == bundle.digest:
        return Verdict("it is the champion, bit by bit", serves_already=True, against=_champion(version))
    try:
        champion = load(registry.fetch(version, context.config.workspace_path / "bundles"), version.digest)
    except BundleError as error:
        result = _without_champion(f"the champion cannot be read any more: {error}", bundle, out_of_service)
    else:
        result = check_conditions(GateSubjects(context, bundle, champion, trained), out_of_service, timer)
    return Verdict(result.reason, result.conditions, against=_champion(version) | dict(result.against))


def check_conditions(
    subjects: GateSubjects, out_of_service: Condition, timer: Callable[[], float] = time.perf_counter
) -> Verdict:
    """The verdict on a challenger with a champion; `out_of_service` says whether somebody took it out."""
    challenger, champion = subjects.challenger, subjects.champion
    if challenger.task.model_dump(mode="json") != champion.task.model_dump(mode="json"):
        return _without_champion("the question has changed since the champion was trained", challenger, out_of_service)
    question = Condition("question", True, "the question is the champion's")
    sized = size(challenger, champion, _latency(subjects, timer))
    if challenger.actions is not None and champion.actions is not None:
        measured = [
            actions.value(subjects.context, challenger, champion),
            sized,
            recorded_grade(challenger.actions, champion.actions),
        ]
    else:
        measured = _measured(subjects, sized)
    conditions = (question, *measured, out_of_service)
    loss = next(condition for condition in conditions if condition.name == "loss")
    first = next((condition for condition in conditions if not condition.passed), loss)
    return Verdict(first.message, conditions, against=_method(measured))


def _measured(subjects: GateSubjects, sized: Condition) -> list[Condition]:
    """All conditions of a task that is measured on rows, horizon by horizon; the worst decides."""
    context, task = subjects.context, subjects.challenger.task
    by_name: dict[str, list[Condition]] = {"loss": [], "calibration": [], "grade": [], "segments": []}
    for trained, challenger, champion in zip(
        subjects.trained, subjects.challenger.predictors, subjects.champion.predictors, strict=True
    ):
        pair = match(context, subjects.champion, trained)
        if pair is None:
            by_name["loss"].append(recorded_skill(challenger, champion))
            by_name["grade"].append(recorded_grade(challenger, champion))
            continue
        by_name["loss"].append(performance.loss(pair))
        by_name["calibration"].append(performance.calibration(pair))
        by_name["grade"].append(performance.graded(pair))
        by_name["segments"].append(performance.unharmed(pair, segments(context, task, pair.rows)))
    measured = {name: worst(parts) if parts else _unmeasured(name) for name, parts in by_name.items()}
    audit = audited(subjects.challenger, subjects.champion)
    return [measured["loss"], measured["calibration"], sized, audit, measured["grade"], measured["segments"]]


def _unmeasured(name: str) -> Condition:
    message = "there are no rows to measure both on, so only what each recorded in its own test was compared"
    return Condition(name, True, message, {"method": "record"})


def _without_champion(reason: str, bundle: Bundle, out_of_service: Condition) -> Verdict:
    """Without a champion to be compared with."""
    reason = reason if out_of_service.passed else out_of_service.message
    conditions = (Condition("question", True, reason), audited(bundle, None), out_of_service)
    return Verdict(reason, conditions, against={"method": None})


def _method(measured: Sequence[Condition]) -> dict[str, Any]:
    """By what the loss was judged, at the horizon that decided; the method is the least sure of all horizons."""
    figures = measured[0].figures
    methods = [horizon["method"] for horizon in figures.get("horizons", {"": figures}).values()]
    method = max(methods, key=METHODS.index)
    return {
        "method": method,
        "test_cutoff": figures.get("cutoff"),
        "horizon_days": figures.get("horizon_days"),
        "rows": figures.get("rows"),
    }


def _champion(version: Version) -> dict[str, Any]:
    return {"champion": {"version": version.version, "digest": version.digest, "run_id": version.run_id}}


def _latency(subjects: GateSubjects, timer: Callable[[], float]) -> dict[str, float | None]:
    """What scoring one row among many takes, µs; None where it was not measured."""
    bundles = {"latency_us": subjects.challenger, "champion_latency_us": readable(subjects.context, subjects.champion)}
    return {name: _timed(subjects.context, bundle, timer) for name, bundle in bundles.items()}


def _timed(context: TrainingContext, bundle: Bundle | None, timer: Callable[[], float]) -> float | None:
    if bundle is None or not bundle.predictors:
        return None
    try:
        values = base_values(context.parts, bundle.task, bundle.features, context.as_of, TIMED_ROWS)
    except ConfigError:  # a column that it reads has left the store
        return None
    durations = []
    for _ in range(3):
        started = timer()
        for predictor in bundle.predictors:
            predictor.predict(values, bundle.features.position, context.as_of)
        durations.append(timer() - started)
    return min(durations) / len(values) * 1e6 if len(values) else None


def _json(value: Any) -> Any:
    """The same as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
