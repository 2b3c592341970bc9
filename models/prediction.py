"""What every rung gives back: a prediction, and a plain form of itself to store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.arrays import Floats

Position = Mapping[str, int]  # of the columns of a panel's values, by feature name
Packed = tuple[dict[str, Any], dict[str, str]]  # JSON and named texts
EPS = 1e-15  # what a logarithm is taken of instead of nothing


@dataclass(frozen=True)
class Prediction:
    """Per row: `mean` is the probability or the expected money; `parts` holds named columns that explain it (such as
    `p_none`).
    """

    mean: Floats
    parts: Mapping[str, Floats] = field(default_factory=dict)
