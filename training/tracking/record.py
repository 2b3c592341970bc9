"""What a run holds as parameters, metrics and data: what it takes to judge a training and to make it again.

How metrics are called stands in `training.tracking.metric_names`; names of parameters end in the horizon, too, where
there are several: `rung_30d`.
"""

import csv
import dataclasses
import io
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from features.language.feature import AnyFeature
from features.timeline import iso
from training.tracking.evidence import Evidence, rung_name
from training.tracking.metric_names import ENDS, MetricName, compose


def params(evidence: Evidence, toml: str) -> dict[str, object]:
    """What the training was given and chose; the task's keys as they were written."""
    bundle = evidence.bundle
    written = tomllib.loads(toml).get("tasks", {}).get(bundle.task.name, {})
    params: dict[str, object] = {
        "as_of": iso(bundle.trained_as_of_us),
        "seed": bundle.facts.get("seed"),
        "code_version": bundle.facts.get("code_version"),
        "data": evidence.store_digest,
        "features": len(bundle.features),
        "features_fingerprint": bundle.features.fingerprint,
        **{f"task.{key}": value for key, value in written.items()},
    }
    for predictor in evidence.predictors:
        end = evidence.suffix(predictor.horizon_days)
        params |= {f"rung{end}": rung_name(predictor), f"grade{end}": predictor.grade}
    for horizon in evidence.horizons:
        end = evidence.suffix(horizon.horizon_days)
        groups = (("split", horizon.dates), ("rows", horizon.trained.rows), ("chosen", horizon.hyper_parameters))
        for group, values in groups:
            params |= {f"{group}.{key}{end}": value for key, value in values.items()}
    return params


def metrics(evidence: Evidence) -> dict[str, float]:
    """Every figure beside the baseline's, with both ends of its interval."""
    metrics: dict[str, float] = {}
    for predictor in evidence.predictors:
        days = predictor.horizon_days if len(evidence.predictors) > 1 else None
        for whose, figures in (("test", predictor.metrics), ("baseline", predictor.baseline_metrics)):
            for name, figure in figures.items():
                ends = zip(ENDS, interval(figure), strict=False)
                metrics |= {
                    compose(MetricName(whose, name, days, end)): value for end, value in ends if value is not None
                }
    return metrics


def horizons(evidence: Evidence) -> str:
    """The horizons in days, ascending, as the tag `horizons_days` holds them."""
    return ",".join(str(days) for days in sorted(predictor.horizon_days for predictor in evidence.predictors))


def data(evidence: Evidence) -> dict[str, object]:
    """What was read, and how it was looked at."""
    facts = evidence.bundle.facts
    return {
        "store_digest": evidence.store_digest,
        "log_position": facts.get("log_position"),
        "as_of": iso(evidence.bundle.trained_as_of_us),
        "end": iso(facts["end_us"]) if "end_us" in facts else None,
        "features_fingerprint": evidence.bundle.features.fingerprint,
        "survey": facts.get("survey"),
    }


def features(evidence: Evidence) -> list[dict[str, object]]:
    """Every feature, in the order of the panel's columns."""
    return [_described(feature) for feature in evidence.bundle.features.features]


def diagnostics(evidence: Evidence) -> dict[str, object]:
    """The figures behind the pictures that look beyond the test, by horizon."""
    return {
        f"{horizon.horizon_days}d": {
            "learning": [dataclasses.asdict(point) for point in horizon.diagnostics.learning],
            "learning_baseline": horizon.diagnostics.learning_baseline,
            "periods": [dataclasses.asdict(part) for part in horizon.diagnostics.periods],
            "segments": [dataclasses.asdict(part) for part in horizon.diagnostics.segments],
            "rungs": [dataclasses.asdict(candidate) for candidate in (*horizon.candidates, *horizon.quiet_candidates)],
        }
        for horizon in evidence.horizons
    }


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV; a row that lacks a column leaves it empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, dict.fromkeys(key for row in rows for key in row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def interval(figure: Any) -> Sequence[float | None]:
    """`[value, low, high]`, or as much of it as there is."""
    return figure if isinstance(figure, Sequence) else (figure,)


def _described(feature: AnyFeature) -> dict[str, object]:
    return {"name": feature.name, "text": feature.text, "unit": feature.unit, **dataclasses.asdict(feature)}
