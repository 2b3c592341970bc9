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

FIGURES = ("metrics", "baseline_metrics", "notes")


@dataclass(frozen=True, eq=False)
class Served:
    """A bundle under the version that the registry gave it."""

    bundle: Bundle
    version: str

    @property
    def name(self) -> str:
        """The task's name."""
        return self.bundle.task.name

    @cached_property
    def activity(self) -> Feature:
        """What thin data are judged by."""
        return activity(self.bundle.task)

    @cached_property
    def asking(self) -> FeatureSet:
        """The features that say whether the task asks about a customer, and how thin the data are."""
        return FeatureSet((self.activity,)).union(membership(self.bundle.task))

    def described(self) -> dict[str, Any]:
        """The fields of `ServedModel`."""
        actions = self.bundle.actions
        said = [(answer, answer.rung.name) for answer in self.bundle.predictors]
        horizons = said if actions is None else [(actions, actions.rung)]
        return {
            "task": self.name,
            "kind": self.bundle.task.kind,
            "model_version": self.version,
            "bundle": self.bundle.digest,
            "trained_as_of": moment(self.bundle.trained_as_of_us),
            "horizons": [
                {"rung": rung, **{name: getattr(one, name) for name in ("horizon_days", "grade", *FIGURES)}}
                for one, rung in horizons
            ],
        }


def attended(store: Store, served: Sequence[Served]) -> Store:
    """The store with what everybody did, where the bundles compare customers with it."""
    return store.with_global_counts(count_keys(*(one.bundle.features for one in served)))
