"""All that `compare` shows of a task, gathered: nothing is measured again."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from models.ledger import Entry
from models.promotion import Promotion
from models.registry.past_runs import finished_training, read_files
from training.compare.figures import Row, rows
from training.compare.sides import Side, sides
from training.gate.conditions import Condition
from training.gate.gate import RECORD, Verdict

COMMON = ("decisions", "fair", "refitted")  # ways of the gate that measure both on the same rows
METHODS = {
    "decisions": "on the same logged decisions",
    "fair": "on rows whose label windows neither was fitted on",
    "refitted": "with both recipes fitted anew on the same earlier cutoffs and measured on the same later rows",
    "record": "by what each recorded in a test of its own",
}


@dataclass(frozen=True)
class RecordedCondition:
    """A condition of the gate as it was recorded: `message` is a sentence, by `figures`; `parts` are those by
    horizon and segment, under dotted names.
    """

    name: str
    passed: bool
    message: str
    figures: Mapping[str, Any]
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class Gate:
    """What the gate said of one version, and by which conditions; `run_id` holds it as `gate.json`.

    `how` tells in words how it was compared with the champion of then, and is empty where it was not.
    """

    version: int
    run_id: str
    passed: bool
    reason: str
    how: str
    on_common_rows: bool
    conditions: tuple[RecordedCondition, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One or two versions of a task beside each other and beside their baselines; `look` opens MLflow."""

    shop: str
    task: str
    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    gate: Gate | None
    history: tuple[Entry, ...]
    notes: tuple[str, ...]
    look: str

    @property
    def kind(self) -> str:
        """The kind of the task, as its runs say."""
        return next((side.run.tags.get("kind", "") for side in self.sides if side.run), "")


def compare(promotion: Promotion, task_name: str) -> Comparison:
    """What MLflow and the ledger hold of champion and challenger; JourneycastError before the first training."""
    history = promotion.history(task_name)
    compared = sides(promotion, task_name, history)
    gate = _gate(promotion, task_name, compared)
    return Comparison(
        shop=promotion.registry.shop,
        task=task_name,
        sides=compared,
        rows=rows([side.run for side in compared]),
        gate=gate,
        history=history,
        notes=tuple(_notes(compared, gate)),
        look=promotion.registry.ui_command,
    )


def _gate(promotion: Promotion, task_name: str, compared: Sequence[Side]) -> Gate | None:
    """The judgement of what wants to serve or was refused; of two that served, of the newer one."""
    served = {"champion", "served before"}
    for side in sorted(compared, key=lambda side: (side.role in served, -side.version.version)):
        for run_id in _judged_in(promotion, task_name, side) if side.run else ():
            if record := _recorded(promotion, run_id):
                return _read(side, run_id, record)
    return None


def _judged_in(promotion: Promotion, task_name: str, side: Side) -> tuple[str, ...]:
    """The runs that judged a version, the last first: a training that made it again, and the one that registered it."""
    again = finished_training(promotion.registry, task_name, bundle_digest=side.version.digest)
    return (*([] if again is None else [again.id]), side.version.run_id)


def _recorded(promotion: Promotion, run_id: str) -> Mapping[str, Any]:
    """What the gate left in a run; nothing where that is spoiled, or says only that the champion was made again."""
    for data in read_files(promotion.registry, run_id, RECORD).values():
        with suppress(ValueError):
            record: dict[str, Any] = json.loads(data)
            return {} if record.get("serves_already") else record
    return {}


def _read(side: Side, run_id: str, record: Mapping[str, Any]) -> Gate:
    verdict = Verdict.from_record(record)
    method, champion = verdict.against.get("method"), verdict.against.get("champion") or {}
    against = f"Against v{champion['version']}" if champion.get("version") else "Against the champion"
    return Gate(
        version=side.version.version,
        run_id=run_id,
        passed=verdict.passed,
        reason=verdict.reason,
        how=f"{against}, {METHODS.get(method, method)}" if method else "",
        on_common_rows=method in COMMON,
        conditions=tuple(map(_recorded_condition, verdict.conditions)),
    )


def _recorded_condition(condition: Condition) -> RecordedCondition:
    figures = {name: value for name, value in flat(condition.figures).items() if value not in (None, [], "")}
    return RecordedCondition(
        name=condition.name.replace("_", " "),
        passed=condition.passed,
        message=condition.message,
        figures={name: value for name, value in figures.items() if "." not in name},
        parts={name: value for name, value in figures.items() if "." in name},
    )


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Nested JSON by dotted names.

    >>> flat({"loss": {"own": 0.5, "interval": [0.4, 0.6]}})
    {'loss.own': 0.5, 'loss.interval': [0.4, 0.6]}
    """
    if not isinstance(values, Mapping):
        return {name: values}
    inside = [flat(value, f"{name}.{inner}".strip(".")) for inner, value in values.items()]
    return {key: value for part in inside for key, value in part.items()}


def _notes(compared: Sequence[Side], gate: Gate | None) -> list[str]:
    """What a reader must know before believing a difference."""
    notes = []
    for side in compared:
        if side.run is None:
            notes.append(f"{side.name}: its run {side.version.run_id} is gone from MLflow, and its figures with it")
        elif side.run.deleted:
            notes.append(f"{side.name}: its run was deleted in MLflow; `mlflow gc` will take its figures away")
        elif not any(name.startswith("test_") for name in side.run.metrics):
            notes.append(f"{side.name}: its run holds no figures: there was too little history for a test")
    tests = [_tests(side) for side in compared]
    if len(tests) == 2 and all(tests) and tests[0] != tests[1]:
        periods = " and ".join(
            f"{side.name} on {', '.join(dates)}" for side, dates in zip(compared, tests, strict=True)
        )
        where = "; the gate's figures below are on common rows" if gate and gate.on_common_rows else ""
        notes.append(f"Measured in different test periods ({periods}): intervals may lie apart for that alone{where}")
    return notes


def _tests(side: Side) -> tuple[str, ...]:
    """The dates its figures were measured from on."""
    params = side.run.params if side.run else {}
    return tuple(sorted({value[:10] for name, value in params.items() if name.startswith("split.test")}))
