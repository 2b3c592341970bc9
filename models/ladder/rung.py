"""The rungs of the ladder behind one interface: `predict(values, position) -> Prediction`, and a plain form to store.

A rung reads a panel's `values` (n_rows × n_features, float64) by feature name through `position`. `pack` gives plain
JSON and named texts; `unpack` takes them back. Nothing here fits anything: that is the work of `training`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, logit

from features.errors import BundleError
from features.journeys import Floats
from models.btyd.expectations import Expectations, packed, unpack_expectations
from models.ladder.lightgbm import Trees
from models.ladder.logistic import Linear, log_odds, unpack_linear
from models.ladder.purchase_process import NEVER, Btyd, unpack_btyd
from models.prediction import TINY, Packed, Position, Prediction


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
        return Prediction(_known(values[:, position[self.feature]]) * self.factor)

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        return {"rung": "scaled", **asdict(self)}, {}


@dataclass(frozen=True, eq=False)
class Probability:
    """Boosted trees under a logistic link; with `expectations` they read those of a process as further columns.

    Trees correct what they started from: the log-odds `base` of all, or with `start` those that a process gives.
    """

    trees: Trees
    expectations: Expectations | None = None
    base: float = 0.0
    start: Btyd | None = None
    name: str = "lightgbm"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability of the outcome."""
        total = self.trees.raw(_widened(self.expectations, values, position)) + self.base
        if self.start is not None:
            total = total + log_odds(self.start, values, position)
        return Prediction(np.asarray(expit(total)))

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the log-odds, (n, n_features); TreeSHAP, so slow."""
        moved = _contributions(self.trees, self.expectations, values, position)
        return moved if self.start is None else moved + self.start.moved(values, position)

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        start = None if self.start is None else self.start.pack()[0]
        plain = {"rung": "probability", "name": self.name, "base": self.base, "start": start}
        return {**plain, **packed(self.expectations)}, {"trees": self.trees.text}


@dataclass(frozen=True, eq=False)
class Average:
    """Unlike rungs averaged with equal weight: probabilities by their log-odds (`odds`), money as it is."""

    rungs: tuple["Rung", ...]
    odds: bool
    name: str = "average"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The average, of parts as well."""
        said = [rung.predict(values, position) for rung in self.rungs]
        if self.odds:
            logits = [logit(np.clip(one.mean, SURE, 1 - SURE)) for one in said]
            return Prediction(np.asarray(expit(sum(logits) / len(said))))
        mean, p_none, orders = (
            np.asarray(sum(column) / len(said))
            for column in zip(*((one.mean, one.parts["p_none"], one.parts["orders"]) for one in said), strict=True)
        )
        return Prediction(mean, {"p_none": p_none, "orders": orders, "order_value": mean / np.maximum(orders, TINY)})

    def moved(self, values: Floats, position: Position) -> Floats:
        """The average of what moved the rungs, (n, n_features)."""
        return np.asarray(sum(moved(rung, values, position) for rung in self.rungs) / len(self.rungs))

    def pack(self) -> Packed:
        """All rungs' JSON, and their texts by number."""
        packed = [rung.pack() for rung in self.rungs]
        texts = {f"{index}-{name}": text for index, (_, held) in enumerate(packed) for name, text in held.items()}
        return {"rung": "average", "odds": self.odds, "name": self.name, "rungs": [plain for plain, _ in packed]}, texts


SURE = 1e-3  # in an average no rung is surer than this, so that none decides alone


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
        ever, tenure = (_known(values[:, position[name]]) for name in (self.ever, self.tenure))
        return (ever + 0.5) / (tenure + self.span_days) * self.span_days

    def order_value(self, values: Floats, position: Position) -> Floats:
        """A customer's own money per order, drawn to the typical one by as much as `OWN_ORDERS` orders weigh."""
        count = sum(_known(values[:, position[name]]) for name in self.counts)
        money = sum(_known(values[:, position[name]]) for name in self.sums)
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
    expectations: Expectations | None = None
    name: str = "hurdle"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Expected money; parts `p_none`, `orders` (expected number) and `order_value`."""
        wide = _widened(self.expectations, values, position)
        p_buys = np.asarray(expit(self.buys.raw(wide)))
        orders = p_buys * (1.0 + self._more(wide, values, position))
        order_value = self.history.order_value(values, position) * self.correction
        parts = {"p_none": 1.0 - p_buys, "orders": orders, "order_value": order_value}
        return Prediction(orders * order_value, parts)

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the logarithm of the expected money, (n, n_features); TreeSHAP, so slow."""
        wide = _widened(self.expectations, values, position)
        more, p_buys = self._more(wide, values, position), expit(self.buys.raw(wide))
        share = more / (1.0 + more)  # of a step in log(more) that reaches log(1 + more)
        moved = (1.0 - p_buys)[:, None] * _contributions(self.buys, self.expectations, values, position)
        moved += share[:, None] * _contributions(self.more, self.expectations, values, position)
        own = self.history.order_value(values, position)
        moved[:, position[self.history.sums[0]]] += np.log(own / self.history.typical)
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
        said = self._process.said(ahead)
        parts = {
            "p_none": said.parts["p_none"] ** times,
            "orders": said.parts["orders"] * times,
            "order_value": said.parts["order_value"],
        }
        return Prediction(said.mean * times, parts)

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the logarithm of the expected money, (n, n_features); TreeSHAP, so slow."""
        own = _contributions(self.trees, self.expectations, values, position)
        return np.asarray(own + self._process.moved(values, position))

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        plain = {"rung": "orders", "correction": self.correction, "name": self.name}
        return {**plain, **packed(self.expectations)}, {"trees": self.trees.text}

    @property
    def _process(self) -> Btyd:
        return Btyd(self.expectations, "money", NEVER, self.correction)


def moved(rung: Rung, values: Floats, position: Position) -> Floats:
    """How far each feature moved each row's score from the average, (n, n_features).

    In log-odds, or in the logarithm of money; a rule's in the score itself.
    """
    if isinstance(rung, Probability | Linear | Hurdle | Orders | Btyd | Average):
        return rung.moved(values, position)
    shift = np.zeros(values.shape)
    match rung:
        case Binned():
            shift[:, position[rung.feature]] = rung.predict(values, position).mean - np.mean(rung.means)
        case Scaled():
            shift[:, position[rung.feature]] = rung.predict(values, position).mean
    return shift


def gains(rung: Rung, position: Position) -> dict[str, Floats]:
    """By booster what the trees gained from each feature, (n_features,)."""
    match rung:
        case Probability() | Orders():
            held = {"trees": rung.trees}
        case Hurdle():
            held = {"buys": rung.buys, "more": rung.more}
        case Average():
            return {name: gain for one in rung.rungs for name, gain in gains(one, position).items()}
        case _:
            return {}
    fold = rung.expectations
    rows = {name: trees.importance()[None, :] for name, trees in held.items()}
    return {name: (row if fold is None else fold.folded(row, position))[0] for name, row in rows.items()}


def _known(column: Floats) -> Floats:
    """With 0 for NaN; NumPy's own takes ten times as long for one row."""
    return np.where(np.isnan(column), 0.0, column)


def _widened(expectations: Expectations | None, values: Floats, position: Position) -> Floats:
    return values if expectations is None else expectations.widened(values, position)


def _contributions(trees: Trees, expectations: Expectations | None, values: Floats, position: Position) -> Floats:
    shares = trees.contributions(_widened(expectations, values, position))[:, :-1]
    return shares if expectations is None else expectations.folded(shares, position)


def unpack(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Rung:
    """The rung that `pack` wrote; BundleError for a rung this version does not know."""
    unpacked = UNPACK.get(plain["rung"])
    if unpacked is None:
        raise BundleError(
            f"the bundle holds the rung '{plain['rung']}', which this version does not know; upgrade or retrain"
        )
    return unpacked(plain, texts)


def _given(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What was packed, lists as tuples again."""
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "rung"
    }
    if "expectations" in given:
        given["expectations"] = unpack_expectations(given["expectations"])
    return given


def _average(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Average:
    rungs = tuple(unpack(one, _numbered(texts, index)) for index, one in enumerate(plain["rungs"]))
    return Average(**{**_given(plain), "rungs": rungs})


def _probability(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Probability:
    start = None if plain.get("start") is None else unpack_btyd(plain["start"])
    return Probability(Trees.from_text(texts["trees"]), **{**_given(plain), "start": start})


def _hurdle(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Hurdle:
    history = History(**_given(plain["history"]))
    buys, more = (Trees.from_text(texts[name]) for name in ("buys", "more"))
    return Hurdle(buys, more, **{**_given(plain), "history": history})


def _orders(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Orders:
    return Orders(Trees.from_text(texts["trees"]), **_given(plain))


UNPACK: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, str]], Rung]] = MappingProxyType(
    {
        "binned": lambda plain, _: Binned(**_given(plain)),
        "scaled": lambda plain, _: Scaled(**_given(plain)),
        "btyd": lambda plain, _: unpack_btyd(plain),
        "logistic": lambda plain, _: unpack_linear(plain),
        "probability": _probability,
        "hurdle": _hurdle,
        "orders": _orders,
        "average": _average,
    }
)


def _numbered(texts: Mapping[str, str], index: int) -> dict[str, str]:
    start = f"{index}-"
    return {name.removeprefix(start): text for name, text in texts.items() if name.startswith(start)}
