"""What all tasks of a training share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from features.config.sections import Config
from features.language.feature_set import FeatureSet
from models.ladder.lightgbm import TreeParameters
from training.dataset.examples import Parts
from training.tuning.budget import Budget


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What all tasks of a training share. `first` is where history starts, `end` where labels end (µs UTC); `reasons`
    say why each feature is there; `champions` is how the trees grew that serve now, by task and horizon; `studied` asks
    for what pictures show beside the test; `data` is the digest of the store's buckets.
    """

    config: Config
    parts: Parts
    features: FeatureSet
    reasons: Mapping[str, str]
    as_of: int
    first: int
    end: int
    budget: Budget
    tell: Callable[[str], None]
    champions: Mapping[tuple[str, int], TreeParameters] = field(default_factory=dict)
    diagnose: bool = False
    data: str = ""
