"""The features that moved a score most, by TreeSHAP. They take milliseconds a row, so only on request."""

import numpy as np

from features.arrays import Floats
from features.panel.build import Panel
from models.ladder.average import moved
from models.ladder.rung import Rung
from serving.scoring.scores import Reasons

MOST_REASONS = 3  # as many as a person reads


def strongest_reasons(rung: Rung, panel: Panel) -> Reasons:
    """The features that moved each row's prediction most, the strongest first, of those that moved it at all."""
    shift = contributions(rung, panel)
    strongest = np.argsort(-np.abs(shift), axis=1, kind="stable")[:, :MOST_REASONS]
    strongest_shift = np.take_along_axis(shift, strongest, axis=1)
    return Reasons(
        features=panel.features.features,
        feature=np.where(strongest_shift == 0.0, -1, strongest),
        raises=strongest_shift > 0.0,
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
