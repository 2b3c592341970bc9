"""What is tried when: the given growths first, then what TPE makes of all that was finished before.

Optuna's own sampler draws from one stream for as long as its process lives, so that a search that was killed goes on
otherwise than one that was not. Here every turn has a stream of its own, and a turn that was lost is taken again.
"""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

AT_RANDOM = 5  # trials before TPE has something to go by


class SeededTPE(BaseSampler):
    """A sampler whose suggestion follows from the seed, the turn, and the trials that were finished by then."""

    def __init__(self, given: Sequence[dict[str, float]], seed: int, *, shared: bool) -> None:
        self._given, self._seed, self._shared = given, seed, shared
        self._begin(0)

    def describe(self) -> dict[str, Any]:
        """What it is made of, for the record: a new release of Optuna changes its defaults."""
        return {"sampler": "TPE", "seed": self._seed, **self._pinned()}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """A trial's turn is the number of those before it that are not lost."""
        before = (other for other in study.get_trials(deepcopy=False) if other.number < trial.number)
        self._begin(sum(other.state != TrialState.FAIL for other in before))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What TPE decides together: nothing where a growth is given."""
        return {} if self._values else self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What TPE decides together."""
        return {} if self._values else self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A given value, or what TPE decides alone."""
        if self._values:
            return self._values[param_name]
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def _begin(self, turn: int) -> None:
        self.turn = turn
        self._values = self._given[turn] if turn < len(self._given) else {}
        self._tpe = TPESampler(seed=self._seed + turn, **self._pinned())

    def _pinned(self) -> dict[str, Any]:
        return {"n_startup_trials": AT_RANDOM, "multivariate": True, "constant_liar": self._shared}
