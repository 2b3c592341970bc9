"""The rungs of the ladder behind one interface: `predict(values, position) -> Prediction`, and a plain form to store.

A rung reads a panel's `values` (n_rows × n_features, float64) by feature name through `position`. `pack` gives plain JSON and named texts; `unpack` takes
them back. Nothing here fits anything: that is the work of `training`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from features.errors import BundleError
from features.journeys import Floats
from models.boosted import Trees

Position = Mapping[str, int]
Packed = tuple[dict[str, Any], dict[str, str]]  # JSON and named texts


@dataclass(frozen=True)
class Prediction:
    """Per row: `mean` is the probability or the expected money; `parts` holds named columns that explain it (such as `p_none`)."""

    mean: Floats
    parts: Mapping[str, Floats] = field(default_factory=dict)


class Rung(Protocol):
    """One model of a task's ladder."""

    @property
    def name(self) -> str:
        """The rung's name, as the score record shows it."""

    def predict(self, values: Floats, position: Position) -> Prediction:
        """What the rung says about every row."""

    def pack(self) -> Packed:
        """Plain JSON and named texts from which `unpack` makes the same rung."""


@dataclass(frozen=True)
class Binned:
    """A rule: the average outcome of customers with a like value of one feature.

    `edges` are ascending; bin `i` holds `edges[i-1] < x <= edges[i]`. `means` has one more entry than there are bins: the last is for NaN.
    """

    feature: str
    edges: tuple[float, ...]
    means: tuple[float, ...]
    name: str = "rule"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The mean of each row's bin."""
        x = values[:, position[self.feature]]
        bins = np.where(np.isnan(x), len(self.means) - 1, np.searchsorted(np.asarray(self.edges), x, side="left"))
        return Prediction(np.asarray(self.means, np.float64)[bins])

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        return {"rung": "binned", **asdict(self)}, {}


@dataclass(frozen=True)
class Scaled:
    """A rule for money: one feature times a factor (`last year's value, adjusted to the total`); NaN counts as 0."""

    feature: str
    factor: float
    name: str = "rule"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Feature times factor."""
        return Prediction(np.nan_to_num(values[:, position[self.feature]]) * self.factor)

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        return {"rung": "scaled", **asdict(self)}, {}


@dataclass(frozen=True, eq=False)
class Probability:
    """Boosted trees under a logistic link."""

    trees: Trees
    name: str = "lightgbm"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability of the outcome."""
        return Prediction(np.asarray(expit(self.trees.raw(values))))

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        return {"rung": "probability", "name": self.name}, {"trees": self.trees.text}


@dataclass(frozen=True, eq=False)
class Hurdle:
    """Money as the probability that any comes times the amount if it does.

    The amount is `scale(row) · exp(trees)`, where the scale is a row's own typical amount: `mean_feature` (NaN takes `typical`), at least
    `typical / 100`. So an amount may lie far outside what was seen in training without the trees having to extrapolate.
    """

    buys: Trees
    amount: Trees
    mean_feature: str
    typical: float
    correction: float = 1.0  # ratio of summed outcomes to summed predictions on a later period
    name: str = "hurdle"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Expected money; parts `p_none` and `amount`."""
        p_buys = np.asarray(expit(self.buys.raw(values)))
        amount = (
            scale(values[:, position[self.mean_feature]], self.typical)
            * np.exp(self.amount.raw(values))
            * self.correction
        )
        return Prediction(p_buys * amount, {"p_none": 1.0 - p_buys, "amount": amount})

    def pack(self) -> Packed:
        """Both trees' texts beside JSON."""
        plain = {
            "mean_feature": self.mean_feature,
            "typical": self.typical,
            "correction": self.correction,
            "name": self.name,
        }
        return {"rung": "hurdle", **plain}, {"buys": self.buys.text, "amount": self.amount.text}


def scale(mean: Floats, typical: float) -> Floats:
    """A customer's own typical amount, in money; `typical` where there is none."""
    return np.maximum(np.where(np.isnan(mean), typical, mean), typical / 100)


def unpack(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Rung:
    """The rung that `pack` wrote; BundleError for a rung this version does not know."""
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "rung"
    }
    trees = {name: Trees.from_text(text) for name, text in texts.items()}
    match plain["rung"]:
        case "binned":
            return Binned(**given)
        case "scaled":
            return Scaled(**given)
        case "probability":
            return Probability(trees["trees"], **given)
        case "hurdle":
            return Hurdle(trees["buys"], trees["amount"], **given)
        case unknown:
            raise BundleError(
                f"the bundle holds the rung '{unknown}', which this version does not know; upgrade or retrain"
            )
