"""A purchase process that serves as it is, without trees: silence after so many days with orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from features.arrays import Floats
from models.btyd.expectations import Ahead, Expectations, packed, unpack_expectations
from models.prediction import EPS, Packed, Position, Prediction

FIELD_BY_KEY: Mapping[str, str] = {"asked": "outcome"}  # where a bundle has another name for it
NEVER = 0.5  # chance of silence, and orders, of who never bought, where nothing is known of such people


@dataclass(frozen=True)
class PurchaseProcess:
    """A purchase process as it is: what it predicts is the chance of silence or of an event, or money (`outcome`).

    `never` is the chance of silence of who never did what the task asks about. `correction` is the ratio of summed
    money to summed predictions over the rows fitted on.
    """

    expectations: Expectations
    outcome: str
    never: float
    correction: float = 1.0
    name: str = "btyd"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability, or money with parts `p_none`, `orders` and `order_value`."""
        return self.predict_ahead(self.expectations.ahead(values, position))

    def predict_ahead(self, ahead: Ahead) -> Prediction:
        """The same, from what the process expects of the rows."""
        unseen = np.isnan(ahead.p_none)
        p_none = np.where(unseen, self.never, ahead.p_none)
        if self.outcome != "money" or ahead.order_value is None:
            return Prediction(p_none if self.outcome == "silence" else 1.0 - p_none)
        orders, order_value = np.where(unseen, 1.0 - self.never, ahead.orders), ahead.order_value * self.correction
        return Prediction(orders * order_value, {"p_none": p_none, "orders": orders, "order_value": order_value})

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far days with orders, silence and money moved the log-odds (of money: the logarithm), (n, n_features).

        Each against a customer who came for the first time just now, one after the other.
        """
        expectations, steps = self.expectations, values.copy()
        moved = np.zeros(values.shape)
        for shown, changed in self._since_first(values, position):
            before = self._link(steps, position)
            for name, column in changed.items():
                steps[:, position[name]] = column
            moved[:, position[shown]] += before - self._link(steps, position)
        moved[np.isnan(values[:, position[expectations.days]])] = 0.0
        return moved

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        plain = {"asked": self.outcome, "never": self.never, "correction": self.correction, "name": self.name}
        return {"rung": "btyd", **plain, **packed(self.expectations)}, {}

    def _since_first(self, values: Floats, position: Position) -> list[tuple[str, dict[str, Floats]]]:
        """Steps from the customer as it is to one who came for the first time just now, each with the feature shown."""
        expectations = self.expectations
        span, nothing = values[:, position[expectations.span]], np.zeros(len(values))
        count = values[:, position[expectations.days]] + 1
        steps: list[tuple[str, dict[str, Floats]]] = [(expectations.silence, {expectations.age: span})]
        if expectations.order_value is not None:
            usual = expectations.order_value.order_value(nothing, nothing)
            steps.append((expectations.money, {expectations.money: usual * count}))
        return [
            *steps,
            (expectations.days, {expectations.days: nothing, expectations.span: nothing, expectations.age: nothing}),
        ]

    def _link(self, values: Floats, position: Position) -> Floats:
        mean = self.predict(values, position).mean
        return np.asarray(
            np.log(np.maximum(mean, EPS)) if self.outcome == "money" else logit(np.clip(mean, EPS, 1 - EPS))
        )


def unpack_purchase_process(plain: Mapping[str, Any]) -> PurchaseProcess:
    """The rung that `pack` wrote."""
    fields = {FIELD_BY_KEY.get(key, key): value for key, value in plain.items() if key != "rung"}
    return PurchaseProcess(**{**fields, "expectations": unpack_expectations(plain["expectations"])})
