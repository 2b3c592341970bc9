"""What a purchase process expects of every row of a panel, read from the columns of `repeat_*` features.

Rungs use it as it is, or widen the rows that trees read by its columns. Who never did what the task asks about has NaN.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from features.arrays import Floats
from models.btyd.bg_nbd import BgNbd
from models.btyd.gamma_gamma import GammaGamma
from models.btyd.process import Past
from models.prediction import Position

LEAST = 1e-300


@dataclass(frozen=True)
class Ahead:
    """Per row what the next `horizon_days` are expected to bring; `order_value` is money per day with orders."""

    p_alive: Floats
    orders: Floats
    p_none: Floats
    order_value: Floats | None = None

    @property
    def columns(self) -> tuple[Floats, ...]:
        """What trees read."""
        plain = (self.p_alive, self.orders, self.p_none)
        return plain if self.order_value is None else (*plain, self.orders * self.order_value)

    def beside(self, values: Floats) -> Floats:
        """The rows with these as further columns."""
        return np.column_stack([values, *self.columns])


@dataclass(frozen=True)
class Expectations:
    """A fitted process and the names of the features it reads.

    `days`, `span` and `age` are the x, t_x and T of `models.btyd.bg_nbd`; `money` is all money so far ("" when none is
    asked for). Reasons show `silence`, the days since the last occurrence, where the chance of a lapse speaks.
    """

    days: str
    span: str
    age: str
    silence: str
    horizon_days: float
    process: BgNbd
    money: str = ""
    order_value: GammaGamma | None = None

    def ahead(self, values: Floats, position: Position) -> Ahead:
        """What is expected of each row; NaN for who was never seen, but for the money of an order."""
        days, span, age = (values[:, position[name]] for name in (self.days, self.span, self.age))
        never = np.isnan(days)
        past = Past.of(*(np.where(never, 0.0, column) for column in (days, span, age)))
        expected = self.process.expect(past, self.horizon_days)
        alive, orders, none = (
            np.where(never, np.nan, column) for column in (expected.p_alive, expected.orders, expected.p_none)
        )
        return Ahead(alive, orders, none, self._order_value(values, position, np.where(never, 0.0, past.x + 1)))

    def longer(self, values: Floats, position: Position, days: float) -> tuple[Floats, Floats]:
        """How what is said of `horizon_days` carries over to `days`, by row; NaN for who was never seen.

        The power of the chance of silence, and the factor of orders and money.
        """
        fitted, carried = (
            replace(self, horizon_days=span).ahead(values, position) for span in (self.horizon_days, days)
        )
        fitted_hazard, carried_hazard = (-np.log(np.maximum(ahead.p_none, LEAST)) for ahead in (fitted, carried))
        power = np.maximum(carried_hazard, LEAST) / np.maximum(fitted_hazard, LEAST)
        return power, np.maximum(carried.orders, LEAST) / np.maximum(fitted.orders, LEAST)

    def widened(self, values: Floats, position: Position) -> Floats:
        """The rows with the expectations as further columns."""
        return self.ahead(values, position).beside(values)

    def folded(self, moved: Floats, position: Position) -> Floats:
        """What the columns of widened rows did, laid to the features that they speak of: (n, n_features)."""
        extra = len(self.shown)
        plain = moved[:, :-extra].copy()
        for name, column in zip(self.shown, moved[:, -extra:].T, strict=True):
            plain[:, position[name]] += column
        return plain

    @property
    def shown(self) -> tuple[str, ...]:
        """The features that the further columns speak of."""
        plain = (self.silence, self.days, self.silence)
        return plain if self.order_value is None else (*plain, self.money)

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_expectations` makes the same."""
        return asdict(self)

    def _order_value(self, values: Floats, position: Position, count: Floats) -> Floats | None:
        if self.order_value is None:
            return None
        money = np.fmax(values[:, position[self.money]], 0.0)  # refunds may outweigh what was bought; NaN is none
        return self.order_value.order_value(count, money / np.maximum(count, 1.0))


def packed(expectations: Expectations | None) -> dict[str, Any]:
    """What a rung writes of them, if it has any."""
    return {} if expectations is None else {"expectations": expectations.pack()}


def unpack_expectations(plain: Mapping[str, Any] | None) -> Expectations | None:
    """What `pack` wrote; None stays None."""
    if plain is None:
        return None
    value = plain["order_value"]
    models = {"process": BgNbd(**plain["process"]), "order_value": None if value is None else GammaGamma(**value)}
    return Expectations(**{**plain, **models})
