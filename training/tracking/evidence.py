"""What is known of a training when it is over: all that its run, its card and its pictures are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bundle import Bundle
from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.evaluation.diagnostics import Diagnostics
from training.evaluation.evaluate import Evaluation
from training.horizon import Trained
from training.selection.choose import Candidate
from training.tracking.metric_names import suffix


@dataclass(frozen=True, eq=False)
class HorizonEvidence:
    """A horizon that was tested, and its test; what there is in one line of the two is a property."""

    trained: Trained
    evaluation: Evaluation

    @property
    def horizon_days(self) -> int:
        """The horizon that was asked for."""
        return self.trained.split.horizon_days

    @property
    def dates(self) -> Mapping[str, str | int]:
        """Those of the split (ISO), `test` among them."""
        return self.trained.split.describe()

    @property
    def hyper_parameters(self) -> Mapping[str, object]:
        """Those of the recipe that was chosen."""
        return self.trained.choice.recipe.describe()

    @property
    def trials(self) -> Sequence[Mapping[str, object]]:
        """The table of what was tried for trees."""
        return self.trained.choice.trials

    @property
    def candidates(self) -> Sequence[Candidate]:
        """The recipes that were held against each other."""
        return self.trained.choice.candidates

    @property
    def quiet_candidates(self) -> Sequence[Candidate]:
        """Those for the chance that nobody buys, beside money."""
        return self.trained.no_purchase.candidates if self.trained.no_purchase else ()

    @property
    def diagnostics(self) -> Diagnostics:
        """What was looked at beside the test, empty where nobody asked for it."""
        return self.trained.diagnostics or Diagnostics()


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
        """Those of the bundle: one per horizon, or the actions."""
        return self.bundle.predictors if self.bundle.actions is None else (self.bundle.actions,)

    def suffix(self, horizon_days: int) -> str:
        """What names end in where there are several horizons."""
        return suffix(horizon_days) if len(self.predictors) > 1 else ""

    def of(self, horizon_days: int) -> HorizonEvidence | None:
        """What is known of a horizon; None where it was not tested."""
        return next((horizon for horizon in self.horizons if horizon.horizon_days == horizon_days), None)


def evidence(bundle: Bundle, folder: Path, store_digest: str, trained: Sequence[Trained]) -> Evidence:
    """All of a trained and saved bundle."""
    horizons = (HorizonEvidence(horizon, horizon.evaluation) for horizon in trained if horizon.evaluation)
    return Evidence(bundle, folder, store_digest, tuple(horizons))


def rung_name(predictor: Predictor | Actions) -> str:
    """The name of the rung that serves."""
    return predictor.rung if isinstance(predictor, Actions) else predictor.rung.name
