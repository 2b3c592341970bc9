"""What all tasks of a training share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from features.config.sections import Config
from features.language.feature_set import FeatureSet
from models.ladder.lightgbm import TreeParameters
from training.dataset.examples import Parts
from training.tuning.budget import Budget


class Phase(StrEnum):
    """What a training is at. How long it took is the metric `seconds_` + the value."""

    SURVEY = "surveying"
    GLOBAL_COUNTS = "counting"
    ACTIONS = "learning"
    PANEL = "panel"
    AUDIT = "audit"
    CHOICE = "choosing"
    TEST = "testing"
    FIT = "fitting"
    DIAGNOSTICS = "studying"
    GATE = "gate"
    REFIT_CHAMPION = "refitting"
    CHILD_RUNS = "trials"
    PICTURES = "pictures"
    REGISTRATION = "registering"


OnProgress = Callable[[Phase, str], None]  # (phase that begins or goes on, message for a person)


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What all tasks of a training share. `first` is where history starts, `end` where labels end (µs UTC); `reasons`
    say why each feature is there; `champions` are the parameters of the trees that serve now, by task and horizon;
    `diagnose` asks for what pictures show beside the test; `data` is the digest of the store's buckets.
    """

    config: Config
    parts: Parts
    features: FeatureSet
    reasons: Mapping[str, str]
    as_of: int
    first: int
    end: int
    budget: Budget
    on_progress: OnProgress
    champions: Mapping[tuple[str, int], TreeParameters] = field(default_factory=dict)
    diagnose: bool = False
    data: str = ""
