"""What simulated customers live through: trouble, the lapse, offers, purchases, browsing.

The process of one customer, in days since the shop's start:

- The first purchase is on the day of joining. A one-time buyer lapses there and then.
- While alive, support tickets come as a Poisson process (`trouble_rate`). The lapse hazard is `lapse_hazard` before
  the first ticket and `trouble_factor` times that from then on.
- While alive, purchases come as a Poisson process of intensity `purchase_rate · season(day) · factor`, where `factor`
  is that of the last offer for `effect_days` after it and 1 otherwise. They leave lifetime and tickets alone.
- Offers are decided in waves, one for each customer and wave, lapsed or not. The last wave's effect ends with the log
  at the latest, so none reaches past it.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.simulate.customers import People, Shop


@dataclass(frozen=True)
class Points:
    """Points in time of a block's customers, shape (points,)."""

    owner: Ints  # the customer, by position in the block
    day: Floats

    def sorted(self) -> "Points":
        """By customer, then time."""
        order = np.lexsort((self.day, self.owner))
        return Points(self.owner[order], self.day[order])


@dataclass(frozen=True)
class Offers:
    """Decisions taken, shape (decisions,)."""

    at: Points
    action: Ints  # position in ACTIONS
    probability: Floats  # with which it was drawn


@dataclass(frozen=True)
class Lives:
    """All that a block's customers live through, over history and future."""

    lapsed: Floats  # (n,): day
    first_ticket: Floats  # (n,): day; infinite where the lapse came first
    tickets: Points
    purchases: Points  # sorted
    offers: Offers
    browsing: Points  # ends of sessions without a purchase


def simulate_lives(shop: Shop, people: People, rng: np.random.Generator) -> Lives:
    """One realisation of the process."""
    lapsed, first_ticket = _lapses(shop, people, rng)
    until = np.minimum(lapsed, shop.total_days)
    more_tickets = _poisson(rng, people.trouble_rate, np.minimum(first_ticket, until), until)
    purchases, offers = _purchases(shop, people, until, rng)
    return Lives(
        lapsed=lapsed,
        first_ticket=first_ticket,
        tickets=_join(Points(np.flatnonzero(first_ticket < until), first_ticket[first_ticket < until]), more_tickets),
        purchases=purchases,
        offers=offers,
        browsing=_poisson(rng, people.browse_rate, people.joined, until),
    )


def _lapses(shop: Shop, people: People, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Day of the lapse and of the first ticket: one lapses when the hazard lived through reaches a unit exponential."""
    wait = rng.exponential(1, len(people.joined)) / people.trouble_rate
    budget = rng.exponential(1, len(people.joined))
    calm = budget / people.lapse_hazard
    troubled = wait + (calm - wait) / shop.trouble_factor
    lifetime = np.where(people.one_time, 0.0, np.where(calm <= wait, calm, troubled))
    return people.joined + lifetime, np.where(wait < lifetime, people.joined + wait, np.inf)


def _poisson(rng: np.random.Generator, rate: Floats, start: Floats, stop: Floats) -> Points:
    """A homogeneous Poisson process of each customer on `(start, stop)`, in no order of time."""
    span = np.maximum(stop - start, 0)
    owner = np.repeat(np.arange(len(rate)), rng.poisson(rate * span))
    return Points(owner, start[owner] + span[owner] * rng.random(len(owner)))


def _purchases(shop: Shop, people: People, until: Floats, rng: np.random.Generator) -> tuple[Points, Offers]:
    """Purchases and offers together, wave by wave, for the policy looks at purchases and purchases answer to offers.

    Purchases are thinned from a homogeneous process at the highest intensity that a customer can have.
    """
    season = shop.season(0, shop.total_days + 1)
    top = people.factors.max(axis=1) * season.max()
    candidates = _poisson(rng, people.purchase_rate * top, people.joined, until)
    needed = rng.random(len(candidates.day)) * top[candidates.owner] / season[candidates.day.astype(np.int64)]
    sent = _wave_days(shop, len(until), rng)
    wave = _wave_before(shop, sent, candidates)

    accepted = np.zeros(len(wave), dtype=np.bool_)
    last_purchase = people.joined.copy()
    offers = []
    for number, rows in enumerate(_by_wave(wave, sent.shape[1]), start=-1):
        owner, day = candidates.owner[rows], candidates.day[rows]
        factor = np.ones(len(rows))
        if number >= 0:
            at = sent[:, number]
            reached = at > people.joined
            action, probability = _draw_actions(shop, quiet=at - last_purchase > shop.quiet_days, rng=rng)
            offers.append(Offers(Points(np.flatnonzero(reached), at[reached]), action[reached], probability[reached]))
            in_effect = reached[owner] & (day <= at[owner] + shop.effect_days)
            factor = np.where(in_effect, people.factors[owner, action[owner]], 1.0)
        accepted[rows] = needed[rows] < factor
        np.maximum.at(last_purchase, owner[accepted[rows]], day[accepted[rows]])
    first_purchases = Points(np.arange(len(until)), people.joined)
    return _join(first_purchases, Points(candidates.owner[accepted], candidates.day[accepted])).sorted(), _concatenate(
        offers
    )


def _by_wave(wave: Ints, waves: int) -> list[Ints]:
    """Positions of the points before any wave, after the first, after the second, …: waves + 1 arrays."""
    order = np.argsort(wave, kind="stable")
    return np.split(order, np.searchsorted(wave[order], np.arange(waves)))


def _wave_days(shop: Shop, count: int, rng: np.random.Generator) -> Floats:
    """When each wave reaches each customer, ascending, shape (count, waves)."""
    last = shop.history_days - shop.effect_days
    waves = max(0, last // shop.offer_every_days + 1)
    nominal = last - shop.offer_every_days * np.arange(waves)[::-1]
    return nominal - shop.offer_jitter_days * rng.random((count, waves))


def _wave_before(shop: Shop, sent: Floats, points: Points) -> Ints:
    """The last wave that reached the customer before each point; -1 where none had."""
    waves = sent.shape[1]
    if not waves:
        return np.full(len(points.day), -1)
    earliest = shop.history_days - shop.effect_days - shop.offer_every_days * (waves - 1) - shop.offer_jitter_days
    wave = np.clip((points.day - earliest) // shop.offer_every_days, -1, waves - 1).astype(np.int64)
    too_late = (wave >= 0) & (sent[points.owner, wave] >= points.day)
    return np.asarray(wave - too_late, dtype=np.int64)


def _draw_actions(shop: Shop, *, quiet: Bools, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """An action for every customer and the probability with which it was drawn."""
    policy = np.where(quiet[:, None], shop.policy_when_quiet, shop.policy)
    action = draw_positions(rng, policy)
    return action, policy[np.arange(len(action)), action]


def draw_positions(rng: np.random.Generator, shares: Floats) -> Ints:
    """One position for each row of shares (rows, positions), which sum to one."""
    steps = shares.cumsum(axis=1)[:, :-1]
    return np.asarray((rng.random((len(shares), 1)) >= steps).sum(axis=1), dtype=np.int64)


def _join(first: Points, second: Points) -> Points:
    return Points(np.concatenate([first.owner, second.owner]), np.concatenate([first.day, second.day]))


def _concatenate(waves: list[Offers]) -> Offers:
    nobody = Offers(Points(np.empty(0, np.int64), np.empty(0)), np.empty(0, np.int64), np.empty(0))
    waves = [nobody, *waves]
    return Offers(
        at=Points(np.concatenate([wave.at.owner for wave in waves]), np.concatenate([wave.at.day for wave in waves])),
        action=np.concatenate([wave.action for wave in waves]),
        probability=np.concatenate([wave.probability for wave in waves]),
    )
