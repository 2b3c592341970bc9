"""Which part each event plays in a log: the purchase, its refunds, what is done to customers, contracts, their ends."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Floats
from features.init import vocabulary
from features.init.return_times import Occurrences
from features.init.vocabulary import parts, speaks_of


@dataclass(frozen=True)
class EventRoles:
    """The events of a log by the part they play; an event may play none."""

    key: str  # the one that matters most: a purchase where there is one
    refunds: tuple[str, ...]  # their values are negative
    ends: tuple[str, ...]  # of a contract
    contracts: tuple[str, ...]  # what makes a contract live
    acts: tuple[str, ...]  # what customers do, refunds and ends apart
    earns: bool  # whether the key event brings money


def assign_event_roles(log: Occurrences, contact: str | None = None) -> EventRoles:
    """The part of every event; `contact` is one known to be done to customers."""
    money = {name: log.value[log.event == place] for place, name in enumerate(log.names)}
    refunds = tuple(name for name in log.names if _mostly_negative(money[name]))
    ends = tuple(
        name for name in log.names if speaks_of(name, vocabulary.CANCEL) and not speaks_of(name, vocabulary.PURCHASE)
    )
    other_words = vocabulary.CANCEL | vocabulary.BROWSE | vocabulary.CONTACT
    contracts = tuple(
        name for name in log.names if speaks_of(name, vocabulary.CONTRACT) and not speaks_of(name, other_words)
    )
    done_to = {name for name in log.names if name == contact or _is_contact(name)}
    acts = tuple(name for name in log.names if name not in {*refunds, *ends, *done_to}) or log.names
    customers = {name: len(np.unique(log.customer[log.of([name])])) for name in acts}
    earned = {name: float(np.nansum(np.maximum(money[name], 0))) for name in acts}
    key = max(acts, key=lambda name: (_is_purchase(name), earned[name], customers[name], name))
    return EventRoles(key, refunds, ends, contracts, acts, earns=earned[key] > 0)


def _mostly_negative(values: Floats) -> bool:
    amounts = values[~np.isnan(values)]
    return len(amounts) > 0 and float(np.mean(amounts < 0)) >= 0.8


def _is_purchase(name: str) -> float:
    """Share of the name's parts that speak of a purchase: a `payment_error` is half of one."""
    name_parts = parts(name)
    about_purchase = [part in vocabulary.PURCHASE for part in name_parts if part not in vocabulary.DONE]
    return sum(about_purchase) / len(about_purchase) if about_purchase else 0.0


def _is_contact(name: str) -> bool:
    return speaks_of(name, vocabulary.CONTACT) and not speaks_of(
        name, vocabulary.BROWSE | vocabulary.PURCHASE | vocabulary.REFUND
    )
