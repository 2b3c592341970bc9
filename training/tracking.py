"""One MLflow run per training of a task: what is needed to judge it, to compare it and to make it again.

A task with one horizon logs `test_auroc` and `plots/ranking.png`; one with several `test_auroc_30d` and
`plots/30d/ranking.png`. The figures of the named baseline say `baseline` for `test`; `_low` and `_high` end their 90 %
interval. The TOML and the task's keys are logged as they were written, never with values read from the environment.
"""

import csv
import dataclasses
import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.journeys import Floats
from features.timeline import iso
from features.windows import AnyFeature
from models.action import Actions
from models.answer import Answer
from models.bundle import Bundle
from models.registry.door import without_password
from models.registry.versions import Registry, Version
from models.rungs import gains
from training import plots

FOUND = {"churn": "lost customers", "propensity": "customers who did it", "cltv": "value"}
OUTCOMES = {"churn": ("lost", "stayed"), "propensity": ("did it", "did not")}


@dataclass(frozen=True, eq=False)
class HorizonEvidence:
    """How the answer for one horizon was chosen and tested; arrays have one entry per row of the test.

    `split` holds the dates (ISO), `test` among them; `rows` how many each part has; `chosen` the hyper-parameters;
    `trials` the table of what was tried. `model` and `baseline` predict `truth`; `low`, `high` is the 90 % interval.
    """

    horizon_days: int
    split: Mapping[str, str | int]
    rows: Mapping[str, int]
    chosen: Mapping[str, object]
    trials: Sequence[Mapping[str, object]]
    truth: Floats
    model: Floats
    baseline: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Evidence:
    """One training of one task. `folder` holds the saved bundle, `store_digest` is the SHA-256 of the store's manifest.

    `horizons` has one entry per horizon that had history enough; a next_action task has none: its bundle says it all.
    `seconds` tells how long each phase took.
    """

    bundle: Bundle
    folder: Path
    store_digest: str
    horizons: tuple[HorizonEvidence, ...]
    seconds: Mapping[str, float]


def track(registry: Registry, evidence: Evidence, *, toml: str) -> Version:
    """Log a training and register its bundle as the task's challenger; `toml` is the configuration's text."""
    bundle, task = evidence.bundle, evidence.bundle.task
    as_of = iso(bundle.trained_as_of_us)
    with registry.run(task.name, f"{task.name} as of {as_of[:10]}", {"kind": task.kind}) as run:
        run.log_params(_params(evidence, toml))
        run.log_metrics(_metrics(evidence))
        run.log_note(summary(bundle))
        run.log_data("store", evidence.store_digest, _data(evidence))
        run.log_text("journeycast.toml", without_password(toml))
        run.log_json("data.json", _data(evidence))
        run.log_json("features.json", [_described(feature) for feature in bundle.features.features])
        if bundle.features.module is not None:
            run.log_bytes(f"module/{bundle.features.module.name}", bundle.features.module.source)
        for one in evidence.horizons:
            run.log_text(f"trials{_suffix(bundle, one.horizon_days)}.csv", _table(one.trials))
        for name, picture in _pictures(registry, evidence):
            run.log_bytes(f"plots/{name}.png", picture)
        grades = ", ".join(answer.grade for answer in _answers(bundle))
        tags = {"kind": task.kind, "as_of": as_of, "grade": grades, "rung": ", ".join(map(_rung, _answers(bundle)))}
        return registry.register(task.name, run, evidence.folder, bundle.digest or evidence.folder.name, tags)


def summary(bundle: Bundle) -> str:
    """What came out, as a page of Markdown: per horizon the rung, the grade, and each figure beside the baseline's."""
    lines: list[str] = []
    for answer in _answers(bundle):
        lines += [f"**{answer.horizon_days} days**: {_rung(answer)}, grade {answer.grade}", ""]
        lines += ["| out of time | model | baseline |", "|---|---|---|"]
        names = dict.fromkeys([*answer.metrics, *answer.baseline_metrics])
        lines += [
            f"| {name} | {_shown(answer.metrics.get(name))} | {_shown(answer.baseline_metrics.get(name))} |"
            for name in names
        ]
        lines += ["", *(f"- {note}" for note in answer.notes), ""]
    return "\n".join(lines)


def _params(evidence: Evidence, toml: str) -> dict[str, object]:
    bundle = evidence.bundle
    written = tomllib.loads(toml).get("tasks", {}).get(bundle.task.name, {})
    params: dict[str, object] = {
        "as_of": iso(bundle.trained_as_of_us),
        "seed": bundle.facts.get("seed"),
        "code_version": bundle.facts.get("code_version"),
        "features": len(bundle.features),
        **{f"task.{key}": value for key, value in written.items()},
    }
    for answer in _answers(bundle):
        end = _suffix(bundle, answer.horizon_days)
        params |= {f"rung{end}": _rung(answer), f"grade{end}": answer.grade}
    for one in evidence.horizons:
        end = _suffix(bundle, one.horizon_days)
        for group, values in (("split", one.split), ("rows", one.rows), ("chosen", one.chosen)):
            params |= {f"{group}.{key}{end}": value for key, value in values.items()}
    return params


def _metrics(evidence: Evidence) -> dict[str, float]:
    found = {f"seconds_{phase}": seconds for phase, seconds in evidence.seconds.items()}
    for answer in _answers(evidence.bundle):
        suffix = _suffix(evidence.bundle, answer.horizon_days)
        for whose, figures in (("test", answer.metrics), ("baseline", answer.baseline_metrics)):
            for name, interval in figures.items():
                ends = zip(("", "_low", "_high"), _interval(interval), strict=False)
                found |= {f"{whose}_{name}{suffix}{end}": value for end, value in ends if value is not None}
    return found


def _data(evidence: Evidence) -> dict[str, object]:
    facts = evidence.bundle.facts
    return {
        "store_digest": evidence.store_digest,
        "log_position": facts.get("log_position"),
        "as_of": iso(evidence.bundle.trained_as_of_us),
        "end": iso(facts["end_us"]) if "end_us" in facts else None,
        "features_fingerprint": evidence.bundle.features.fingerprint,
    }


def _described(feature: AnyFeature) -> dict[str, object]:
    return {"name": feature.name, "text": feature.text, "unit": feature.unit, **dataclasses.asdict(feature)}


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV; a row that lacks a column leaves it empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, dict.fromkeys(key for row in rows for key in row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _pictures(registry: Registry, evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """Every plot by its name, as PNG."""
    bundle, shop = evidence.bundle, f"{registry.shop}.{evidence.bundle.task.name}"
    if bundle.actions is not None:
        yield "actions", plots.png(plots.actions(bundle.actions, title=f"{shop} · {bundle.actions.horizon_days} days"))
    texts = [feature.text for feature in bundle.features.features]
    for answer in bundle.answers:
        place = f"{answer.horizon_days}d/" if len(bundle.answers) > 1 else ""
        title = f"{shop} · {answer.horizon_days} days"
        for name, gain in _importance(bundle, answer).items():
            heading = " · ".join([title, *name.split("-")[1:]])
            yield f"{place}{name}", plots.png(plots.importance(texts, gain, title=heading))
        for one in evidence.horizons:
            if one.horizon_days == answer.horizon_days:
                for name, picture in _outcome_pictures(bundle.task.kind, one, title):
                    yield f"{place}{name}", picture


def _outcome_pictures(kind: str, one: HorizonEvidence, title: str) -> Iterator[tuple[str, bytes]]:
    truth, model, baseline = one.truth, one.model, one.baseline
    title = f"{title} · test {str(one.split['test'])[:10]}"
    yield "gains", plots.png(plots.gains(truth, model, baseline, title=title, what=FOUND[kind]))
    if kind == "cltv":
        yield "deciles", plots.png(plots.deciles(truth, model, baseline, title=title))
        yield "coverage", plots.png(plots.coverage(truth, model, one.low, one.high, title=title))
        return
    happened, otherwise = OUTCOMES[kind]
    yield "ranking", plots.png(plots.ranking(truth, model, baseline, title=title))
    yield "reliability", plots.png(plots.reliability(truth, model, baseline, title=title))
    yield (
        "distribution",
        plots.png(plots.distribution(truth, model, title=title, happened=happened, otherwise=otherwise)),
    )


def _importance(bundle: Bundle, answer: Answer) -> dict[str, Floats]:
    """What the rung's boosters gained, by the name of their plot: `importance`, or one each, as `importance-buys`."""
    held = gains(answer.rung, bundle.features.position)
    return {"importance" if len(held) == 1 else f"importance-{name}": gain for name, gain in held.items()}


def _answers(bundle: Bundle) -> tuple[Answer | Actions, ...]:
    return bundle.answers if bundle.actions is None else (bundle.actions,)


def _rung(answer: Answer | Actions) -> str:
    return answer.rung if isinstance(answer, Actions) else answer.rung.name


def _suffix(bundle: Bundle, horizon_days: int) -> str:
    return f"_{horizon_days}d" if len(bundle.answers) > 1 else ""


def _interval(figure: Any) -> Sequence[float | None]:
    """`[value, low, high]`, or as much of it as there is."""
    return figure if isinstance(figure, Sequence) else (figure,)


def _shown(figure: Any) -> str:
    """A figure with its interval, for people."""
    known = [f"{end:,.4g}" for end in _interval(figure) if end is not None]
    return (known[0] if known else "–") + (f" ({known[1]} to {known[2]})" if len(known) == 3 else "")
