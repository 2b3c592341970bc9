"""May the challenger serve?

It may when there is no champion, when the question has changed, or when it is not worse out of time than the champion:

- A champion trained no later than the challenger's test cutoff knows nothing of the test window, so both are measured
  there, on the same rows, by the same loss.
- A later champion may have learnt from that window. Then the recorded skills against the named baseline are compared
  (each from its own test): the challenger's must not lie below the 90 % interval of the champion's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.config import TaskConfig
from features.errors import BundleError
from features.timeline import iso
from models.action import Actions
from models.answer import Answer
from models.bundle import Bundle, equipped, load
from models.registry.versions import Registry
from training.answers import Trained
from training.panels import Asked, examples
from training.setting import Setting

SAME = 1e-9  # relative difference of losses that is none


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and why, in a sentence."""

    passed: bool
    reason: str
    serves_already: bool = False


@dataclass(frozen=True)
class Measured:
    """Mean losses of challenger and champion at one horizon, on the same test rows; None: not measured."""

    horizon_days: int
    challenger: float | None
    champion: float | None


def verdict(registry: Registry, setting: Setting, bundle: Bundle, trained: Sequence[Trained]) -> Verdict:
    """May this bundle replace the champion?"""
    version = registry.champion(bundle.task.name)
    if version is None:
        return judge(bundle, None, (), None)
    if version.digest == bundle.digest:
        return Verdict(passed=True, reason="it is the champion, bit by bit", serves_already=True)
    try:
        champion = load(registry.fetch(version, setting.config.workspace_path / "bundles"), version.digest)
    except BundleError as error:
        return Verdict(passed=True, reason=f"the champion cannot be read any more: {error}")
    test = max((one.split.test for one in trained), default=None)
    fair = test is not None and is_fair(champion, min(one.split.test for one in trained))
    if champion.features.module in (None, setting.features.module):
        champion = equipped(champion, setting.features)
    else:
        fair = False  # the module it was trained with has changed: what it would say now cannot be computed
    return judge(bundle, champion, _measured(setting, champion, trained) if fair else (), test if fair else None)


def judge(challenger: Bundle, champion: Bundle | None, measured: Sequence[Measured], test: int | None) -> Verdict:
    """The verdict; `measured` holds the losses on the challenger's test rows, `test` is their cutoff in µs UTC."""
    if champion is None:
        return Verdict(passed=True, reason="there was no champion")
    if _asked(challenger.task) != _asked(champion.task):
        return Verdict(passed=True, reason="the question has changed since the champion was trained")
    if challenger.actions is None and test is not None and is_fair(champion, test):
        return _by_loss(measured, test)
    return _by_record(challenger, champion)


def is_fair(champion: Bundle, test: int) -> bool:
    """The champion knows nothing of what came after the test cutoff."""
    return champion.trained_as_of_us <= test


def _by_loss(measured: Sequence[Measured], test: int) -> Verdict:
    known = [(one.challenger, one.champion) for one in measured if one.challenger is not None and one.champion]
    if not known:
        return Verdict(passed=True, reason="there were no test rows to compare the two on")
    ratio = sum(own / other for own, other in known) / len(known)
    worse, where = ratio > 1 + SAME, f"on the test rows of {iso(test)[:10]}, which neither had seen"
    shown = f"its loss is {abs(ratio - 1):.1%} {'above' if worse else 'below'} the champion's {where}"
    return Verdict(passed=not worse, reason=shown)


def _by_record(challenger: Bundle, champion: Bundle) -> Verdict:
    for own, other in zip(_figures(challenger), _figures(champion), strict=True):
        value, floor = _end(own, 0), _end(other, 1)
        if floor is not None and (value is None or value < floor):
            shown = "unknown" if value is None else f"{value:.3g}"
            return Verdict(
                passed=False, reason=f"its recorded skill {shown} lies below the champion's interval ({floor:.3g} on)"
            )
    return Verdict(passed=True, reason="its recorded skill is not below the champion's interval")


def _figures(bundle: Bundle) -> list[Mapping[str, Sequence[float | None]]]:
    said: Sequence[Answer | Actions] = bundle.answers if bundle.actions is None else (bundle.actions,)
    return [one.metrics for one in said]


def _end(figures: Mapping[str, Sequence[float | None]], end: int) -> float | None:
    figure = figures.get("skill") or figures.get("gain")
    return None if figure is None else figure[end]


def _asked(task: TaskConfig) -> dict[str, object]:
    return task.model_dump(mode="json")


def _measured(setting: Setting, champion: Bundle, trained: Sequence[Trained]) -> list[Measured]:
    """Losses of both at every horizon, on the challenger's test rows."""
    measured = []
    for one, other in zip(trained, champion.answers, strict=True):
        if one.tested is None or one.split.fitted_days != other.fitted_days:
            continue
        asked = Asked(
            champion.task, one.split.fitted_days, champion.features, setting.end, setting.config.train.max_rows
        )
        rows = examples(setting.parts, asked, [one.split.test])
        said = other.expected(rows.values, champion.features.position, one.split.test).mean
        loss = float(one.question.losses(rows, said, one.tested.cap).mean())
        measured.append(Measured(other.horizon_days, one.tested.metrics["loss"][0], loss))
    return measured
