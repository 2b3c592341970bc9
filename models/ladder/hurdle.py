"""Money by trees: whether anything comes times how much, or what corrects the orders of a process."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import expit

from features.arrays import Floats
from models.btyd.expectations import Expectations, packed
from models.ladder.lightgbm import Trees
from models.ladder.purchase_process import NEVER, PurchaseProcess
from models.ladder.rung import zero_for_nan
from models.ladder.trees import contributions, widened
from models.prediction import Packed, Position, Prediction


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
        ever, tenure = (zero_for_nan(values[:, position[name]]) for name in (self.ever, self.tenure))
        return (ever + 0.5) / (tenure + self.span_days) * self.span_days

    def order_value(self, values: Floats, position: Position) -> Floats:
        """A customer's own money per order, drawn to the typical one by as much as `OWN_ORDERS` orders weigh."""
        count = sum(zero_for_nan(values[:, position[name]]) for name in self.counts)
        money = sum(zero_for_nan(values[:, position[name]]) for name in self.sums)
        shrunk = (money + OWN_ORDERS * self.typical) / (count + OWN_ORDERS)
        return np.asarray(np.maximum(shrunk, self.typical / 100))


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
    expectations: Expectations | None = None
    name: str = "hurdle"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Expected money; parts `p_none`, `orders` (expected number) and `order_value`."""
        wide = widened(self.expectations, values, position)
        p_buys = np.asarray(expit(self.buys.raw(wide)))
        orders = p_buys * (1.0 + self._more(wide, values, position))
        order_value = self.history.order_value(values, position) * self.correction
        parts = {"p_none": 1.0 - p_buys, "orders": orders, "order_value": order_value}
        return Prediction(orders * order_value, parts)

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the logarithm of the expected money, (n, n_features); TreeSHAP, so slow."""
        wide = widened(self.expectations, values, position)
        more, p_buys = self._more(wide, values, position), expit(self.buys.raw(wide))
        share = more / (1.0 + more)  # of a step in log(more) that reaches log(1 + more)
        moved = (1.0 - p_buys)[:, None] * contributions(self.buys, self.expectations, values, position)
        moved += share[:, None] * contributions(self.more, self.expectations, values, position)
        order_value = self.history.order_value(values, position)
        moved[:, position[self.history.sums[0]]] += np.log(order_value / self.history.typical)
        return np.asarray(moved)

    def pack(self) -> Packed:
        """Both trees' texts beside JSON."""
        plain = {"history": asdict(self.history), "correction": self.correction, "name": self.name}
        return {"rung": "hurdle", **plain, **packed(self.expectations)}, {
            "buys": self.buys.text,
            "more": self.more.text,
        }

    def _more(self, wide: Floats, values: Floats, position: Position) -> Floats:
        return np.asarray(self.history.pace(values, position) * np.exp(self.more.raw(wide)))


@dataclass(frozen=True, eq=False)
class Orders:
    """Money as orders times the money of an order: trees correct the orders that a process expects.

    `correction` is the ratio of summed outcomes to summed predictions over the rows fitted on.
    """

    trees: Trees
    expectations: Expectations
    correction: float = 1.0
    name: str = "poisson"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Expected money; parts `p_none`, `orders` and `order_value`."""
        ahead = self.expectations.ahead(values, position)
        times = np.exp(self.trees.raw(ahead.beside(values)))
        prediction = self._process.predict_ahead(ahead)
        parts = {
            "p_none": prediction.parts["p_none"] ** times,
            "orders": prediction.parts["orders"] * times,
            "order_value": prediction.parts["order_value"],
        }
        return Prediction(prediction.mean * times, parts)

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the logarithm of the expected money, (n, n_features); TreeSHAP, so slow."""
        contribution = contributions(self.trees, self.expectations, values, position)
        return np.asarray(contribution + self._process.moved(values, position))

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        plain = {"rung": "orders", "correction": self.correction, "name": self.name}
        return {**plain, **packed(self.expectations)}, {"trees": self.trees.text}

    @property
    def _process(self) -> PurchaseProcess:
        return PurchaseProcess(self.expectations, "money", NEVER, self.correction)
