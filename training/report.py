"""What came of a training, as a table for a person."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.context import TrainingContext
from training.run import Outcome

MISSING = "–"


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row per task, horizon and figure, beside the named baseline: the rule, or doing nothing for next_action."""
    page = Table(
        box=None,
        pad_edge=False,
        collapse_padding=True,
        title="Measured where nothing was fitted or chosen",
        title_justify="left",
        caption="rung: the model that was chosen from the task's ladder, which goes from a rule to boosted trees",
        caption_justify="left",
    )
    for name in ("task", "days", "rung", "grade", "figure", "model", "90 % interval", "baseline"):
        page.add_column(name, justify="right" if name in ("days", "model", "baseline") else "left", no_wrap=True)
    for outcome in outcomes:
        for answer in _answers(outcome):
            _rows(page, outcome, answer)
    return page


def features(context: TrainingContext) -> Table:
    """One row per feature: its name, unit, what it says and why it is there."""
    page = Table(box=None, pad_edge=False, title=f"{len(context.features)} features", title_justify="left")
    for name in ("feature", "unit", "what it says", "why it is there"):
        page.add_column(name, overflow="fold")
    for feature in context.features.features:
        page.add_row(escape(feature.name), feature.unit, escape(feature.text), escape(context.reasons[feature.name]))
    return page


def sentences(outcomes: Sequence[Outcome]) -> list[str]:
    """Per task why it serves or not, and what its answers want known."""
    return [line for outcome in outcomes for line in _sentences(outcome)]


def _rows(page: Table, outcome: Outcome, answer: Predictor | Actions) -> None:
    rung = answer.rung if isinstance(answer, Actions) else answer.rung.name
    head = [outcome.task.name, str(answer.horizon_days), rung, answer.grade]
    for title, key in outcome.task.definition.figures:
        model, low, high = answer.metrics.get(key) or (None, None, None)
        baseline, *_ = answer.baseline_metrics.get(key) or (None,)
        interval = MISSING if low is None else f"{_shown(low)}–{_shown(high)}"
        page.add_row(*head, title, _shown(model), interval, _shown(baseline))
        head = [""] * 4


def _shown(figure: float | None) -> str:
    """Three digits after the point, or whole numbers where they say enough."""
    if figure is None:
        return MISSING
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.1f}" if abs(figure) >= 100 else f"{figure:.3f}"


def _sentences(outcome: Outcome) -> list[str]:
    serves = "serves" if outcome.promoted or outcome.verdict.serves_already else "does not serve"
    resumed = " (trained before, by the same request)" if outcome.finished_before else ""
    reason = outcome.verdict.reason
    if serves == "does not serve" and outcome.verdict.passed:
        reason = f"the gate let it pass ({reason}); `journeycast promote {outcome.task.name}` lets it serve"
    return [
        f"{outcome.task.name} v{outcome.version} {serves}{resumed}: {reason}",
        *(f"  {answer.horizon_days} days: {note}" for answer in _answers(outcome) for note in answer.notes),
    ]


def _answers(outcome: Outcome) -> Sequence[Predictor | Actions]:
    bundle = outcome.bundle
    return bundle.predictors if bundle.actions is None else (bundle.actions,)
