"""What a run holds as parameters, metrics and data: what it takes to judge a training and to make it again.

The figures of the named baseline say `baseline` for `test`; `_low` and `_high` end their 90 % interval. Where there are
several horizons a name ends in its own: `test_auroc_30d_low`.
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


def params(evidence: Evidence, toml: str) -> dict[str, object]:
    """What the training was given and chose; the task's keys as they were written."""
    bundle = evidence.bundle
    written = tomllib.loads(toml).get("tasks", {}).get(bundle.task.name, {})
    found: dict[str, object] = {
        "as_of": iso(bundle.trained_as_of_us),
        "seed": bundle.facts.get("seed"),
        "code_version": bundle.facts.get("code_version"),
        "data": evidence.store_digest,
        "features": len(bundle.features),
        "features_fingerprint": bundle.features.fingerprint,
        **{f"task.{key}": value for key, value in written.items()},
    }
    for said in evidence.predictors:
        end = evidence.suffix(said.horizon_days)
        found |= {f"rung{end}": rung_name(said), f"grade{end}": said.grade}
    for one in evidence.horizons:
        end = evidence.suffix(one.horizon_days)
        for group, values in (("split", one.split), ("rows", one.rows), ("chosen", one.chosen)):
            found |= {f"{group}.{key}{end}": value for key, value in values.items()}
    return found


def metrics(evidence: Evidence) -> dict[str, float]:
    """Every figure beside the baseline's, with both ends of its interval."""
    found: dict[str, float] = {}
    for said in evidence.predictors:
        suffix = evidence.suffix(said.horizon_days)
        for whose, figures in (("test", said.metrics), ("baseline", said.baseline_metrics)):
            for name, figure in figures.items():
                ends = zip(("", "_low", "_high"), interval(figure), strict=False)
                found |= {f"{whose}_{name}{suffix}{end}": value for end, value in ends if value is not None}
    return found


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
        f"{one.horizon_days}d": {
            "learning": [dataclasses.asdict(point) for point in one.studied.learning],
            "learning_baseline": one.studied.learning_baseline,
            "periods": [dataclasses.asdict(part) for part in one.studied.periods],
            "segments": [dataclasses.asdict(part) for part in one.studied.segments],
            "rungs": [dataclasses.asdict(candidate) for candidate in (*one.judged, *one.silent)],
        }
        for one in evidence.horizons
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
