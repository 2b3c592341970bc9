"""What is known of a training when it is over: all that its run, its card and its pictures are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.arrays import Floats
from models.bundle import Bundle
from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.evaluation.diagnostics import Diagnostics
from training.evaluation.evaluate import Evaluation
from training.horizon import Trained
from training.selection.choose import Candidate


@dataclass(frozen=True, eq=False)
class HorizonEvidence:
    """How the answer for one horizon was chosen and tested; arrays have one entry per row of the test.

    `split` holds the dates (ISO), `test` among them; `rows` how many each part has; `chosen` the hyper-parameters;
    `judged` the recipes that were held against each other, `silent` those for the chance of silence beside money;
    `trials` the table of what was tried for trees, `importances` what mattered in it. `model` and `baseline` predict
    `truth`; `low`, `high` is the 90 % interval.
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
    judged: Sequence[Candidate] = ()
    silent: Sequence[Candidate] = ()
    importances: Mapping[str, float] | None = None
    studied: Diagnostics = field(default_factory=Diagnostics)


@dataclass(frozen=True, eq=False)
class Evidence:
    """One training of one task. `folder` holds the saved bundle, `store_digest` is the SHA-256 of the store's manifest.

    `horizons` has one entry per horizon that had history enough; a next_action task has none: its bundle says it all.
    """

    bundle: Bundle
    folder: Path
    store_digest: str
    horizons: tuple[HorizonEvidence, ...]

    @property
    def predictors(self) -> tuple[Predictor | Actions, ...]:
        """What the bundle says: an answer per horizon, or the actions."""
        return self.bundle.predictors if self.bundle.actions is None else (self.bundle.actions,)

    def suffix(self, horizon_days: int) -> str:
        """What names end in where there are several horizons."""
        return f"_{horizon_days}d" if len(self.bundle.predictors) > 1 else ""

    def of(self, horizon_days: int) -> HorizonEvidence | None:
        """How the answer for this horizon was tested; None where it was not."""
        return next((one for one in self.horizons if one.horizon_days == horizon_days), None)


def evidence(bundle: Bundle, folder: Path, store_digest: str, trained: Sequence[Trained]) -> Evidence:
    """What there is to say of a trained and saved bundle."""
    return Evidence(
        bundle, folder, store_digest, tuple(_horizon(one, one.evaluation) for one in trained if one.evaluation)
    )


def rung_name(said: Predictor | Actions) -> str:
    """The name of the rung that serves."""
    return said.rung if isinstance(said, Actions) else said.rung.name


def _horizon(one: Trained, tested: Evaluation) -> HorizonEvidence:
    return HorizonEvidence(
        horizon_days=one.predictor.horizon_days,
        split=one.split.describe(),
        rows=one.rows,
        chosen=one.choice.recipe.describe(),
        trials=one.choice.trials,
        truth=tested.truth,
        model=tested.model,
        baseline=tested.baseline,
        low=tested.low,
        high=tested.high,
        judged=one.choice.judged,
        silent=one.quiet.judged if one.quiet else (),
        importances=one.choice.importances,
        studied=one.diagnostics or Diagnostics(),
    )
