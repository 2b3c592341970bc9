"""Every picture of a training by its name: `ranking`, or `30d/ranking` where there are several horizons."""

from collections.abc import Iterator

from features.arrays import Floats
from features.config.tasks import TaskConfig
from models.bundle import Bundle
from models.ladder.average import gains
from models.predictor.predictor import Predictor
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
    for answer in bundle.predictors:
        place = f"{answer.horizon_days}d/" if len(bundle.predictors) > 1 else ""
        title = f"{heading} · {answer.horizon_days} days"
        one = evidence.of(answer.horizon_days)
        for name, picture in (*_importance(bundle, answer, title), *(_tested(bundle, one, title) if one else ())):
            yield f"{place}{name}", picture


def _importance(bundle: Bundle, answer: Predictor, title: str) -> Iterator[tuple[str, bytes]]:
    """What the rung's boosters gained: `importance`, or one each, as `importance-buys`."""
    held: dict[str, Floats] = gains(answer.rung, bundle.features.position)
    for name, gain in held.items():
        whose = "" if len(held) == 1 else name
        picture = attributions.importance(_texts(bundle), gain, title=f"{title} · {whose}" if whose else title)
        yield f"importance-{whose}" if whose else "importance", png(picture)


def _tested(bundle: Bundle, one: HorizonEvidence, title: str) -> Iterator[tuple[str, bytes]]:
    """What the test showed, and what was looked at beside it."""
    task, studied = bundle.task, one.studied
    title = f"{title} · test {str(one.split['test'])[:10]}"
    yield "gains", png(gained(one.truth, one.model, one.baseline, title=title, what=task.definition.gained))
    yield from _money(one, title) if task.is_money else _probability(task, one, title)
    unit = _unit(task, str(one.chosen.get("rung", "")))
    yield (
        "learning",
        png(diagnostics.learning(studied.learning, studied.learning_baseline, title=title, money=task.is_money)),
    )
    yield "stability", png(diagnostics.stability(studied.periods, title=title))
    yield "shap", png(attributions.shap(_texts(bundle), studied.attributions, title=title, unit=unit))
    if one.trials:
        yield "search", png(search.history(one.trials, title=title))
    if one.importances:
        yield "search-importances", png(search.importances(one.importances, title=title))


def _probability(task: TaskConfig, one: HorizonEvidence, title: str) -> Iterator[tuple[str, bytes]]:
    happened, otherwise = task.definition.outcomes
    yield "ranking", png(probability.ranking(one.truth, one.model, one.baseline, title=title))
    yield "reliability", png(probability.reliability(one.truth, one.model, one.baseline, title=title))
    figure = probability.distribution(one.truth, one.model, title=title, happened=happened, otherwise=otherwise)
    yield "distribution", png(figure)


def _money(one: HorizonEvidence, title: str) -> Iterator[tuple[str, bytes]]:
    yield "deciles", png(money.deciles(one.truth, one.model, one.baseline, title=title))
    yield "coverage", png(money.coverage(one.truth, one.model, one.low, one.high, title=title))


def _unit(task: TaskConfig, rung: str) -> str:
    """What the scores are moved in."""
    if rung == "rule":
        return "moved the score by"
    scale = "logarithm of the money" if task.is_money else "log-odds"
    return f"moved the {scale} by: to the right the score rises"


def _texts(bundle: Bundle) -> list[str]:
    return [feature.text for feature in bundle.features.features]
