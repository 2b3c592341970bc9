"""Gradient-boosted trees: the LightGBM door.

A fitted booster travels as LightGBM's own text. That loader is not memory-safe, so text may only come from a bundle
whose digests were checked, or from a fit in this very process.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from features.arrays import Floats

Stop = Callable[[int, float], bool]  # (number of trees, loss on later rows so far) -> give up
QUIET: Mapping[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,  # min_data_in_leaf may change without binning again
}
MOST_TREES = 600
PATIENCE = 30  # trees without progress on the later rows


@dataclass(frozen=True, eq=False)
class Trees:
    """A fitted booster; `text` is LightGBM's model text."""

    text: str
    booster: lgb.Booster

    @staticmethod
    def from_text(text: str) -> "Trees":
        """The booster that `text` describes; the text must come from a checked bundle."""
        return Trees(text, lgb.Booster(model_str=text))

    @property
    def count(self) -> int:
        """Number of trees."""
        return int(self.booster.num_trees())

    def raw(self, values: Floats) -> Floats:
        """The sum over all trees (before any link) for `values` of shape (n, n_features).

        The bits of a row are the same alone and among many.
        """
        if not len(values):
            return np.zeros(0)
        return np.asarray(self.booster.predict(values, raw_score=True, num_threads=1), np.float64)

    def importance(self) -> Floats:
        """Total gain of each feature, in column order."""
        return np.asarray(self.booster.feature_importance("gain"), np.float64)

    def contributions(self, values: Floats) -> Floats:
        """TreeSHAP values of shape (n, n_features + 1); the last column is the expectation. Milliseconds a row."""
        return np.asarray(self.booster.predict(values, pred_contrib=True, num_threads=1), np.float64)


STORED_NAMES: Mapping[str, str] = {  # in bundles and in older runs, by LightGBM's own names
    "num_leaves": "leaves",
    "min_data_in_leaf": "min_rows",
    "feature_fraction": "feature_share",
    "bagging_fraction": "row_share",
    "lambda_l2": "l2",
    "learning_rate": "rate",
}


@dataclass(frozen=True)
class TreeParameters:
    """How trees are grown, by LightGBM's names; the two fractions are drawn anew for every tree."""

    num_leaves: int = 8
    min_data_in_leaf: int = 100
    feature_fraction: float = 0.4
    bagging_fraction: float = 0.7
    lambda_l2: float = 10.0
    learning_rate: float = 0.12

    def describe(self) -> dict[str, float]:
        """The hyper-parameters by LightGBM's names."""
        return asdict(self)

    def pack(self) -> dict[str, float]:
        """Plain JSON from which `unpack_tree_parameters` makes the same, by the names that bundles have."""
        return {STORED_NAMES[name]: value for name, value in asdict(self).items()}


def unpack_tree_parameters(plain: Mapping[str, Any]) -> TreeParameters:
    """What `pack` wrote; LightGBM's own names are read too."""
    return TreeParameters(**{lightgbm_name(name): value for name, value in plain.items()})


def lightgbm_name(name: str) -> str:
    """LightGBM's name of a hyper-parameter by its stored one; any other name as it is.

    >>> lightgbm_name("leaves")
    'num_leaves'
    """
    return _LIGHTGBM_NAMES.get(name, name)


_LIGHTGBM_NAMES: Mapping[str, str] = {stored: name for name, stored in STORED_NAMES.items()}


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to learn from or to stop by, binned once and used for many fits."""

    dataset: lgb.Dataset


def sample(values: Floats, outcome: Floats, *, init_score: Floats | None = None, like: Sample | None = None) -> Sample:
    """Rows with their outcome. The sum over trees starts from `init_score` (before any link); `like` lends its bins."""
    reference = None if like is None else like.dataset
    dataset = lgb.Dataset(
        values, outcome, init_score=init_score, reference=reference, params={**QUIET, "num_threads": 1}
    )
    return Sample(dataset.construct())


@dataclass(frozen=True)
class TreeTrainer:
    """What is the same for all fits of a training: `objective` is LightGBM's name of the loss."""

    objective: str
    seed: int
    threads: int

    def grow(self, rows: Sample, parameters: TreeParameters, trees: int) -> Trees:
        """As many trees as asked for. The text names one thread, however many grew them: the trees are the same."""
        booster = lgb.train(self._parameters(parameters), rows.dataset, trees)
        return Trees.from_text(booster.model_to_string().replace(f"[num_threads: {self.threads}]", "[num_threads: 1]"))

    def count_trees(
        self, rows: Sample, later: Sample, parameters: TreeParameters, stop: Stop | None = None
    ) -> tuple[int, float]:
        """The number of trees with the lowest loss on later rows, and that loss (the objective's own)."""
        calls: list[Callable[..., Any]] = [lgb.early_stopping(PATIENCE, verbose=False)]
        if stop is not None:
            calls.append(_stopping(stop))
        booster = lgb.train(
            self._parameters(parameters), rows.dataset, MOST_TREES, valid_sets=[later.dataset], callbacks=calls
        )
        ((loss,),) = (scores.values() for scores in booster.best_score.values())
        return max(booster.best_iteration, 1), _same(loss)

    def _parameters(self, parameters: TreeParameters) -> dict[str, Any]:
        return {
            **QUIET,
            "objective": self.objective,
            **parameters.describe(),
            "bagging_freq": 1,
            "seed": self.seed,
            "num_threads": self.threads,
        }


def _same(loss: float) -> float:
    """A loss without the last digits, which tell how many threads summed it up."""
    return float(f"{loss:.12g}")


def _stopping(stop: Stop) -> Callable[[Any], None]:
    def after_tree(environment: Any) -> None:
        losses = [loss for _, _, loss, *_ in environment.evaluation_result_list]
        if stop(environment.iteration + 1, _same(losses[0])):
            raise lgb.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list)

    return after_tree
