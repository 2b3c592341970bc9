"""The rungs of the ladder behind one interface: `predict(values, position) -> Prediction`, and a plain form to store.

A rung reads a panel's `values` (n_rows × n_features, float64) by feature name through `position`. `pack` gives plain
JSON and named texts; `unpack` takes them back. Nothing here fits anything: that is the work of `training`.
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
    """Per row: `mean` is the probability or the expected money; `parts` holds named columns that explain it (such as
    `p_none`).
    """

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

    `edges` are ascending; bin `i` holds `edges[i-1] < x <= edges[i]`. `means` has one more entry than there are bins:
    the last is for NaN.
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

    def predict(self, values: Floats, position: Position) -> Prediction:  # noqa: ARG002  trees go by column
        """The probability of the outcome."""
        return Prediction(np.asarray(expit(self.trees.raw(values))))

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        return {"rung": "probability", "name": self.name}, {"trees": self.trees.text}


@dataclass(frozen=True)
class History:
    """What a hurdle reads of a customer's past, by feature name, and the base's average that thin pasts lean to.

    `ever` counts all orders and `tenure` is the days since the first. `counts` and `sums` are pairs of windows: orders
    and their money. `typical` is the base's average money per order (above 0), `span_days` the horizon fitted on.
    """

    ever: str
    tenure: str
    counts: tuple[str, ...]
    sums: tuple[str, ...]
    typical: float
    span_days: float

    def pace(self, values: Floats, position: Position) -> Floats:
        """Orders to be expected in the span if the past simply went on; half an order for nobody known."""
        ever, tenure = (np.nan_to_num(values[:, position[name]]) for name in (self.ever, self.tenure))
        return (ever + 0.5) / (tenure + self.span_days) * self.span_days

    def order_value(self, values: Floats, position: Position) -> Floats:
        """A customer's own money per order, drawn to the typical one by as much as `OWN_ORDERS` orders weigh."""
        count = sum(np.nan_to_num(values[:, position[name]]) for name in self.counts)
        money = sum(np.nan_to_num(values[:, position[name]]) for name in self.sums)
        own = (money + OWN_ORDERS * self.typical) / (count + OWN_ORDERS)
        return np.asarray(np.maximum(own, self.typical / 100))


OWN_ORDERS = 3.0


@dataclass(frozen=True, eq=False)
class Hurdle:
    """Money as the chance of any order, times the orders if there is one, times the money of an order.

    Orders if any are `1 + pace · exp(more)`: trees only correct what the customer's own past says, so money far outside
    of what was seen in training needs no extrapolation by trees. `correction` is the ratio of summed outcomes to summed
    predictions over the rows fitted on.
    """

    buys: Trees
    more: Trees
    history: History
    correction: float = 1.0
    name: str = "hurdle"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Expected money; parts `p_none`, `orders` (expected number) and `order_value`."""
        p_buys = np.asarray(expit(self.buys.raw(values)))
        orders = p_buys * (1.0 + self._more(values, position))
        order_value = self.history.order_value(values, position) * self.correction
        parts = {"p_none": 1.0 - p_buys, "orders": orders, "order_value": order_value}
        return Prediction(orders * order_value, parts)

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the logarithm of the expected money, (n, n_features); TreeSHAP, so slow."""
        more, p_buys = self._more(values, position), expit(self.buys.raw(values))
        share = more / (1.0 + more)  # of a step in log(more) that reaches log(1 + more)
        moved = (1.0 - p_buys)[:, None] * self.buys.contributions(values)[:, :-1]
        moved += share[:, None] * self.more.contributions(values)[:, :-1]
        own = self.history.order_value(values, position)
        moved[:, position[self.history.sums[0]]] += np.log(own / self.history.typical)
        return np.asarray(moved)

    def pack(self) -> Packed:
        """Both trees' texts beside JSON."""
        plain = {"history": asdict(self.history), "correction": self.correction, "name": self.name}
        return {"rung": "hurdle", **plain}, {"buys": self.buys.text, "more": self.more.text}

    def _more(self, values: Floats, position: Position) -> Floats:
        return np.asarray(self.history.pace(values, position) * np.exp(self.more.raw(values)))


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
            past: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in given.pop("history").items()
            }
            return Hurdle(trees["buys"], trees["more"], History(**past), **given)
        case unknown:
            raise BundleError(
                f"the bundle holds the rung '{unknown}', which this version does not know; upgrade or retrain"
            )
