"""What came of a training, as a table for a person."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from models.action import Actions
from models.answer import Answer
from training.run import Outcome

SHOWN = {  # of each kind, the figures that tell most
    "churn": ("auroc", "log_loss"),
    "propensity": ("auroc", "log_loss"),
    "cltv": ("normalised_gini", "rmse"),
    "next_action": ("policy_value",),
}
MISSING = "–"


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row per task, horizon and figure, beside the named baseline; out of time, with 90 % intervals."""
    page = Table(
        title="Out of time, beside the baseline (90 % intervals)", title_justify="left", box=None, pad_edge=False
    )
    for name in ("task", "days", "rung", "grade", "figure", "model", "baseline", "now"):
        page.add_column(name, justify="right" if name in ("days", "model", "baseline") else "left", overflow="fold")
    for outcome in outcomes:
        for answer in _answers(outcome):
            _rows(page, outcome, answer)
    return page


def sentences(outcomes: Sequence[Outcome]) -> list[str]:
    """Per task why it serves or not, and what its answers want known."""
    return [line for outcome in outcomes for line in _sentences(outcome)]


def _rows(page: Table, outcome: Outcome, answer: Answer | Actions) -> None:
    rung = answer.rung if isinstance(answer, Actions) else answer.rung.name
    status = "serves" if outcome.promoted else "challenger"
    head = [outcome.task.name, str(answer.horizon_days), rung, answer.grade]
    for figure in SHOWN[outcome.task.kind]:
        values = _interval(answer.metrics, figure), _value(answer.baseline_metrics, figure)
        page.add_row(*head, figure.replace("_", " "), *values, status)
        head, status = [""] * 4, ""


def _interval(figures: Mapping[str, Sequence[float | None]], name: str) -> str:
    value, low, high = figures.get(name) or (None, None, None)
    if value is None:
        return MISSING
    return f"{value:,.3f}" + (f" ({low:,.3f}–{high:,.3f})" if low is not None and high is not None else "")


def _value(figures: Mapping[str, Sequence[float | None]], name: str) -> str:
    value = (figures.get(name) or (None,))[0]
    return MISSING if value is None else f"{value:,.3f}"


def _sentences(outcome: Outcome) -> list[str]:
    serves = "serves" if outcome.promoted else "does not serve"
    verdict = f"{outcome.task.name} v{outcome.version} {serves}: {outcome.verdict.reason}"
    return [
        verdict,
        *(f"  {answer.horizon_days} days: {note}" for answer in _answers(outcome) for note in answer.notes),
    ]


def _answers(outcome: Outcome) -> Sequence[Answer | Actions]:
    bundle = outcome.bundle
    return bundle.answers if bundle.actions is None else (bundle.actions,)
