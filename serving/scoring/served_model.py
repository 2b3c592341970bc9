"""A bundle in service."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.panel.comparisons import count_keys
from features.store.reader import Store
from features.timeline import moment
from models.bundle import Bundle
from models.grades import activity
from models.tasks import membership

EVALUATION = ("metrics", "baseline_metrics", "notes")


@dataclass(frozen=True, eq=False)
class ServedBundle:
    """A bundle under the version that the registry gave it."""

    bundle: Bundle
    version: str

    @property
    def name(self) -> str:
        """The task's name."""
        return self.bundle.task.name

    @cached_property
    def activity(self) -> Feature:
        """The feature that decides whether a customer's data are thin."""
        return activity(self.bundle.task)

    @cached_property
    def population_features(self) -> FeatureSet:
        """The features that decide who is in the task's population, and whose data are thin."""
        return FeatureSet((self.activity,)).union(membership(self.bundle.task))

    def description(self) -> dict[str, Any]:
        """The fields of `ServedModel`."""
        actions = self.bundle.actions
        predictors = [(predictor, predictor.rung.name) for predictor in self.bundle.predictors]
        horizons = predictors if actions is None else [(actions, actions.rung)]
        return {
            "task": self.name,
            "kind": self.bundle.task.kind,
            "model_version": self.version,
            "bundle": self.bundle.digest,
            "trained_as_of": moment(self.bundle.trained_as_of_us),
            "horizons": [
                {"rung": rung, **{name: getattr(horizon, name) for name in ("horizon_days", "grade", *EVALUATION)}}
                for horizon, rung in horizons
            ],
        }


def with_global_counts(store: Store, served: Sequence[ServedBundle]) -> Store:
    """The store with what all customers together did, where features of the bundles compare a customer with it."""
    return store.with_global_counts(count_keys(*(model.bundle.features for model in served)))
