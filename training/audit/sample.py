"""A part of the log, raw, for checks that must not go through panel and labels.

Buckets are cut by a hash of the customer, so the first ones are a fair sample of the log however large it is. Of these
buckets all rows are kept, and a few customers are looked at one by one: those whose ids hash lowest, because the panel
too leaves out the others when it has too many rows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Ints, Strings
from features.journeys import Journeys
from training.audit.case import AuditInput
from training.dataset.sampling import in_share, stable_hash

MOST_BUCKETS = 6
ENOUGH_CUSTOMERS = 400  # looked at one by one
FEW_ROWS = 60_000  # of these customers together, about
MANY_ROWS = 300_000


@dataclass(frozen=True, eq=False)
class LogSample:
    """Whole buckets, many and a few customers of each, and whether the buckets are all there are."""

    parts: tuple[Journeys, ...]
    many: tuple[Journeys, ...]
    few: tuple[Journeys, ...]
    complete: bool

    @cached_property
    def customers(self) -> Strings:
        """Those looked at one by one, in the order of `few`."""
        return np.concatenate([np.zeros(0, object), *(part.customers for part in self.few)])

    @cached_property
    def events(self) -> frozenset[str]:
        """Every kind of event in the buckets."""
        return frozenset(
            str(part.event.names[code]) for part in self.parts for code in np.unique(part.event.codes) if code >= 0
        )


def sample_log(case: AuditInput) -> LogSample:
    """The first buckets, as many as it takes to see enough customers that the panel holds."""
    share = _panel_share(case)
    parts: list[Journeys] = []
    complete = True
    for part in case.parts():
        if len(parts) >= 1 and (_held(parts, share) >= ENOUGH_CUSTOMERS or len(parts) >= MOST_BUCKETS):
            complete = False
            break
        parts.append(part)
    customers, rows = max(sum(map(len, parts)), 1), max(sum(part.rows for part in parts), 1)
    few = min(share, ENOUGH_CUSTOMERS / customers, FEW_ROWS / rows)
    return LogSample(tuple(parts), _sampled(parts, MANY_ROWS / rows), _sampled(parts, few), complete)


def place(case: AuditInput, customers: Strings) -> dict[tuple[str, int], int]:
    """The number of the panel's row for each of these customers and each cutoff."""
    wanted = set(customers.tolist())
    rows = [row for row, customer in enumerate(case.rows.customer.tolist()) if customer in wanted]
    cutoffs = case.rows.cutoff[rows].tolist()
    return {(str(case.rows.customer[row]), cutoff): row for row, cutoff in zip(rows, cutoffs, strict=True)}


def _panel_share(case: AuditInput) -> float:
    """The share of ids that the panel takes, told by those in it: all are in it when it has few rows."""
    if len(case.rows) < case.max_rows // 2:
        return 1.0
    newest = case.rows.customer[case.rows.cutoff == case.rows.cutoff.max()]
    return min(float(stable_hash(newest).max() / 2.0**64), 1.0)


def _held(parts: list[Journeys], share: float) -> float:
    return share * sum(map(len, parts))


def _sampled(parts: list[Journeys], share: float) -> tuple[Journeys, ...]:
    """This share of the customers, those whose ids hash lowest."""
    if share >= 1:
        return tuple(parts)
    return tuple(part.select(np.flatnonzero(in_share(part.customers, share))) for part in parts)


def last_before(owner: Ints, instants: Ints, own_owner: Ints, own: Ints) -> Ints:
    """The place in `own` (by owner, ascending) of the newest that is not after each instant; -1 where there is none."""
    places = np.searchsorted(_key(own_owner, own), _key(owner, instants), side="right") - 1
    same = (places >= 0) & (own_owner[np.maximum(places, 0)] == owner) if len(own) else np.zeros(len(owner), bool)
    return np.where(same, places, -1)


def _key(owner: Ints, instants: Ints) -> Ints:
    """Owner and instant in one number, seconds being enough to tell rows apart in a check."""
    return owner * 2**36 + instants // 1_000_000 + 2**35
