"""The tables of a model card, in Markdown: what was judged, and how good it is beside the baseline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.evaluation.diagnostics import SliceFigures
from training.tracking.evidence import HorizonEvidence

RUNG = "A rung is one kind of model, from the plain rule up to trees; the one with the least loss serves."
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


def candidates(horizon: HorizonEvidence) -> Iterator[str]:
    """The rows of every part, and the rungs that were judged."""
    rows = ", ".join(f"{name} {count:,}" for name, count in horizon.trained.rows.items())
    yield f"Rows: {rows}. Chosen on the rows of {str(horizon.dates['validation'])[:10]}, tested on later ones."
    yield ""
    known = [candidate for candidate in horizon.candidates if candidate.loss is not None]
    if not known:
        return
    yield RUNG
    yield ""
    yield "| rung tried | loss on later rows | less than the rule's loss by | |"
    yield "|---|---|---|---|"
    for candidate in known:
        saved = f"{candidate.saved:.4g} ± {candidate.error:.2g}" if candidate.saved else "–"
        yield f"| {candidate.name} | {candidate.loss:.4g} | {saved} | {'**serves**' if candidate.chosen else ''} |"
    yield ""


def figures(title: str, names: Mapping[str, str], predictor: Predictor) -> Iterator[str]:
    """Those of these figures that there are, beside the baseline's."""
    known = {name: text for name, text in names.items() if name in predictor.metrics}
    if not known:
        return
    yield f"| {title} | model | baseline |"
    yield "|---|---|---|"
    for name, text in known.items():
        yield f"| {text} | {shown(predictor.metrics[name])} | {shown(predictor.baseline_metrics.get(name))} |"
    yield ""


def parts(title: str, slices: Sequence[SliceFigures]) -> Iterator[str]:
    """Quality by period or by segment."""
    if not slices:
        return
    names = list(slices[0].model)
    heads = " | ".join(f"{name}: model | {name}: baseline" for name in map(_called, names))
    yield f"| {title} | rows | average outcome | {heads} |"
    yield "|---" * (3 + 2 * len(names)) + "|"
    for part in slices:
        cells = " | ".join(f"{shown(part.model[name])} | {shown(part.baseline[name][:1])}" for name in names)
        yield f"| {part.name} | {part.rows:,} | {_rounded(part.outcome)} | {cells} |"
    yield ""


def actions(actions: Actions) -> Iterator[str]:
    """What each action brings, and what policies are worth."""
    yield from (f"- {note}" for note in actions.notes)
    yield ""
    yield "| action | decisions | value per decision, after cost | gain over doing nothing |"
    yield "|---|---|---|---|"
    for place in actions.ranking:
        name, ends = actions.actions[place], [actions.gain[place], actions.low[place], actions.high[place]]
        gain = "–" if name == actions.nothing else shown(ends)
        yield f"| {name} | {actions.count[place]:,} | {_rounded(actions.value[place])} | {gain} |"
    yield ""
    if actions.metrics:
        yield "| policy, measured where it was not chosen | per decision |"
        yield "|---|---|"
        yield from (f"| {name.replace('_', ' ')} | {shown(figure)} |" for name, figure in actions.metrics.items())


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
