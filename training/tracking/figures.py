"""Every picture of a training by its name: `ranking`, or `30d/ranking` where there are several horizons."""

from collections.abc import Iterator

from features.arrays import Floats
from features.config.tasks import TaskConfig
from models.bundle import Bundle
from models.ladder.average import gains
from models.predictor.predictor import Predictor
from training.evaluation.evaluate import Evaluation
from training.tracking.evidence import Evidence, HorizonEvidence
from training.tracking.plots import actions, attributions, diagnostics, money, probability, search
from training.tracking.plots.canvas import png
from training.tracking.plots.gains import gains as gained


def pictures(shop: str, evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """Every plot by its name, as PNG."""
    bundle = evidence.bundle
    heading = f"{shop}.{bundle.task.name}"
    if bundle.actions is not None:
        title = f"{heading} · {bundle.actions.horizon_days} days"
        yield "actions", png(actions.actions(bundle.actions, title=title))
        yield "values", png(actions.values(bundle.actions, title=title))
    for predictor in bundle.predictors:
        place = f"{predictor.horizon_days}d/" if len(bundle.predictors) > 1 else ""
        title = f"{heading} · {predictor.horizon_days} days"
        horizon = evidence.of(predictor.horizon_days)
        tested = _tested(bundle, horizon, title) if horizon else ()
        for name, picture in (*_importance(bundle, predictor, title), *tested):
            yield f"{place}{name}", picture


def _importance(bundle: Bundle, predictor: Predictor, title: str) -> Iterator[tuple[str, bytes]]:
    """What the rung's boosters gained: `importance`, or one each, as `importance-buys`."""
    by_booster: dict[str, Floats] = gains(predictor.rung, bundle.features.position)
    for name, gain in by_booster.items():
        whose = "" if len(by_booster) == 1 else name
        picture = attributions.importance(_texts(bundle), gain, title=f"{title} · {whose}" if whose else title)
        yield f"importance-{whose}" if whose else "importance", png(picture)


def _tested(bundle: Bundle, horizon: HorizonEvidence, title: str) -> Iterator[tuple[str, bytes]]:
    """What the test showed, and what was looked at beside it."""
    task, test, beside = bundle.task, horizon.evaluation, horizon.diagnostics
    title = f"{title} · test {str(horizon.dates['test'])[:10]}"
    yield "gains", png(gained(test.truth, test.model, test.baseline, title=title, what=task.definition.gained))
    yield from _money(test, title) if task.is_money else _probability(task, test, title)
    unit = _unit(task, str(horizon.hyper_parameters.get("rung", "")))
    yield (
        "learning",
        png(diagnostics.learning(beside.learning, beside.learning_baseline, title=title, money=task.is_money)),
    )
    yield "stability", png(diagnostics.stability(beside.periods, title=title))
    yield "shap", png(attributions.shap(_texts(bundle), beside.attributions, title=title, unit=unit))
    if horizon.trials:
        yield "search", png(search.history(horizon.trials, title=title))
    importances = horizon.trained.choice.importances
    if importances:
        yield "search-importances", png(search.importances(importances, title=title))


def _probability(task: TaskConfig, test: Evaluation, title: str) -> Iterator[tuple[str, bytes]]:
    happened, otherwise = task.definition.outcomes
    yield "ranking", png(probability.ranking(test.truth, test.model, test.baseline, title=title))
    yield "reliability", png(probability.reliability(test.truth, test.model, test.baseline, title=title))
    figure = probability.distribution(test.truth, test.model, title=title, happened=happened, otherwise=otherwise)
    yield "distribution", png(figure)


def _money(test: Evaluation, title: str) -> Iterator[tuple[str, bytes]]:
    yield "deciles", png(money.deciles(test.truth, test.model, test.baseline, title=title))
    yield "coverage", png(money.coverage(test.truth, test.model, test.low, test.high, title=title))


def _unit(task: TaskConfig, rung: str) -> str:
    """What the scores are moved in."""
    if rung == "rule":
        return "moved the score by"
    scale = "logarithm of the money" if task.is_money else "log-odds"
    return f"moved the {scale} by: to the right the score rises"


def _texts(bundle: Bundle) -> list[str]:
    return [feature.text for feature in bundle.features.features]
