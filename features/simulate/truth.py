"""Closed forms for what is true of simulated customers at the end of the log, T.

Given are a customer's latent traits and state at T (alive or not, troubled or not), and no offers after T. Write u for
days after T, λ for the purchase rate, s(u) for the season (constant on each day), r(u) = λ s(u), μ for the calm lapse
hazard, κμ for the troubled one, ρ for the rate of tickets.

**Lifetime.** A troubled customer is still alive at u with probability S(u) = e^(-κμu). A calm one stays calm and alive
with e^(-(μ+ρ)u), or has the first ticket at v < u and survives from there:

    S(u) = e^(-(μ+ρ)u) + ∫₀ᵘ ρ e^(-(μ+ρ)v) e^(-κμ(u-v)) dv
         = (1-w) e^(-au) + w e^(-bu),     a = μ+ρ,  b = κμ,  w = ρ/(a-b)

so that S is always a sum of two exponentials Σⱼ wⱼ e^(-cⱼu); by memorylessness it does not matter what came before T.

**No purchase.** The first purchase after T falls in du with probability r(u) e^(-Λ(u)) S(u) du, where Λ(u) = ∫₀ᵘ r,
because purchases are Poisson while alive and independent of the lifetime. Hence

    P(no purchase in h) = 1 - ∫₀ʰ r(u) e^(-Λ(u)) S(u) du

where the day from d to d+1, on which r is constant, adds Σⱼ r wⱼ e^(-Λ(d) - cⱼd) (1 - e^(-(r+cⱼ))) / (r+cⱼ).

**Orders.** E[N(h)] = ∫₀ʰ r(u) S(u) du, where the day from d to d+1 adds Σⱼ r wⱼ e^(-cⱼd) (1 - e^(-cⱼ)) / cⱼ.

**Value.** Orders have mean m, independent of all else, and each is sent back whole with probability q, D days after the
purchase, whether the customer lives or not. Returns in (T, T+h] are of orders in (T-D, T], which are known, or in
(T, T+h-D], so that for h ≥ D

    E[value in h] = m E[N(h)] - q m E[N(h-D)] - q Σ(value of the orders in (T-D, T])

(Money is rounded to cents, which moves the mean of an order by far less than a cent.)

**Uplift.** An offer at T multiplies r by f during the effect and leaves the lifetime alone, so it multiplies E[N] by f
there. The gain in expected spend (gross, over `effect_days`) against doing nothing is (f-1) m E[N(effect_days)]. The
lapsed buy nothing, and gain nothing.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.arrays import Bools, Floats
from features.simulate.customers import ACTIONS, NOTHING, Column, People, Shop
from features.simulate.process import Lives
from features.timeline import DAY_US

P_NONE_DAYS = (30, 90)
VALUE_DAYS = (90, 365)


@dataclass(frozen=True)
class LatentState:
    """Latent state of n customers at T, arrays of shape (n,), per day."""

    alive: Bools
    troubled: Bools
    purchase_rate: Floats
    lapse_hazard: Floats  # calm
    trouble_rate: Floats
    trouble_factor: float


def latent_state(shop: Shop, people: People, lives: Lives) -> LatentState:
    """How a block's customers stand at the end of the log."""
    return LatentState(
        alive=lives.lapsed > shop.history_days,
        troubled=lives.first_ticket <= shop.history_days,
        purchase_rate=people.purchase_rate,
        lapse_hazard=people.lapse_hazard,
        trouble_rate=people.trouble_rate,
        trouble_factor=shop.trouble_factor,
    )


def no_purchase(state: LatentState, season: Floats) -> Floats:
    """P(no purchase in d days after T) for d = 0 … days, shape (n, days + 1); `season` holds a factor a day."""
    weights, hazards = _survival(state)
    rate = state.purchase_rate[:, None] * season
    cumulated = np.cumsum(rate, axis=1) - rate
    buys = np.zeros_like(rate)
    for weight, hazard in zip(weights, hazards, strict=True):
        reaches = weight[:, None] * np.exp(-cumulated - hazard[:, None] * np.arange(len(season)))
        buys += reaches * _share_gone(rate + hazard[:, None]) * rate
    return 1 - _from_zero(buys)


def expected_orders(state: LatentState, season: Floats) -> Floats:
    """Expected purchases in d days after T for d = 0 … days, shape (n, days + 1)."""
    weights, hazards = _survival(state)
    alive_days = np.zeros((len(state.alive), len(season)))
    for weight, hazard in zip(weights, hazards, strict=True):
        alive_days += (weight * _share_gone(hazard))[:, None] * np.exp(-hazard[:, None] * np.arange(len(season)))
    return _from_zero(state.purchase_rate[:, None] * season * alive_days)


def truth_table(shop: Shop, people: People, lives: Lives, *, customer: Column, pending: Floats) -> pa.Table:
    """One row per customer; `pending` (n,) is the value of the orders of the last `return_days` of the log."""
    state = latent_state(shop, people, lives)
    p_none = no_purchase(state, shop.season(shop.history_days, max(P_NONE_DAYS)))
    orders = expected_orders(state, shop.season(shop.history_days, max(VALUE_DAYS)))
    columns: dict[str, Column] = {
        "customer_id": customer,
        "purchase_rate": people.purchase_rate,
        "lapse_hazard": people.lapse_hazard * np.where(state.troubled, shop.trouble_factor, 1.0),
        "trouble_rate": people.trouble_rate,
        "troubled": state.troubled,
        "alive": state.alive,
        "lapsed_at": _lapse_times(shop, lives),
        "mean_order_value": people.order_value,
    }
    columns |= {f"p_no_purchase_{days}d": p_none[:, days] for days in P_NONE_DAYS}
    columns |= {f"expected_orders_{days}d": orders[:, days] for days in VALUE_DAYS}
    columns |= {f"expected_value_{days}d": _net_value(shop, people, orders, pending, days) for days in VALUE_DAYS}
    spend = people.order_value * orders[:, shop.effect_days]
    for action, factor in zip(ACTIONS[:NOTHING], people.factors.T, strict=False):
        columns |= {f"factor_{action}": factor, f"uplift_{action}": (factor - 1) * spend}
    return pa.table(columns)


def _survival(state: LatentState) -> tuple[Floats, Floats]:
    """Weights and hazards of the two exponentials of S(u), each of shape (2, n); weights of the lapsed are zero."""
    troubled = state.trouble_factor * state.lapse_hazard
    calm = state.lapse_hazard + state.trouble_rate
    gap = calm - troubled
    gap = np.where(np.abs(gap) < 1e-7 * calm, 1e-7 * calm, gap)  # equal hazards have a limit, but not this formula
    through_trouble = np.where(state.troubled, 1.0, state.trouble_rate / gap)
    return np.stack([1 - through_trouble, through_trouble]) * state.alive, np.stack([troubled + gap, troubled])


def _share_gone(rate: Floats) -> Floats:
    """`∫₀¹ e^(-rate·u) du`."""
    return np.asarray(-np.expm1(-rate) / rate)


def _from_zero(by_day: Floats) -> Floats:
    return np.concatenate([np.zeros((len(by_day), 1)), np.cumsum(by_day, axis=1)], axis=1)


def _net_value(shop: Shop, people: People, orders: Floats, pending: Floats, days: int) -> Floats:
    sent_back = people.order_value * orders[:, days - shop.return_days] + pending
    return people.order_value * orders[:, days] - shop.return_share * sent_back


def _lapse_times(shop: Shop, lives: Lives) -> Column:
    """µs UTC; null where the lapse lies beyond all that was simulated."""
    beyond = lives.lapsed > shop.total_days
    time = shop.start_us + np.rint(np.where(beyond, 0, lives.lapsed) * DAY_US).astype(np.int64)
    return pa.array(time, type=pa.timestamp("us", tz="UTC"), mask=beyond)
