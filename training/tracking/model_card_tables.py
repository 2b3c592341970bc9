"""The tables of a model card, in Markdown: what was judged, and how good it is beside the baseline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.evaluation.diagnostics import SliceFigures
from training.tracking.evidence import HorizonEvidence

SHOWN = {  # figures that tell most, by what the answer is about
    "money": {
        "gini": "Gini",
        "spearman": "rank correlation",
        "rmse": "root mean squared error",
        "mae": "mean absolute error",
    },
    "probability": {
        "auroc": "AUROC",
        "average_precision": "average precision",
        "log_loss": "log-loss",
        "lift_at_10": "lift in the best tenth",
    },
}
CALIBRATION = {
    "money": {
        "bias": "sum predicted over sum that came, less 1",
        "decile_mape": "how far tenths of the base are off, on average",
        "coverage_90": "outcomes inside their 90 % interval",
        "coverage_50": "outcomes inside the middle half",
    },
    "probability": {
        "ece": "expected calibration error",
        "calibration_slope": "calibration slope (1 is well spread)",
        "brier_skill": "Brier skill",
    },
}


def chosen(one: HorizonEvidence) -> Iterator[str]:
    """The rows of every part, and the rungs that were judged."""
    rows = ", ".join(f"{name} {count:,}" for name, count in one.rows.items())
    yield f"Rows: {rows}. Chosen on the rows of {str(one.split.get('validation', ''))[:10]}, tested on later ones."
    yield ""
    known = [candidate for candidate in one.judged if candidate.loss is not None]
    if not known:
        return
    yield "| rung judged | loss on later rows | saved against the rule | |"
    yield "|---|---|---|---|"
    for candidate in known:
        saved = f"{candidate.saved:.4g} ± {candidate.error:.2g}" if candidate.saved else "–"
        yield f"| {candidate.name} | {candidate.loss:.4g} | {saved} | {'**serves**' if candidate.chosen else ''} |"
    yield ""


def figures(what: str, names: Mapping[str, str], said: Predictor) -> Iterator[str]:
    """Those of these figures that there are, beside the baseline's."""
    known = {name: text for name, text in names.items() if name in said.metrics}
    if not known:
        return
    yield f"| {what} | model | baseline |"
    yield "|---|---|---|"
    for name, text in known.items():
        yield f"| {text} | {shown(said.metrics[name])} | {shown(said.baseline_metrics.get(name))} |"
    yield ""


def parts(what: str, found: Sequence[SliceFigures]) -> Iterator[str]:
    """Quality by period or by segment."""
    if not found:
        return
    names = list(found[0].model)
    heads = " | ".join(f"{name}: model | {name}: baseline" for name in map(_called, names))
    yield f"| {what} | rows | average outcome | {heads} |"
    yield "|---" * (3 + 2 * len(names)) + "|"
    for part in found:
        told = " | ".join(f"{shown(part.model[name])} | {shown(part.baseline[name][:1])}" for name in names)
        yield f"| {part.name} | {part.rows:,} | {_rounded(part.outcome)} | {told} |"
    yield ""


def actions(found: Actions) -> Iterator[str]:
    """What each action brings, and what policies are worth."""
    yield from (f"- {note}" for note in found.notes)
    yield ""
    yield "| action | decisions | value per decision, after cost | gain over doing nothing |"
    yield "|---|---|---|---|"
    for one in found.ranking:
        gain = shown([found.gain[one], found.low[one], found.high[one]]) if found.actions[one] != found.nothing else "–"
        yield f"| {found.actions[one]} | {found.count[one]:,} | {_rounded(found.value[one])} | {gain} |"
    yield ""
    if found.metrics:
        yield "| policy, measured where it was not chosen | per decision |"
        yield "|---|---|"
        yield from (f"| {name.replace('_', ' ')} | {shown(figure)} |" for name, figure in found.metrics.items())


def shown(figure: Any) -> str:
    """A figure with its interval, for people.

    >>> shown([0.75, 0.7, 0.8]), shown([1234.5, None, None]), shown(None)
    ('0.75 (0.7 to 0.8)', '1,234', '–')
    """
    ends = figure if isinstance(figure, Sequence) else (figure,)
    known = [_rounded(end) for end in ends if end is not None]
    return (known[0] if known else "–") + (f" ({known[1]} to {known[2]})" if len(known) == 3 else "")


def _called(name: str) -> str:
    return {text: called for names in SHOWN.values() for text, called in names.items()}.get(name, name)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
