"""Why a score is what it is: the features that moved it most, by TreeSHAP. Milliseconds a row, so only on request."""

import numpy as np

from features.arrays import Floats
from features.panel.build import Panel
from models.ladder.average import moved
from models.ladder.rung import Rung
from serving.scoring.scores import Why

REASONS = 3  # as many as a person reads


def why(rung: Rung, panel: Panel) -> Why:
    """The strongest reasons for what the rung says about each row, of features that have moved it at all."""
    shift = contributions(rung, panel)
    strongest = np.argsort(-np.abs(shift), axis=1, kind="stable")[:, :REASONS]
    by = np.take_along_axis(shift, strongest, axis=1)
    return Why(
        features=panel.features.features,
        feature=np.where(by == 0.0, -1, strongest),
        raises=by > 0.0,
        value=np.take_along_axis(panel.values, strongest, axis=1),
    )


def contributions(rung: Rung, panel: Panel) -> Floats:
    """How far each feature moved each row's score from the average, shape (n, n_features).

    In log-odds, or in the logarithm of money; a rule's in the score itself.
    """
    values, position = panel.values, panel.features.position
    if not len(values):
        return values
    return moved(rung, values, position)
