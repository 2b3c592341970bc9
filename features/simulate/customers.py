"""The parameters of a simulated shop and the latent traits of its customers.

Rates and hazards are per day, times are days since the shop's start (a midnight in UTC), money is in the shop's
currency.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cached_property
from typing import Any

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.errors import ConfigError
from features.timeline import days, instant

Column = Any  # an Arrow array; pyarrow's stubs do not tell what kind comes out of NumPy's

CHANNELS = ("web", "app", "phone")
PRODUCTS = ("coffee", "tea", "chocolate", "equipment", "gifts")
ACTIONS = ("discount", "newsletter", "none")
NOTHING = ACTIONS.index("none")
AGE_BANDS = ("18-29", "30-44", "45-64", "65+")
COUNTRIES = ("DE", "FR", "GB", "SE")
ACQUISITION = ("ads", "search", "referral")

# What the profile tells about the latent traits: a little.
AGE_SHARE, AGE_ORDER_VALUE = (0.25, 0.35, 0.28, 0.12), (0.75, 1.0, 1.2, 1.1)
COUNTRY_SHARE, COUNTRY_RATE = (0.4, 0.25, 0.25, 0.1), (1.0, 0.85, 1.1, 1.25)
ACQUISITION_SHARE, ACQUISITION_HAZARD = (0.45, 0.35, 0.2), (1.5, 0.8, 0.5)
ACQUISITION_BARGAIN = (0.6, 0.3, 0.15)  # share of bargain hunters, whom a discount moves

WEEKDAY = np.array([0.9, 0.85, 0.9, 1.0, 1.15, 1.3, 0.9])  # Monday to Sunday, mean 1


@dataclass(frozen=True)
class Shop:
    """A shop with known truth; equal values give equal bytes.

    The log covers `(start, start + history_days]`; the `future_days` after it are simulated without offers, so that
    truth can be checked against what happened. `purchase_rate`, `lapse_hazard` and `trouble_rate` are means over
    customers of gamma-distributed values, before what the profile adds to them.
    """

    customers: int = 3000
    seed: int = 7
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    history_days: int = 540
    future_days: int = 365
    one_time_share: float = 0.05  # these lapse with their first purchase
    purchase_rate: float = 1 / 48
    purchase_rate_shape: float = 1.4
    lapse_hazard: float = 1 / 2000
    lapse_hazard_shape: float = 1.5
    trouble_rate: float = 1 / 250  # support tickets
    trouble_factor: float = 8.0  # the first ticket multiplies the lapse hazard, for good
    order_value: float = 45.0  # mean of an order, before what customers differ by
    order_value_spread: float = 0.45  # standard deviation of the log between customers
    order_value_noise: float = 0.4  # … and between the orders of one customer
    lines_per_order: float = 1.5
    return_share: float = 0.06  # orders sent back whole, `return_days` after the purchase
    return_days: int = 7
    views_per_session: float = 2.6
    browse_per_purchase: float = 1.2  # sessions that end without a purchase, per purchase
    browse_rate: float = 1 / 90  # … and as many more a day for everyone
    offer_every_days: int = 28  # at least `offer_jitter_days + effect_days`: effects never overlap
    offer_jitter_days: int = 10
    effect_days: int = 14
    quiet_days: int = 45  # longer without a purchase, and the policy changes
    policy: tuple[float, float, float] = (0.2, 0.3, 0.5)  # probability of each of ACTIONS
    policy_when_quiet: tuple[float, float, float] = (0.35, 0.3, 0.35)
    late_share: float = 0.02  # events that are known only later
    late_days: float = 1.5  # mean delay of these

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        for name, least in (("customers", 1), ("history_days", 1), ("future_days", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"a simulated shop needs {name} of at least {least}, got {getattr(self, name)}")
        if self.seed >= 2**31:
            raise ConfigError(f"a seed lies below 2**31, got {self.seed}")
        if self.start.utcoffset() is None or self.start.astimezone(UTC).time() != time():
            raise ConfigError(f"a simulated shop starts at a midnight in UTC, got start = {self.start.isoformat()}")
        if self.offer_every_days < self.offer_jitter_days + self.effect_days:
            raise ConfigError(
                f"offers would overlap: expected offer_every_days of at least offer_jitter_days + effect_days = "
                f"{self.offer_jitter_days + self.effect_days}, got {self.offer_every_days}"
            )

    @cached_property
    def start_us(self) -> int:
        """Where day 0 begins, µs UTC."""
        return instant(self.start)

    @cached_property
    def end_us(self) -> int:
        """The end of the log, µs UTC: the instant at which the truth is told."""
        return self.start_us + days(self.history_days)

    @property
    def total_days(self) -> int:
        """History and future."""
        return self.history_days + self.future_days

    def season(self, first_day: int, count: int) -> Floats:
        """The factor on the purchase rate on each of `count` days from `first_day` on, shape (count,)."""
        return WEEKDAY[(self.start.astimezone(UTC).weekday() + first_day + np.arange(count)) % 7]


@dataclass(frozen=True)
class People:
    """Latent traits and the profile of n customers; arrays of shape (n,) unless said otherwise."""

    joined: Floats  # day of the first purchase
    one_time: Bools
    purchase_rate: Floats  # while alive, before season and offers
    lapse_hazard: Floats  # before any trouble
    trouble_rate: Floats
    browse_rate: Floats
    order_value: Floats  # mean
    factors: Floats  # (n, actions): on the purchase rate in the `effect_days` after an offer
    habits: Floats  # (n, channels): shares
    tastes: Floats  # (n, products): shares
    age_band: Ints
    country: Ints
    acquisition: Ints


def draw_people(shop: Shop, count: int, rng: np.random.Generator) -> People:
    """`count` customers of the shop."""
    age_band = rng.choice(len(AGE_BANDS), count, p=AGE_SHARE)
    country = rng.choice(len(COUNTRIES), count, p=COUNTRY_SHARE)
    acquisition = rng.choice(len(ACQUISITION), count, p=ACQUISITION_SHARE)
    rate = _gamma(rng, shop.purchase_rate, shop.purchase_rate_shape, count) * np.take(COUNTRY_RATE, country)
    hazard = _gamma(rng, shop.lapse_hazard, shop.lapse_hazard_shape, count) * np.take(ACQUISITION_HAZARD, acquisition)
    spread = rng.lognormal(-(shop.order_value_spread**2) / 2, shop.order_value_spread, count)
    return People(
        joined=rng.uniform(0.04, shop.history_days, count),  # an hour for the views before the first purchase
        one_time=rng.random(count) < shop.one_time_share,
        purchase_rate=rate,
        lapse_hazard=hazard,
        trouble_rate=_gamma(rng, shop.trouble_rate, 2.0, count),
        browse_rate=shop.browse_rate + shop.browse_per_purchase * rate,
        order_value=shop.order_value * spread * np.take(AGE_ORDER_VALUE, age_band),
        factors=_factors(rng, bargain=rng.random(count) < np.take(ACQUISITION_BARGAIN, acquisition)),
        habits=rng.dirichlet((1.2, 0.9, 0.3), count),
        tastes=rng.dirichlet((1.5, 1.0, 0.8, 0.3, 0.4), count),
        age_band=age_band,
        country=country,
        acquisition=acquisition,
    )


def _gamma(rng: np.random.Generator, mean: float, shape: float, count: int) -> Floats:
    """Gamma values kept off zero, where lifetimes would leave the calendar."""
    return np.maximum(rng.gamma(shape, mean / shape, count), mean * 1e-4)


def _factors(rng: np.random.Generator, *, bargain: Bools) -> Floats:
    """What each action does to each customer's purchase rate: much for bargain hunters, about nothing for the rest."""
    noise = rng.normal(0, 0.15, (len(bargain), 2))
    discount = np.exp(np.where(bargain, 0.8, -0.02) + noise[:, 0])
    newsletter = np.exp(np.where(bargain, 0.0, 0.12) + noise[:, 1])
    return np.column_stack([discount, newsletter, np.ones(len(bargain))])
